"""What came out of a sweep's runs, as a ranked table."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

from gan_lightning.config.schema import as_plain
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.sweeps.space import Sweep, Values, words
from gan_lightning.utils.tables import text_table

__all__ = ["Trial", "ranked", "ranking", "trials_in"]


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Args:
        values: of the keys that differ.
        metric: what was measured; None where the run did not come to its end.
        said: its folder, or why there is no measure.
    """

    values: Values
    metric: float | None
    said: str


def trials_in(folder: Path, sweep: Sweep) -> list[Trial]:
    """Read the runs that agents have left in a folder."""
    found = []
    for file in sorted(folder.glob("*/*/config.yaml")):
        run = RunDirectory(file.parent)
        plain = as_plain(run.config())
        values = {key: _select(plain, key) for key in sweep.keys}
        measures = read_outcome(run.path).measures
        found.append(Trial(values, (measures or {}).get(sweep.metric), str(run.path)))
    return found


def ranked(trials: Sequence[Trial], sweep: Sweep) -> list[Trial]:
    """Sort the best first; what is no number and what has not ended comes last."""
    sign = -1 if sweep.goal == "maximise" else 1
    return sorted(
        trials,
        key=lambda t: sign * t.metric if t.metric is not None and isfinite(t.metric) else inf,
    )


def ranking(trials: Sequence[Trial], sweep: Sweep, experiment: str, seed: int) -> str:
    """Lay out the trials, the best first, and say how its claims are verified.

    Raises:
        UserError: there is none.
    """
    if not trials:
        raise UserError("the sweep has no runs; start it again")
    best_first = ranked(trials, sweep)
    rows = [["", sweep.metric, *sweep.keys, "run"]]
    for place, trial in enumerate(best_first, 1):
        measured = trial.metric is not None
        number = f"{trial.metric:.4f}" if measured else "none"
        shown = [_short(trial.values[key]) for key in sweep.keys]
        rows.append([str(place) if measured else "-", number, *shown, trial.said])
    table = text_table(rows)
    if best_first[0].metric is None:
        return f"{table}\nno run has a measure"
    values = {key: value for key, value in best_first[0].values.items() if key != "seed"}
    name = f"{Path(experiment).stem}_tuned"
    verify = shlex.join(["gan-lightning", "verify", experiment, *words(values), "--name", name])
    return (
        f"{table}\nthe best was chosen on seed {seed}, on which no claim is reported; "
        f"on others: `{verify}`"
    )


def _select(plain: Any, key: str) -> Any:
    for part in key.split("."):
        plain = plain[part]
    return plain


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
