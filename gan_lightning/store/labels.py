"""Classes of images from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gan_lightning.errors import UserError
from gan_lightning.utils.names import printable

__all__ = ["find_labels_file", "read_labels"]

COLUMNS = ("file", "label")
"""Names of the columns that are read, in any case and order."""

DELIMITERS = (",", ";", "\t")


def find_labels_file(labels: Path, root: Path) -> Path:
    """Return the path of a CSV file, relative to the working directory or to the images.

    Raises:
        UserError: it is in neither place.
    """
    for path in (labels, root / labels):
        if path.is_file():
            return path
    raise UserError(
        f"the labels {labels} do not exist; give a CSV file with the columns file and label, here "
        f"or in {root}"
    )


def read_labels(path: Path, names: Sequence[str]) -> list[str | None]:
    """Read the class of each image.

    A row names its image by the path relative to the folder of images, or by the name of the file
    where only one image has it.

    Args:
        path: CSV file with the columns file and label; its delimiter is a comma, a semicolon or a
            tab.
        names: relative paths of all images.

    Returns:
        The label of each image, None where it has no row.

    Raises:
        UserError: the file cannot be read, a column is missing, an image has two labels, or no row
            names an image.
    """
    labels = _read_rows(path)
    found = [
        _label(labels, name, unique) for name, unique in zip(names, _unique(names), strict=True)
    ]
    if not any(label is not None for label in found):
        raise UserError(
            f"no row of {path} names an image of the folder; the first row names "
            f"{printable(next(iter(labels), ''))!r}, and an image is {printable(names[0])!r}"
        )
    return found


def _unique(names: Sequence[str]) -> list[bool]:
    """Tell of each path whether no other one ends with the same file name."""
    files = [PurePosixPath(name).name for name in names]
    counts: dict[str, int] = {}
    for file in files:
        counts[file] = counts.get(file, 0) + 1
    return [counts[file] == 1 for file in files]


def _label(labels: dict[str, str], name: str, is_unique: bool) -> str | None:
    label = labels.get(name)
    if label is None and is_unique:
        label = labels.get(PurePosixPath(name).name)
    return label


def _read_rows(path: Path) -> dict[str, str]:
    """Read file -> label of all rows with both."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            header = file.readline()
            delimiter = max(DELIMITERS, key=header.count)
            file.seek(0)
            rows = csv.DictReader(file, delimiter=delimiter)
            columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
            if not set(COLUMNS) <= set(columns):
                shown = ", ".join(printable(name) for name in columns) or "none"
                raise UserError(
                    f"{path} needs the columns file and label; its first line has {shown}"
                )
            labels: dict[str, str] = {}
            for row in rows:
                name, label = ((row[columns[key]] or "").strip() for key in COLUMNS)
                name = str(PurePosixPath(name.replace("\\", "/")))
                if not label or name == ".":
                    continue
                if labels.setdefault(name, label) != label:
                    raise UserError(
                        f"{path} gives {printable(name)} two labels, {printable(labels[name])} "
                        f"and {printable(label)}; keep one of them"
                    )
            return labels
    except (OSError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from error
