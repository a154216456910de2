"""Manifest of an image store: its description, and the checksums of its files."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.store.layout import CHECKED, MANIFEST
from gan_lightning.store.transform import ImageTransform
from gan_lightning.utils.files import atomic_write

__all__ = ["FileChecksum", "Manifest", "open_store"]

VERSION = 1

JSON_KEYS = {"transform": "recipe", "catalog_fingerprint": "listing"}
"""Fields of `Manifest` with another key in the file, so that existing stores stay valid."""


@dataclass(frozen=True)
class FileChecksum:
    """Checksum of a file of a store.

    Args:
        name: name of the file in the folder of the store.
        size: size in bytes.
        sha256: SHA-256 of the content, in hexadecimal digits.
        changed: modification time, in nanoseconds, when the checksum was computed. A file with the
            same modification time is not read again.
    """

    name: str
    size: int
    sha256: str
    changed: int

    @classmethod
    def of_file(cls, path: Path) -> FileChecksum:
        """Compute the checksum of a file."""
        changed = path.stat().st_mtime_ns
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return cls(path.name, path.stat().st_size, digest, changed)


@dataclass(frozen=True)
class Manifest:
    """Description of a store, which only a complete store has.

    Args:
        transform: how image files became pixels.
        source: folder of the images, as the user named it.
        catalog_fingerprint: SHA-256 of the names, sizes, modification times, splits, labels and
            attributes of the images.
        images: number of images in the store.
        shards: files of pixels.
        index: file with the rows, splits, labels and attributes of the images.
        classes: name of each class.
        attribute_names: name of each attribute.
        attribute_values: names of the values of each attribute; empty where they are 0 and 1.
        skipped: [name, problem] of each image that is not in the store.
        converted: number of images by the kind that they were converted from, for example CMYK.
        not_square: number of images that were cropped, padded or stretched.
        grey: number of images without a colour.
        parts: number of images for training, for validation and for tests.
        remarks: remarks on the source.
        made_with: package -> version.
    """

    transform: ImageTransform
    source: str
    catalog_fingerprint: str
    images: int
    shards: list[FileChecksum]
    index: FileChecksum
    classes: list[str] = field(default_factory=list)
    attribute_names: list[str] = field(default_factory=list)
    attribute_values: list[list[str]] = field(default_factory=list)
    skipped: list[list[str]] = field(default_factory=list)
    converted: dict[str, int] = field(default_factory=dict)
    not_square: int = 0
    grey: int = 0
    parts: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all checksums: identifies the pixels, their order and their labels."""
        checksums = [file.sha256 for file in (*self.shards, self.index)]
        return sha256(" ".join(checksums).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write the manifest to the folder of the store."""
        fields = {JSON_KEYS.get(name, name): value for name, value in asdict(self).items()}
        content = {"version": VERSION, "fingerprint": self.fingerprint, **fields}
        (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a store.

    Raises:
        UserError: it is missing, damaged or of another version.
    """
    path = folder / MANIFEST
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("version")
        if version != VERSION:
            raise UserError(
                f"{folder} is a store of version {version}, but this program reads version "
                f"{VERSION}; {_remake(folder)}"
            )
        fingerprint = content.pop("fingerprint")
        for name, key in JSON_KEYS.items():
            content[name] = content.pop(key)
        content["transform"] = ImageTransform(**content["transform"])
        content["shards"] = [FileChecksum(**file) for file in content["shards"]]
        content["index"] = FileChecksum(**content["index"])
        manifest = Manifest(**content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}); {_remake(folder)}") from error
    if fingerprint != manifest.fingerprint:
        raise UserError(f"{path} is damaged (its fingerprint differs); {_remake(folder)}")
    return manifest


def open_store(folder: Path) -> Manifest:
    """Read the manifest of a store and verify its files.

    A file is not read again if its size and modification time are those of the manifest or of an
    earlier verification. Any other file, for example in a copy of the store, has its checksum
    computed once.

    Raises:
        UserError: a file is missing, or differs from the manifest.
    """
    manifest = read_manifest(folder)
    verified = _read_verified(folder)
    newly_verified = {}
    for file in (*manifest.shards, manifest.index):
        path = folder / file.name
        try:
            state = path.stat()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; {_remake(folder)}") from error
        if state.st_size != file.size:
            raise UserError(
                f"{path} has {state.st_size:,} bytes instead of {file.size:,}; {_remake(folder)}"
            )
        if state.st_mtime_ns in (file.changed, verified.get(file.name)):
            continue
        if FileChecksum.of_file(path).sha256 != file.sha256:
            raise UserError(f"{path} is damaged: its SHA-256 differs; {_remake(folder)}")
        newly_verified[file.name] = state.st_mtime_ns
    if newly_verified:
        with suppress(OSError):  # a read-only store is verified each time
            atomic_write(folder / CHECKED, json.dumps({**verified, **newly_verified}))
    return manifest


def _remake(folder: Path) -> str:
    return f"delete {folder} and run `gan-lightning prepare` again"


def _read_verified(folder: Path) -> dict[str, int]:
    """Return file name -> modification time of the files that were verified before."""
    try:
        content = json.loads((folder / CHECKED).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
