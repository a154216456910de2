"""Config keys read from the source of the dataclasses, so that completion imports no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from gan_lightning.config.experiments import experiment_path, read_yaml

__all__ = ["override_keys"]

PACKAGE = Path(__file__).parents[1]
TABLES = {"model": ("GANS", "CLASSIFIERS"), "network": ("NETWORKS",), "data": ("DATASETS",)}
DEFAULT_NAMES = {"network": "mlp"}


def override_keys(experiment: str) -> list[str]:
    """List the config keys of an experiment, for example `trainer.max_updates`, as `show` does.

    Raises:
        UserError: there is no such experiment.
    """
    source = read_yaml(experiment_path(experiment))
    chosen = {}
    for section, tables in TABLES.items():
        given = source.get(section)
        name = given.get("name") if isinstance(given, dict) else None
        owner = next(
            (found for t in tables if (found := _table(t).get(name or DEFAULT_NAMES.get(section)))),
            None,
        )
        chosen[section] = _config_of(owner) if owner else None
    keys = []
    for name, annotation in _fields("RunConfig").items():
        if name in chosen:
            keys.append(f"{name}.name")
            keys += _dotted(name, chosen[name]) if chosen[name] else []
        elif annotation in _classes():
            keys += _dotted(name, annotation)
        else:
            keys.append(name)
    return keys


def _dotted(prefix: str, owner: str | None) -> Iterator[str]:
    """Yield the keys of a dataclass and of those within it."""
    for name, annotation in _fields(owner).items():
        if annotation in _classes():
            yield from _dotted(f"{prefix}.{name}", annotation)
        else:
            yield f"{prefix}.{name}"


def _fields(owner: str | None) -> Mapping[str, str]:
    """Return name -> type of a dataclass's fields, those of its bases first."""
    found: dict[str, str] = {}
    definition = _classes().get(owner or "")
    if definition is None:
        return found
    for base in definition.bases:
        found.update(_fields(ast.unparse(base)))
    for line in definition.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            annotation = ast.unparse(line.annotation)
            if not annotation.startswith("ClassVar"):
                found[line.target.id] = annotation
    return found


def _config_of(owner: str) -> str | None:
    """Return the name of a class's `Config`, or of its base's."""
    definition = _classes().get(owner)
    if definition is None:
        return None
    for line in definition.body:
        if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == "Config" and line.value:
            return ast.unparse(line.value)
    bases = (_config_of(ast.unparse(base).partition("[")[0]) for base in definition.bases)
    return next((found for found in bases if found), None)


@cache
def _table(name: str) -> dict[str | None, str]:
    """Return key -> class of a table like GANS."""
    for line in (line for module in _modules() for line in module.body):
        if (
            isinstance(line, ast.AnnAssign)
            and ast.unparse(line.target) == name
            and isinstance(line.value, ast.Dict)
        ):
            pairs = zip(line.value.keys, line.value.values, strict=True)
            return {ast.literal_eval(key): ast.unparse(owner) for key, owner in pairs if key}
    return {}


@cache
def _classes() -> dict[str, ast.ClassDef]:
    """Return the classes of the rooms that have configs, by name."""
    lines = (line for module in _modules() for line in module.body)
    return {line.name: line for line in lines if isinstance(line, ast.ClassDef)}


@cache
def _modules() -> list[ast.Module]:
    rooms = ("gans", "classifiers", "networks", "data")
    paths = [PACKAGE / "config" / "schema.py", PACKAGE / "core" / "optim.py"]
    paths += [path for room in rooms for path in (PACKAGE / room).rglob("*.py")]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
