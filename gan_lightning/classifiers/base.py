"""Base class of classifiers."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from gan_lightning.classifiers.attacks import AttackConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.core.optim import build_optimizer
from gan_lightning.core.seeding import derived_seed, seed_generators
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import check_settings

__all__ = ["Classifier"]


class Classifier(BaseModule):
    """A classifier of images, by default of ten classes; an update is one optimizer step.

    Args:
        config: config of the training, with an `optimizer`.
        data: shape and classes of the data.
        updates: length of the training, for the learning rate schedule.
        seed: seed of all random draws.

    Attributes:
        network: images (N, C, H, W) in [-1, 1] to logits (N, classes), or to those of the values of
            all attributes.

    Raises:
        ValueError: a value of the config is out of range, or `check_data` refuses the data.
    """

    network: nn.Module
    classes = 10

    def __init__(self, config: Any, data: DataSpec, updates: int, seed: int = 0) -> None:
        super().__init__(data, seed)
        check_settings(config)
        self.check_data(data)
        self.config = config
        self.total_updates = updates

    @property
    def attribute_sizes(self) -> tuple[int, ...]:
        """Number of values of each attribute that it reads; empty if it reads classes."""
        return ()

    def check_data(self, data: DataSpec) -> None:
        """Check the data: by default one-channel images of ten classes, at least 28 pixels wide.

        Raises:
            ValueError: the network cannot classify them.
        """
        if data.shape[0] != 1 or (data.labelled_classes or data.classes) != self.classes:
            raise ValueError(
                f"classifiers need one-channel images of ten classes, not shape {data.shape} with "
                f"{data.classes} classes; set data.name=mnist"
            )

    def attacks(self) -> Sequence[AttackConfig]:
        """Return the attacks under which the classifier is evaluated; by default none."""
        return ()

    @abstractmethod
    def loss_terms(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Compute the weighted loss terms of a minibatch, by name.

        Args:
            images: (N, C, H, W) in [-1, 1].
            labels: classes, int64 (N,).
        """

    def learning_rate(self) -> float:
        """Return the learning rate of this update, where the optimizer has no schedule of it."""
        rate: float = self.config.optimizer.learning_rate
        return rate

    def inference_network(self) -> nn.Module:
        """Return the network."""
        return self.network

    def networks_in_training(self) -> list[nn.Module]:
        """Return the network."""
        return [self.network]

    def on_train_start(self) -> None:
        """Log that there are no rounds to capture."""
        super().on_train_start()
        if self.cuda_graphs:
            log = logging.getLogger("gan_lightning")
            log.info("CUDA graphs are not used: only rounds of GANs are captured")

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Make an update on each minibatch of (rounds, 1, N, C, H, W) images in [-1, 1].

        If only few data are labelled, only those are used.
        """
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        for game_round in batch.unbind():
            for minibatch in game_round.unbind():
                self._update(minibatch.labelled or minibatch, optimizer)
        self.count_steps()

    def _update(self, batch: Batch, optimizer: LightningOptimizer) -> None:
        seed = derived_seed(self.seed, "learn", self.global_rank, self.updates)
        seed_generators(seed, self.device)
        assert batch.labels is not None
        if self.config.optimizer.schedule is None:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate()
        terms = self.loss_terms(batch.data, batch.labels)
        self.backward_and_step(optimizer, terms)
        losses = {f"loss/classifier/{name}": value for name, value in terms.items()}
        self.log_update(len(batch.data), losses)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimizer."""
        weights = self.network.parameters()
        return build_optimizer(weights, self.config.optimizer, lambda: self.updates)
