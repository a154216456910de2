"""Sources of image files: a folder, a zip archive.

A source can be pickled; each process that reads it opens it for itself.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from zipfile import ZipFile, ZipInfo

from gan_lightning.errors import UserError
from gan_lightning.store.transform import InvalidImageError

__all__ = ["IGNORED_FOLDERS", "SUFFIXES", "Folder", "Source", "Zip"]

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".png", ".apng", ".webp", ".avif", ".avifs"),
    *(".bmp", ".dib", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""Endings of the names of files that are read, in any case."""

IGNORED_FOLDERS = ("__MACOSX", "__pycache__", "@eaDir")
"""Folders of systems and programs, beside those whose names start with a dot."""


ENCRYPTED = 1
"""Bit of the flags of a member of a zip archive."""


class Source(Protocol):
    """Image files by name."""

    path: Path

    def names(self) -> list[str]:
        """List the names of all images, in the same order at each call.

        Raises:
            UserError: the source cannot be opened.
        """
        ...

    def stamp(self, name: str) -> str:
        """Return a text that differs when the image of this name has changed, without reading it.

        It is empty where the source cannot tell.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return the content of an image file.

        Raises:
            InvalidImageError: it cannot be read.
        """
        ...


class Folder:
    """All image files of a folder and its sub-folders, by their relative path.

    Links to folders are followed, except to a folder that contains them. Files and folders whose
    names start with a dot are ignored. Bytes of a name that are not UTF-8 become lone surrogates,
    as in `os.fsdecode`.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """List the relative paths of the images, sorted."""
        return sorted(self._files[0])

    @property
    def others(self) -> Counter[str]:
        """Ending -> number of files that are not read, for example .heic."""
        return self._files[1]

    def stamp(self, name: str) -> str:
        """Return the size and the modification time of a file."""
        return self._files[0][name]

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InvalidImageError(f"cannot be read ({error.strerror})") from None

    @cached_property
    def _files(self) -> tuple[dict[str, str], Counter[str]]:
        """Name -> stamp of all images, and ending -> number of all other files."""
        images: dict[str, str] = {}
        others: Counter[str] = Counter()
        try:
            for name, state in _walk(str(self.path), "", ()):
                suffix = Path(name).suffix.lower()
                if suffix in SUFFIXES and (state is None or stat.S_ISREG(state.st_mode)):
                    images[name] = "" if state is None else f"{state.st_size} {state.st_mtime_ns}"
                else:
                    others[suffix] += 1
        except OSError as error:
            raise UserError(f"cannot read {error.filename}: {error.strerror}") from error
        return images, others

    def __getstate__(self) -> dict[str, Any]:
        """Leave the listing out of a pickle."""
        return {"path": self.path}


def _walk(
    folder: str, prefix: str, parents: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield the relative path and the state of each file; None for a link to nowhere or itself.

    Args:
        folder: the folder.
        prefix: relative path of the folder, empty or with a slash at its end.
        parents: device and inode of the folders that contain it.
    """
    own = Path(folder).stat()
    identity = own.st_dev, own.st_ino
    if identity in parents:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in IGNORED_FOLDERS:
                continue
            name = prefix + entry.name
            try:
                is_folder, state = entry.is_dir(), entry.stat()
            except OSError:
                is_folder, state = False, None
            if is_folder:
                yield from _walk(entry.path, f"{name}/", (*parents, identity))
            else:
                yield name, state


class Zip:
    """The image files of a zip archive, by their name without folders.

    Args:
        path: the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """List the names of the images, sorted."""
        return sorted(self._members)

    def stamp(self, name: str) -> str:
        """Return the CRC-32 of a member."""
        return f"{self._members[name].CRC}"

    def read(self, name: str) -> bytes:
        """Return the content of a member after checking its CRC-32."""
        member = self._members[name]
        if member.flag_bits & ENCRYPTED:
            raise InvalidImageError("is encrypted in the archive")
        try:
            return self._archive.read(member)
        except NotImplementedError:
            method = member.compress_type
            raise InvalidImageError(
                f"is compressed in the archive by a method that Python lacks (number {method})"
            ) from None
        except Exception as error:  # zipfile and its decompressors raise errors of any class
            raise InvalidImageError(f"is damaged in the archive ({error})") from None

    @cached_property
    def _archive(self) -> ZipFile:
        try:
            return ZipFile(self.path)
        except Exception as error:
            raise UserError(
                f"{self.path} is truncated or no zip archive ({error}); download it again"
            ) from error

    @cached_property
    def _members(self) -> dict[str, ZipInfo]:
        members: dict[str, ZipInfo] = {}
        for info in self._archive.infolist():
            *folders, name = info.filename.replace("\\", "/").split("/")
            ignored = name.startswith(".") or any(part in IGNORED_FOLDERS for part in folders)
            if not ignored and name.lower().endswith(SUFFIXES):
                members[name] = info
        return members

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open archive out of a pickle."""
        return {"path": self.path}
