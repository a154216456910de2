"""Small models, configs and minibatches for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation import batching, classification, codes, discriminator
from gan_lightning.gans import GAN, GANS
from gan_lightning.metrics import lite0
from gan_lightning.metrics.lite0 import EfficientNetLite0
from gan_lightning.networks import projected
from gan_lightning.training.build import build
from gan_lightning.types import Batch
from gan_lightning.utils.optional import missing_modules

SMALL_MODELS: dict[str, dict[str, Any]] = {
    "infogan": {"categorical_codes": [3, 4]},
    "projected": {"feature_side": 64, "discriminator_width": 4},
    "unrolled": {"unrolled_steps": 2},
}
"""Model settings that make a GAN small; a GAN without an entry is tested with its defaults."""

SMALL_MLP = {"name": "mlp", "generator_hidden": [16], "discriminator_hidden": [16]}
SMALL_RING = {"name": "ring", "points": 64, "batch_size": 8}
SMALL_SECTIONS: dict[str, dict[str, Any]] = {
    "semi_supervised": {"data": {**SMALL_RING, "labelled": 8}},
    "pix2pix": {
        "network": {"name": "pix2pix", "width": 2, "patch": 16},
        "data": {"name": "mnist_pairs", "batch_size": 8},
    },
    "projected": {"data": {"name": "mnist", "batch_size": 8}},
    "cyclegan": {
        "network": {"name": "cyclegan", "width": 2, "patch": 16, "blocks": 1},
        "data": {"name": "mnist_pairs", "batch_size": 8},
    },
}
"""Config sections of GANs that cannot train on the ring or with its networks."""


def stand_in_for_lite0() -> None:
    """Let projected GANs see a narrow network, and replace weights of a package that is missing."""
    vars(projected)["EfficientNetLite0"] = NarrowLite0
    if missing_modules("lite0"):
        EfficientNetLite0.pretrained = classmethod(random_lite0)  # type: ignore[method-assign,assignment]


def random_lite0(kind: type[EfficientNetLite0]) -> EfficientNetLite0:
    """Return a network whose maps neither grow nor vanish, the same one at each call."""
    with isolated_randomness(0):
        network = kind()
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    return network.eval().requires_grad_(False)


class NarrowLite0(EfficientNetLite0):
    """An EfficientNet-Lite0 with an eighth of the channels and one block a stage."""

    def __init__(self) -> None:
        narrow = tuple((1, *stage[1:4], max(2, stage[4] // 8)) for stage in lite0.STAGES)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lite0, "STAGES", narrow)
            patch.setattr(lite0, "STEM", 4)
            patch.setattr(lite0, "HEAD", 8)
            super().__init__()

    @classmethod
    def pretrained(cls) -> EfficientNetLite0:
        """Return random weights."""
        return random_lite0(cls)


def make_config(model: str, *overrides: str, **sections: Any) -> RunConfig:
    """Return a small config in float32: the ring dataset and MLPs, unless the GAN needs others."""
    source = {
        "model": {"name": model, "latent_size": 4, **SMALL_MODELS.get(model, {})},
        "network": SMALL_MLP,
        "data": SMALL_RING,
        "trainer": {"max_updates": 6, "precision": "32-true", "rounds_per_batch": 1},
        **SMALL_SECTIONS.get(model, {}),
        **sections,
    }
    return load_config(source, overrides)


def make_gan(model: str, *overrides: str) -> GAN:
    """Build the GAN of a small config."""
    gan, _ = build(make_config(model, *overrides))
    assert isinstance(gan, GAN)
    return gan


def make_real_batch(gan: GAN, count: int, seed: int = 0) -> Batch:
    """Return noise as real data, with the labels, sources and labelled data that a GAN needs."""
    rng = torch.Generator().manual_seed(seed)
    spec = gan.data
    data = torch.randn(count, *spec.shape, generator=rng)
    labels = None if spec.classes is None else torch.arange(count) % spec.classes
    source = None
    if spec.source_shape is not None:
        source = torch.randn(count, *spec.source_shape, generator=rng)
    labelled = None
    if spec.labelled_classes is not None:
        labelled = Batch(data.flip(0), torch.arange(count) % spec.labelled_classes)
    return Batch(data, labels, source, labelled)


def train_model(config: RunConfig, **trainer: Any) -> BaseModule:
    """Train for `trainer.max_updates`, without callbacks or loggers."""
    model, data = build(config)
    quiet_trainer(precision=config.trainer.precision, **trainer).fit(model, datamodule=data)
    return model


Chunks = Callable[[BaseDataModule, torch.device, Shard], Iterator[Batch]]


def evaluate_on(chunks: Chunks) -> Chunks:
    """Let the evaluators that read all test data read these chunks; return the former ones."""
    former: Chunks = vars(discriminator)["iterate_test_data"]
    for module in (classification, codes, discriminator):
        vars(module)["iterate_test_data"] = chunks
    return former


def few_chunks(data: BaseDataModule, device: torch.device, shard: Shard) -> Iterator[Batch]:
    """Yield all chunks of points, and of images, which take long to evaluate, the first one."""
    images = len(data.spec.shape) == 3
    yield from islice(batching.iterate_test_data(data, device, shard), 1 if images else None)


def quiet_trainer(**settings: Any) -> Trainer:
    """Return a Trainer that prints and writes nothing."""
    defaults: dict[str, Any] = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": Path("/nonexistent"),
    }
    return Trainer(**{**defaults, **settings})


def copy_weights(model: BaseModule) -> dict[str, torch.Tensor]:
    """Return copies of all parameters and buffers."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def weights_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Return whether two state dicts are equal bit for bit."""
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


ALL_GANS = sorted(GANS)
