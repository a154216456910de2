"""What is known of each picture of a user's copy, read as the data sets are distributed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.sources import LMDB, Folder, Source, Zip

__all__ = ["SPLITS", "Listing", "celeba", "folder", "lsun", "pairs"]

Numbers = np.ndarray[Any, np.dtype[Any]]

SPLITS = ("train", "val", "test")
SPLIT_WORDS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}

CELEBA_IMAGES = 202_599
LSUN = "http://dl.yf.io/lsun/scenes/"
CELEBA = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


@dataclass(frozen=True)
class Listing:
    """The pictures of a user's copy.

    Args:
        parts: sources and the names of their pictures; pictures are numbered through.
        splits: of each picture: 0 training, 1 validation, 2 test; uint8 (M,).
        labels: class of each picture, int64 (M,), or None.
        classes: their names.
        attributes: of each picture, uint8 (M, K), 0 or 1, or None.
        attribute_names: K words.
        remarks: lines for the user.
    """

    parts: Sequence[tuple[Source, Sequence[str]]]
    splits: Numbers
    labels: Numbers | None = None
    classes: Sequence[str] = ()
    attributes: Numbers | None = None
    attribute_names: Sequence[str] = ()
    remarks: Sequence[str] = field(default=())

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.splits)

    def fingerprint(self) -> str:
        """Hash the names and all that is known of the pictures."""
        hashed = sha256()
        for _, names in self.parts:
            for name in names:
                hashed.update(name.encode() + b"\0")
        for known in (self.splits, self.labels, self.attributes):
            hashed.update(b"-" if known is None else np.ascontiguousarray(known).tobytes())
        return hashed.hexdigest()


def celeba(root: Path) -> Listing:
    """List CelebA's aligned and cropped faces with their 40 attributes and official partition.

    Args:
        root: folder with img_align_celeba/ or img_align_celeba.zip, list_attr_celeba.txt and
            list_eval_partition.txt, or with these in Img/, Anno/ and Eval/ as distributed.

    Raises:
        UserError: a file is missing or damaged, or they disagree about the pictures.

    Source: Liu, Luo, Wang, Tang 2015 (arXiv:1411.7766).
    """
    source = _celeba_source(root)
    names = source.names()
    partition_file, attribute_file = (
        _found(root, file, where)
        for file, where in (("list_eval_partition.txt", "Eval"), ("list_attr_celeba.txt", "Anno"))
    )
    partition = {line[0]: line[1:] for line in _lines(partition_file)}
    rows = _lines(attribute_file)
    if len(rows) < 2 or len(rows[0]) != 1 or not rows[0][0].isdigit():
        raise UserError(
            f"{attribute_file} is no list of attributes: its first line is the number of pictures, "
            f"its second the attributes' names; download it again from {CELEBA}"
        )
    count, attribute_names = int(rows[0][0]), rows[1]
    attributes = {row[0]: row[1:] for row in rows[2:]}
    if len(attributes) != count:
        raise UserError(
            f"{attribute_file} is damaged: it says {count:,} pictures and lists "
            f"{len(attributes):,}; download it again from {CELEBA}"
        )
    _check_named(names, partition_file, partition, {"0", "1", "2"}, 1)
    _check_named(names, attribute_file, attributes, {"1", "-1"}, len(attribute_names))
    remarks = []
    if len(names) != CELEBA_IMAGES:
        remarks.append(f"a subset of CelebA: {len(names):,} of {CELEBA_IMAGES:,} pictures")
    return Listing(
        parts=[(source, names)],
        splits=np.array([int(partition[name][0]) for name in names], np.uint8),
        attributes=np.array([[v == "1" for v in attributes[name]] for name in names], np.uint8),
        attribute_names=attribute_names,
        remarks=remarks,
    )


def lsun(root: Path, category: str) -> Listing:
    """List the training and validation pictures of a scene category of LSUN.

    Args:
        root: folder with CATEGORY_train_lmdb and CATEGORY_val_lmdb as distributed, or folders
            CATEGORY_train and CATEGORY_val of pictures; without validation ones, some training
            pictures stand in.
        category: bedroom, church_outdoor, tower …

    Raises:
        UserError: nothing of the category is there, or it cannot be opened.

    Source: Yu et al. 2015 (arXiv:1506.03365).
    """
    parts: list[tuple[Source, Sequence[str]]] = []
    splits = []
    for part, split in (("train", 0), ("val", 2)):
        stem = root / f"{category}_{part}"
        database = stem.with_name(f"{stem.name}_lmdb")
        source: Source | None = LMDB(database) if database.is_dir() else None
        source = source or (Folder(stem) if stem.is_dir() else None)
        if source is not None:
            names = source.names()
            parts.append((source, names))
            splits.append(np.full(len(names), split, np.uint8))
        elif part == "train":
            there = sorted({p.name.rsplit("_train", 1)[0] for p in root.glob("*_train*")})
            known = f"; there are {', '.join(there)}" if there else ""
            raise UserError(
                f"there is neither {database} nor {stem}{known}; download "
                f"{category}_train_lmdb.zip from {LSUN} and unpack it in {root}"
            )
    return Listing(parts, np.concatenate(splits))


def folder(root: Path) -> Listing:
    """List the pictures of any tree; sub-folders are classes, below train/, val/, test/ if any.

    Raises:
        UserError: there are none.
    """
    names, splits, inside = _split_tree(root)
    tops = [name.partition("/") for name in inside]
    if not all(slash for _, slash, _ in tops) or len({top for top, _, _ in tops}) < 2:
        return Listing([(Folder(root), names)], splits, remarks=["no classes: no sub-folders"])
    classes = sorted({top for top, _, _ in tops})
    labels = np.array([classes.index(top) for top, _, _ in tops], np.int64)
    said = f"{len(classes)} classes by sub-folder: {', '.join(classes[:5])}"
    remarks = [said + (" …" if len(classes) > 5 else "")]
    return Listing([(Folder(root), names)], splits, labels, classes, remarks=remarks)


def pairs(root: Path) -> Listing:
    """List pictures that are two side by side, in train/, val/ and test/ if there are any.

    Raises:
        UserError: there are none.

    Source: the layout of Isola et al. 2017 (arXiv:1611.07004): facades, maps, edges2shoes.
    """
    names, splits, _ = _split_tree(root)
    return Listing([(Folder(root), names)], splits)


def _split_tree(root: Path) -> tuple[list[str], Numbers, list[str]]:
    """Return names, splits, and names below the folders of the splits."""
    if not root.is_dir():
        raise UserError(f"there is no folder {root}; give that of the pictures by --root DIR")
    names = Folder(root).names()
    if not names:
        raise UserError(
            f"{root} holds no pictures; valid are .jpg, .jpeg, .png and .webp in any sub-folder"
        )
    tops = {name.partition("/")[0] for name in names if "/" in name}
    is_split = "train" in tops and all(
        name.partition("/")[0].lower() in SPLIT_WORDS and "/" in name for name in names
    )
    if not is_split:
        return names, np.zeros(len(names), np.uint8), names
    parts = [name.partition("/") for name in names]
    splits = np.array([SPLIT_WORDS[top.lower()] for top, _, _ in parts], np.uint8)
    return names, splits, [rest for _, _, rest in parts]


def _celeba_source(root: Path) -> Source:
    for parent in (root, root / "Img"):
        if (parent / "img_align_celeba").is_dir():
            return Folder(parent / "img_align_celeba")
        if (parent / "img_align_celeba.zip").is_file():
            return Zip(parent / "img_align_celeba.zip")
    raise UserError(
        f"there is neither {root / 'img_align_celeba'} nor {root / 'img_align_celeba.zip'}; "
        f"download CelebA's aligned and cropped images from {CELEBA}"
    )


def _found(root: Path, file: str, where: str) -> Path:
    for path in (root / file, root / where / file):
        if path.is_file():
            return path
    raise UserError(f"there is no {root / file}; download it from {CELEBA}")


def _lines(path: Path) -> list[list[str]]:
    """Read the words of each line that has any."""
    try:
        return [words for line in path.read_text("utf-8").splitlines() if (words := line.split())]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _check_named(
    names: Sequence[str], path: Path, known: dict[str, list[str]], values: set[str], length: int
) -> None:
    """Check that a file says something valid of every picture."""

    def refuse(wrong: Callable[[str], bool], what: str) -> None:
        found = [name for name in names if wrong(name)]
        if found:
            raise UserError(
                f"{path} {what} for {len(found):,} of {len(names):,} pictures, {found[0]} the "
                f"first; download it again from {CELEBA}"
            )

    refuse(lambda name: name not in known, "has no line")
    refuse(lambda name: len(known[name]) != length, f"has not the {length} values expected")
    refuse(lambda name: not values.issuperset(known[name]), "has an unknown value")
