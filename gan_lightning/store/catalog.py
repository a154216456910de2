"""Catalogs of datasets: images, splits, labels; that of LSUN as distributed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.layout import TEST, TRAINING
from gan_lightning.store.lmdb_source import LMDB
from gan_lightning.store.sources import Folder, Source

__all__ = ["Catalog", "lsun"]

Numbers = np.ndarray[Any, np.dtype[Any]]

LSUN_URL = "http://dl.yf.io/lsun/scenes/"


@dataclass(frozen=True)
class Catalog:
    """The images of a dataset, with their splits, labels and attributes.

    Args:
        sources: sources and the names of their images; images are numbered in this order, M in all.
        splits: split of each image, 0 training, 1 validation, 2 test, uint8 (M,).
        labels: class of each image, int64 (M,), or None.
        classes: name of each class.
        attributes: attributes of each image, uint8 (M, K), or None: numbers of their values, which
            are 0 and 1 where `attribute_values` is empty.
        attribute_names: names of the K attributes.
        attribute_values: names of the values of each attribute.
        attribution: licence and attribution, which are written beside the images.
        remarks: lines that are printed to the user.
        holds_out: whether some training images become the test split if there is none.
    """

    sources: Sequence[tuple[Source, Sequence[str]]]
    splits: Numbers
    labels: Numbers | None = None
    classes: Sequence[str] = ()
    attributes: Numbers | None = None
    attribute_names: Sequence[str] = ()
    attribute_values: Sequence[Sequence[str]] = ()
    attribution: str = ""
    remarks: Sequence[str] = field(default=())
    holds_out: bool = False

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.splits)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the names, stamps, splits, labels and attributes of the images."""
        digest = sha256(self.fingerprint_without_stamps().encode())
        for source, names in self.sources:
            digest.update("\0".join(source.stamp(name) for name in names).encode())
        return digest.hexdigest()

    def fingerprint_without_stamps(self) -> str:
        """Return the fingerprint of the first stores, which do not see that a file has changed."""
        digest = sha256()
        for _, names in self.sources:
            for name in names:
                digest.update(os.fsencode(name) + b"\0")
        for values in (self.splits, self.labels, self.attributes):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def lsun(root: Path, category: str) -> Catalog:
    """Catalog the training and validation images of a scene category of LSUN.

    Args:
        root: folder with CATEGORY_train_lmdb and CATEGORY_val_lmdb as distributed, or folders
            CATEGORY_train and CATEGORY_val of images. The validation images, which may be missing,
            become the test split.
        category: for example bedroom, church_outdoor or tower.

    Raises:
        UserError: the category has no training images, or they cannot be opened.

    Source: Yu et al. 2015 (arXiv:1506.03365).
    """
    sources: list[tuple[Source, Sequence[str]]] = []
    splits = []
    for part, split in (("train", TRAINING), ("val", TEST)):
        images = root / f"{category}_{part}"
        database = root / f"{category}_{part}_lmdb"
        source: Source | None = LMDB(database) if database.is_dir() else None
        source = source or (Folder(images) if images.is_dir() else None)
        if source is not None:
            names = source.names()
            sources.append((source, names))
            splits.append(np.full(len(names), split, np.uint8))
        elif part == "train":
            found = sorted({path.name.rsplit("_train", 1)[0] for path in root.glob("*_train*")})
            categories = f"; {root} contains {', '.join(found)}" if found else ""
            raise UserError(
                f"neither {database} nor {images} exists{categories}; download "
                f"{category}_train_lmdb.zip from {LSUN_URL} and unpack it in {root}"
            )
    return Catalog(sources, np.concatenate(splits))
