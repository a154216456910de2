"""Import an object by its path `module:Name`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError

__all__ = ["import_object"]


def import_object(path: str, folders: Sequence[Path] = ()) -> Any:
    """Import an object.

    Args:
        path: `module:Name`.
        folders: folders in which the module is searched first.

    Raises:
        UserError: there is no such module or object.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"cannot import {path}: {error}") from error
