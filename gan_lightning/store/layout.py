"""How pictures lie in the files of a store."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BLOCK", "INDEX", "MANIFEST", "SHARD", "default_store", "shard_file", "shards_of"]

BLOCK = 256
"""Pictures decoded at a time; what a kill loses, and what processes share."""

SHARD = 64 * BLOCK
"""Pictures in a file."""

MANIFEST = "manifest.json"
INDEX = "index.npz"


def shard_file(folder: Path, shard: int) -> Path:
    """Return the file of a shard: uint8, one picture after the other."""
    return folder / f"images-{shard:05d}.u8"


def shards_of(places: int) -> list[int]:
    """Return how many places each shard has."""
    return [min(SHARD, places - start) for start in range(0, places, SHARD)]


def default_store(root: Path, size: int, part: str = "") -> Path:
    """Return where the store of a copy of a data set lies: beside it.

    Args:
        root: folder of the copy, as data/celeba.
        size: of the pictures in the store.
        part: of the data set, as bedroom.

    Returns:
        As data/celeba-64.store, data/lsun-bedroom-64.store.
    """
    root = root.absolute() if root.name in ("", "..") else root
    parts = [root.name, *([part] if part else []), str(size)]
    return root.with_name(f"{'-'.join(parts)}.store")
