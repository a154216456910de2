"""Runs side by side: what they measured, what they claim, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lightning.config.fingerprint import flat
from gan_lightning.report.claims import judged
from gan_lightning.report.run_data import RunSummary
from gan_lightning.results.claims import bound_in_short
from gan_lightning.results.page import number
from gan_lightning.utils.hardware import machine_in_words

__all__ = ["Judged", "claims_of", "differing", "environments", "measured", "whole_config"]

NOTHING = "-"

SAID_ELSEWHERE = ("title", "paper", "claims")
"""Keys of a config that a report shows at another place."""

Row = tuple[str, ...]
"""A name, and a cell for each run."""


@dataclass(frozen=True)
class Judged:
    """A claim of a run beside what the run measured.

    Args:
        run: its label.
        says: the claim in words.
        asked: its bound as a formula.
        paper: the paper's number, or a dash.
        ours: the run's.
        holds: None where it was not judged.
        verdict: in words.
        source: where the paper says so.
    """

    run: str
    says: str
    asked: str
    paper: str
    ours: str
    holds: bool | None
    verdict: str
    source: str


def claims_of(runs: Sequence[RunSummary]) -> list[Judged]:
    """Judge every claim of every run."""
    found = []
    for run in runs:
        for claim in run.claims:
            verdict = judged(run, claim, runs)
            ours = number(run.measures[claim.metric]) if claim.metric in run.measures else NOTHING
            found.append(
                Judged(
                    run.label,
                    claim.statement.strip() or claim.metric,
                    bound_in_short(claim),
                    claim.paper.strip() or NOTHING,
                    ours,
                    verdict.holds,
                    verdict.text,
                    claim.source.strip(),
                )
            )
    return found


def measured(runs: Sequence[RunSummary]) -> list[Row]:
    """List the measures of all runs; a dash where a run does not have one."""
    names = dict.fromkeys(name for run in runs for name in run.measures)
    return [
        (name, *(number(r.measures[name]) if name in r.measures else NOTHING for r in runs))
        for name in names
    ]


def differing(runs: Sequence[RunSummary]) -> list[Row]:
    """List the keys of the runs' configs whose values are not the same in all of them."""
    configs = [whole_config(run) for run in runs]
    names = list(dict.fromkeys(name for config in configs for name in config))
    sections = [name.partition(".")[0] for name in names]
    names.sort(key=lambda name: sections.index(name.partition(".")[0]))
    rows = [(name, *(config.get(name, NOTHING) for config in configs)) for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def whole_config(run: RunSummary) -> dict[str, str]:
    """Write every value of a run's config by its key with dots."""
    kept = {name: part for name, part in run.config.items() if name not in SAID_ELSEWHERE}
    return {key: _word(value) for key, value in flat(kept)}


def environments(runs: Sequence[RunSummary]) -> list[Row]:
    """List what the runs were made on and with."""
    found = [_environment(run.environment) for run in runs]
    names = dict.fromkeys(name for parts in found for name in parts)
    return [(name, *(parts.get(name, NOTHING) for parts in found)) for name in names]


def _environment(content: Mapping[str, Any]) -> dict[str, str]:
    parts: dict[str, Any] = {}
    if isinstance(machine := content.get("machine"), dict):
        parts["machine"] = machine_in_words(machine)
    parts |= {name: content.get(name) for name in ("platform", "python")}
    if isinstance(packages := content.get("packages"), dict):
        parts |= packages
    parts["git revision"] = content.get("git_revision")
    if isinstance(command := content.get("command"), list):
        parts["command"] = " ".join(map(str, command[1:]))
    if content.get("config_changed"):
        parts["resumed"] = "with another config: no one config made this run"
    return {name: str(value) for name, value in parts.items() if value is not None}


def _word(value: Any) -> str:
    """Write a value as YAML does."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
