"""An experiment's YAML and a command line's overrides become one validated object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from gan_lightning.config.experiments import one_line, plain_mapping
from gan_lightning.config.overrides import check_override
from gan_lightning.config.renamed import check_old_keys
from gan_lightning.config.schema import Claim, RunConfig, as_plain
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.settings import check_settings

__all__ = ["load_config", "to_yaml"]


def load_config(source: dict[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """Merge dataclasses <- experiment <- command line, and check every key and type.

    Args:
        source: an experiment's YAML as `read_yaml` gives it; its `sweep:` block is of no run.
        overrides: `key=value`, keys with dots.

    Returns:
        RunConfig whose `model`, `network` and `data` are instances of the classes that their names
        choose, with a field `name`.

    Raises:
        UserError: unknown key or name, wrong type, value out of range; names the valid ones.
    """
    check_old_keys(source, overrides)
    tables = _tables()
    source = {key: value for key, value in source.items() if key != SEARCHED}
    merged = _merge_overrides(_drop_unknown_keys(source, overrides, tables), overrides)
    _refuse_strategies(merged.get("trainer"))
    names = {}
    for section, table in tables.items():
        given = merged.get(section, {})
        if not isinstance(given, dict):
            raise UserError(f"{section} is {given!r}; write {section}: {{name: …}}")
        name = given.get("name", DEFAULT_NAMES.get(section))
        if not isinstance(name, str):
            raise UserError(f"{section}.name is missing; valid are {', '.join(sorted(table))}")
        if name not in table:
            raise UserError(f"{section}.name is {name!r}; valid are {nearest_first(name, table)}")
        names[section] = name
        merged[section] = {key: value for key, value in given.items() if key != "name"}
        merged[section]["name"] = name
    config = _checked_merge(_base(**names), merged)
    try:
        check_settings(config)
    except ValueError as error:
        raise UserError(str(error)) from error
    return config


SEARCHED = "sweep"
"""Key of what `gan-lightning sweep` searches."""

DEFAULT_NAMES = {"network": "mlp"}
"""What an experiment need not say."""


def _tables() -> dict[str, dict[str, Any]]:
    """For each section that a name chooses: name -> structured config, `name` included."""
    from gan_lightning.classifiers import CLASSIFIERS
    from gan_lightning.data import DATASETS
    from gan_lightning.gans import GANS
    from gan_lightning.networks import NETWORKS

    sections: dict[str, dict[str, Any]] = {
        "model": {**GANS, **CLASSIFIERS},
        "network": {**NETWORKS},
        "data": {**DATASETS},
    }
    return {
        section: {name: _named(owner.Config, name) for name, owner in table.items()}
        for section, table in sections.items()
    }


@cache
def _base(model: str, network: str, data: str) -> DictConfig:
    """Return the defaults of a run, which no caller changes: merging copies them."""
    base: DictConfig = OmegaConf.structured(RunConfig)
    for section, name in (("model", model), ("network", network), ("data", data)):
        base[section] = OmegaConf.structured(_tables()[section][name])
    return base


@cache
def _named(config: type[Any], name: str) -> type[Any]:
    """Add the field `name`, so that a section says which class it configures."""
    return make_dataclass(config.__name__, [("name", str, field(default=name))], bases=(config,))


def _drop_unknown_keys(
    source: dict[str, Any], overrides: Sequence[str], tables: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Where an override renames a section, leave out the keys that the new class does not have."""
    kept = dict(source)
    for override in overrides:
        key, _, name = override.partition("=")
        section = key.removesuffix(".name")
        old = source.get(section)
        if section != key and isinstance(old, dict) and name in tables.get(section, {}):
            known = {entry.name for entry in fields(tables[section][name])}
            kept[section] = {key: value for key, value in old.items() if key in known}
    return kept


def _merge_overrides(source: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        check_override(override)
    try:
        changes = OmegaConf.from_dotlist(list(overrides))
        _check_claims(changes)
        merged = OmegaConf.merge(source, changes)
        return plain_mapping(merged)
    except (OmegaConfBaseException, YAMLError, ValueError, TypeError) as error:
        raise UserError(f"cannot read {' '.join(overrides)}: {one_line(error)}") from error


def _refuse_strategies(trainer: Any) -> None:
    """Say why a key that Lightning's users know is not there."""
    if isinstance(trainer, dict) and "strategy" in trainer:
        raise UserError(
            f"trainer.strategy is {trainer['strategy']!r}, and there is none to choose: leave it "
            f"out and give --devices. FSDP and DeepSpeed shard a model that steps as a whole, and "
            f"a game freezes one player while the other steps, and differentiates gradients; plain "
            f"DDP sends both players' gradients in every step"
        )


def _checked_merge(base: DictConfig, given: dict[str, Any]) -> RunConfig:
    """Merge, with OmegaConf's errors rewritten for people."""
    for name, value in given.items():
        if isinstance(base.get(name), DictConfig) and not isinstance(value, dict):
            raise UserError(f"{name} is {value!r}; it must be `key: value` pairs")
    _check_claims(given)
    try:
        config = OmegaConf.to_object(OmegaConf.merge(base, given))
    except (ConfigKeyError, ConfigAttributeError) as error:
        *parents, wrong = str(error.full_key).split(".")
        section = OmegaConf.select(base, ".".join(parents)) if parents else base
        if error.object_type is Claim:
            parents, section = ["claims"], OmegaConf.structured(Claim)
        valid = nearest_first(wrong, [str(key) for key in section or {}])
        where = f" in {'.'.join(parents)}" if parents else ""
        raise UserError(f"key {wrong!r}{where} is unknown; valid are {valid}") from error
    except OmegaConfBaseException as error:
        raise UserError(_wrong_type(base, given, error)) from error
    assert isinstance(config, RunConfig)
    return config


def _check_claims(given: Any) -> None:
    """Refuse claims that are no list, whether a file or an override gives them."""
    if not isinstance(given.get("claims", []), list | ListConfig):
        raise UserError("claims must be a list of {metric: …, at_least: …}, or another bound")


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
OPTIONAL_WORDS = {float: "a number, as 0.999, or null", str: "text, or null"}


def _wrong_type(base: DictConfig, given: dict[str, Any], error: OmegaConfBaseException) -> str:
    """Say which value has which type instead of which."""
    key = str(error.full_key or "").partition("[")[0]
    default = OmegaConf.select(base, key) if key else None
    value = OmegaConf.select(OmegaConf.create(given), key) if key else None
    word = WORDS.get(type(default), "") if default is not None else _optional_word(base, key)
    if isinstance(default, ListConfig):
        each = WORDS.get(type(default[0]), "a value") if default else "text"
        word = f"a list, each of it {each}, as {list(default) or ['a', 'b']}"
    if not word or key == "claims":
        return f"{error.full_key or 'a value'}: {one_line(error)}"
    shown = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return f"{key} is {shown!r}; it must be {word}"


def _optional_word(base: DictConfig, key: str) -> str:
    """Say what a key that is null by default may hold, or nothing."""
    parent, _, name = key.rpartition(".")
    owner = OmegaConf.get_type(base, parent) if parent else OmegaConf.get_type(base)
    hint = get_type_hints(owner).get(name) if is_dataclass(owner) else None
    return next((OPTIONAL_WORDS[kind] for kind in get_args(hint) if kind in OPTIONAL_WORDS), "")


def to_yaml(config: RunConfig) -> str:
    """Write a config as the YAML that `load_config` reads back."""
    return OmegaConf.to_yaml(OmegaConf.create(as_plain(config)))
