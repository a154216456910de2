"""Logger of losses and metrics to a CSV file."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.runs.directory import UPDATES_KEY
from gan_lightning.runs.metrics_csv import read_rows
from gan_lightning.utils.files import atomic_write, flush_to_disk

__all__ = ["MetricsFile"]


class MetricsFile(Logger):
    """Write losses and metrics to a CSV file with one row per logged generator update.

    A new column rewrites the file with a longer header.

    Args:
        path: the CSV file.
        first_update: update from which the run is resumed. Later rows of an existing file are
            deleted, and its own row may get more columns.
    """

    def __init__(self, path: Path, first_update: int = 0) -> None:
        super().__init__()
        self.path = path
        self._columns: list[str] = [UPDATES_KEY]
        self._row: dict[str, Any] = {}
        self._last_written: int | None = None
        if path.exists() and getattr(rank_zero_only, "rank", 0) == 0:
            self._delete_rows_after(first_update)

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """Version of the log; always empty."""
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Do nothing: the run directory has its config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of an update; write the previous row if it has another update."""
        if self._row and self._row[UPDATES_KEY] != step:
            self._write_row()
        self._row = {**self._row, UPDATES_KEY: step, **metrics}

    @rank_zero_only
    def save(self) -> None:
        """Write the current row, and flush the file to the disk."""
        if self._row:
            self._write_row()
        if self.path.exists():
            flush_to_disk(self.path)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last row."""
        self.save()

    def _write_row(self) -> None:
        row, self._row = self._row, {}
        new_columns = [name for name in row if name not in self._columns]
        extends_last = row[UPDATES_KEY] == self._last_written
        self._last_written = row[UPDATES_KEY]
        if new_columns or extends_last or not self.path.exists():
            rows = self._read_rows()
            if extends_last:
                row = {**rows.pop(), **row}
            self._columns += new_columns
            self._rewrite([*rows, row])
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _read_rows(self) -> list[dict[str, Any]]:
        return read_rows(self.path)

    def _delete_rows_after(self, update: int) -> None:
        rows = self._read_rows()
        self._columns = list(rows[0]) if rows else self._columns
        remaining = [row for row in rows if int(row[UPDATES_KEY]) <= update]
        self._last_written = int(remaining[-1][UPDATES_KEY]) if remaining else None
        self._rewrite(remaining)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(self.path, text.getvalue(), durable=True)
