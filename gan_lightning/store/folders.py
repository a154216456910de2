"""Catalogs of folders of images as people have them: splits and classes by sub-folder or CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.labels import find_labels_file, read_labels
from gan_lightning.store.layout import TEST, TRAINING, VALIDATION
from gan_lightning.store.sources import Folder
from gan_lightning.utils.names import printable

__all__ = ["folder", "pairs"]

SPLIT_FOLDERS = {
    "train": TRAINING,
    "training": TRAINING,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""Names of folders that hold a split of a dataset, in lower case."""

MAX_STRAY_SHARE = 0.1
"""Largest share of images beside the folders of classes that leaves these the classes."""

MAX_LISTED = 5
"""Classes and file names that a line lists."""

TEXT_FILES = ("", ".txt", ".csv", ".tsv", ".json", ".md", ".xml", ".html", ".yaml", ".yml", ".db")
"""Endings of files that nobody takes for images."""


@dataclass
class Layout:
    """The images of a folder that are used, and their splits.

    Args:
        source: the folder.
        names: relative path of each image.
        splits: split of each image.
        inner: path of each image within its split.
        remarks: lines that are printed to the user.
    """

    source: Folder
    names: list[str]
    splits: list[int]
    inner: list[str]
    remarks: list[str] = field(default_factory=list)

    def keep(self, kept: Sequence[bool], reason: str) -> None:
        """Leave images out, and say how many and why."""
        if all(kept):
            return
        left_out = [name for name, keeps in zip(self.names, kept, strict=True) if not keeps]
        self.remarks.append(
            f"left out: {_images(len(left_out))} {reason}, for example {printable(left_out[0])}"
        )
        self.names[:] = compress(self.names, kept)
        self.splits[:] = compress(self.splits, kept)
        self.inner[:] = compress(self.inner, kept)

    def catalog(self, labels: list[int] | None = None, classes: Sequence[str] = ()) -> Catalog:
        """Return the catalog of the images, with their classes."""
        return Catalog(
            [(self.source, self.names)],
            np.array(self.splits, np.uint8),
            None if labels is None else np.array(labels, np.int64),
            classes,
            remarks=self.remarks,
            holds_out=TEST not in self.splits,
        )


def folder(root: Path, labels: Path | None = None) -> Catalog:
    """Catalog the images of a folder, whose sub-folders, or a CSV file, name the classes.

    Sub-folders train, val and test, in any case, are the splits. val is the test split where there
    is no test. A folder around everything, as archives have, is looked into.

    Args:
        root: folder with images.
        labels: CSV file with the columns file and label, instead of classes by sub-folder.

    Raises:
        UserError: it contains no image, or the labels cannot be read.
    """
    layout = _layout(root)
    if TEST not in layout.splits and VALIDATION in layout.splits:
        layout.splits[:] = [TEST if split == VALIDATION else split for split in layout.splits]
        layout.remarks.append("there is no folder test: the validation images are the test images")
    if labels is None:
        return _classes_by_folder(layout)
    return _classes_by_labels(layout, find_labels_file(labels, root))


def pairs(root: Path) -> Catalog:
    """Catalog pairs of images, the two of a pair next to each other in one file.

    Args:
        root: folder with the files, or with sub-folders train, val and test.

    Raises:
        UserError: it contains no image.

    Source: the layout of Isola et al. 2017 (arXiv:1611.07004): facades, maps, edges2shoes.
    """
    layout = _layout(root)
    return Catalog(
        [(layout.source, layout.names)], np.array(layout.splits, np.uint8), remarks=layout.remarks
    )


