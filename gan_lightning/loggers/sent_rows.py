"""Record of the rows that W&B has of a run, so that a resumed run sends no row twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gan_lightning.utils.files import atomic_write

__all__ = ["SentRows"]


class SentRows:
    """The latest update of which W&B has a row, and the names of its values, kept in a file.

    A run that was killed repeats the updates after its latest checkpoint, with the same values.
    The rows that it had sent before are left out, and the step numbers of W&B continue.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._updates = -1
        self._names: list[str] = []
        self._step = -1
        try:
            content = json.loads(path.read_text())
            updates, step = int(content["updates"]), int(content["step"])
            names = list(content["names"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._updates, self._names, self._step = updates, names, step

    def contains(self, updates: int, names: Iterable[str]) -> bool:
        """Return whether a row with values of these names has been sent for an update."""
        sent = set(self._names) if updates == self._updates else set()
        return updates < self._updates or (updates == self._updates and sent >= set(names))

    @property
    def next_step(self) -> int:
        """W&B's step number of the next row."""
        return self._step + 1

    def record(self, updates: int, names: Iterable[str]) -> None:
        """Add a row that has been sent."""
        previous = self._names if updates == self._updates else []
        self._updates, self._names = updates, [*previous, *names]
        self._step += 1
        content = {"updates": self._updates, "names": self._names, "step": self._step}
        atomic_write(self._path, json.dumps(content))
