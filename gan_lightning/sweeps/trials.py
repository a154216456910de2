"""Trials of a sweep and their ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

from gan_lightning.config.schema import as_plain
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.sweeps.space import Sweep, Values, to_overrides
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.tables import text_table

__all__ = ["Trial", "ranked", "ranking", "read_trials"]


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        values: values of the searched keys.
        metric: final value of the metric; None where the run failed or has not finished.
        detail: the run directory, or the reason of the failure.
    """

    values: Values
    metric: float | None
    detail: str


def read_trials(folder: Path, sweep: Sweep) -> list[Trial]:
    """Read the runs that W&B agents have left in a folder."""
    trials = []
    for file in sorted(folder.glob("*/*/config.yaml")):
        run = RunDirectory(file.parent)
        config = as_plain(run.config())
        values = {key: _select(config, key) for key in sweep.keys}
        measures = read_outcome(run.path).measures or {}
        trials.append(Trial(values, measures.get(sweep.metric), str(run.path)))
    return trials


def ranked(trials: Sequence[Trial], sweep: Sweep) -> list[Trial]:
    """Sort trials, the best first, and those without a finite metric last."""
    sign = -1 if sweep.goal == "maximise" else 1
    return sorted(
        trials,
        key=lambda t: sign * t.metric if t.metric is not None and isfinite(t.metric) else inf,
    )


def ranking(trials: Sequence[Trial], sweep: Sweep, experiment: str, seed: int) -> str:
    """Format the trials as a table, the best first, and the command that verifies the best.

    Raises:
        UserError: there are no trials.
    """
    if not trials:
        raise UserError("the sweep has no runs; start it again")
    best_first = ranked(trials, sweep)
    rows = [["", sweep.metric, *sweep.keys, "run"]]
    for rank, trial in enumerate(best_first, 1):
        measured = trial.metric is not None
        metric = f"{trial.metric:.4f}" if measured else "none"
        cells = [_format_value(trial.values[key]) for key in sweep.keys]
        rows.append([str(rank) if measured else "-", metric, *cells, trial.detail])
    table = text_table(rows)
    if best_first[0].metric is None:
        return f"{table}\nno run has measured {sweep.metric}"
    values = {key: value for key, value in best_first[0].values.items() if key != "seed"}
    name = f"{Path(experiment).stem}_tuned"
    overrides = to_overrides(values)
    command = command_line("gan-lightning", "verify", experiment, *overrides, "--name", name)
    return f"{table}\nthe best was chosen on seed {seed}; verify it on others by `{command}`"


def _select(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


def _format_value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
