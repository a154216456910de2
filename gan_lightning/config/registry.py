"""The classes that `name` selects in `model`, `network` and `data`: built-in, installed, own.

A name is a key of a built-in table, an entry point of an installed package, or an import path
`module:Class` of anybody's file.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Sequence
from dataclasses import is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.import_path import import_object, is_import_path

__all__ = ["ENTRY_POINTS", "SECTIONS", "class_name", "find_class", "source_file", "valid_names"]

SECTIONS = ("model", "network", "data")
"""Sections of a config whose class a name selects."""

ENTRY_POINTS = {
    "model": "gan_lightning.gans",
    "network": "gan_lightning.networks",
    "data": "gan_lightning.datasets",
}
"""Section -> group of the entry points of installed packages."""

EXAMPLES = {"model": "my_gans:MyGAN", "network": "my_nets:MyNetworks", "data": "my_data:MyData"}


def find_class(section: str, name: str, folders: Sequence[Path] = ()) -> type[Any]:
    """Return the class that a name selects, after it has been checked.

    Args:
        section: model, network or data.
        name: key of a built-in table, name of an entry point, or `module:Class`.
        folders: folders in which the module is searched first.

    Raises:
        UserError: there is no such class, or it cannot be used in this section.
    """
    table = _table(section)
    if name in table:
        return table[name]
    if is_import_path(name):
        return _checked(section, name, import_object(name, folders))
    points = _entry_points(section)
    if name in points:
        return _checked(section, name, _load(section, points[name]))
    raise UserError(
        f"{section}.name is {name!r}; valid are {nearest_first(name, valid_names(section))}, or "
        f"the import path of your own class, for example {EXAMPLES[section]} for the file "
        f"{EXAMPLES[section].partition(':')[0]}.py"
    )


def class_name(section: str, cls: type[Any]) -> str:
    """Return the name by which `find_class` finds a class.

    Args:
        section: model, network or data.
        cls: the class.

    Returns:
        Its key in the built-in table, the name of its entry point, or `module:Class`. A class of a
        running script is named by the script's file, if that can be imported: if it has the line
        `if __name__ == "__main__":`.

    Raises:
        UserError: the class is local to a function, so that nothing finds it again.
    """
    for name, known in _table(section).items():
        if known is cls:
            return name
    path = f"{cls.__module__}:{cls.__qualname__}"
    if "<locals>" in path:
        raise UserError(
            f"{section} is the class {cls.__qualname__}, which is local to a function; define it "
            f"at the top level of a file or notebook, so that it is found again"
        )
    for name, point in _entry_points(section).items():
        if point.value == path:
            return name
    return f"{_script_module()}:{cls.__qualname__}" if cls.__module__ == "__main__" else path


def valid_names(section: str) -> list[str]:
    """List the names of built-in and installed classes of a section."""
    return sorted({*_table(section), *_entry_points(section)})


def source_file(cls: type[Any]) -> Path | None:
    """Return the file that defines a class; None for a class of a notebook."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return None if file is None else Path(file)


def _table(section: str) -> dict[str, type[Any]]:
    """Return the built-in classes of a section by name; imports torch."""
    if section == "model":
        from gan_lightning.classifiers import CLASSIFIERS
        from gan_lightning.gans import GANS

        return {**GANS, **CLASSIFIERS}
    if section == "network":
        from gan_lightning.networks import NETWORKS

        return {**NETWORKS}
    from gan_lightning.data import DATASETS

    return {**DATASETS}


@cache
def _entry_points(section: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS[section])}


def _load(section: str, point: EntryPoint) -> Any:
    package = f" of the package {point.dist.name}" if point.dist else ""
    try:
        return point.load()
    except Exception as error:  # whatever the module of another package raises
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{section}.name is {point.name!r}, the entry point {point.value}{package}, which "
            f"cannot be imported: {message}; update or uninstall the package"
        ) from error


def _checked(section: str, name: str, found: Any) -> type[Any]:
    """Check that a class can be used in a section.

    Raises:
        UserError: it has a wrong base, is abstract, or its `Config` is no dataclass.
    """
    bases = _bases(section)
    names = " or ".join(base.__name__ for base in bases)
    if not isinstance(found, type) or not issubclass(found, tuple(bases)):
        kind = "class" if isinstance(found, type) else type(found).__name__
        raise UserError(
            f"{section}.name is {name!r}, a {kind}{_place(found)} that does not derive from "
            f"{names}; derive it, as in `class {name.rpartition(':')[2]}({bases[0].__name__}):`"
        )
    where = f"{section}.name is {name!r}{_place(found)}"
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise UserError(f"{where}, which lacks the methods {', '.join(missing)}; define them")
    required = next(base for base in bases if issubclass(found, base))
    _check_config(where, found, getattr(required, "Config", None))
    return found


def _check_config(where: str, cls: type[Any], required: type[Any] | None) -> None:
    config = getattr(cls, "Config", None)
    parent = required.__name__ if required is not None else ""
    base = f"({parent})" if parent else ""
    fix = f"write `@dataclass class {cls.__name__}Config{base}: …` and `Config = …Config`"
    if not isinstance(config, type) or not is_dataclass(config):
        raise UserError(f"{where}, whose Config is {config!r} and no dataclass; {fix}")
    own = inspect.get_annotations(config)
    if own and "__dataclass_fields__" not in vars(config):
        raise UserError(
            f"{where}, whose Config {config.__name__} declares {', '.join(own)}, but is no "
            f"dataclass itself; write @dataclass above it"
        )
    if required is not None and not issubclass(config, required):
        raise UserError(
            f"{where}, whose Config {config.__name__} does not derive from {parent}; {fix}"
        )


def _bases(section: str) -> list[type[Any]]:
    if section == "model":
        from gan_lightning.classifiers import Classifier
        from gan_lightning.gans import GAN

        return [GAN, Classifier]
    if section == "network":
        from gan_lightning.networks import NetworkFamily

        return [NetworkFamily]
    from gan_lightning.data import BaseDataModule

    return [BaseDataModule]


def _place(found: Any) -> str:
    file = source_file(found) if isinstance(found, type) else None
    return f" of {file}" if file else ""


def _script_module() -> str:
    """Return the module name of the running script, or `__main__` if it must not be imported."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None or not Path(file).stem.isidentifier() or Path(file).suffix != ".py":
        return "__main__"
    try:
        statements = ast.parse(Path(file).read_text(encoding="utf-8")).body
    except (OSError, ValueError, SyntaxError):
        return "__main__"
    guarded = any(
        isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)
        for statement in statements
    )
    return Path(file).stem if guarded else "__main__"
