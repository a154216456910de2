"""Facts about a run, read from its run directory without importing torch or building a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gan_lightning.config.claim import Claim
from gan_lightning.config.merge import one_line
from gan_lightning.diagnosis import Diagnosis, diagnose, signals_of_run
from gan_lightning.errors import UserError
from gan_lightning.report.curves import Curve, read_curves
from gan_lightning.results.claims import no_verdict_reason
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import is_locked, read_outcome
from gan_lightning.utils.settings import check_settings
from gan_lightning.utils.typed_values import merge

__all__ = ["RunSummary", "read_runs"]

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(-\d+)?")
"""Name of a run directory in runs/EXPERIMENT."""

WARNING = re.compile(r"\S+ \S+ WARNING gan_lightning: (?P<message>.*)")
LOSS_PREFIX = "loss/"


@dataclass(frozen=True)
class RunSummary:
    """Facts about a run, read from its run directory when they are first used.

    Attributes:
        label: short name, different from those of the other runs in the same report.
        folder: the run directory.
    """

    label: str
    folder: RunDirectory

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain values; another version may have written it.

        Raises:
            UserError: the config cannot be read.
        """
        return self.folder.raw_config()

    @property
    def title(self) -> str:
        """Title of the run's experiment."""
        return str(self.config.get("title") or "")

    @cached_property
    def claims(self) -> list[Claim]:
        """Claims in the run's config.

        Raises:
            UserError: a claim in the config is invalid.
        """
        try:
            return [_claim(part) for part in self.config.get("claims") or ()]
        except (ValueError, TypeError) as error:
            where = self.folder.config_file
            raise UserError(f"{where} has an invalid claim: {one_line(error)}") from error

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """Key -> curve of everything in metrics.csv; empty before the first row."""
        return read_curves(self.folder.metrics)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Machine, package versions and command of the run."""
        return self.folder.environment()

    @cached_property
    def updates(self) -> int:
        """Generator updates so far: the latest that was saved or logged."""
        logged = (curve.updates[-1] for curve in self.curves.values())
        return max([read_outcome(self.folder.path).updates, *logged])

    @property
    def budget(self) -> int | None:
        """Generator updates of the complete run; None where the config does not have them."""
        budget = (self.config.get("trainer") or {}).get("max_updates")
        return budget if isinstance(budget, int) else None

    @property
    def minutes(self) -> float:
        """Minutes of training over all sessions, as of the latest save."""
        return read_outcome(self.folder.path).seconds / 60

    @property
    def finished(self) -> bool:
        """Whether the run has finished."""
        return read_outcome(self.folder.path).measures is not None

    @property
    def no_verdict(self) -> str:
        """Why the claims have no verdict on this run; empty if they have."""
        outcome = read_outcome(self.folder.path)
        return no_verdict_reason(self.config, finished=self.finished, stopped_by=outcome.stopped_by)

    @property
    def status(self) -> str:
        """Progress of the run as a phrase."""
        if self.finished:
            return f"finished after {self.updates:,} updates"
        of = f" of {self.budget:,}" if self.budget else ""
        if is_locked(self.folder.path):
            return f"in training, at update {self.updates:,}{of}"
        return f"stopped at update {self.updates:,}{of}"

    @cached_property
    def measures(self) -> dict[str, float]:
        """Metric -> final value, or the latest value where the run has not finished."""
        final = read_outcome(self.folder.path).measures
        if final is not None:
            return dict(final)
        return {name: curve.values[-1] for name, curve in self.metric_curves()}

    @property
    def measured_at(self) -> int | None:
        """Update at which the measures were taken; None where there are none."""
        if self.finished:
            return self.updates
        return max((curve.updates[-1] for _, curve in self.metric_curves()), default=None)

    def metric_curves(self) -> list[tuple[str, Curve]]:
        """Return the curves of all metrics, without losses."""
        return [
            (name, curve)
            for name, curve in self.curves.items()
            if not name.startswith(LOSS_PREFIX) and name != "images_seen"
        ]

    def losses(self, player: str) -> dict[str, Curve]:
        """Return the curves of the loss terms of a player.

        Args:
            player: `generator`, `discriminator` or `classifier`.
        """
        key = f"{LOSS_PREFIX}{player}"
        return {
            name: curve
            for name, curve in self.curves.items()
            if name == key or name.startswith(f"{key}/")
        }

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What state the run is in; None for a classifier, and where it is too early to say.

        Raises:
            UserError: the config cannot be read.
        """
        found = diagnose(signals_of_run(self.folder))
        return None if found.state is None else found

    @cached_property
    def warnings(self) -> list[str]:
        """Messages of the warnings in the run's log."""
        try:
            lines = self.folder.log.read_text(errors="replace").splitlines()
        except OSError:
            return []
        return [match["message"] for line in lines if (match := WARNING.fullmatch(line))]


def read_runs(names: Sequence[str]) -> list[RunSummary]:
    """Find runs by their run directories or experiments, and give each a label.

    Raises:
        UserError: a run does not exist, or is named twice.
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
    """Label each path by its last components, as few as make the labels different."""
    depths = [1] * len(paths)
    while True:
        labels = [_label(path, depth) for path, depth in zip(paths, depths, strict=True)]
        repeated = [labels.count(label) > 1 for label in labels]
        if not any(repeated):
            return labels
        depths = [depth + again for depth, again in zip(depths, repeated, strict=True)]


def _label(path: Path, depth: int) -> str:
    if TIMESTAMP.fullmatch(path.name) and depth == 1:  # the experiment says more than the time
        return path.parent.name
    return "/".join(path.parts[-depth:])


def _claim(content: Any) -> Claim:
    claim = merge(Claim, content)
    check_settings(claim)
    return claim
