"""Merge defaults, an experiment's YAML and overrides into one validated config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from gan_lightning.config.experiments import one_line, plain_mapping
from gan_lightning.config.overrides import check_override
from gan_lightning.config.renamed import check_old_keys
from gan_lightning.config.schema import Claim, RunConfig, as_plain
from gan_lightning.config.sections import drop_unknown_keys, section_classes, section_defaults
from gan_lightning.core.schedules import set_open_lengths
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.optional_sections import with_optional_sections
from gan_lightning.utils.settings import check_settings

__all__ = ["load_config", "to_yaml"]


def load_config(
    source: dict[str, Any], overrides: Sequence[str] = (), *, import_own: bool = True
) -> RunConfig:
    """Merge defaults <- experiment <- overrides, and check every key, type and range.

    Args:
        source: content of an experiment's YAML file, from `read_yaml`; `sweep:` is ignored.
        overrides: `key=value` with dotted keys.
        import_own: whether classes that are named by an import path are imported; otherwise their
            keys and defaults are read from the source of their file, and nothing can be trained.

    Returns:
        Config whose `model`, `network` and `data` are instances of the `Config` of the class that
        their `name` selects, with the additional field `name`.

    Raises:
        UserError: a key or name is unknown, a type is wrong, or a value is out of range; the
            message names the valid ones.
    """
    check_old_keys(source, overrides)
    source = {key: value for key, value in source.items() if key != SWEEP_KEY}
    kept = drop_unknown_keys(source, overrides, import_own)
    merged = _merge_overrides(kept, overrides)
    _check_no_strategy(merged.get("trainer"))
    classes = section_classes(merged, import_own)
    config = _merge(section_defaults(classes), merged)
    set_open_lengths(config.model, config.trainer.max_updates)
    try:
        check_settings(config)
    except ValueError as error:
        raise UserError(str(error)) from error
    return config


SWEEP_KEY = "sweep"
"""Section of an experiment that only `gan-lightning sweep` reads."""


def _merge_overrides(source: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply overrides to the content of an experiment's YAML file."""
    for override in overrides:
        check_override(override)
    try:
        changes = OmegaConf.from_dotlist(list(overrides))
        _check_claims(changes)
        merged = OmegaConf.merge(source, changes)
        return plain_mapping(merged)
    except (OmegaConfBaseException, YAMLError, ValueError, TypeError) as error:
        raise UserError(f"cannot read {' '.join(overrides)}: {one_line(error)}") from error


def _check_no_strategy(trainer: Any) -> None:
    """Refuse `trainer.strategy`, which users of Lightning may expect, with the reason."""
    if isinstance(trainer, dict) and "strategy" in trainer:
        raise UserError(
            f"trainer.strategy is {trainer['strategy']!r}, but the strategy cannot be "
            f"chosen; leave it out and set --devices. FSDP and DeepSpeed shard a model whose "
            f"parameters all step together, while a GAN freezes one player when the other steps "
            f"and differentiates gradients; DDP communicates the gradients of both players in "
            f"every step"
        )


def _merge(defaults: DictConfig, given: dict[str, Any]) -> RunConfig:
    """Merge values into the defaults, and turn errors of OmegaConf into one line.

    Raises:
        UserError: a key is unknown, or a type is wrong.
    """
    for name, value in given.items():
        if isinstance(defaults.get(name), DictConfig) and not isinstance(value, dict):
            raise UserError(f"{name} is {value!r}; it must be `key: value` pairs")
    _check_claims(given)
    defaults = with_optional_sections(defaults, given)
    try:
        config = OmegaConf.to_object(OmegaConf.merge(defaults, given))
    except (ConfigKeyError, ConfigAttributeError) as error:
        *parents, wrong = str(error.full_key).split(".")
        section = OmegaConf.select(defaults, ".".join(parents)) if parents else defaults
        if error.object_type is Claim:
            parents, section = ["claims"], OmegaConf.structured(Claim)
        valid = nearest_first(wrong, [str(key) for key in section or {}])
        where = f" in {'.'.join(parents)}" if parents else ""
        raise UserError(f"key {wrong!r}{where} is unknown; valid are {valid}") from error
    except OmegaConfBaseException as error:
        raise UserError(_type_error(defaults, given, error)) from error
    assert isinstance(config, RunConfig)
    return config


def _check_claims(given: Any) -> None:
    """Check that claims of a file or an override are a list."""
    if not isinstance(given.get("claims", []), list | ListConfig):
        raise UserError("claims must be a list of {metric: …, at_least: …}, or another bound")


TYPE_TEXT = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
OPTIONAL_TYPE_TEXT = {
    int: "a whole number, or null",
    float: "a number, for example 0.999, or null",
    str: "text, or null",
    list[float]: "a list of numbers, for example [0.5, 0.99], or null",
}


def _type_error(defaults: DictConfig, given: dict[str, Any], error: OmegaConfBaseException) -> str:
    """Return the message about a value of a wrong type: the key, the value and the valid type."""
    key = str(error.full_key or "").partition("[")[0]
    default = OmegaConf.select(defaults, key) if key else None
    value = OmegaConf.select(OmegaConf.create(given), key) if key else None
    if isinstance(default, ListConfig):
        element = TYPE_TEXT.get(type(default[0]), "a value") if default else "text"
        valid = (
            f"a list with elements that are {element}, for example {list(default) or ['a', 'b']}"
        )
    elif isinstance(default, DictConfig):
        valid = "`key: value` pairs"
    elif default is None:
        valid = _optional_type_text(defaults, key)
    else:
        valid = TYPE_TEXT.get(type(default), "")
    if not valid or key == "claims":
        return f"{error.full_key or 'a value'}: {one_line(error)}"
    shown = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return f"{key} is {shown!r}; it must be {valid}"


def _optional_type_text(defaults: DictConfig, key: str) -> str:
    """Name the type of a key whose default is null; return "" where it is not known."""
    parent, _, name = key.rpartition(".")
    owner = OmegaConf.get_type(OmegaConf.select(defaults, parent) if parent else defaults)
    hint = get_type_hints(owner).get(name) if is_dataclass(owner) else None
    options = [kind for kind in get_args(hint) if kind in OPTIONAL_TYPE_TEXT]
    return OPTIONAL_TYPE_TEXT[options[0]] if options else ""


def to_yaml(config: RunConfig) -> str:
    """Return a config as YAML that `load_config` reads back."""
    return OmegaConf.to_yaml(OmegaConf.create(as_plain(config)))
