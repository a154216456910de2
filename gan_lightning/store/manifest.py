"""What a finished store says of itself, and whether its files still are what it says."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.store.layout import MANIFEST
from gan_lightning.store.transform import Recipe
from gan_lightning.utils.files import atomic_write

__all__ = ["FileSum", "Manifest", "open_store"]

VERSION = 1


@dataclass(frozen=True)
class FileSum:
    """A file of a store.

    Args:
        name: in the store's folder.
        size: bytes.
        sha256: of its content.
        changed: when it was last changed as the sum was taken, in nanoseconds of the file system's
            clock: as long as that stays, the sum is not taken again.
    """

    name: str
    size: int
    sha256: str
    changed: int

    @classmethod
    def of(cls, path: Path) -> FileSum:
        """Take a file's sum."""
        changed = path.stat().st_mtime_ns
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return cls(path.name, path.stat().st_size, digest, changed)


@dataclass(frozen=True)
class Manifest:
    """A store, described. Nothing but a finished store has one.

    Args:
        recipe: how the pictures became pixels.
        source: where they came from, as given.
        listing: fingerprint of the source's names and labels.
        images: pictures in the store.
        shards: files of pixels.
        index: file of rows, splits, labels and attributes.
        classes: names of the labels.
        attribute_names: of the attributes.
        skipped: [name, why] of each picture that is not in the store.
        converted: pictures by what they were converted from, as CMYK.
        remarks: about the source.
        made_with: versions of packages.
    """

    recipe: Recipe
    source: str
    listing: str
    images: int
    shards: list[FileSum]
    index: FileSum
    classes: list[str] = field(default_factory=list)
    attribute_names: list[str] = field(default_factory=list)
    skipped: list[list[str]] = field(default_factory=list)
    converted: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all sums: what decides the pixels, their order and their labels."""
        sums = [file.sha256 for file in (*self.shards, self.index)]
        return sha256(" ".join(sums).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write the manifest."""
        content = {"version": VERSION, "fingerprint": self.fingerprint, **asdict(self)}
        (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read a store's manifest.

    Raises:
        UserError: it is missing, damaged or of another version.
    """
    path = folder / MANIFEST
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("version")
        if version != VERSION:
            raise UserError(
                f"{folder} is a store of version {version}, and this program reads {VERSION}; "
                f"delete it and prepare it again"
            )
        fingerprint = content.pop("fingerprint")
        content["recipe"] = Recipe(**content["recipe"])
        content["shards"] = [FileSum(**file) for file in content["shards"]]
        content["index"] = FileSum(**content["index"])
        manifest = Manifest(**content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}); {_again(folder)}") from error
    if fingerprint != manifest.fingerprint:
        raise UserError(f"{path} is damaged (its fingerprint is another); {_again(folder)}")
    return manifest


def open_store(folder: Path) -> Manifest:
    """Read a store's manifest and check that its files are whole.

    A file whose size and time of change are those of when its sum was taken is taken for whole;
    any other, as in a copy of the store, has its sum taken again, and that is noted.

    Raises:
        UserError: a file is missing, or is not what the manifest says.
    """
    manifest = read_manifest(folder)
    checked = _checked_before(folder)
    newly = {}
    for file in (*manifest.shards, manifest.index):
        path = folder / file.name
        try:
            state = path.stat()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; {_again(folder)}") from error
        if state.st_size != file.size:
            raise UserError(
                f"{path} has {state.st_size:,} bytes, not {file.size:,}; {_again(folder)}"
            )
        if state.st_mtime_ns in (file.changed, checked.get(file.name)):
            continue
        if FileSum.of(path).sha256 != file.sha256:
            raise UserError(f"{path} is damaged: its SHA-256 is another; {_again(folder)}")
        newly[file.name] = state.st_mtime_ns
    if newly:
        _note_checked(folder, {**checked, **newly})
    return manifest


def _again(folder: Path) -> str:
    return f"delete {folder} and run `gan-lightning prepare` again"


def _checked_before(folder: Path) -> dict[str, int]:
    """Read when files were last changed that were found whole since the manifest was written."""
    try:
        content = json.loads((folder / "checked.json").read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _note_checked(folder: Path, times: dict[str, int]) -> None:
    with suppress(OSError):  # a store may be read-only: its sums are then taken each time
        atomic_write(folder / "checked.json", json.dumps(times))
