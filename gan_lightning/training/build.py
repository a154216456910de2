"""Build the model and the data module of a config."""

from __future__ import annotations

from typing import Any

import torch

from gan_lightning.classifiers import Classifier
from gan_lightning.config.schema import RunConfig
from gan_lightning.config.sections import selected_class
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.data import BaseDataModule, LoaderConfig
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.gans.labelled import MissingClasses
from gan_lightning.training.checks import rounds_per_batch

__all__ = ["build", "build_model"]


def build(
    config: RunConfig, data: BaseDataModule | None = None
) -> tuple[BaseModule, BaseDataModule]:
    """Build the model, with weights initialised from the config's seed, and the data module.

    Args:
        config: config of the run.
        data: data module that was given in Python; None builds that of the config.

    Raises:
        UserError: the data are not available, or model, networks and data do not fit together.
    """
    if data is None:
        data = _construct("data", selected_class("data", config.data), config.data)
    model = build_model(config, data)
    data.loader_config = LoaderConfig(
        updates=config.trainer.max_updates,
        minibatches_per_round=getattr(config.model, "minibatches_per_round", 1),
        rounds_per_batch=rounds_per_batch(config, is_image=data.spec.is_image),
        seed=config.seed,
    )
    return model, data


def build_model(config: RunConfig, data: BaseDataModule) -> BaseModule:
    """Build the model, with weights initialised from the config's seed.

    Args:
        config: config of the run.
        data: its data module.

    Raises:
        UserError: model, networks and data do not fit together.
    """
    with isolated_randomness(derived_seed(config.seed, "weights")):
        kind = selected_class("model", config.model)
        if issubclass(kind, Classifier):
            model: BaseModule = _construct(
                "model",
                kind,
                config.model,
                data.model_spec,
                updates=config.trainer.max_updates,
                seed=config.seed,
            )
        else:
            family = selected_class("network", config.network)
            networks = _construct("network", family, config.network)
            gan: GAN = _construct(
                "model", kind, config.model, networks, data.model_spec, config.seed
            )
            if "source" in gan.condition_fields():
                gan.examples = data.test_data().source
            model = gan
    model.log_every = config.log.every_n_updates
    model.cuda_graphs = config.trainer.cuda_graphs
    if config.trainer.channels_last and data.spec.is_image:
        model = model.to(memory_format=torch.channels_last)
    return model


CLASSES_ADVICE = (
    "this GAN needs the class of every sample; set data.labelled=0, and label the data: put a "
    "folder's images into a sub-folder for each class, two or more, or give a CSV file with the "
    "columns file and label by --labels FILE or data.labels; of CelebA, name data.attributes; for "
    "data of one kind, train a GAN without classes, such as dcgan; datasets with classes are "
    "mnist, stacked_mnist, ring and grid"
)


def _construct(section: str, factory: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a constructor; a ValueError becomes a UserError that names the config section."""
    try:
        return factory(*args, **kwargs)
    except MissingClasses as error:
        raise UserError(f"{section}: {CLASSES_ADVICE}") from error
    except ValueError as error:
        raise UserError(f"{section}: {error}") from error
