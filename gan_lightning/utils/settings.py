"""Config keys that are declared once: default, description and range next to the field.

@dataclass
class WGANConfig(GANConfig):
    clip: float = setting(0.01, "Largest absolute value of the critic's weights.", above=0)

check_settings(WGANConfig(clip=0.0))  # ValueError: clip is 0.0; it must be positive
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, TypeVar, cast

from gan_lightning.errors import nearest_first

__all__ = ["REQUIRED", "Setting", "check_settings", "setting", "settings_of"]

REQUIRED: Any = "???"
"""Default of a key that must be given."""

Value = TypeVar("Value")
Choices = Iterable[Any] | Callable[[], Iterable[Any]]

METADATA_KEY = "setting"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The description and range of a config key; `setting` documents the attributes."""

    description: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Choices | None = None
    min_length: int | None = None
    max_length: int | None = None
    initial: bool = False

    def valid_values(self) -> list[Any]:
        """List the choices."""
        return list(self.choices() if callable(self.choices) else self.choices or ())

    def range(self) -> str:
        """Write the interval of valid numbers: `at least 1`, `positive`, `in [0, 1)`, or ``."""
        lower = self.minimum if self.above is None else self.above
        upper = self.maximum if self.below is None else self.below
        if lower is not None and upper is not None:
            left, right = "[" if self.above is None else "(", "]" if self.below is None else ")"
            return f"in {left}{lower}, {upper}{right}"
        if lower is not None:
            above = "positive" if lower == 0 else f"above {lower}"
            return f"at least {lower}" if self.above is None else above
        if upper is not None:
            return f"at most {upper}" if self.below is None else f"below {upper}"
        return ""

    def length(self) -> str:
        """Write the valid length of a list: `2 elements`, `at least 1 element`, or ``."""
        least, most = self.min_length, self.max_length
        if most is None:
            return "" if least is None else f"at least {_elements(least)}"
        if least is None:
            return f"at most {_elements(most)}"
        return _elements(most) if least == most else f"{least} to {_elements(most)}"

    def contains(self, number: float) -> bool:
        """Tell whether a number lies in the interval."""
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


def setting(
    default: Value,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Choices | None = None,
    length: int | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    initial: bool = False,
) -> Value:
    """Declare a config key: a dataclass field with its description and its range.

    A subclass that only assigns another default (`width: int = 128`) keeps both. Where the type
    allows None, None is valid in addition to the range.

    Args:
        default: value of the key; lists, mappings and config objects are copied for each instance.
        description: one line for the generated reference of keys, with the unit where it has one.
        minimum: smallest valid number; for a list, of each element.
        maximum: largest valid number.
        above: open lower end of the range; a valid number is greater.
        below: open upper end of the range; a valid number is less.
        choices: valid values; for a list, of each element. A function that returns them serves a
            table that is defined after the class.
        length: number of elements of a list.
        min_length: smallest number of elements of a list.
        max_length: largest number of elements of a list.
        initial: whether the key acts on the initial weights only; a run that is resumed from a
            checkpoint cannot change it.
    """
    declared = Setting(
        description=description,
        minimum=minimum,
        maximum=maximum,
        above=above,
        below=below,
        choices=choices,
        min_length=length if min_length is None else min_length,
        max_length=length if max_length is None else max_length,
        initial=initial,
    )
    metadata = {METADATA_KEY: declared}
    if isinstance(default, list | dict) or is_dataclass(default):
        return cast(Value, field(default_factory=partial(deepcopy, default), metadata=metadata))
    return field(default=default, metadata=metadata)


def settings_of(config: type[Any]) -> dict[str, Setting | None]:
    """Return field name -> `Setting` of a config class, in the order of the fields.

    A field takes its `Setting` from the nearest class of the method resolution order that declares
    it by `setting`; where no class does, it is None.
    """
    declared: dict[str, Setting | None] = {entry.name: None for entry in fields(config)}
    for owner in reversed(config.__mro__):
        for name, entry in owner.__dict__.get("__dataclass_fields__", {}).items():
            if METADATA_KEY in entry.metadata:
                declared[name] = entry.metadata[METADATA_KEY]
    return declared


def check_settings(config: Any, prefix: str = "") -> None:
    """Check every value of a config object against its range, nested configs included.

    Floats must be finite. Rules that a range cannot express stand in a method `validate()` of the
    config class, which raises ValueError; its message begins with the name of a key. It is called
    after the ranges of the same object have been checked.

    Args:
        config: an instance of a dataclass.
        prefix: prepended to the keys in messages, for example `model`.

    Raises:
        ValueError: a value is out of range, for example `trainer.max_updates is 0; it must be at
            least 1`.
    """
    declared = settings_of(type(config))
    for entry in fields(config):
        key = f"{prefix}.{entry.name}" if prefix else entry.name
        value, known = getattr(config, entry.name), declared[entry.name]
        if isinstance(value, list):
            _check_list(key, value, known)
        else:
            _check_value(key, value, known, optional="None" in str(entry.type))
    if hasattr(config, "validate"):
        try:
            config.validate()
        except ValueError as error:
            raise ValueError(_prefixed(prefix, str(error), declared)) from error


def _check_value(key: str, value: Any, declared: Setting | None, optional: bool = False) -> None:
    if is_dataclass(value):
        check_settings(value, key)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key} is {value}; it must be finite")
    elif declared is None or value is None:
        return
    elif declared.choices is not None:
        valid = declared.valid_values()
        if value not in valid:
            text = all(isinstance(choice, str) for choice in valid)
            names = nearest_first(str(value), valid) if text else ", ".join(map(str, valid))
            raise ValueError(f"{key} is {value!r}; valid are {names}")
    elif isinstance(value, int | float) and not declared.contains(value):
        interval = declared.range()
        verb = "lie" if interval.startswith("in ") else "be"
        null = ", or be null" if optional else ""
        raise ValueError(f"{key} is {value}; it must {verb} {interval}{null}")


def _check_list(key: str, values: list[Any], declared: Setting | None) -> None:
    """Check the number of elements and each element."""
    for index, value in enumerate(values):
        if not isinstance(value, int | float) or not math.isfinite(value):
            _check_value(f"{key}[{index}]", value, declared)
    if declared is None:
        return
    numbers = [value for value in values if isinstance(value, int | float)]
    least, most = declared.min_length or 0, declared.max_length or len(values)
    if not least <= len(values) <= most or not all(map(declared.contains, numbers)):
        length, interval = declared.length(), declared.range()
        each = f", each {interval}" if interval else ""
        required = f"it must have {length}{each}" if length else f"each element must be {interval}"
        raise ValueError(f"{key} is {values}; {required}")


def _prefixed(prefix: str, message: str, keys: Iterable[str]) -> str:
    """Put a prefix before the key that a message begins with, or before the message."""
    if not prefix:
        return message
    separator = "." if message.startswith(tuple(keys)) else ": "
    return f"{prefix}{separator}{message}"


def _elements(count: int) -> str:
    return f"{count} element" if count == 1 else f"{count} elements"
