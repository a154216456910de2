"""Division of an evaluation's chunks among processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["SINGLE_PROCESS", "Shard"]

Chunk = TypeVar("Chunk")


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class Shard:
    """The part of one process in work that is divided into chunks.

    Args:
        rank: rank of this process.
        world_size: number of processes.
        before_chunk: called before every chunk, equally often in every process; it may raise to
            stop the work.
        before_local_chunk: called before every chunk of work that is not divided, which some
            processes may not do; it may raise to stop the work.
    """

    rank: int = 0
    world_size: int = 1
    before_chunk: Callable[[], None] = _do_nothing
    before_local_chunk: Callable[[], None] = _do_nothing

    def iterate(self, chunks: Sequence[Chunk]) -> Iterator[Chunk]:
        """Yield the chunks of this process: each `world_size`-th, beginning at `rank`."""
        for start in range(0, len(chunks), self.world_size):
            self.before_chunk()
            yield from chunks[start : start + self.world_size][self.rank : self.rank + 1]

    def undivided(self) -> Shard:
        """Return the shard of work that is not divided: all chunks."""
        return Shard(before_chunk=self.before_local_chunk)


SINGLE_PROCESS = Shard()
"""The shard of a single process: all chunks."""
