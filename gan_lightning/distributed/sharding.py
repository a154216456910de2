"""How processes share what is measured in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["WHOLE", "Shard"]

Chunk = TypeVar("Chunk")


def _go_on() -> None:
    pass


@dataclass(frozen=True)
class Shard:
    """What one process takes of chunks that all processes work through together.

    Args:
        rank: of this process.
        world_size: number of processes.
        pause: called before every chunk, equally often by every process; what it raises breaks the
            work off.
        pause_apart: called before every chunk of work in which processes may differ.
    """

    rank: int = 0
    world_size: int = 1
    pause: Callable[[], None] = _go_on
    pause_apart: Callable[[], None] = _go_on

    def of(self, chunks: Sequence[Chunk]) -> Iterator[Chunk]:
        """Yield this process's chunks."""
        for start in range(0, len(chunks), self.world_size):
            self.pause()
            yield from chunks[start : start + self.world_size][self.rank : self.rank + 1]

    def apart(self) -> Shard:
        """Return the share of work that a process does whole, and another perhaps not at all."""
        return Shard(pause=self.pause_apart)


WHOLE = Shard()
"""The share of the only process."""
