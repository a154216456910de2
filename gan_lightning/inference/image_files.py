"""Images of files: an `.npz` file that is read as a stream, and a folder of pictures."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.reading import only_zero_and_one
from gan_lightning.errors import UserError, warn
from gan_lightning.inference.image_sources import (
    CHUNK_SIZE,
    Chunk,
    ImageSource,
    Shape,
    converted,
)
from gan_lightning.store.sources import Folder
from gan_lightning.store.transform import ImageTransform, InvalidImageError
from gan_lightning.utils.names import printable

__all__ = ["FolderSource", "NpzSource"]

KEYS = ("images", "arr_0")
"""Names of the array, the second of which `numpy.savez(FILE, array)` gives."""

NAMED = 3
"""Broken files that a warning names."""


class NpzSource(ImageSource):
    """The array `images`, else `arr_0`, of an `.npz` file, which is read as a stream.

    Args:
        path: of the file; the array is uint8 (N, H, W, C) or (N, H, W).

    Raises:
        UserError: the file is missing, damaged, or has no such array.
    """

    kind = "npz file"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        with self._stream() as (_, header):
            dims, fortran, dtype = header
        valid = len(dims) in (3, 4) and (len(dims) == 3 or dims[3] in (1, 3))
        if dtype != np.uint8 or not valid or fortran or 0 in dims:
            order = ", in Fortran's order" if fortran else ""
            raise UserError(
                f"images in {path} are {dtype} {dims}{order}; they must be uint8 (N, H, W, C) with "
                f"1 or 3 channels, in C's order"
            )
        self._dims = (*dims, 1)[:4]

    def __len__(self) -> int:
        """Return the number of images."""
        return int(self._dims[0])

    @property
    def shape(self) -> tuple[int, int] | None:
        """Size and channels of all images; None where they are not square."""
        _, height, width, channels = self._dims
        return (height, channels) if height == width else None

    def read(self, rows: Tensor, shape: Shape) -> Iterator[Chunk]:
        """Yield the images of rows; the file is read from its beginning to the last row."""
        wanted = torch.zeros(len(self), dtype=torch.bool)
        wanted[rows] = True
        image_bytes = int(np.prod(self._dims[1:]))
        last = int(rows.max()) + 1 if len(rows) else 0
        with self._stream() as (stream, _):
            is_binary = False
            for start in range(0, last, CHUNK_SIZE):
                count = min(CHUNK_SIZE, last - start)
                content = stream.read(count * image_bytes)
                if len(content) < count * image_bytes:
                    raise UserError(f"{self._path} is truncated; write it again")
                images = np.frombuffer(bytearray(content), np.uint8).reshape(-1, *self._dims[1:])
                if start == 0 and (is_binary := only_zero_and_one(images)):
                    warn(
                        f"images in {self._path} are 0 and 1, read as black and white; in uint8, "
                        f"white is 255"
                    )
                found = torch.from_numpy(images * np.uint8(255) if is_binary else images)
                chosen = wanted[start : start + count].nonzero().squeeze(1)
                if len(chosen):
                    yield Chunk(chosen + start, converted(found[chosen], shape))

    @contextmanager
    def _stream(self) -> Iterator[tuple[IO[bytes], Any]]:
        """Open the array, and return its stream after the header, and the header."""
        fix = "write it by numpy.savez(FILE, images=…)"
        try:
            with zipfile.ZipFile(self._path) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
                key = next((name for name in KEYS if name in names), None)
                if key is None:
                    shown = ", ".join(names) or "none"
                    raise UserError(
                        f"{self._path} has no array 'images'; its arrays: {shown}; {fix}"
                    )
                with archive.open(f"{key}.npy") as stream:
                    version = np.lib.format.read_magic(stream)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    yield stream, read(stream)
        except OSError as error:
            raise UserError(
                f"cannot read images from {self._path}: {error.strerror or error}"
            ) from error
        except UserError:
            raise
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise UserError(f"{self._path} is damaged or not an .npz file; {fix}") from error


class FolderSource(ImageSource):
    """All image files of a folder and its sub-folders, of any size and kind.

    Hidden files and folders of systems, such as __MACOSX, are ignored. An image is cropped to its
    centre square and resized by Pillow's bicubic filter, which antialiases; transparent pixels
    become white.

    Args:
        path: the folder.

    Raises:
        UserError: it cannot be read, or has no image.
    """

    kind = "folder of images"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._folder = Folder(path)
        self._names = self._folder.names()
        self._broken: dict[str, str] = {}
        if not self._names:
            raise UserError(f"the folder {path} has no image (png, jpg, webp, …)")

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._names)

    @property
    def shape(self) -> tuple[int, int] | None:
        """None, since files may differ."""
        return None

    def read(self, rows: Tensor, shape: Shape) -> Iterator[Chunk]:
        """Yield the images of rows, without those of broken files, which are remembered."""
        transform, form = ImageTransform("folder", shape.size, fit=shape.fit), shape.item_format
        for part in rows.split(CHUNK_SIZE):
            kept, pixels = [], []
            for row in part.tolist():
                name = self._names[row]
                try:
                    image = transform.decode(self._folder.read(name)).pixels
                except InvalidImageError as error:
                    self._broken[name] = str(error)
                    continue
                kept.append(row)
                pixels.append(form.pixels(image))
            if kept:
                yield Chunk(torch.tensor(kept), torch.from_numpy(np.stack(pixels)))

    def fingerprint(self, rows: Tensor, shape: Shape) -> str:
        """Return a hash of the content of the files; they are not decoded."""
        digest = sha256(f"{tuple(shape)}".encode())
        for row in rows.tolist():
            try:
                digest.update(sha256(self._folder.read(self._names[row])).digest())
            except InvalidImageError as error:
                digest.update(str(error).encode())
        return digest.hexdigest()

    @property
    def remarks(self) -> list[str]:
        """Line with the number of broken files and the names of some."""
        if not self._broken:
            return []
        named = [f"{printable(name)} ({why})" for name, why in list(self._broken.items())[:NAMED]]
        more = ", …" if len(self._broken) > NAMED else ""
        files = "file is" if len(self._broken) == 1 else "files are"
        return [f"{len(self._broken):,} {files} left out of {self.name}: {', '.join(named)}{more}"]
