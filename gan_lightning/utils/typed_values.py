"""Merge plain values into a config class, with every key and type checked; the type decides.

merge(LogConfig, {"project": 7, "every_n_updates": "20"})  # project="7", every_n_updates=20
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, Union, get_args

from gan_lightning.errors import nearest_first
from gan_lightning.utils.settings import REQUIRED
from gan_lightning.utils.type_hints import describe, field_hints, is_config, kind_of
from gan_lightning.utils.yaml_text import Path as KeyPath
from gan_lightning.utils.yaml_text import Unreadable, Words

__all__ = ["merge"]

Kind = TypeVar("Kind")

INTEGERS = range(-(2**63), 2**63)
"""Integers that PyTorch and files can hold."""

MAX_SHOWN = 100
"""Characters of a wrong value that a message shows."""

TRUE = ("yes", "y", "on", "true")
FALSE = ("no", "n", "off", "false")


class WrongType(Exception):  # noqa: N818 - becomes a ValueError that names the key
    """A value that its type does not accept; the message is the valid type, or empty."""


def merge(
    kind: type[Kind],
    given: Mapping[str, Any],
    words: Words | None = None,
    *,
    name: str = "",
    kinds: Mapping[str, type[Any]] | None = None,
) -> Kind:
    """Return an instance of a config class with the given values, and its defaults for the rest.

    Mappings are merged into the default, lists replace it. Numbers and booleans may be given as
    text; a text key takes the words of any value that is no list or mapping.

    Args:
        kind: a dataclass.
        given: plain values by key, nested.
        words: how the values were written, by path.
        name: of the object, for messages.
        kinds: field name -> class of the field, where it is not the declared one.

    Raises:
        ValueError: a key is unknown or missing, or a type is wrong; the message names the key, the
            value and the valid ones.
    """
    merged: Kind = _Merger(words or Words(), name).build(kind, given, (), None, kinds or {})
    return merged


@dataclass(frozen=True)
class _Merger:
    words: Words
    name: str

    def build(
        self,
        kind: type[Any],
        given: Mapping[Any, Any],
        path: KeyPath,
        base: Any,
        kinds: Mapping[str, type[Any]],
    ) -> Any:
        """Return an instance of a dataclass; values that are not given are those of `base`."""
        declared = {entry.name: entry for entry in fields(kind) if entry.init}
        for key in given:
            if key not in declared:
                where = f" in {_dotted(path)}" if path else ""
                of = f" of {self.name}" if self.name else ""
                raise ValueError(
                    f"key {key!r}{where}{of} is unknown; valid are "
                    f"{nearest_first(str(key), declared)}"
                )
        values = {}
        hints = {**field_hints(kind), **kinds}  # type: ignore[arg-type]  # classes are hashable
        for key, entry in declared.items():
            default = _default(entry) if base is None else getattr(base, key)
            if key in given:
                values[key] = self.value(hints[key], given[key], (*path, key), default)
            elif base is not None:
                values[key] = deepcopy(default)
            if isinstance(value := values.get(key, default), str) and value == REQUIRED:
                raise ValueError(f"{self.key((*path, key))} is missing")
        return kind(**values)

    def value(self, hint: Any, value: Any, path: KeyPath, default: Any) -> Any:
        """Return a value as its type, or raise a ValueError that names the key."""
        try:
            return self.convert(hint, value, path, default)
        except WrongType as error:
            valid = str(error) or describe(hint, default)
            raise ValueError(f"{self.key(path)} is {_shown(value)}; it must be {valid}") from error

    def convert(self, hint: Any, value: Any, path: KeyPath, default: Any) -> Any:
        """Return a value as its type.

        Raises:
            WrongType: it cannot be converted.
            ValueError: a part of it cannot.
        """
        kind, parts = kind_of(hint), get_args(hint)
        if hint is Any:
            return self.any(value, path)
        if kind is Union:
            return self.union(parts, value, path, default)
        if is_config(kind):
            if isinstance(value, kind):
                return deepcopy(value)
            if not isinstance(value, Mapping):
                raise WrongType
            same = is_dataclass(default) and isinstance(default, kind)
            owner = type(default) if same else kind
            return self.build(owner, value, path, default if same else None, {})
        if kind in (list, tuple):
            if not isinstance(value, list | tuple):
                raise WrongType
            element = parts[0] if parts else Any
            return [self.value(element, v, (*path, i), None) for i, v in enumerate(value)]
        if kind is dict:
            if not isinstance(value, Mapping):
                raise WrongType
            return self.mapping(parts[1] if parts else Any, value, path, default)
        if kind is str:
            return self.text(value, path)
        try:
            return _scalar(kind, parts, value)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise WrongType from error

    def any(self, value: Any, path: KeyPath) -> Any:
        """Return a value of any type."""
        if isinstance(value, Unreadable):
            raise ValueError(f"{self.key(path)} is {_shown(value)}, which is not valid YAML")
        return deepcopy(value)

    def union(self, options: tuple[Any, ...], value: Any, path: KeyPath, default: Any) -> Any:
        """Return None, or a value as the one other type, or as the first that accepts it."""
        if value is None and NoneType in options:
            return None
        kinds = [option for option in options if option is not NoneType]
        if len(kinds) == 1:
            return self.convert(kinds[0], value, path, default)
        if type(value) in kinds:
            return value
        for kind in kinds:
            try:
                return self.convert(kind, value, path, default)
            except (WrongType, ValueError):
                continue
        raise WrongType

    def mapping(self, hint: Any, value: Mapping[Any, Any], path: KeyPath, default: Any) -> Any:
        """Return the default of a mapping with the given values."""
        known = default if isinstance(default, dict) else {}
        merged = deepcopy(known)
        for key, part in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} in {_dotted(path)} must be text")
            both = hint is Any and isinstance(part, Mapping) and isinstance(known.get(key), dict)
            merged[key] = (
                self.mapping(Any, part, (*path, key), known[key])
                if both
                else self.value(hint, part, (*path, key), known.get(key))
            )
        return merged

    def text(self, value: Any, path: KeyPath) -> str:
        """Return a text, or the words of another value."""
        written = self.words.text(path, value)
        if written is None:
            if value is None or isinstance(value, list | tuple | Mapping | bytes):
                raise WrongType
            written = str(value)
        if any("\ud800" <= character <= "\udfff" for character in written):
            raise WrongType("UTF-8, as the config is; rename the file or folder")
        return written

    def key(self, path: KeyPath) -> str:
        """Return a path as a message names it."""
        return f"{self.name}.{_dotted(path)}" if self.name else _dotted(path)


def _scalar(kind: Any, parts: tuple[Any, ...], value: Any) -> Any:
    """Return a scalar of another type than text.

    Raises:
        WrongType, ValueError, TypeError, LookupError, OverflowError: it cannot be converted.
    """
    if kind is bool:
        return _boolean(value)
    if kind is int:
        if type(value) not in (int, str):
            raise TypeError
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d{20,}", value.strip()):
            raise WrongType("a whole number of at most 64 bits")
        if (number := int(value)) not in INTEGERS:
            raise WrongType("a whole number of at most 64 bits")
        return number
    if kind is float:
        if type(value) not in (int, float, str):
            raise TypeError
        return float(value)
    if kind is Literal:
        if not any(type(value) is type(part) and value == part for part in parts):
            raise WrongType(f"one of {', '.join(map(repr, parts))}")
        return value
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value if isinstance(value, kind) else kind[str(value).rpartition(".")[2]]
    if kind is Path:
        if not isinstance(value, str | Path):
            raise TypeError
        return Path(value)
    if not isinstance(value, kind):
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, int):
        return bool(value)
    if not isinstance(value, str):
        raise TypeError
    if value.lower() in (*TRUE, *FALSE):
        return value.lower() in TRUE
    return bool(int(value))


def _default(entry: Field[Any]) -> Any:
    """Return the default of a field, or `REQUIRED`."""
    if entry.default_factory is not MISSING:
        return entry.default_factory()
    return REQUIRED if entry.default is MISSING else entry.default


def _dotted(path: KeyPath) -> str:
    """Return keys and indices as one text: `log.tags[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _shown(value: Any) -> str:
    """Return the representation of a value, shortened."""
    text = repr(str(value) if isinstance(value, Unreadable) else value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
