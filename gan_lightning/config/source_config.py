"""A dataclass with the keys of a class of the user, made from the source of its file."""

from __future__ import annotations

import ast
import typing
from dataclasses import make_dataclass
from functools import cache, reduce
from operator import or_
from typing import Any

from gan_lightning.config.source_keys import (
    SourceClass,
    SourceKey,
    SourceModule,
    find_source_class,
)
from gan_lightning.errors import UserError
from gan_lightning.utils.import_path import import_object
from gan_lightning.utils.settings import setting

__all__ = ["source_config"]

TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "Any": Any,
    "typing.Any": Any,
    "list": list,
    "dict": dict,
    "List": list,
    "Dict": dict,
}
FACTORIES: dict[str, Any] = {"list": list, "dict": dict}
MAX_DEPTH = 20
"""Constants that are followed; they may name each other in a circle."""


class NotLiteral(Exception):  # noqa: N818 - the caller takes the source text instead
    """The value of an expression is not known without running the file."""


def source_config(path: str) -> type[Any]:
    """Return a dataclass with the keys, types, defaults and ranges of the Config of a class.

    Nothing of the user is imported. A default that is no literal is its source text.

    Args:
        path: `module:Class`.

    Raises:
        UserError: the class or its `Config` is not found.
    """
    owner = find_source_class(path)
    config = owner.config()
    if config is None:
        raise UserError(
            f"cannot read the keys of {path}: {owner.module.file} says no Config that is found; "
            f"derive the class from one of gan_lightning, or write `Config = …`"
        )
    try:
        return _dataclass(config)
    except RecursionError as error:
        raise UserError(
            f"cannot read the keys of {path}: classes of {owner.module.file} derive from each other"
        ) from error


def _dataclass(config: SourceClass | str) -> type[Any]:
    """Make a dataclass of the source of one; one of this package is imported."""
    if isinstance(config, str):
        found: type[Any] = import_object(config)
        return found
    return _own_dataclass(config.module, config.node)


@cache
def _own_dataclass(module: SourceModule, node: ast.ClassDef) -> type[Any]:
    """Make a dataclass, one of each definition, since defaults and annotations must agree."""
    config = SourceClass(module, node)
    bases = tuple(_dataclass(base) for base in config.bases())
    keys = [_field(key) for key in config.own_keys()]
    return make_dataclass(node.name, keys, bases=bases)


def _field(key: SourceKey) -> tuple[str, Any, Any]:
    """Return name, type and default of a field, as `make_dataclass` takes them."""
    default, options = _declaration(key)
    if default is None:
        return key.name, Any, setting("???", "")
    try:
        value, annotation = _value(default, key.module), _type(key.annotation, key.module)
    except NotLiteral:
        value, annotation = ast.unparse(default), Any
    return key.name, annotation, setting(value, "", **options)


def _declaration(key: SourceKey) -> tuple[ast.expr | None, dict[str, Any]]:
    """Return the default of a field as an expression, and the range that `setting` declares."""
    node = key.default
    if not isinstance(node, ast.Call):
        return node, {}
    keywords = {word.arg: word.value for word in node.keywords if word.arg}
    called = ast.unparse(node.func).rpartition(".")[2]
    if called == "setting":
        default = node.args[0] if node.args else keywords.pop("default", None)
        keywords.pop("description", None)
        options = {}
        for name, value in keywords.items():
            try:
                options[name] = _value(value, key.module)
            except NotLiteral:  # a range that is not known is not checked
                continue
        return default, options
    if called == "field" and "default" in keywords:
        return keywords["default"], {}
    if called == "field" and "default_factory" in keywords:
        factory = keywords["default_factory"]
        if isinstance(factory, ast.Lambda):
            return factory.body, {}
        return ast.copy_location(ast.Call(func=factory, args=[], keywords=[]), node), {}
    return node, {}


def _value(node: ast.expr, module: SourceModule, depth: int = 0) -> Any:
    """Return the value of an expression of literals, constants of the module and dataclasses.

    Raises:
        NotLiteral: it is another expression.
    """
    if depth > MAX_DEPTH:
        raise NotLiteral
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(part, module, depth + 1) for part in node.elts]
    if isinstance(node, ast.Name) and (constant := module.constant(node.id)) is not None:
        return _value(constant, module, depth + 1)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        name = ast.unparse(node.func)
        found = module.find(name)
        args = [_value(part, module, depth + 1) for part in node.args]
        words = {w.arg: _value(w.value, module, depth + 1) for w in node.keywords if w.arg}
        factory = FACTORIES.get(name) if found is None else None
        if isinstance(found, SourceClass) or (isinstance(found, str) and _is_config(found)):
            factory = _dataclass(found)
        if factory is not None:
            try:
                return factory(*args, **words)
            except (TypeError, ValueError) as error:
                raise NotLiteral from error
    raise NotLiteral


def _is_config(path: str) -> bool:
    return path.endswith("Config")


def _type(node: ast.expr, module: SourceModule) -> Any:
    """Return the type that an annotation names; Any where it is not known."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return _type(ast.parse(node.value, mode="eval").body, module)
        return type(None) if node.value is None else Any
    if isinstance(node, ast.BinOp):
        sides = [_type(node.left, module), _type(node.right, module)]
        return Any if Any in sides else reduce(or_, sides)
    if isinstance(node, ast.Subscript):
        base, inner = _type(node.value, module), node.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        types = tuple(_type(part, module) for part in parts)
        if ast.unparse(node.value).rpartition(".")[2] == "Optional":
            return Any if Any in types else typing.Optional[types[0]]  # noqa: UP045
        return base[types] if base in (list, dict) else Any
    name = ast.unparse(node)
    if name in TYPES:
        return TYPES[name]
    found = module.find(name) if isinstance(node, ast.Name | ast.Attribute) else None
    if isinstance(found, SourceClass) or (isinstance(found, str) and _is_config(found)):
        return _dataclass(found)
    return Any
