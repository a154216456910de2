"""Type hints of config classes: what they are made of, and how a message describes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["describe", "field_hints", "is_config", "kind_of", "unsupported_field"]

PLAIN: dict[Any, str] = {int: "a whole number", float: "a number, for example 0.999"}
PLAIN |= {bool: "true or false", str: "text"}
PLURAL = {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}
EXAMPLES: dict[Any, Any] = {int: [64, 64], float: [0.5, 0.99], str: ["a", "b"]}
PAIRS = "`key: value` pairs"

SCALARS = (str, int, float, bool, bytes, NoneType)


def unsupported_field(kind: type[Any]) -> str | None:
    """Describe a field of a config class whose type a YAML file cannot have, or return None."""
    try:
        hints = field_hints(kind)  # type: ignore[arg-type]
    except (NameError, TypeError, AttributeError) as error:
        return str(error)
    for entry in fields(kind):
        hint = hints[entry.name]
        for part in _parts(hint):
            if is_dataclass(part):
                below = unsupported_field(part) if isinstance(part, type) else None
                if below is not None:
                    return f"{entry.name}.{below}"
            elif not _is_supported(part):
                return f"{entry.name} is declared as {getattr(part, '__name__', part)}"
    return None


def _is_supported(hint: Any) -> bool:
    kind = kind_of(hint)
    if hint is Any or kind in (*SCALARS, list, tuple, dict, Literal, Path, Ellipsis):
        return True
    return isinstance(kind, type) and issubclass(kind, Enum)


def _parts(hint: Any) -> Iterator[Any]:
    """Yield the types that a type hint is made of."""
    kind = kind_of(hint)
    if kind is not Union:
        yield kind if kind is not Literal else hint
    if kind is not Literal:
        for part in get_args(hint):
            yield from _parts(part)


def kind_of(hint: Any) -> Any:
    """Return the class of a type hint, or Union or Literal."""
    origin = get_origin(hint)
    return Union if origin is UnionType else hint if origin is None else origin


@lru_cache(maxsize=512)
def field_hints(kind: Any) -> dict[str, Any]:
    """Return the type hint of each field of a config class."""
    return get_type_hints(kind)


def is_config(kind: Any) -> bool:
    """Tell whether a type is a config class."""
    return isinstance(kind, type) and is_dataclass(kind)


def describe(hint: Any, default: Any) -> str:
    """Describe the values of a type, for example `a list of numbers, for example [0.5, 0.99]`."""
    kind, parts = kind_of(hint), get_args(hint)
    if kind is Union:
        options = [describe(part, default) for part in parts if part is not NoneType]
        return ", or ".join([*options, *(["null"] if NoneType in parts else [])])
    if kind in (list, tuple):
        element = parts[0] if parts else Any
        text = PLURAL.get(element, PAIRS if is_dataclass(element) else "values")
        shown = default if isinstance(default, list) and default else EXAMPLES.get(element)
        example = f", for example {shown}" if shown and element in PLURAL else ""
        return f"a list of {text}{example}"
    if is_dataclass(kind) or kind is dict:
        return PAIRS
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(kind.__members__)}"
    return PLAIN.get(kind, getattr(kind, "__name__", str(kind)))
