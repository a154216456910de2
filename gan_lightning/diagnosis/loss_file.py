"""Read the signals of a run of any program from a CSV file of both players' losses."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan_lightning.diagnosis.signals import KNOWN_OBJECTIVES, Signals
from gan_lightning.errors import UserError, nearest_first

__all__ = ["signals_of_losses"]

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

SEPARATORS = (",", ";", "\t")
"""Separators of columns; the one that is most frequent in the first line is meant."""

LARGEST_LOSS = 3.4e38
"""Largest finite value of a float32, in which losses are computed."""

MOST_COLUMNS = 12
"""Columns that an error names at most."""


def signals_of_losses(path: Path, objective: str | None = None) -> Signals:
    """Return the signals of a CSV file with columns of both players' losses, of any program.

    Columns are separated by commas, or as in files of some spreadsheets by semicolons or tabs; then
    the decimal separator may be a comma. Cells without a number are left out.

    Args:
        path: the file; its first line names the columns. Rows are numbered where there is no
            column of steps, or where it has one step for several rows, as a column of epochs may.
        objective: name of the losses, which gives their levels a meaning.

    Raises:
        UserError: the file cannot be read, lacks a loss, or the objective is unknown.
    """
    if objective is not None and objective not in KNOWN_OBJECTIVES:
        valid = nearest_first(objective, KNOWN_OBJECTIVES)
        raise UserError(f"--objective is {objective!r}; valid are {valid}")
    header, lines = _read_table(path)
    columns = {player: _column(header, player, path) for player in LOSS_COLUMNS}
    step = next((header.index(name) for name in STEP_COLUMNS if name in header), None)
    steps: list[int] = []
    values: list[dict[str, float]] = []
    for number, line in enumerate(lines, 1):
        where = number if step is None else _number(line, step)
        found = {
            LOSS_COLUMNS[player][0]: value
            for player, column in columns.items()
            if (value := _number(line, column)) is not None
        }
        if found and where is not None and 0 <= where < math.inf:
            steps.append(int(where))
            values.append(found)
    if not values:
        needed = [header[column] for column in (*columns.values(), step) if column is not None]
        raise UserError(f"{path} has no row with numbers in the columns {', '.join(needed)}")
    rows = _rows(steps, values)
    finite = all(abs(value) <= LARGEST_LOSS for row in values for value in row.values())
    return Signals(rows, objective, diverged=not finite)


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns in lower case, and the rows that are not empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), "")
            separator = max(SEPARATORS, key=first.count)
            header = next(csv.reader([first], delimiter=separator), [])
            lines = [line for line in csv.reader(file, delimiter=separator) if line]
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read {path}: it is not UTF-8; save it as CSV UTF-8") from error
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot read {path}: {reason}") from error
    if separator != ",":
        lines = [[cell.replace(",", ".") for cell in line] for line in lines]
    return [name.strip().lower() for name in header], lines


def _column(header: Sequence[str], player: str, path: Path) -> int:
    names = (*LOSS_COLUMNS[player], *SHORT_COLUMNS[player])
    for name in names:
        if name in header:
            return header.index(name)
    found = ", ".join(header[:MOST_COLUMNS]) or "none"
    more = f" and {len(header) - MOST_COLUMNS} more" if len(header) > MOST_COLUMNS else ""
    raise UserError(
        f"{path} has no column of the {player}'s loss: its columns are {found}{more}; name it "
        f"{names[0]} or {SHORT_COLUMNS[player][0]}"
    )


def _rows(
    steps: Sequence[int], values: Sequence[Mapping[str, float]]
) -> dict[int, dict[str, float]]:
    """Return the values by step, or by number where a step has two values of one loss."""
    rows: dict[int, dict[str, float]] = {}
    for step, row in zip(steps, values, strict=True):
        if rows.setdefault(step, {}).keys() & row.keys():
            return {number: dict(row) for number, row in enumerate(values, 1)}
        rows[step] |= row
    return rows


def _number(line: Sequence[str], column: int) -> float | None:
    try:
        return float(line[column])
    except (IndexError, ValueError):
        return None
