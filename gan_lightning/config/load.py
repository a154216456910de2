"""Merge defaults, an experiment's YAML and overrides into one validated config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gan_lightning.config.merge import merge_overrides
from gan_lightning.config.overridden import changes_experiment, overridden_values
from gan_lightning.config.renamed import check_old_keys
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.config.sections import drop_unknown_keys, section_classes
from gan_lightning.core.schedules import set_open_lengths
from gan_lightning.errors import UserError
from gan_lightning.utils.settings import check_settings
from gan_lightning.utils.typed_values import merge
from gan_lightning.utils.yaml_text import dump_yaml

__all__ = ["load_config", "to_yaml", "with_overridden"]


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
    config = _load(source, overrides, import_own)
    return with_overridden(config, source, overrides, import_own=import_own)


def _load(source: dict[str, Any], overrides: Sequence[str], import_own: bool) -> RunConfig:
    """Load a config; see `load_config`."""
    check_old_keys(source, overrides)
    content = merge_overrides(source, ())
    content.pop(SWEEP_KEY, None)
    merged = merge_overrides(drop_unknown_keys(content, overrides, import_own), overrides)
    _check_no_strategy(merged.get("trainer"))
    _check_claims(merged.get("claims", []))
    classes = section_classes(merged, import_own)
    try:
        config = merge(RunConfig, merged, merged.words, kinds=classes)
        set_open_lengths(config.model, config.trainer.max_updates)
        check_settings(config)
    except ValueError as error:
        raise UserError(str(error)) from error
    return config


def with_overridden(
    config: RunConfig,
    experiment: dict[str, Any],
    overrides: Sequence[str],
    sections: Sequence[str] = (),
    *,
    import_own: bool = True,
) -> RunConfig:
    """Return a config that notes what it has changed of its experiment, if that has claims.

    Args:
        config: made of the experiment.
        experiment: content of the experiment's YAML file.
        overrides: `key=value`.
        sections: sections that have been replaced otherwise.
        import_own: as in `load_config`.
    """
    keys = [*sections, *(word.partition("=")[0] for word in overrides)]
    if not config.claims or not any(key == "claims" or changes_experiment(key) for key in keys):
        return config
    same = [word for word in overrides if not changes_experiment(word.partition("=")[0])]
    try:
        before = _load(experiment, same, import_own)
    except UserError:  # the experiment is incomplete without the overrides
        return config
    return replace(config, overridden=overridden_values(before, config, keys))


SWEEP_KEY = "sweep"
"""Section of an experiment that only `gan-lightning sweep` reads."""


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


def _check_claims(claims: Any) -> None:
    """Check that claims of a file or an override are a list."""
    if not isinstance(claims, list):
        raise UserError("claims must be a list of {metric: …, at_least: …}, or another bound")


def to_yaml(config: RunConfig) -> str:
    """Return a config as YAML that `load_config` and OmegaConf read back."""
    return dump_yaml(as_plain(config))
