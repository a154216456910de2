"""Record of the rows that W&B has of a run, so that a resumed run sends each row once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.utils.files import atomic_write

__all__ = ["SentRows"]

JOURNAL = "wandb_sent.jsonl"
NOTE_OF_0_1 = "wandb_sent.json"


class Row(NamedTuple):
    """A row that was handed to W&B's client.

    Args:
        step: W&B's step number.
        updates: generator update of the row.
        names: names of its values.
    """

    step: int
    updates: int
    names: tuple[str, ...]


class SentRows:
    """A journal with a line for each row that was handed to W&B's client, and each session's file.

    A process that is killed loses the rows that the client has not written yet. `start_session`
    drops them from the journal, so that they are sent again. A run of version 0.1 has a note of its
    latest row only; its earlier rows count as sent.

    Args:
        folder: the run directory.

    Attributes:
        log_file: W&B's transaction log of the latest session; None before the first.
        first_step: step of the first row of that session.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._rows: list[Row] = []
        self._names: dict[int, set[str]] = {}
        self._sent_before = -1
        self.log_file: Path | None = None
        self.first_step = 0
        self._read_note(folder / NOTE_OF_0_1)
        for entry in _read_lines(self._path):
            if "file" in entry:
                self.log_file, self.first_step = folder / str(entry["file"]), self.next_step
            with suppress(KeyError, ValueError, TypeError):
                self._add(Row(int(entry["step"]), int(entry["updates"]), tuple(entry["names"])))

    @property
    def next_step(self) -> int:
        """W&B's step number of the next row."""
        return self._rows[-1].step + 1 if self._rows else 0

    def contains(self, updates: int, names: Iterable[str]) -> bool:
        """Return whether values of these names have been sent for an update."""
        return updates < self._sent_before or self._names.get(updates, set()) >= set(names)

    def record(self, updates: int, names: Iterable[str]) -> None:
        """Add a row that has been handed to the client."""
        row = Row(self.next_step, updates, tuple(names))
        self._add(row)
        self._append(row._asdict())

    def start_session(self, log_file: Path, last_step: int | None) -> None:
        """Forget the rows that W&B has not got, and note the file of the session that begins.

        Args:
            log_file: W&B's transaction log of the session.
            last_step: step of the last row that W&B has; None where that is not known, and all rows
                count as sent.
        """
        if last_step is not None and self.next_step > last_step + 1:
            kept = [row for row in self._rows if row.step <= last_step]
            self._rows, self._names = [], {}
            for row in kept:
                self._add(row)
            lines = [json.dumps(row._asdict()) + "\n" for row in kept]
            atomic_write(self._path, "".join(lines))
        self.log_file, self.first_step = log_file, self.next_step
        with suppress(ValueError):
            log_file = log_file.relative_to(self._path.parent.resolve())
        self._append({"file": str(log_file)})

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        self._names.setdefault(row.updates, set()).update(row.names)

    def _append(self, entry: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _read_note(self, path: Path) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(path.read_text())
            row = Row(int(note["step"]), int(note["updates"]), tuple(note["names"]))
            self._sent_before = row.updates
            self._add(row)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the entries of a journal; a line that was not written completely is left out."""
    entries = []
    with suppress(OSError):
        for line in path.read_bytes().split(b"\n"):
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    entries.append(entry)
    return entries
