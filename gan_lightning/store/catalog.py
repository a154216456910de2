"""Catalogs of datasets: images, splits, labels; those of published datasets as distributed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.layout import TEST, TRAINING
from gan_lightning.store.sources import LMDB, Folder, Source, Zip

__all__ = ["Catalog", "celeba", "lsun"]

Numbers = np.ndarray[Any, np.dtype[Any]]

CELEBA_IMAGES = 202_599
LSUN_URL = "http://dl.yf.io/lsun/scenes/"
CELEBA_URL = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


@dataclass(frozen=True)
class Catalog:
    """The images of a dataset, with their splits, labels and attributes.

    Args:
        sources: sources and the names of their images; images are numbered in this order, M in all.
        splits: split of each image, 0 training, 1 validation, 2 test, uint8 (M,).
        labels: class of each image, int64 (M,), or None.
        classes: name of each class.
        attributes: attributes of each image, 0 or 1, uint8 (M, K), or None.
        attribute_names: names of the K attributes.
        remarks: lines that are printed to the user.
        holds_out: whether some training images become the test split if there is none.
    """

    sources: Sequence[tuple[Source, Sequence[str]]]
    splits: Numbers
    labels: Numbers | None = None
    classes: Sequence[str] = ()
    attributes: Numbers | None = None
    attribute_names: Sequence[str] = ()
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


def celeba(root: Path) -> Catalog:
    """Catalog the aligned and cropped faces of CelebA, their 40 attributes and official splits.

    Args:
        root: folder with img_align_celeba/ or img_align_celeba.zip, list_attr_celeba.txt and
            list_eval_partition.txt, or with these in Img/, Anno/ and Eval/ as distributed.

    Raises:
        UserError: a file is missing or damaged, or lacks some of the images.

    Source: Liu, Luo, Wang, Tang 2015 (arXiv:1411.7766).
    """
    source = _celeba_source(root)
    names = source.names()
    split_file = _celeba_text_file(root, "Eval", "list_eval_partition.txt")
    attribute_file = _celeba_text_file(root, "Anno", "list_attr_celeba.txt")
    splits = {row[0]: row[1:] for row in _read_rows(split_file)}
    rows = _read_rows(attribute_file)
    if len(rows) < 2 or len(rows[0]) != 1 or not rows[0][0].isdigit():
        raise UserError(
            f"{attribute_file} is damaged: its first line must be the number of images, its second "
            f"the names of the attributes; download it again from {CELEBA_URL}"
        )
    count, attribute_names = int(rows[0][0]), rows[1]
    attributes = {row[0]: row[1:] for row in rows[2:]}
    if len(attributes) != count:
        raise UserError(
            f"{attribute_file} is damaged: its first line announces {count:,} images, but "
            f"{len(attributes):,} follow; download it again from {CELEBA_URL}"
        )
    _check_rows(names, split_file, splits, {"0", "1", "2"}, 1)
    _check_rows(names, attribute_file, attributes, {"1", "-1"}, len(attribute_names))
    remarks = []
    if len(names) != CELEBA_IMAGES:
        remarks.append(f"a subset of CelebA: {len(names):,} of {CELEBA_IMAGES:,} images")
    return Catalog(
        sources=[(source, names)],
        splits=np.array([int(splits[name][0]) for name in names], np.uint8),
        attributes=np.array([[v == "1" for v in attributes[name]] for name in names], np.uint8),
        attribute_names=attribute_names,
        remarks=remarks,
    )


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


def _celeba_source(root: Path) -> Source:
    for parent in (root, root / "Img"):
        if (parent / "img_align_celeba").is_dir():
            return Folder(parent / "img_align_celeba")
        if (parent / "img_align_celeba.zip").is_file():
            return Zip(parent / "img_align_celeba.zip")
    raise UserError(
        f"neither {root / 'img_align_celeba'} nor {root / 'img_align_celeba.zip'} exists; "
        f"download CelebA's aligned and cropped images from {CELEBA_URL}"
    )


def _celeba_text_file(root: Path, folder: str, name: str) -> Path:
    for path in (root / name, root / folder / name):
        if path.is_file():
            return path
    raise UserError(f"{root / name} does not exist; download it from {CELEBA_URL}")


def _read_rows(path: Path) -> list[list[str]]:
    """Read the words of each line that is not empty."""
    try:
        return [words for line in path.read_text("utf-8").splitlines() if (words := line.split())]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _check_rows(
    names: Sequence[str], path: Path, rows: dict[str, list[str]], values: set[str], length: int
) -> None:
    """Check that a text file has a row of `length` valid values for every image."""

    def check(is_wrong: Callable[[str], bool], problem: str) -> None:
        wrong = [name for name in names if is_wrong(name)]
        if wrong:
            raise UserError(
                f"{path} {problem} for {len(wrong):,} of {len(names):,} images, the first is "
                f"{wrong[0]}; download it again from {CELEBA_URL}"
            )

    check(lambda name: name not in rows, "has no line")
    check(lambda name: len(rows[name]) != length, f"does not have {length} values")
    check(lambda name: not values.issuperset(rows[name]), "has an unknown value")
