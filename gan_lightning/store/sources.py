"""Sources of image files: a folder, a zip archive, an LMDB database.

A source can be pickled; each process that reads it opens it for itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile, ZipFile

from gan_lightning.errors import UserError
from gan_lightning.store.transform import InvalidImageError
from gan_lightning.utils.optional import require

__all__ = ["LMDB", "Folder", "Source", "Zip"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Source(Protocol):
    """Image files by name."""

    path: Path

    def names(self) -> list[str]:
        """List the names of all images, in the same order at each call.

        Raises:
            UserError: the source cannot be opened.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return the content of an image file.

        Raises:
            InvalidImageError: it cannot be read.
        """
        ...


class Folder:
    """All JPEG, PNG and WebP files of a folder and its sub-folders, by their relative path.

    Symbolic links to folders are not followed.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """List the relative paths of the images, sorted."""
        try:
            return sorted(self._walk(str(self.path), ""))
        except OSError as error:
            raise UserError(f"cannot read {error.filename}: {error.strerror}") from error

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(entry.path, f"{name}/")
                elif name.lower().endswith(SUFFIXES) and not entry.name.startswith("."):
                    yield name

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InvalidImageError(f"cannot be read ({error.strerror})") from None


class Zip:
    """The JPEG, PNG and WebP files of a zip archive, by their name without folders.

    Args:
        path: the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """List the names of the images, sorted."""
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        """Return the content of a member after checking its CRC-32."""
        try:
            return self._archive.read(self._members[name])
        except (OSError, BadZipFile, EOFError, ValueError) as error:
            raise InvalidImageError(f"is damaged in the archive ({error})") from None

    @cached_property
    def _archive(self) -> ZipFile:
        try:
            return ZipFile(self.path)
        except (OSError, BadZipFile) as error:
            raise UserError(
                f"{self.path} is truncated or no zip archive ({error}); download it again"
            ) from error

    @cached_property
    def _members(self) -> dict[str, str]:
        return {
            name.rpartition("/")[2]: name
            for name in self._archive.namelist()
            if name.lower().endswith(SUFFIXES)
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open archive out of a pickle."""
        return {"path": self.path}


class LMDB:
    """The values of an LMDB database, by their keys, as LSUN is distributed. Nothing is unpickled.

    Args:
        path: folder with data.mdb.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """List the keys."""
        with self._environment.begin() as transaction:
            keys = transaction.cursor().iternext(keys=True, values=False)
            return [key.decode("latin-1") for key in keys]

    def read(self, name: str) -> bytes:
        """Return a value."""
        with self._environment.begin() as transaction:
            value = transaction.get(name.encode("latin-1"))
        if value is None:
            raise InvalidImageError("has no value in the LMDB database")
        return bytes(value)

    @cached_property
    def _environment(self) -> Any:
        require("lsun")
        import lmdb

        if not (self.path / "data.mdb").is_file():
            raise UserError(
                f"{self.path} has no data.mdb; unpack LSUN's zip archive again, which contains "
                f"data.mdb and lock.mdb"
            )
        try:
            return lmdb.open(
                str(self.path), readonly=True, lock=False, readahead=False, max_readers=1
            )
        except lmdb.Error as error:
            raise UserError(
                f"{self.path / 'data.mdb'} is truncated or no LMDB database ({error}); "
                f"unpack it again"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open environment out of a pickle."""
        return {"path": self.path}
