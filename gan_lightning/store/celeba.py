"""Catalog of CelebA: as distributed, zipped by other programs, nested, or with lists as CSV."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.sources import IGNORED_FOLDERS, SUFFIXES, Folder, Source, Zip
from gan_lightning.utils.names import printable

__all__ = ["celeba"]

IMAGES = 202_599
URL = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
FOLDER = "img_align_celeba"
SPLITS, ATTRIBUTES = "list_eval_partition", "list_attr_celeba"

MAX_DEPTH = 4
"""Levels of folders below the root that are searched."""

LIST_SUFFIXES = (".txt", ".csv")
PRESENT, ABSENT = "1", ("-1", "0")


@dataclass
class ImageList:
    """A text file with a row of values for each image.

    Args:
        path: the file, for messages.
        header: names of the columns of values.
        rows: name of an image without ending -> its values.
        announced: number of images that the first line states, or None.
    """

    path: Path
    header: list[str]
    rows: dict[str, list[str]]
    announced: int | None

    def check(self, names: Sequence[str], valid: set[str]) -> None:
        """Check that every image has a row of valid values.

        Raises:
            UserError: naming the first image that has none.
        """

        def check(is_wrong: Callable[[list[str] | None], bool], problem: str) -> None:
            wrong = [name for name in names if is_wrong(self.rows.get(_stem(name)))]
            if wrong:
                raise UserError(
                    f"{self.path} {problem} for {len(wrong):,} of {len(names):,} images, the first "
                    f"is {printable(wrong[0])}; download it again from {URL}"
                )

        length = len(self.header)
        check(lambda row: row is None, "has no line")
        check(lambda row: row is None or len(row) != length, f"does not have {length} values")
        check(lambda row: row is None or not valid.issuperset(row), "has an unknown value")


def celeba(root: Path) -> Catalog:
    """Catalog the aligned and cropped faces of CelebA, their 40 attributes and official splits.

    The images are a folder or a zip archive named img_align_celeba, or an archive that contains
    this folder; the lists end in .txt as distributed, or in .csv. All of them may lie in folders of
    any name, and the lists in the archive. The endings of the images need not be those of the
    lists.

    Args:
        root: folder with the images, list_attr_celeba and list_eval_partition.

    Raises:
        UserError: a file is missing or damaged, or lacks some of the images.

    Source: Liu, Luo, Wang, Tang 2015 (arXiv:1411.7766).
    """
    files, sources = _search(root)
    source = next((each for each in sources if each.names()), sources[0])
    found = source.names()
    by_stem: dict[str, str] = {}
    for name in found:
        by_stem.setdefault(_stem(name), name)
    names = list(by_stem.values())
    splits, attributes = (_list(root, name, files, source) for name in (SPLITS, ATTRIBUTES))
    if not attributes.rows or not attributes.header:
        raise UserError(
            f"{attributes.path} is damaged: its first line must be the number of images, its "
            f"second the names of the attributes; download it again from {URL}"
        )
    if attributes.announced not in (None, len(attributes.rows)):
        raise UserError(
            f"{attributes.path} is damaged: its first line announces {attributes.announced:,} "
            f"images, but {len(attributes.rows):,} follow; download it again from {URL}"
        )
    splits.header = ["partition"]
    splits.check(names, {"0", "1", "2"})
    attributes.check(names, {PRESENT, *ABSENT})
    rows = [attributes.rows[_stem(name)] for name in names]
    remarks = []
    if len(names) < len(found):
        remarks.append(f"left out: {len(found) - len(names):,} images with the name of another one")
    if len(names) != IMAGES:
        remarks.append(f"a subset of CelebA: {len(names):,} of {IMAGES:,} images")
    return Catalog(
        sources=[(source, names)],
        splits=np.array([int(splits.rows[_stem(name)][0]) for name in names], np.uint8),
        attributes=np.array([[value == PRESENT for value in row] for row in rows], np.uint8),
        attribute_names=attributes.header,
        remarks=remarks,
    )


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _search(root: Path) -> tuple[list[Path], list[Source]]:
    """Return the files below a folder that may be lists, and the sources of images, best first.

    Raises:
        UserError: there is no source of images.
    """
    folders, files = [], []
    for folder, inner, names in os.walk(root, followlinks=True):
        inner[:] = sorted(n for n in inner if n[0] != "." and n not in IGNORED_FOLDERS)
        folders += [Path(folder, name) for name in inner if FOLDER in name.lower()]
        files += [Path(folder, name) for name in sorted(names) if name[0] != "."]
        if len(Path(folder).relative_to(root).parts) >= MAX_DEPTH:
            inner.clear()
    files.sort(key=lambda path: len(path.parts))  # the outermost first
    archives = [path for path in files if path.suffix.lower() == ".zip"]
    archives = [path for path in archives if FOLDER in path.name.lower() or _has_faces(path)]
    sources: list[Source] = [Folder(path) for path in sorted(folders, key=lambda p: len(p.parts))]
    sources += [Zip(path) for path in archives]
    if any(path.parent == root and path.suffix.lower() in SUFFIXES for path in files):
        sources.append(Folder(root))
    if not sources:
        raise UserError(
            f"neither {root / FOLDER} nor {root / FOLDER}.zip exists; download CelebA's aligned "
            f"and cropped images from {URL}"
        )
    return files, sources


def _has_faces(archive: Path) -> bool:
    """Tell whether an archive of any name contains the folder of the images."""
    try:
        with ZipFile(archive) as opened:
            return any(FOLDER in name.lower() for name in opened.namelist())
    except (OSError, BadZipFile):
        return False


def _list(root: Path, stem: str, files: Sequence[Path], source: Source) -> ImageList:
    """Read the list of this name from the folder, else from the archive of the images."""
    for path in files:
        if _is_list(path.name, stem):
            return _parse(path, _read(path, path.read_bytes))
    if isinstance(source, Zip):
        with ZipFile(source.path) as archive:
            for name in archive.namelist():
                if _is_list(name, stem):
                    path = source.path / name
                    return _parse(path, _read(path, partial(archive.read, name)))
    raise UserError(f"{root / stem}.txt does not exist; download it from {URL}")


def _is_list(name: str, stem: str) -> bool:
    path = PurePosixPath(name.lower())
    return path.stem == stem and path.suffix in LIST_SUFFIXES and "__macosx" not in path.parts


def _read(path: Path, read: Callable[[], bytes]) -> str:
    """Read a text in UTF-8 or UTF-16; the mark at its beginning, which programs add, tells which.

    Raises:
        UserError: it cannot be read.
    """
    try:
        content = read()
        is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except Exception as error:  # archives raise errors of many classes
        raise UserError(f"cannot read {path}: {error}") from error


def _parse(path: Path, text: str) -> ImageList:
    """Read the rows of a list, and its header: names only, or in a CSV file a name for each column.

    Values are separated by spaces, commas, semicolons or tabs.
    """
    announced: int | None = None
    header: list[str] = []
    rows: dict[str, list[str]] = {}
    for words in _lines(text):
        first = words[0]
        if first.lower().endswith(SUFFIXES):
            rows[_stem(first)] = words[1:]
        elif not rows and len(words) == 1 and first.isdigit():
            announced = int(first)
        elif not rows:
            header = words
    return ImageList(path, header if announced is not None else header[1:], rows, announced)


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        words = re.split("[,;]", line) if re.search("[,;]", line) else line.split()
        if any(words):
            yield [word.strip().strip('"') for word in words]
