"""Names and sizes of the files of an image store."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "ATTRIBUTION",
    "BLOCK",
    "CHECKED",
    "FITS",
    "INDEX",
    "INPUTS",
    "JOURNAL",
    "LOCK",
    "MANIFEST",
    "SHARD",
    "STORE_FILES",
    "TEST",
    "TRAINING",
    "VALIDATION",
    "default_store",
    "shard_file",
    "shard_sizes",
]

BLOCK = 256
"""Images that a worker decodes at once; what a killed process loses."""

SHARD = 64 * BLOCK
"""Images in one file."""

MANIFEST = "manifest.json"
ATTRIBUTION = "ATTRIBUTION.md"
INDEX = "index.npz"

CHECKED = "checked.json"
"""Modification times of the files that `open_store` has verified."""

JOURNAL, INPUTS, LOCK = "journal.jsonl", "begun.json", "lock"
"""Files of an unfinished store: decoded blocks; the transform and the images; the lock."""

STORE_FILES = (
    *(MANIFEST, ATTRIBUTION, INDEX, CHECKED, JOURNAL, INPUTS, LOCK, "images-*.u8"),
    *(f".{CHECKED}.*.partial", ".DS_Store", ".nfs*"),
)
"""Patterns of the names of all files in the folder of a store, complete or not."""

TRAINING, VALIDATION, TEST = range(3)
"""Numbers of the splits in the index of a store."""

FITS = ("crop", "pad", "stretch")
"""Ways to make an image square: cut its longer side, fill its shorter side, or distort it."""


def shard_file(folder: Path, shard: int) -> Path:
    """Return the file of a shard: uint8 images, one after the other."""
    return folder / f"images-{shard:05d}.u8"


def shard_sizes(images: int) -> list[int]:
    """Return the number of images in each shard of a store."""
    return [min(SHARD, images - start) for start in range(0, images, SHARD)]


def default_store(root: Path, size: int, part: str = "", fit: str = "crop") -> Path:
    """Return the default folder of a store, next to the folder of the dataset.

    Args:
        root: folder of the dataset, for example data/celeba.
        size: height and width of the images in the store, in pixels.
        part: part of the dataset in the store, for example bedroom; empty for all of it.
        fit: one of `FITS`.

    Returns:
        For example data/celeba-64.store, data/lsun-bedroom-64.store or data/flowers-64-pad.store.
    """
    root = root.resolve() if root.name in ("", "..") else root
    parts = [root.name, *([part] if part else []), str(size), *([fit] if fit != "crop" else [])]
    return root.with_name(f"{'-'.join(parts)}.store")
