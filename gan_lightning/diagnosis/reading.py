"""Read the signals of a run from its directory, or from a file of losses alone."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_lightning.diagnosis.signals import OBJECTIVES_OF_GANS, UNDECIDED_LOSS, Signals
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.runs.state import read_outcome

__all__ = ["DIVERGED_MESSAGE", "signals_from", "signals_of_losses", "signals_of_run"]

DIVERGED_MESSAGE = "training diverged"
"""Beginning of the line in the log of a run that was stopped for values that are not finite."""

LOSS_COLUMNS = {
    "discriminator": ("loss/discriminator/adversarial", "loss/discriminator", "discriminator"),
    "generator": ("loss/generator/adversarial", "loss/generator", "generator"),
}
SHORT_COLUMNS = {
    "discriminator": ("d_loss", "loss_d", "loss/d", "d", "errd", "disc_loss", "critic_loss"),
    "generator": ("g_loss", "loss_g", "loss/g", "g", "errg", "gen_loss"),
}
"""Names of columns of losses, those of this package first; compared without regard to case."""

STEP_COLUMNS = ("updates", "update", "step", "steps", "iteration", "iter", "epoch")


def signals_from(
    rows: Mapping[int, Mapping[str, float]], config: Mapping[str, Any], *, diverged: bool = False
) -> Signals:
    """Return the signals of logged rows, read beside the config of their run.

    Args:
        rows: update -> values by name, as in metrics.csv.
        config: config of the run as plain values.
        diverged: whether a loss or a weight that is not finite stopped the run.
    """
    model = config.get("model") or {}
    objective = OBJECTIVES_OF_GANS.get(str(model.get("name")), model.get("objective"))
    return Signals(rows, objective if isinstance(objective, str) else None, diverged)


def signals_of_run(run: RunDirectory) -> Signals:
    """Return the signals of a run, also of one that is still training.

    Raises:
        UserError: its config cannot be read.
    """
    try:
        log = run.log.read_text(errors="replace")
    except OSError:
        log = ""
    stopped = DIVERGED_MESSAGE in log and read_outcome(run.path).measures is None
    return signals_from(read_metrics(run.metrics), run.raw_config(), diverged=stopped)


def signals_of_losses(path: Path, objective: str | None = None) -> Signals:
    """Return the signals of a CSV file with columns of both players' losses, of any program.

    Args:
        path: the file; its first line names the columns. Rows are numbered where there is no
            column of steps.
        objective: name of the losses, which gives their levels a meaning.

    Raises:
        UserError: the file cannot be read, lacks a loss, or the objective is unknown.
    """
    if objective is not None and objective not in (*UNDECIDED_LOSS, "wasserstein"):
        valid = nearest_first(objective, [*UNDECIDED_LOSS, "wasserstein"])
        raise UserError(f"--objective is {objective!r}; valid are {valid}")
    try:
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot read {path}: {reason}") from error
    header = {name.strip().lower(): name for name in (lines[0] if lines else {}) if name}
    columns = {player: _column(header, player, path) for player in LOSS_COLUMNS}
    step = next((header[name] for name in STEP_COLUMNS if name in header), None)
    rows: dict[int, dict[str, float]] = {}
    for number, line in enumerate(lines, 1):
        values = {player: _number(line[column]) for player, column in columns.items()}
        present = {player: value for player, value in values.items() if value is not None}
        where = _number(line[step]) if step else number
        if present and where is not None and math.isfinite(where):
            row = rows.setdefault(int(where), {})
            row |= {LOSS_COLUMNS[player][0]: value for player, value in present.items()}
    finite = all(math.isfinite(value) for row in rows.values() for value in row.values())
    return Signals(rows, objective, diverged=not finite)


def _column(header: Mapping[str, str], player: str, path: Path) -> str:
    names = (*LOSS_COLUMNS[player], *SHORT_COLUMNS[player])
    for name in names:
        if name in header:
            return header[name]
    found = ", ".join(header.values()) or "none"
    raise UserError(
        f"{path} has no column of the {player}'s loss: its columns are {found}; name it "
        f"{names[0]} or {SHORT_COLUMNS[player][0]}"
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
