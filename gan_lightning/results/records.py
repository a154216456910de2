"""Results of an experiment over several seeds, stored as one JSON file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

from gan_lightning.config.claim import Claim
from gan_lightning.config.experiments import PACKAGE
from gan_lightning.config.merge import one_line
from gan_lightning.errors import UserError
from gan_lightning.results.aggregate import mean, standard_deviation
from gan_lightning.results.claims import ClaimRow
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import format_machine
from gan_lightning.utils.settings import REQUIRED, check_settings
from gan_lightning.utils.typed_values import merge

__all__ = ["NAME", "Results", "SeedRun", "read_all_results", "read_results", "results_folder"]

NAME = re.compile(r"[\w.-]+")
"""Valid names of results, which are file names and anchors."""


@dataclass
class SeedRun:
    """The finished run of one seed.

    Attributes:
        seed: the seed.
        run: run directory, as `verify` was given it.
        updates: generator updates.
        minutes: time of the complete run, over all its sessions.
        measures: metric -> final value; None where it is not finite.
        machine: as returned by `gan_lightning.utils.hardware.machine`.
        versions: package -> version, and the git revision of gan_lightning.
        curves: metric of a claim -> generator updates -> value; None where it is not finite.
    """

    seed: int = REQUIRED
    run: str = REQUIRED
    updates: int = REQUIRED
    minutes: float = REQUIRED
    measures: dict[str, float | None] = REQUIRED
    machine: dict[str, Any] = REQUIRED
    versions: dict[str, str | None] = REQUIRED
    curves: dict[str, dict[str, float | None]] = field(default_factory=dict)

    @property
    def is_dirty(self) -> bool:
        """Whether the code differed from its commit, so that nobody can run it again."""
        return (self.versions.get("revision") or "").endswith("-dirty")

    def provenance(self) -> str:
        """Describe the machine and the versions in one phrase."""
        versions = [f"{name} {version}" for name, version in self.versions.items() if version]
        return "; ".join([format_machine(self.machine), ", ".join(versions)])


@dataclass
class Results:
    """Results of an experiment, or of a variation of it with overrides.

    Attributes:
        name: name of the file, and anchor of the section on the results page.
        experiment: name of the experiment.
        title: title of the experiment.
        paper: authors, year and arXiv number of the paper.
        command: command that reproduces this file.
        date: day of the verification, for example 2026-11-23.
        overrides: `key=value` that differ from the experiment's YAML.
        config: every value that decides the result, except the seed.
        claims: claims of the experiment.
        own_claims: whether the claims were written for this variation, by an override `claims=…`.
        runs: one per seed.
        pictures: names of PNG files in the same folder, drawn by the run of the first seed.
        is_outdated: whether the experiment has another config today, so that the runs decide
            nothing about its claims; not stored, see `gan_lightning.results.outdated`.
    """

    name: str = REQUIRED
    experiment: str = REQUIRED
    title: str = ""
    paper: str = ""
    command: str = REQUIRED
    date: str = REQUIRED
    overrides: list[str] = field(default_factory=list)
    config: dict[str, Any] = REQUIRED
    claims: list[Claim] = field(default_factory=list)
    own_claims: bool = False
    runs: list[SeedRun] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    is_outdated: bool = False

    @property
    def label(self) -> str:
        """Experiment and overrides, for example `gan_ring, trainer.max_updates=400000`."""
        if self.overrides:
            return ", ".join([self.experiment, *self.overrides])
        return (
            self.experiment if self.name == self.experiment else f"{self.experiment} ({self.name})"
        )

    @property
    def updates(self) -> int:
        """Generator updates of each run."""
        return self.runs[0].updates

    @property
    def measures(self) -> list[str]:
        """Metrics that every run measured."""
        return [
            name for name in self.runs[0].measures if all(name in r.measures for r in self.runs)
        ]

    def values(self, measure: str) -> list[float]:
        """Return the value of a metric for each run; NaN where it is not finite."""
        return [_number(run.measures[measure]) for run in self.runs]

    @property
    def judged_runs(self) -> list[SeedRun]:
        """Runs that verdicts rest on: those of committed code, or all where these are too few."""
        return self.runs if self.is_dirty else [run for run in self.runs if not run.is_dirty]

    @property
    def is_dirty(self) -> bool:
        """Whether fewer than two runs are of committed code; no claim is decided then."""
        dirty = sum(run.is_dirty for run in self.runs)
        return dirty > 0 and len(self.runs) - dirty < 2

    def judged_values(self, measure: str) -> list[float]:
        """Return the value of a metric for each of `judged_runs`; NaN where it is not finite."""
        return [_number(run.measures[measure]) for run in self.judged_runs]

    def write(self, folder: Path, claims: Sequence[ClaimRow]) -> Path:
        """Write NAME.json atomically; its key `summary` is for readers and is never read back.

        Args:
            folder: an existing folder.
            claims: the judged claims, from `gan_lightning.results.judging.judge_claims`.

        Raises:
            OSError: the folder cannot be written or is full.
        """
        summary = {
            "mean": {name: _finite(mean(self.values(name))) for name in self.measures},
            "sd": {name: _finite(standard_deviation(self.values(name))) for name in self.measures},
            "verdicts": [asdict(row.verdict) for row in claims],
        }
        content = {**asdict(self), "summary": summary}
        del content["is_outdated"]
        path = folder / f"{self.name}.json"
        atomic_write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return path


def read_results(path: Path) -> Results:
    """Read a JSON file that `Results.write` wrote.

    Raises:
        UserError: the file cannot be read, is damaged, or was written by another version.
    """
    fix = "write it again by `gan-lightning verify`, or delete it"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("summary", None)
        results = merge(Results, content)
        for claim in results.claims:
            check_settings(claim)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({one_line(error)}); {fix}") from error
    if not results.runs:
        raise UserError(f"{path} is damaged (it has no runs); {fix}")
    if results.name != path.stem:
        raise UserError(f"{path} is damaged (its name is {results.name!r}); {fix}")
    return results


def read_all_results(folder: Path, exclude: Iterable[str] = ()) -> list[Results]:
    """Read every JSON file of a folder, each variation after its experiment.

    Args:
        folder: folder of the files; a missing folder has no results.
        exclude: names of files that are not read.

    Raises:
        UserError: a file is damaged; the message names the first one.
    """
    excluded = set(exclude)
    results = [
        read_results(path) for path in sorted(folder.glob("*.json")) if path.stem not in excluded
    ]
    return sorted(results, key=lambda r: (r.experiment, r.name != r.experiment, r.name))


def results_folder() -> Path:
    """Return docs/results of the checkout that the package runs from.

    Raises:
        UserError: the package is installed without its checkout.
    """
    checkout = PACKAGE.parent
    if not (checkout / "pyproject.toml").is_file():
        raise UserError(
            "docs/results is missing, since the package does not run from a checkout; name the "
            "folder by --output DIR"
        )
    return checkout / "docs" / "results"


def _number(stored: float | None) -> float:
    return nan if stored is None else stored


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
