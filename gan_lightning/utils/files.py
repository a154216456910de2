"""A file that a command's --output names: written as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from gan_lightning.errors import UserError

__all__ = ["write_file"]


def write_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file as a whole or not at all.

    Raises:
        UserError: it is a folder, or its folder cannot be written or is full.
    """
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; name a file by --output")
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                write(file)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; choose another --output"
        ) from error
