"""What a run folder says of its run, as plain facts; no model is built and torch not imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config.experiments import one_line
from gan_lightning.config.schema import Claim
from gan_lightning.errors import UserError
from gan_lightning.report.curves import Curve, read_curves
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import is_locked, read_outcome
from gan_lightning.utils.settings import check_settings

__all__ = ["RunSummary", "read_runs"]

TIMED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(-\d+)?")
"""Name of a run's folder in runs/EXPERIMENT."""

WARNING = re.compile(r"\S+ \S+ WARNING gan_lightning: (?P<said>.*)")
LOSS = "loss/"


@dataclass(frozen=True)
class RunSummary:
    """A run as its folder tells it.

    Args:
        label: short name that no other run beside it has.
        folder: of the run.
    """

    label: str
    folder: RunDirectory

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config, also one of another version of this package.

        Raises:
            UserError: it cannot be read.
        """
        return self.folder.raw_config()

    @property
    def title(self) -> str:
        """What the run is of, as its experiment says."""
        return str(self.config.get("title") or "")

    @cached_property
    def claims(self) -> list[Claim]:
        """What the paper claims.

        Raises:
            UserError: the config's claims are none.
        """
        try:
            return [_claim(part) for part in self.config.get("claims") or ()]
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            where = self.folder.config_file
            raise UserError(f"{where} has a claim that is none: {one_line(error)}") from error

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """All figures of metrics.csv by name; nothing before the first row."""
        return read_curves(self.folder.metrics)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What the run was trained by."""
        return self.folder.environment()

    @cached_property
    def updates(self) -> int:
        """Generator updates that are known of, saved or logged."""
        logged = (curve.updates[-1] for curve in self.curves.values())
        return max([read_outcome(self.folder.path).updates, *logged])

    @property
    def budget(self) -> int | None:
        """Generator updates that the run was to have."""
        budget = (self.config.get("trainer") or {}).get("max_updates")
        return budget if isinstance(budget, int) else None

    @property
    def minutes(self) -> float:
        """Minutes of the run's whole life, as it last saved."""
        return read_outcome(self.folder.path).seconds / 60

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end."""
        return read_outcome(self.folder.path).measures is not None

    @property
    def status(self) -> str:
        """How far the run is, in words."""
        if self.finished:
            return f"finished after {self.updates:,} updates"
        of = f" of {self.budget:,}" if self.budget else ""
        if is_locked(self.folder.path):
            return f"in training, at update {self.updates:,}{of}"
        return f"stopped at update {self.updates:,}{of}"

    @cached_property
    def measures(self) -> dict[str, float]:
        """The final measures, or the latest where the run has not ended; none before the first."""
        final = read_outcome(self.folder.path).measures
        return dict(final) if final is not None else {n: c.values[-1] for n, c in self.measured()}

    @property
    def measured_at(self) -> int | None:
        """Update of the measures; None where there are none."""
        if self.finished:
            return self.updates
        return max((curve.updates[-1] for _, curve in self.measured()), default=None)

    def measured(self) -> list[tuple[str, Curve]]:
        """List what was measured during training, by name; losses are none of it."""
        return [
            (name, curve)
            for name, curve in self.curves.items()
            if not name.startswith(LOSS) and name != "images_seen"
        ]

    def losses(self, player: str) -> dict[str, Curve]:
        """Return the loss terms of a player, `generator`, `discriminator` or `classifier`."""
        start = f"{LOSS}{player}"
        return {n: c for n, c in self.curves.items() if n == start or n.startswith(f"{start}/")}

    @cached_property
    def warnings(self) -> list[str]:
        """What the run has warned of."""
        try:
            lines = self.folder.log.read_text(errors="replace").splitlines()
        except OSError:
            return []
        return [found["said"] for line in lines if (found := WARNING.fullmatch(line))]


def read_runs(names: Sequence[str]) -> list[RunSummary]:
    """Find runs by their folders or experiments.

    Raises:
        UserError: there is no such run, or one is named twice.
    """
    folders: list[RunDirectory] = []
    for name in names:
        folder = RunDirectory.find(name)
        if any(folder.path.resolve() == other.path.resolve() for other in folders):
            raise UserError(f"run {folder.path} is named twice; name each run once")
        folders.append(folder)
    labels = _labels([folder.path.resolve() for folder in folders])
    return [RunSummary(*pair) for pair in zip(labels, folders, strict=True)]


def _labels(paths: Sequence[Path]) -> list[str]:
    """Name each path by its last parts, as few as tell it apart; a time alone is no name."""
    depths = [1] * len(paths)
    while True:
        labels = [_last(path, depth) for path, depth in zip(paths, depths, strict=True)]
        alike = [labels.count(label) > 1 for label in labels]
        if not any(alike):
            return labels
        depths = [depth + again for depth, again in zip(depths, alike, strict=True)]


def _last(path: Path, depth: int) -> str:
    if TIMED.fullmatch(path.name) and depth == 1:
        return path.parent.name
    return "/".join(path.parts[-depth:])


def _claim(content: Any) -> Claim:
    claim = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Claim), content))
    assert isinstance(claim, Claim)
    check_settings(claim)
    return claim
