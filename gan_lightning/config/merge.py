"""Merge overrides into the content of an experiment's YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yaml import YAMLError

from gan_lightning.config.overrides import check_override
from gan_lightning.errors import UserError
from gan_lightning.utils.yaml_text import Words, read_override

__all__ = ["Content", "interpolated", "merge_overrides", "one_line", "plain_mapping"]

MAX_SHOWN = 100
"""Characters of a wrong override that a message shows."""


class Content(dict[str, Any]):
    """The content of a YAML file.

    Attributes:
        words: how its values are written.
    """

    words: Words = Words()


def merge_overrides(source: Mapping[str, Any], overrides: Sequence[str]) -> Content:
    """Apply overrides to the content of an experiment's YAML file.

    Args:
        source: a `Content`, or a mapping of plain values.
        overrides: `key=value` with dotted keys.

    Raises:
        UserError: an override has not this form, or its value is not valid.
    """
    merged = Content(source)
    merged.words = Words(getattr(source, "words", {}))
    for override in overrides:
        check_override(override)
        key, _, text = override.partition("=")
        try:
            value, words = read_override(text)
        except (YAMLError, ValueError) as error:
            raise UserError(
                f"cannot read {_shown(override)}: {one_line(error)}; quote it if it is a text"
            ) from error
        path = tuple(key.split("."))
        for name in reversed(path):
            value = {name: value}
        merged.update(_merged(merged, value))
        merged.words.update({(*path, *below): word for below, word in words.items()})
    words = merged.words
    try:
        merged = Content(interpolated(merged))
    except UserError as error:
        raise UserError(f"cannot read {_shown(' '.join(overrides))}: {error}") from error
    merged.words = words
    return merged


def _merged(old: Any, new: Any) -> Any:
    """Merge nested mappings; other values are replaced. Neither argument is changed."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def interpolated(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping with the interpolations `${key}` of its texts resolved.

    Raises:
        UserError: a key is not text, or an interpolation names no value.
    """
    if not _has_interpolation(content):
        return plain_mapping(content)
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return plain_mapping(OmegaConf.to_container(OmegaConf.create(dict(content)), resolve=True))
    except RecursionError as error:
        raise UserError("interpolations ${…} are nested too deeply") from error
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        raise UserError(one_line(error)) from error


def _has_interpolation(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_interpolation, value.values()))
    if isinstance(value, list):
        return any(map(_has_interpolation, value))
    return isinstance(value, str) and "${" in value


def plain_mapping(content: Any) -> dict[str, Any]:
    """Return a mapping whose keys are text.

    Raises:
        UserError: a key is not text.
    """
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise UserError("keys of a config must be text")
    return dict(content)


def one_line(error: BaseException) -> str:
    """Return the message of an error of OmegaConf or YAML as one line."""
    return " ".join(str(error).split("full_key:")[0].split())


def _shown(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
