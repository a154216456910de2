"""Sections of a config that are null by default, for example `schedule` of an optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf

from gan_lightning.errors import UserError

__all__ = ["with_optional_sections"]


def with_optional_sections(defaults: DictConfig, given: Mapping[str, Any]) -> DictConfig:
    """Return defaults in which the optional sections that are given have their own defaults.

    Args:
        defaults: structured config; it is not changed.
        given: values that are to be merged into it.

    Raises:
        UserError: a section is given as anything else than `key: value` pairs, or a list as these.
    """
    sections = list(_given_sections(defaults, given, ""))
    if not sections:
        return defaults
    expanded = deepcopy(defaults)
    for key, kind in sections:
        OmegaConf.update(expanded, key, OmegaConf.structured(kind))
    return expanded


def _given_sections(
    defaults: DictConfig, given: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, type[Any]]]:
    """Yield the key and the class of each optional section that is given."""
    owner = OmegaConf.get_type(defaults)
    optional = _optional_sections(owner) if is_dataclass(owner) else {}
    for name, value in given.items():
        default, key = defaults.get(name), f"{prefix}{name}"
        if isinstance(default, DictConfig) and isinstance(value, Mapping):
            yield from _given_sections(default, value, f"{key}.")
        elif name in optional and isinstance(value, Mapping):
            yield key, optional[name]
        elif is_dataclass(OmegaConf.get_type(default)) or (name in optional and value is not None):
            raise UserError(f"{key} is {value!r}; it must be `key: value` pairs")
        elif isinstance(default, ListConfig) and isinstance(value, Mapping):
            raise UserError(f"{key} is {value!r}; it must be a list")


@cache
def _optional_sections(owner: type[Any]) -> dict[str, type[Any]]:
    """Return field name -> config class of the fields that are a config or null."""
    return {
        name: option
        for name, hint in get_type_hints(owner).items()
        for option in (get_args(hint) if NoneType in get_args(hint) else ())
        if is_dataclass(option) and isinstance(option, type)
    }
