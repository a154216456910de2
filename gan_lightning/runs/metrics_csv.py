"""Read the losses and metrics of a run from its metrics.csv."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from gan_lightning.runs.directory import UPDATES_KEY

__all__ = ["read_metrics", "read_rows"]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a metrics.csv as text, without what a power failure left of its end.

    A row that was not written to its end, and rows of NUL bytes or of another number of values, are
    left out.

    Args:
        path: the file; a missing one has no rows.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1].decode(errors="replace")
    rows = list(csv.reader(line for line in complete.splitlines() if "\0" not in line))
    if not rows or UPDATES_KEY not in rows[0]:
        return []
    header, *lines = rows
    column = header.index(UPDATES_KEY)
    return [
        dict(zip(header, values, strict=True))
        for values in lines
        if len(values) == len(header) and values[column].isdecimal()
    ]


def read_metrics(path: Path) -> dict[int, dict[str, float]]:
    """Read a metrics.csv as update -> values by name, without cells that are empty or no number."""
    return {
        int(row[UPDATES_KEY]): {
            name: value
            for name, cell in row.items()
            if name != UPDATES_KEY and (value := _number(cell)) is not None
        }
        for row in read_rows(path)
    }


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