def _layout(root: Path) -> Layout:
    """Find the images of a folder and their splits."""
    if not root.is_dir():
        problem = "is a file" if root.exists() else "does not exist"
        raise UserError(f"the folder {root} {problem}; give the folder that contains the images")
    source = Folder(root)
    names = source.names()
    others = {kind: n for kind, n in source.others.most_common() if kind not in TEXT_FILES}
    unread = ", ".join(f"{count:,} {printable(kind)}" for kind, count in others.items())
    if not names:
        there = f"it has {unread}, which are not read; " if unread else ""
        raise UserError(
            f"{root} contains no images; {there}valid are .jpg, .png, .webp, .gif, .bmp, .tif, "
            f".avif and others, in sub-folders too"
        )
    remarks = [f"not read: {unread} (convert images to .png or .jpg)"] if unread else []
    inner = _without_outer_folders(names)
    layout = Layout(source, names, [TRAINING] * len(names), inner, remarks)
    _find_splits(layout)
    return layout


def _without_outer_folders(names: list[str]) -> list[str]:
    """Drop the folders that contain all images, unless one is named as a split."""
    while True:
        tops = {name.partition("/")[0] for name in names if "/" in name}
        if len(tops) != 1 or not all("/" in name for name in names):
            return list(names)
        if next(iter(tops)).lower() in SPLIT_FOLDERS:
            return list(names)
        names = [name.partition("/")[2] for name in names]


def _find_splits(layout: Layout) -> None:
    """Set the splits where the sub-folders are named as such, and leave the other images out."""
    parts = [name.partition("/") for name in layout.inner]
    tops = {top for top, slash, _ in parts if slash}
    splits = {top: SPLIT_FOLDERS[top.lower()] for top in tops if top.lower() in SPLIT_FOLDERS}
    found = set(splits.values())
    # a folder train among bus and car is a class
    if TRAINING not in found or (len(found) == 1 and len(tops) > len(splits)):
        return
    inside = [bool(slash) and top in splits for top, slash, _ in parts]
    layout.inner[:] = [rest for _, _, rest in parts]
    layout.splits[:] = [splits.get(top, TRAINING) for top, _, _ in parts]
    layout.keep(inside, f"beside the folders {', '.join(sorted(splits))}")


def _classes_by_folder(layout: Layout) -> Catalog:
    """Make the first sub-folders classes if there are two or more with nearly all images."""
    tops = ["" if "/" not in name else name.partition("/")[0] for name in layout.inner]
    training = [top for top, split in zip(tops, layout.splits, strict=True) if split == TRAINING]
    classes = sorted({top for top in training if top})
    strays = training.count("")
    if len(classes) < 2:
        layout.remarks.append("no classes: fewer than two sub-folders")
        return layout.catalog()
    if strays > MAX_STRAY_SHARE * len(training):
        layout.remarks.append(
            f"no classes: {strays:,} of {_images(len(training))} lie beside the sub-folders"
        )
        return layout.catalog()
    numbers = {name: number for number, name in enumerate(classes)}
    kept = [top in numbers for top in tops]
    layout.keep(kept, "outside the folders of the classes")
    labels = [numbers[top] for top, keeps in zip(tops, kept, strict=True) if keeps]
    return _with_classes(layout, labels, classes, "sub-folder")


def _classes_by_labels(layout: Layout, path: Path) -> Catalog:
    """Make the labels of a CSV file classes."""
    labels = read_labels(path, layout.names)
    layout.keep([label is not None for label in labels], f"without a row in {path.name}")
    known = [label for label in labels if label is not None]
    distinct = set(known)
    numeric = all(label.lstrip("-").isdecimal() for label in distinct)
    classes = sorted(distinct, key=int) if numeric else sorted(distinct)
    numbers = {label: number for number, label in enumerate(classes)}
    return _with_classes(layout, [numbers[label] for label in known], classes, path.name)


def _with_classes(
    layout: Layout, labels: list[int], classes: Sequence[str], source: str
) -> Catalog:
    counts = Counter(labels)
    names = [printable(name) for name in classes]
    shown = ", ".join(f"{name} ({counts[k]:,})" for k, name in enumerate(names[:MAX_LISTED]))
    more = ", …" if len(names) > MAX_LISTED else ""
    layout.remarks.append(f"{len(names)} classes by {source}: {shown}{more}")
    return layout.catalog(labels, names)


def _images(count: int) -> str:
    return f"{count:,} image{'s' if count != 1 else ''}"
