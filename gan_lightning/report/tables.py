"""Tables with one column per run: metrics, config differences, environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lightning.config.fingerprint import flatten
from gan_lightning.report.run_data import RunSummary
from gan_lightning.results.aggregate import format_number
from gan_lightning.results.detail import is_detail
from gan_lightning.utils.hardware import format_machine

__all__ = ["EMPTY", "config_differences", "environment_table", "flat_config", "metrics_table"]

EMPTY = "-"
"""Text of a cell without a value."""

SHOWN_ELSEWHERE = ("title", "paper", "claims", "overridden")
"""Keys of a config that a report shows in other places."""

Row = tuple[str, ...]
"""A name, then one cell per run."""


def metrics_table(runs: Sequence[RunSummary]) -> list[Row]:
    """Return a row per metric that any run measured, without details."""
    names = dict.fromkeys(name for run in runs for name in run.measures if not is_detail(name))
    return [
        (
            name,
            *(format_number(r.measures[name]) if name in r.measures else EMPTY for r in runs),
        )
        for name in names
    ]


def config_differences(runs: Sequence[RunSummary]) -> list[Row]:
    """Return a row per config key whose value is not the same in all runs."""
    configs = [flat_config(run) for run in runs]
    names = list(dict.fromkeys(name for config in configs for name in config))
    sections = [name.partition(".")[0] for name in names]
    names.sort(key=lambda name: sections.index(name.partition(".")[0]))
    rows = [(name, *(config.get(name, EMPTY) for config in configs)) for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def flat_config(run: RunSummary) -> dict[str, str]:
    """Return the values of a run's config as text, by keys with dots."""
    sections = {name: part for name, part in run.config.items() if name not in SHOWN_ELSEWHERE}
    return {key: _yaml_text(value) for key, value in flatten(sections)}


def environment_table(runs: Sequence[RunSummary]) -> list[Row]:
    """Return a row per fact about the machines, package versions and commands of runs."""
    environments = [_environment(run.environment) for run in runs]
    names = dict.fromkeys(name for environment in environments for name in environment)
    return [(name, *(parts.get(name, EMPTY) for parts in environments)) for name in names]


def _environment(content: Mapping[str, Any]) -> dict[str, str]:
    parts: dict[str, Any] = {}
    if isinstance(machine := content.get("machine"), dict):
        parts["machine"] = format_machine(machine)
    parts |= {name: content.get(name) for name in ("platform", "python")}
    if isinstance(packages := content.get("packages"), dict):
        parts |= packages
    parts["git revision"] = content.get("git_revision")
    if isinstance(command := content.get("command"), list):
        parts["command"] = " ".join(map(str, command[1:]))
    if content.get("config_changed"):
        parts["resumed"] = "with another config, so that no single config describes the run"
    return {name: str(value) for name, value in parts.items() if value is not None}


def _yaml_text(value: Any) -> str:
    """Format a value as YAML does."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
