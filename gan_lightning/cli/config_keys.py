"""Config keys read from the source of the dataclasses, so that completion imports no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.registry import ENTRY_POINTS
from gan_lightning.config.source_keys import DEFAULT_NAMES, SourceClass, find_source_class
from gan_lightning.utils.import_path import is_import_path

__all__ = ["override_keys"]

PACKAGE = Path(__file__).parents[1]
TABLE_NAMES = {"model": ("GANS", "CLASSIFIERS"), "network": ("NETWORKS",), "data": ("DATASETS",)}


def override_keys(experiment: str) -> list[str]:
    """List the config keys of an experiment, for example `trainer.max_updates`, as `show` does.

    Raises:
        UserError: there is no such experiment.
    """
    source = read_yaml(experiment_path(experiment))
    keys: list[str] = []
    for name, annotation in _field_types("RunConfig").items():
        if name in TABLE_NAMES:
            section = source.get(name)
            given = section if isinstance(section, dict) else {}
            keys += dict.fromkeys([f"{name}.name", *_section_keys(name, given)])
        elif annotation in _classes():
            keys += _dotted_keys(name, annotation, source.get(name))
        elif name != "overridden":  # `train` writes it
            keys.append(name)
    return keys


def _section_keys(section: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the class that its name selects, of this package or of the user."""
    name = given.get("name")
    if is_import_path(path := _installed(section).get(name or "", name)):
        yield from _own_keys(section, find_source_class(str(path)).config())
    else:
        yield from _dotted_keys(section, _selected_config(section, name), given)


def _own_keys(prefix: str, config: SourceClass | str | None) -> Iterator[str]:
    """Yield the keys of a config class of the user, those of its bases first."""
    if isinstance(config, str):  # an import path of this package
        owner, _, attribute = config.partition(":")[2].rpartition(".")
        name = _config_class(owner.rpartition(".")[2]) if attribute == "Config" else attribute
        yield from _dotted_keys(prefix, name)
    elif config is not None:
        for base in reversed(config.bases()):
            yield from _own_keys(prefix, base)
        for key in config.own_keys():
            annotation = ast.unparse(key.annotation)
            nested = key.module.find(annotation) or annotation
            if isinstance(nested, SourceClass):
                yield from _own_keys(f"{prefix}.{key.name}", nested)
            elif (known := nested.rpartition(":")[2]) in _classes():
                yield from _dotted_keys(f"{prefix}.{key.name}", known)
            else:
                yield f"{prefix}.{key.name}"


def _installed(section: str) -> dict[str, str]:
    """Return name -> import path of the entry points of a section."""
    points = entry_points(group=ENTRY_POINTS[section])
    return {point.name: point.value for point in points}


def _selected_config(section: str, name: str | None) -> str | None:
    """Return the name of the config class that `name` selects in a section."""
    for table in TABLE_NAMES[section]:
        if owner := _table(table).get(name or DEFAULT_NAMES.get(section)):
            return _config_class(owner)
    return None


def _dotted_keys(prefix: str, config: str | None, given: object = None) -> Iterator[str]:
    """Yield the keys of a config class, those of nested config classes included.

    Args:
        prefix: of the keys.
        config: name of the class.
        given: values of the experiment; a nested config that may be null has its keys where it has
            values, else one key.
    """
    values = given if isinstance(given, dict) else {}
    for name, annotation in _field_types(config).items():
        nested = annotation
        if isinstance(values.get(name), dict):
            nested = annotation.removesuffix(" | None")
        if nested in _classes():
            yield from _dotted_keys(f"{prefix}.{name}", nested, values.get(name))
        else:
            yield f"{prefix}.{name}"


def _field_types(config: str | None) -> Mapping[str, str]:
    """Return name -> annotation of the fields of a dataclass, those of its bases first."""
    types: dict[str, str] = {}
    definition = _classes().get(config or "")
    if definition is None:
        return types
    for base in definition.bases:
        types.update(_field_types(ast.unparse(base)))
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            annotation = ast.unparse(statement.annotation)
            if not annotation.startswith("ClassVar"):
                types[statement.target.id] = annotation
    return types


def _config_class(owner: str) -> str | None:
    """Return the name of the config class of a GAN, network family or dataset."""
    definition = _classes().get(owner)
    if definition is None:
        return None
    for statement in definition.body:
        if (
            isinstance(statement, ast.AnnAssign)
            and ast.unparse(statement.target) == "Config"
            and statement.value
        ):
            return ast.unparse(statement.value)
    inherited = (_config_class(ast.unparse(base).partition("[")[0]) for base in definition.bases)
    return next((config for config in inherited if config), None)


@cache
def _table(name: str) -> dict[str | None, str]:
    """Return key -> class name of a table, for example GANS."""
    for statement in (statement for module in _modules() for statement in module.body):
        if (
            isinstance(statement, ast.AnnAssign)
            and ast.unparse(statement.target) == name
            and isinstance(statement.value, ast.Dict)
        ):
            pairs = zip(statement.value.keys, statement.value.values, strict=True)
            return {ast.literal_eval(key): ast.unparse(owner) for key, owner in pairs if key}
    return {}


@cache
def _classes() -> dict[str, ast.ClassDef]:
    """Return name -> definition of the classes in all modules with config classes."""
    statements = (statement for module in _modules() for statement in module.body)
    return {node.name: node for node in statements if isinstance(node, ast.ClassDef)}


@cache
def _modules() -> list[ast.Module]:
    packages = ("gans", "classifiers", "networks", "data")
    paths = [PACKAGE / "config" / "schema.py"]
    paths += [PACKAGE / "core" / name for name in ("optim.py", "schedules.py")]
    paths += [path for package in packages for path in (PACKAGE / package).rglob("*.py")]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
