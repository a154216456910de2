"""The folder of a run: everything about it, nothing elsewhere."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from gan_lightning.config.experiments import read_yaml
from gan_lightning.config.fingerprint import deciding
from gan_lightning.config.load import load_config, to_yaml
from gan_lightning.config.renamed import upgrade
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import available_cores, machine

__all__ = ["STEP", "RunDirectory"]

STEP = "updates"
"""Column of `metrics.csv`, and key at W&B, that is the x-axis of all others."""

RUNS = Path("runs")

STEP = "updates"
"""Column of metrics.csv that says after how many updates a row was logged."""

DRAWN = re.compile(r"(?P<kind>.+?)(_(?P<updates>\d+))?")
"""Name of a picture, or of the points on it."""

SMALLEST_RUN = 2**20
"""Bytes that any run needs."""

PACKAGES = ("gan-lightning", "torch", "pytorch-lightning", "torchmetrics", "wandb", "omegaconf")


@dataclass(frozen=True)
class RunDirectory:
    """Where things of one run lie."""

    path: Path

    @classmethod
    def create(cls, experiment: str, output: Path | None, runs: Path = RUNS) -> RunDirectory:
        """Make a new folder, `output` or RUNS/EXPERIMENT/<time>.

        Raises:
            UserError: `output` holds something already, or cannot be written.
        """
        try:
            path = _new(output) if output is not None else _new_timed(runs / experiment)
            _check_space(path)
        except OSError as error:
            where = output if output is not None else runs / experiment
            raise UserError(
                f"cannot write to {where}: {error.strerror}; choose another folder by --output DIR"
            ) from error
        return cls(path)

    @classmethod
    def find(cls, run: str) -> RunDirectory:
        """Find a run by its folder, or the latest of an experiment by its name.

        Raises:
            UserError: there is none; the message lists the experiments that have runs.
        """
        path = Path(run)
        if (path / "config.yaml").is_file():
            return cls(path)
        found = sorted((RUNS / run).glob("*/config.yaml")) if run and "/" not in run else []
        if found:
            return cls(found[-1].parent)
        names = sorted({config.parent.parent.name for config in RUNS.glob("*/*/config.yaml")})
        valid = f"runs exist of {nearest_first(run, names)}" if names else "there are no runs yet"
        raise UserError(
            f"there is no run {run!r}: {valid}; name a run folder or an experiment, "
            f"or make one by `gan-lightning train EXP`"
        )

    @property
    def config_file(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """Folder of the pictures."""
        return self.path / "samples"

    @property
    def metrics(self) -> Path:
        """CSV file of losses and measures by update."""
        return self.path / "metrics.csv"

    @property
    def log(self) -> Path:
        """Text log."""
        return self.path / "log.txt"

    def pictures(self) -> dict[str, dict[int, Path]]:
        """List the pictures that have been drawn: kind -> update -> PNG file, in order."""
        return self._drawn("*.png")

    def points(self) -> dict[int, Path]:
        """List the generated points that have been kept: update -> .npy file, in order."""
        return self._drawn("*.npy").get("points", {})

    def _drawn(self, pattern: str) -> dict[str, dict[int, Path]]:
        found: dict[str, dict[int, Path]] = {}
        for path in self.samples.glob(pattern):
            if name := DRAWN.fullmatch(path.stem):
                found.setdefault(name["kind"], {})[int(name["updates"] or 0)] = path
        return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}

    def raw_config(self) -> dict[str, Any]:
        """Read the plain content of the run's resolved config, whichever version wrote it.

        Raises:
            UserError: it cannot be read.
        """
        return upgrade(read_yaml(self.config_file))

    def config(self, overrides: list[str] | None = None) -> RunConfig:
        """Read the run's resolved config back.

        Raises:
            UserError: it cannot be read or does not fit this version.
        """
        return load_config(self.raw_config(), overrides or [])

    def write_config(self, config: RunConfig, known_as: str | None = None) -> None:
        """Write the resolved config and the environment; a run that changes its mind says so.

        Args:
            config: of the run.
            known_as: its id, where a checkpoint holds one and the folder has lost it.
        """
        changed = self.config_changed() or self._differs_from(config)
        identity = self.run_id() or known_as or uuid4().hex[:16]
        environment = {"run": identity, "config_changed": changed, **_environment()}
        atomic_write(self.path / "environment.json", json.dumps(environment, indent=2) + "\n")
        atomic_write(self.config_file, to_yaml(config))

    def run_id(self) -> str | None:
        """Read the run's id, which W&B knows it by; None before `describe`."""
        found = self.environment().get("run")
        return None if found is None else str(found)

    def environment(self) -> dict[str, Any]:
        """Read what the run was trained by; nothing before `describe`."""
        try:
            content = json.loads((self.path / "environment.json").read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def config_changed(self) -> bool:
        """Tell whether the run was resumed with another config, so that no one config made it."""
        return bool(self.environment().get("config_changed", False))

    def _differs_from(self, config: RunConfig) -> bool:
        try:
            return deciding(self.config()) != deciding(config)
        except UserError:
            return (self.path / "config.yaml").exists()

    def delete_partial_files(self) -> None:
        """Delete partial files of killed processes, and the measures.json of version 0.1."""
        for partial in self.path.glob("**/.*.partial"):
            partial.unlink(missing_ok=True)
        (self.path / "measures.json").unlink(missing_ok=True)  # outcome.json has the measures

    def delete(self) -> None:
        """Delete the folder with all in it."""
        rmtree(self.path, ignore_errors=True)


def _new(path: Path) -> Path:
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"{path} is not empty; choose a new folder by --output DIR")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _new_timed(parent: Path) -> Path:
    stem = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 1000):
        path = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise UserError(f"cannot make a new folder in {parent}; choose one by --output DIR")


def _check_space(folder: Path) -> None:
    """Refuse a folder that has no room for even a small run, and leave nothing there."""
    probe = folder / ".probe"
    try:
        probe.write_bytes(bytes(SMALLEST_RUN))
        probe.unlink()
    except OSError:
        probe.unlink(missing_ok=True)
        folder.rmdir()
        raise


def _environment() -> dict[str, Any]:
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": available_cores(),
        "machine": machine(),
        "packages": {name: version(name) for name in PACKAGES},
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """Name the commit of the checkout that the package runs from, or None outside one."""
    folder = Path(__file__).parents[1]
    if not (folder.parent / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
