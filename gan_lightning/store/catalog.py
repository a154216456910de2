"""Catalogs of datasets in the layout in which they are distributed: images, splits, labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.sources import LMDB, Folder, Source, Zip

__all__ = ["Catalog", "celeba", "folder", "lsun", "pairs"]

Numbers = np.ndarray[Any, np.dtype[Any]]

TRAINING, VALIDATION, TEST = range(3)
SPLIT_FOLDERS = {
    "train": TRAINING,
    "training": TRAINING,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}
"""Names of folders that hold a split of a dataset."""

CELEBA_IMAGES = 202_599
LSUN = "http://dl.yf.io/lsun/scenes/"
CELEBA = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


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
    """

    sources: Sequence[tuple[Source, Sequence[str]]]
    splits: Numbers
    labels: Numbers | None = None
    classes: Sequence[str] = ()
    attributes: Numbers | None = None
    attribute_names: Sequence[str] = ()
    remarks: Sequence[str] = field(default=())

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.splits)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the names, splits, labels and attributes of the images."""
        digest = sha256()
        for _, names in self.sources:
            for name in names:
                digest.update(name.encode() + b"\0")
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
            f"the names of the attributes; download it again from {CELEBA}"
        )
    count, attribute_names = int(rows[0][0]), rows[1]
    attributes = {row[0]: row[1:] for row in rows[2:]}
    if len(attributes) != count:
        raise UserError(
            f"{attribute_file} is damaged: its first line announces {count:,} images, but "
            f"{len(attributes):,} follow; download it again from {CELEBA}"
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
                f"{category}_train_lmdb.zip from {LSUN} and unpack it in {root}"
            )
    return Catalog(sources, np.concatenate(splits))


def folder(root: Path) -> Catalog:
    """Catalog the images of a folder, whose sub-folders are classes.

    Args:
        root: folder with images; with sub-folders train, val or test only, these are the splits,
            and their sub-folders the classes.

    Raises:
        UserError: it contains no image.
    """
    names, splits, relative_names = _images_and_splits(root)
    parts = [name.partition("/") for name in relative_names]
    classes = sorted({top for top, _, _ in parts})
    if not all(slash for _, slash, _ in parts) or len(classes) < 2:
        return Catalog(
            [(Folder(root), names)], splits, remarks=["no classes: fewer than two sub-folders"]
        )
    labels = np.array([classes.index(top) for top, _, _ in parts], np.int64)
    more = " …" if len(classes) > 5 else ""
    remarks = [f"{len(classes)} classes by sub-folder: {', '.join(classes[:5])}{more}"]
    return Catalog([(Folder(root), names)], splits, labels, classes, remarks=remarks)


def pairs(root: Path) -> Catalog:
    """Catalog pairs of images, the two of a pair next to each other in one file.

    Args:
        root: folder with the files, or with sub-folders train, val and test.

    Raises:
        UserError: it contains no image.

    Source: the layout of Isola et al. 2017 (arXiv:1611.07004): facades, maps, edges2shoes.
    """
    names, splits, _ = _images_and_splits(root)
    return Catalog([(Folder(root), names)], splits)


def _images_and_splits(root: Path) -> tuple[list[str], Numbers, list[str]]:
    """Return the names and splits of images, and the names relative to the folders of splits."""
    if not root.is_dir():
        raise UserError(f"the folder {root} does not exist; set --root DIR to the folder of images")
    names = Folder(root).names()
    if not names:
        raise UserError(
            f"{root} contains no images; valid are .jpg, .jpeg, .png and .webp, in sub-folders too"
        )
    parts = [name.partition("/") for name in names]
    has_splits = any(top == "train" and slash for top, slash, _ in parts) and all(
        top.lower() in SPLIT_FOLDERS and slash for top, slash, _ in parts
    )
    if not has_splits:
        return names, np.zeros(len(names), np.uint8), names
    splits = np.array([SPLIT_FOLDERS[top.lower()] for top, _, _ in parts], np.uint8)
    return names, splits, [rest for _, _, rest in parts]


def _celeba_source(root: Path) -> Source:
    for parent in (root, root / "Img"):
        if (parent / "img_align_celeba").is_dir():
            return Folder(parent / "img_align_celeba")
        if (parent / "img_align_celeba.zip").is_file():
            return Zip(parent / "img_align_celeba.zip")
    raise UserError(
        f"neither {root / 'img_align_celeba'} nor {root / 'img_align_celeba.zip'} exists; "
        f"download CelebA's aligned and cropped images from {CELEBA}"
    )


def _celeba_text_file(root: Path, folder: str, name: str) -> Path:
    for path in (root / name, root / folder / name):
        if path.is_file():
            return path
    raise UserError(f"{root / name} does not exist; download it from {CELEBA}")


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
                f"{wrong[0]}; download it again from {CELEBA}"
            )

    check(lambda name: name not in rows, "has no line")
    check(lambda name: len(rows[name]) != length, f"does not have {length} values")
    check(lambda name: not values.issuperset(rows[name]), "has an unknown value")
