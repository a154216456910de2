"""Random numbers as a pure function of what they are for, so that nothing has to be saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch

__all__ = ["derived_seed", "isolated_randomness"]


def derived_seed(*parts: int | str) -> int:
    """Mix a run's seed with the purpose of a draw into an independent seed in [0, 2^63)."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Seed torch's global generators inside the block and put their states back after it."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
