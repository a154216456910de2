"""Figures in a CSV file beside the run."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.runs.directory import STEP
from gan_lightning.utils.files import atomic_write

__all__ = ["MetricsFile"]


class MetricsFile(Logger):
    """Rows of figures in `metrics.csv`, one an update at which anything was logged.

    A column that comes up later is added to the header, the file being replaced as a whole.

    Args:
        path: of the CSV file; rows that are there already stay, up to the resumed update.
        first_update: rows after it are dropped, since the run goes on from it; its own may grow.
    """

    def __init__(self, path: Path, first_update: int = 0) -> None:
        super().__init__()
        self.path = path
        self._columns: list[str] = [STEP]
        self._open_row: dict[str, Any] = {}
        self._written: int | None = None
        if path.exists() and getattr(rank_zero_only, "rank", 0) == 0:  # the one who writes it
            self._keep_rows_up_to(first_update)

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """Version of the log; there is one."""
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Ignore them: the run folder has its config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add figures to the row of update `step`, and write the row before it."""
        if self._open_row and self._open_row[STEP] != step:
            self._write_row()
        self._open_row = {STEP: step, **{k: v for k, v in self._open_row.items() if k != STEP}}
        self._open_row.update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Write the row in progress."""
        if self._open_row:
            self._write_row()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last row."""
        self.save()

    def _write_row(self) -> None:
        row, self._open_row = self._open_row, {}
        new = [name for name in row if name not in self._columns]
        goes_on = row[STEP] == self._written
        self._written = row[STEP]
        if new or goes_on or not self.path.exists():
            rows = self._rows()
            if goes_on:
                row = {**rows.pop(), **row}
            self._columns += new
            self._replace([*rows, row])
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _keep_rows_up_to(self, update: int) -> None:
        rows = self._rows()
        self._columns = list(rows[0]) if rows else self._columns
        kept = [row for row in rows if int(row[STEP]) <= update]
        self._written = int(kept[-1][STEP]) if kept else None
        self._replace(kept)

    def _replace(self, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(self.path, text.getvalue())
