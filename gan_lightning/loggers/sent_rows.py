"""Which rows W&B has of a run, so that a resumed one says nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gan_lightning.utils.files import atomic_write

__all__ = ["SentRows"]


class SentRows:
    """The latest update that W&B has figures of, and the names of these; kept in a file.

    A run that was killed repeats the updates after its latest checkpoint, to the same figures. The
    rows that it had sent are left out then, and the steps of W&B go on where they were.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._updates = -1
        self._names: list[str] = []
        self._step = -1
        try:
            kept = json.loads(path.read_text())
            updates, names, step = int(kept["updates"]), list(kept["names"]), int(kept["step"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._updates, self._names, self._step = updates, names, step

    def contains(self, updates: int, names: Iterable[str]) -> bool:
        """Tell whether a row of these figures has been sent."""
        sent = set(self._names) if updates == self._updates else set()
        return updates < self._updates or (updates == self._updates and sent >= set(names))

    @property
    def next_step(self) -> int:
        """W&B's own number of the next row."""
        return self._step + 1

    def record(self, updates: int, names: Iterable[str]) -> None:
        """Remember a row that has been sent."""
        kept = self._names if updates == self._updates else []
        self._updates, self._names = updates, [*kept, *names]
        self._step += 1
        content = {"updates": self._updates, "names": self._names, "step": self._step}
        atomic_write(self._path, json.dumps(content))
