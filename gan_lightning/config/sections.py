"""The config classes of `model`, `network` and `data`, whose keys depend on their `name`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from dataclasses import field, fields, make_dataclass
from functools import lru_cache
from typing import Any

from gan_lightning.config.merge import Content
from gan_lightning.config.registry import SECTIONS, find_class, valid_names
from gan_lightning.config.source_keys import DEFAULT_NAMES
from gan_lightning.errors import UserError
from gan_lightning.utils.import_path import is_import_path
from gan_lightning.utils.type_hints import unsupported_field

__all__ = ["drop_unknown_keys", "section_classes", "selected_class"]

OWNER = "__selected_class__"
"""Attribute of a config class: the class that its name selects."""


def section_classes(content: Content, import_own: bool = True) -> dict[str, type[Any]]:
    """Return section -> config class with the field `name`, and fill in default names.

    Args:
        content: content of a config; a name that is left out is added.
        import_own: whether classes that are named by an import path are imported; otherwise their
            keys are read from the source of their file.

    Raises:
        UserError: a name is missing or unknown, or its class cannot be used.
    """
    classes = {}
    for section in SECTIONS:
        given = content.get(section, {})
        if not isinstance(given, dict):
            raise UserError(f"{section} is {given!r}; write {section}: {{name: …}}")
        name = given.get("name", DEFAULT_NAMES.get(section))
        name = content.words.text((section, "name"), name) or name
        if not isinstance(name, str):
            raise UserError(
                f"{section}.name is missing; valid are {', '.join(valid_names(section))}"
            )
        classes[section] = _section_class(section, name, import_own)
        content[section] = {**given, "name": name}
    return classes


def selected_class(section: str, config: Any) -> type[Any]:
    """Return the class that a section of a config has selected when it was loaded.

    Args:
        section: model, network or data.
        config: the section of a `RunConfig`.

    Raises:
        UserError: its name selects no class.
    """
    return getattr(type(config), OWNER, None) or find_class(section, config.name)


def drop_unknown_keys(
    source: Content, overrides: Sequence[str], import_own: bool = True
) -> Content:
    """Drop keys of a section that the class selected by an override of its name does not have."""
    kept = copy(source)
    for override in overrides:
        key, _, text = override.partition("=")
        name, section = text.strip(" '\""), key.removesuffix(".name")
        old = source.get(section)
        if section != key and section in SECTIONS and isinstance(old, dict):
            with suppress(UserError):  # reported when the name is used
                known = {entry.name for entry in fields(_section_class(section, name, import_own))}
                kept[section] = {key: value for key, value in old.items() if key in known}
    return kept


def _section_class(section: str, name: str, import_own: bool) -> type[Any]:
    if is_import_path(name) and not import_own:
        from gan_lightning.config.source_config import source_config

        own = source_config(name)
        return _with_name(own, name, None)  # type: ignore[arg-type]  # classes are hashable
    owner = find_class(section, name)
    return _with_name(owner.Config, name, owner)  # type: ignore[arg-type]  # classes are hashable


@lru_cache(maxsize=256)
def _with_name(config: type[Any], name: str, owner: type[Any] | None) -> type[Any]:
    """Return a subclass of a config class with the field `name`, which knows its owner.

    The owner is part of the key: a class that is defined again in a notebook is another one.
    """
    if (unsupported := unsupported_field(config)) is not None:
        raise UserError(
            f"{name} has the Config {config.__name__} with a field that a YAML file cannot have: "
            f"{unsupported}; declare numbers, text, lists, mappings or dataclasses of them"
        )
    named = [("name", str, field(default=name))]
    return make_dataclass(config.__name__, named, bases=(config,), namespace={OWNER: owner})
