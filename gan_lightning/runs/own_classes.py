"""The own classes that a run remembers: where they were found, and what their files contained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan_lightning.config.fingerprint import flatten
from gan_lightning.config.registry import SECTIONS, source_file
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.config.sections import selected_class
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError, warn_once
from gan_lightning.utils.import_path import (
    add_search_folder,
    find_source,
    is_import_path,
    split_import_path,
)

__all__ = ["check_own_classes", "describe_own_classes", "search_own_classes"]


def describe_own_classes(config: RunConfig) -> dict[str, dict[str, str | None]]:
    """Describe the classes of a config that are named by an import path, for environment.json.

    Returns:
        Section, or dotted key -> `path` (`module:Class`), and `folder` of the module, `file` and
        `sha256` of the file; these are null for a class of a notebook.
    """
    classes = {}
    for section in SECTIONS:
        part = getattr(config, section)
        if is_import_path(part.name):
            file = source_file(selected_class(section, part))
            module, _ = split_import_path(part.name)
            classes[section] = {
                "path": part.name,
                "folder": None if file is None else str(_folder(module, file.resolve())),
                "file": None if file is None else str(file.resolve()),
                "sha256": None if file is None else _sha256(file),
            }
    return {**classes, **dict(_described_values(config))}


def _described_values(config: RunConfig) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Describe the import paths that are values of other keys, for example `data.dataset`."""
    for key, path in flatten(as_plain(config)):
        if is_import_path(path) and not key.endswith(".name"):
            source = find_source(split_import_path(path)[0])
            if source is not None:  # not of an installed package
                yield (
                    key,
                    {
                        "path": path,
                        "folder": str(source.folder.resolve()),
                        "file": str(source.file.resolve()),
                        "sha256": _sha256(source.file),
                    },
                )


def search_own_classes(environment: dict[str, Any]) -> None:
    """Search modules in the folders where the classes of a run were found.

    Args:
        environment: content of environment.json.
    """
    for entry in _entries(environment):
        if entry.get("folder") and Path(entry["folder"]).is_dir():
            add_search_folder(Path(entry["folder"]))


def check_own_classes(run: Path, environment: dict[str, Any]) -> None:
    """Check the files of the classes of a run; warn of those that have changed since it started.

    Args:
        run: directory of the run, for messages.
        environment: content of environment.json.

    Raises:
        UserError: there is no such file any more; the message says where it was.
    """
    changed: dict[Path, list[str]] = {}
    for entry in _entries(environment):
        path, file = str(entry["path"]), entry.get("file")
        module, name = split_import_path(path)
        if file is None or module == "__main__":
            continue  # of a notebook
        source = find_source(module)
        now = source.file if source else Path(file)
        if not now.is_file():
            raise UserError(
                f"run {run} needs the class {name} of {file}, and that file does not exist; put it "
                f"back, or run the command in a folder that has {module.replace('.', '/')}.py"
            )
        if _sha256(now) != entry.get("sha256"):
            changed.setdefault(now, []).append(name)
    for now, names in changed.items() if is_first_process() else ():
        warn_once(
            f"{now} has changed since run {run} was started with its {', '.join(names)}; the run "
            f"may differ from what it says now"
        )


def _entries(environment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    classes = environment.get("classes")
    for entry in classes.values() if isinstance(classes, dict) else ():
        if isinstance(entry, dict) and is_import_path(entry.get("path")):
            yield entry


def _folder(module: str, file: Path) -> Path:
    """Return the folder relative to which a module is imported."""
    depth = len(module.split(".")) + (file.name == "__init__.py")
    return file.parents[depth - 1]


def _sha256(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None
