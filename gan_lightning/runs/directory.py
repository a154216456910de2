"""The run directory, which holds everything of one run."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from gan_lightning.config.experiments import parse_yaml, read_yaml
from gan_lightning.config.fingerprint import fingerprint
from gan_lightning.config.load import load_config, to_yaml
from gan_lightning.config.renamed import upgrade
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.runs.environment import describe_environment
from gan_lightning.runs.folders import check_free_space, new_folder, new_timed_folder, start_time
from gan_lightning.runs.own_classes import (
    check_own_classes,
    describe_own_classes,
    search_own_classes,
)
from gan_lightning.runs.state import LOCK
from gan_lightning.utils.files import atomic_write, sync_folder
from gan_lightning.utils.names import printable

__all__ = ["RUNS", "UPDATES_KEY", "RunDirectory"]

RUNS = Path("runs")
"""Default parent of the run directories, relative to the working directory."""

UPDATES_KEY = "updates"
"""Column of metrics.csv, and key of W&B's rows, with the generator update of the row."""

SAMPLE_FILE = re.compile(r"(?P<kind>.+?)(_(?P<updates>\d+))?")
"""Stem of a picture's file name, or of a file of points."""

PLACES = ("root", "store")
"""Keys of `data` that say where the data lie."""


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one run, and the paths in it.

    Args:
        path: the directory.
    """

    path: Path

    @classmethod
    def create(cls, experiment: str, output: Path | None, runs: Path = RUNS) -> RunDirectory:
        """Create the directory of a new run.

        Args:
            experiment: name of the experiment.
            output: the directory; None for RUNS/EXPERIMENT/<time>.
            runs: parent of all runs, for `output=None`.

        Raises:
            UserError: `output` is not empty, its name is not UTF-8, or it cannot be written.
        """
        _check_utf8((output or runs).absolute())
        try:
            path = new_folder(output) if output is not None else new_timed_folder(runs / experiment)
            check_free_space(path)
        except OSError as error:
            target = output if output is not None else runs / experiment
            raise UserError(
                f"cannot write to {target}: {error.strerror}; choose another folder by --output DIR"
            ) from error
        return cls(path)

    @classmethod
    def find(cls, run: str) -> RunDirectory:
        """Find a run by its directory, or the latest run of an experiment by the experiment's name.

        Raises:
            UserError: there is no such run; the message lists the experiments that have runs.
        """
        path = Path(run)
        if (path / "config.yaml").is_file():
            return cls(path)
        if run and "/" not in run and (found := cls.all_in(RUNS / run)):
            return found[-1]
        names = sorted({config.parent.parent.name for config in RUNS.glob("*/*/config.yaml")})
        valid = f"runs exist of {nearest_first(run, names)}" if names else "there are no runs yet"
        if run and path.is_dir():
            valid = f"that folder has no config.yaml, so it is no run or saved model; {valid}"
        raise UserError(
            f"there is no run {run!r}: {valid}; give a run directory or the name of an experiment, "
            f"or train one by `gan-lightning train EXP`"
        )

    @classmethod
    def all_in(cls, parent: Path) -> list[RunDirectory]:
        """List the run directories in a folder, the oldest first.

        The time is that of the name, if it is one, else that of the file of the config, which is
        written at the start and whenever the run is resumed.
        """
        configs = parent.glob("*/config.yaml")
        return [cls(config.parent) for config in sorted(configs, key=start_time)]

    def check_is_new(self) -> None:
        """Check, under the lock of the run, that no other process has begun a run here.

        Raises:
            UserError: there are files of another run.
        """
        if any(path.name != LOCK for path in self.path.iterdir()):
            raise UserError(
                f"{self.path} has the files of another run; choose a new folder by --output DIR"
            )

    @property
    def config_file(self) -> Path:
        """File of the resolved config."""
        return self.path / "config.yaml"

    @property
    def environment_file(self) -> Path:
        """File of the command, the versions and the machine."""
        return self.path / "environment.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """Folder of the pictures and of the generated points."""
        return self.path / "samples"

    @property
    def metrics(self) -> Path:
        """CSV file of losses and metrics by generator update."""
        return self.path / "metrics.csv"

    @property
    def generator_file(self) -> Path:
        """Weights of the generator after the last update, safetensors."""
        return self.path / "generator.safetensors"

    @property
    def data_file(self) -> Path:
        """What a machine without the data needs to know of them, safetensors."""
        return self.path / "data.safetensors"

    @property
    def log(self) -> Path:
        """Text file of log messages and warnings."""
        return self.path / "log.txt"

    def pictures(self) -> dict[str, dict[int, Path]]:
        """Return kind -> generator update -> PNG file of all pictures, sorted."""
        return self._sample_files("*.png")

    def points(self) -> dict[int, Path]:
        """Return generator update -> .npy file of the saved generated points, sorted."""
        return self._sample_files("*.npy").get("points", {})

    def _sample_files(self, pattern: str) -> dict[str, dict[int, Path]]:
        files: dict[str, dict[int, Path]] = {}
        for path in self.samples.glob(pattern):
            if name := SAMPLE_FILE.fullmatch(path.stem):
                files.setdefault(name["kind"], {})[int(name["updates"] or 0)] = path
        return {kind: dict(sorted(files[kind].items())) for kind in sorted(files)}

    def raw_config(self) -> dict[str, Any]:
        """Read the resolved config as plain values, old keys under their new names.

        Where a power failure has left an empty or damaged file, the config is read from the latest
        checkpoint, which has it, too.

        Raises:
            UserError: the file cannot be read.
        """
        try:
            content = read_yaml(self.config_file)
        except UserError:
            content = self._config_in_checkpoint()
            if not content:
                raise
        search_own_classes(self.environment())
        return upgrade(content or self._config_in_checkpoint())

    def _config_in_checkpoint(self) -> dict[str, Any]:
        """Read the config from the latest checkpoint that has it; empty without one."""
        import torch

        for path in sorted(self.checkpoints.glob("*.ckpt"), key=_update, reverse=True):
            with suppress(Exception):  # damaged files raise errors of many classes
                checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
                return parse_yaml(checkpoint["config"], path)
        return {}

    def config(self, overrides: list[str] | None = None) -> RunConfig:
        """Read the resolved config; warn where the file of an own class has changed.

        Args:
            overrides: `key=value`, applied to the config.

        Raises:
            UserError: the file cannot be read, has keys or values that are not valid, or names a
                class that cannot be imported.
        """
        source = self.raw_config()
        check_own_classes(self.path, self.environment())
        return load_config(source, overrides or [])

    def config_at(self, config: RunConfig) -> RunConfig:
        """Read the config, with the place of the data in another config if that has the same data.

        Args:
            config: a config whose data may lie elsewhere than when the run was started.
        """
        own = self.config()
        identity = self.environment().get("data")
        if identity is None or identity != getattr(config.data, "identity", None):
            return own
        places = {key: getattr(config.data, key) for key in PLACES if hasattr(own.data, key)}
        return replace(own, data=replace(own.data, **places))

    def write_config(
        self, config: RunConfig, fallback_id: str | None = None, training_data: int | None = None
    ) -> None:
        """Write config.yaml and environment.json at the start of a run or when it is resumed.

        A run that is resumed with another fingerprint is marked as changed from then on.

        Args:
            config: resolved config of the run.
            fallback_id: id of the run where the directory has none: the id in the checkpoint, or
                the id that a sweep has given.
            training_data: number of training data, where it is known.
        """
        changed = self.config_changed() or self._differs_from(config)
        run_id = self.run_id() or fallback_id or uuid4().hex[:16]
        environment = {
            "run": run_id,
            "config_changed": changed,
            **describe_environment(),
            "classes": describe_own_classes(config),
            "data": getattr(config.data, "identity", None),
            "training_data": training_data,
        }
        content = json.dumps(environment, indent=2) + "\n"
        atomic_write(self.environment_file, content, durable=True)
        atomic_write(self.config_file, to_yaml(config), durable=True)
        sync_folder(self.path.parent)

    def run_id(self) -> str | None:
        """Read the id of the run, also its id at W&B; None before `write_config`."""
        run_id = self.environment().get("run")
        return None if run_id is None else str(run_id)

    def environment(self) -> dict[str, Any]:
        """Read environment.json: command, versions and machine; empty before `write_config`."""
        try:
            content = json.loads(self.environment_file.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def config_changed(self) -> bool:
        """Return whether the run was resumed with another fingerprint."""
        return bool(self.environment().get("config_changed", False))

    def _differs_from(self, config: RunConfig) -> bool:
        try:
            return fingerprint(self.config_at(config)) != fingerprint(config)
        except UserError:
            return self.config_file.exists()

    def delete_partial_files(self) -> None:
        """Delete partial files of killed processes, and the measures.json of version 0.1."""
        for partial in self.path.glob("**/.*.partial"):
            partial.unlink(missing_ok=True)
        (self.path / "measures.json").unlink(missing_ok=True)  # now part of outcome.json

    def delete(self, keep_folder: bool = False) -> None:
        """Delete everything in the directory, and the directory unless `keep_folder`."""
        if not keep_folder:
            rmtree(self.path, ignore_errors=True)
            return
        for path in self.path.iterdir():
            rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _update(checkpoint: Path) -> int:
    """Return the update in the name of a checkpoint; -1 for the best one, which has none."""
    number = re.search(r"\d+$", checkpoint.stem)
    return int(number[0]) if number else -1


def _check_utf8(folder: Path) -> None:
    """Check the name of a folder; PyTorch, W&B and JSON cannot write other names than UTF-8."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"the folder {printable(str(folder))} has a name that is not UTF-8; choose another one "
            f"by --output DIR"
        ) from error
