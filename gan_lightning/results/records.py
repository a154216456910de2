"""What an experiment measured over several seeds, as a JSON file that the page is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config.experiments import PACKAGE, one_line
from gan_lightning.config.schema import Claim
from gan_lightning.errors import UserError
from gan_lightning.results.claims import Verdict, judge, mean, standard_deviation
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import machine_in_words
from gan_lightning.utils.settings import check_settings

__all__ = ["Results", "SeedRun", "read_all", "results_folder"]

NAME = re.compile(r"[\w.-]+")


@dataclass
class SeedRun:
    """One seed's finished run."""

    seed: int = MISSING
    # folder, as it was named where it was verified
    run: str = MISSING
    updates: int = MISSING
    # of the run's whole life
    minutes: float = MISSING
    # final measures; what is no number is None
    measures: dict[str, float | None] = MISSING
    # as gan_lightning.utils.hardware says
    machine: dict[str, Any] = MISSING
    # packages, and the git revision of this one
    versions: dict[str, str | None] = MISSING

    def provenance(self) -> str:
        """Write what the run was made on and with as a phrase."""
        versions = [f"{name} {version}" for name, version in self.versions.items() if version]
        return "; ".join([machine_in_words(self.machine), ", ".join(versions)])


@dataclass
class Results:
    """What an experiment, or a variation of it, measured."""

    # of the file, and of the row of the page
    name: str = MISSING
    experiment: str = MISSING
    title: str = ""
    paper: str = ""
    # that makes this file again
    command: str = MISSING
    # day of the verification, as 2026-11-23
    date: str = MISSING
    # what differs from the experiment's YAML
    overrides: list[str] = field(default_factory=list)
    # every value that decides the result, but the seed
    config: dict[str, Any] = MISSING
    claims: list[Claim] = field(default_factory=list)
    runs: list[SeedRun] = field(default_factory=list)
    # PNG files beside this one, of the first seed's run
    pictures: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The experiment with what differs, as `gan_ring, trainer.max_updates=400000`."""
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
        """Names of what every run measured."""
        return [
            name for name in self.runs[0].measures if all(name in r.measures for r in self.runs)
        ]

    def values(self, measure: str) -> list[float]:
        """Return a measure of each run; what is no number is nan."""
        found = (run.measures[measure] for run in self.runs)
        return [nan if value is None else value for value in found]

    def verdicts(self, known: Sequence[Results]) -> list[Verdict]:
        """Judge each claim.

        Args:
            known: the results that a claim may compare with.

        Raises:
            UserError: a claim is on a measure that was not taken.
        """
        for claim in self.claims:
            if claim.metric not in self.measures:
                there = ", ".join(self.measures) or "nothing"
                raise UserError(
                    f"{self.name} has a claim on {claim.metric!r}, and its runs measure {there}"
                )
        return [
            judge(claim, self.values(claim.metric), self._reference(claim, known))
            for claim in self.claims
        ]

    def _reference(self, claim: Claim, known: Sequence[Results]) -> float | str:
        """Find the mean that a claim compares with, or say why there is none."""
        name = claim.above or claim.below or ""
        named = [other for other in known if other.name == name]
        varied = [
            other
            for other in known
            if (other.experiment, other.overrides) == (name, self.overrides)
        ]
        if not named and not varied:
            return f"not compared yet: run `gan-lightning verify {name}`"
        fitting = [other for other in [*named, *varied] if other.updates == self.updates]
        if not fitting:
            there = f"{(named or varied)[0].updates:,} updates, not {self.updates:,}"
            return f"not compared: {name} was measured after {there}"
        if claim.metric not in fitting[0].measures:
            return f"not compared: {name} has no measure {claim.metric}"
        reference = mean(fitting[0].values(claim.metric))
        return reference if isfinite(reference) else f"not compared: {name} measured no number"

    def add(self, others: Results) -> None:
        """Take over the runs of other seeds, and the pictures, which are of the first of them."""
        mine = {run.seed for run in self.runs}
        self.runs += [run for run in others.runs if run.seed not in mine]
        self.runs.sort(key=lambda run: run.seed)
        self.pictures = others.pictures

    def write(self, folder: Path, known: Sequence[Results]) -> Path:
        """Write NAME.json as a whole; its `summary` is for readers, and is never read back.

        Raises:
            UserError: a claim is on a measure that was not taken.
            OSError: the folder cannot be written or is full.
        """
        summary = {
            "mean": {name: _plain(mean(self.values(name))) for name in self.measures},
            "sd": {name: _plain(standard_deviation(self.values(name))) for name in self.measures},
            "verdicts": [asdict(verdict) for verdict in self.verdicts(known)],
        }
        content = {**asdict(self), "summary": summary}
        path = folder / f"{self.name}.json"
        atomic_write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return path


def read(path: Path) -> Results:
    """Read a JSON file that `Results.write` wrote.

    Raises:
        UserError: it cannot be read, is damaged, or is of another version.
    """
    again = "write it again by `gan-lightning verify`, or delete it"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("summary", None)
        merged = OmegaConf.merge(OmegaConf.structured(Results), content)
        results = OmegaConf.to_object(merged)
        assert isinstance(results, Results)
        for claim in results.claims:
            check_settings(claim)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, OmegaConfBaseException) as error:
        raise UserError(f"{path} is damaged ({one_line(error)}); {again}") from error
    if not results.runs or results.name != path.stem:
        said = "it has no runs" if not results.runs else f"it is of {results.name!r}"
        raise UserError(f"{path} is damaged ({said}); {again}")
    return results


def read_all(folder: Path, besides: Iterable[str] = ()) -> list[Results]:
    """Read every JSON file of a folder, a variation after its experiment.

    Args:
        folder: with the files; where it is missing, there are no results.
        besides: names of files that are left out.

    Raises:
        UserError: naming the first file that is damaged.
    """
    left_out = set(besides)
    found = [read(path) for path in sorted(folder.glob("*.json")) if path.stem not in left_out]
    return sorted(found, key=lambda r: (r.experiment, r.name != r.experiment, r.name))


def results_folder() -> Path:
    """Find docs/results of the checkout that the package runs from.

    Raises:
        UserError: the package is installed without its checkout.
    """
    checkout = PACKAGE.parent
    if not (checkout / "pyproject.toml").is_file():
        raise UserError("there is no checkout with docs/results; give the folder by --output DIR")
    return checkout / "docs" / "results"


def _plain(value: float) -> float | None:
    return value if isfinite(value) else None
