"""A config becomes a model and its data."""

from __future__ import annotations

from typing import Any

import torch

from gan_lightning.classifiers import CLASSIFIERS
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.data import DATASETS, BaseDataModule, LoaderConfig
from gan_lightning.errors import UserError
from gan_lightning.gans import GANS, Pix2Pix
from gan_lightning.networks import NETWORKS
from gan_lightning.training.checks import rounds_per_batch

__all__ = ["build"]


def build(config: RunConfig) -> tuple[BaseModule, BaseDataModule]:
    """Make the model, initialised as the seed says, and its data.

    Raises:
        UserError: data cannot be had, or model, networks and data do not fit each other.
    """
    data = _constructed("data", DATASETS[config.data.name], config.data)
    with isolated_randomness(derived_seed(config.seed, "weights")):
        if config.model.name in CLASSIFIERS:
            classifier = CLASSIFIERS[config.model.name]
            learner: BaseModule = _constructed(
                "model",
                classifier,
                config.model,
                data.model_spec,
                updates=config.trainer.max_updates,
                seed=config.seed,
            )
        else:
            networks = _constructed("network", NETWORKS[config.network.name], config.network)
            gan = GANS[config.model.name]
            learner = _constructed(
                "model", gan, config.model, networks, data.model_spec, config.seed
            )
            if isinstance(learner, Pix2Pix):
                learner.examples = data.test_data().source
    learner.log_every = config.log.every_n_updates
    if config.trainer.channels_last and data.spec.is_image:
        learner = learner.to(memory_format=torch.channels_last)
    data.loader_config = LoaderConfig(
        updates=config.trainer.max_updates,
        discriminator_steps=getattr(config.model, "discriminator_steps", 1),
        rounds_per_batch=rounds_per_batch(config, is_image=data.spec.is_image),
        seed=config.seed,
    )
    return learner, data


def _constructed(section: str, make: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return make(*args, **kwargs)
    except ValueError as error:
        raise UserError(f"{section}: {error}") from error
