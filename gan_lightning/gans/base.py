"""The adversarial game, written once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, final

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from gan_lightning.core.module import BaseModule, evaluation_mode
from gan_lightning.core.optim import build_optimizer, optimizer_parameters
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.distributed.collectives import synchronized_rng
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.differentiable_optim import Weights, unroll
from gan_lightning.gans.ema import RunningAverage, ema_decay_schedule
from gan_lightning.gans.parameters import frozen, parameters
from gan_lightning.gans.regularisation import augment_and_add_noise, penalties
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, DataSpec, Sample
from gan_lightning.utils.settings import check_settings

__all__ = ["GAN", "LossTerms"]

LossTerms = Mapping[str, Tensor]
"""Weighted, named parts of one player's loss: scalars that the base sums."""


class GAN(BaseModule):
    """Two players, stepped in turn by manual optimisation.

    A Lightning batch holds rounds of the game, data of shape (rounds, minibatches, N, *shape). In
    a round the discriminator plays every minibatch once, then the generator makes one step: a round
    is one *generator update*, the unit of all budgets and axes. The round's last minibatch draws
    one sample for both players: the discriminator sees it detached, the generator with its graph.

    Random numbers are a function of (seed, generator update) for the prior and for the places of a
    gradient penalty, which every process draws for the global minibatch and takes its part of, and
    of (seed, rank, generator update) for all else: what layers draw, and instance noise. So a
    resumed run repeats an uninterrupted one, and nothing outside can disturb it.

    Args:
        config: an instance of the class's `Config`.
        networks: the family that builds the players.
        data: shape and classes of the data.
        seed: of all random draws of the game.

    Attributes:
        generator: what `generate` calls; the running average stands in for it when sampling.
        updates: rounds played, which are generator updates.

    Raises:
        ValueError: a value of the config is out of range, or the family lacks the shape.
    """

    Config: ClassVar[type[Any]] = GANConfig
    log_weight_histogram: ClassVar[bool] = False
    """Whether a run draws the histogram of the discriminator's weights."""
    supports_partial_labels: ClassVar[bool] = False
    """Whether it makes use of few labelled data beside the others."""
    generator: nn.Module
    discriminator: nn.Module

    def __init__(
        self, config: GANConfig, networks: NetworkFamily[Any], data: DataSpec, seed: int = 0
    ) -> None:
        super().__init__(data, seed)
        check_settings(config)
        if data.labelled_classes is not None and not self.supports_partial_labels:
            raise ValueError(
                "this GAN learns nothing from a few labelled data; set data.labelled to 0"
            )
        if config.regularisation.augmentation and not data.is_image:
            raise ValueError("augmentation is of images, and these data are points; leave it out")
        self.config = config
        self.build(networks)
        self.ema = self._build_ema()
        self.register_load_state_dict_pre_hook(_rename_old_keys)  # type: ignore[no-untyped-call]

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the players: here a generator of noise, and a discriminator with one score."""
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.discriminator = networks.discriminator(self.data.shape)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the modules that the discriminator's optimizer moves, by name."""
        return {"discriminator": self.discriminator}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the discriminator's scores of data, unbounded.

        Args:
            data: (N, *shape).
            given: what a conditional discriminator is told of them.

        Returns:
            Shape (N,), or (N / m,) where the networks pack m data, or (N P,) where they judge P
            patches of each.
        """
        scores: Tensor = self.discriminator(data)
        return scores

    @abstractmethod
    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the discriminator's weighted loss terms, to be minimised; `fake` is detached."""

    @abstractmethod
    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the generator's weighted loss terms; the discriminator's players are frozen."""

    def generator_players(self) -> Mapping[str, nn.Module]:
        """Return the modules that the generator's optimizer moves, by name."""
        return {"generator": self.generator}

    def after_discriminator_step(self) -> None:
        """Do what the paper does to the discriminator after each of its steps."""

    def divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return what the discriminator estimates of the distance of two distributions, by name.

        Args:
            real_scores: of real data that it was not trained on.
            fake_scores: of generated data.
        """
        return {}

    @final
    def preprocess_for_discriminator(self, real: Batch, fake: Sample) -> tuple[Batch, Sample]:
        """Augment what the discriminator is to be given, and add this update's instance noise."""
        data = augment_and_add_noise(self.config.regularisation, self.updates, real.data, fake.data)
        if data[0] is real.data and data[1] is fake.data:
            return real, fake
        return real._replace(data=data[0]), replace(fake, data=data[1])

    @final
    def discriminator_terms(self, real: Batch, fake: Sample) -> LossTerms:
        """Return all that the discriminator minimises: its loss, and the config's penalties."""
        regularisers = penalties(
            self.config.regularisation,
            lambda data: self.discriminate(data, real.condition),
            real.data,
            fake.data,
        )
        return {**self.discriminator_loss(real, fake), **regularisers}

    def unrolled_weights(self, steps: int, loss_of: Callable[[Weights], Tensor]) -> Weights:
        """Return the weights of `self.discriminator` after more of its optimizer's steps.

        Args:
            steps: at least 0.
            loss_of: weights to the loss that the steps minimise.

        Returns:
            By name, with the graph of the steps; its own weights and optimizer stay as they are.
        """
        optimizer, _ = self._optimizers()
        weights = dict(self.discriminator.named_parameters())
        return unroll(weights, optimizer.optimizer, loss_of, steps)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw everything that the generator takes.

        Returns:
            Condition with a latent of shape (count, latent size) from the config's prior; a variant
            adds codes and labels.
        """
        size = (count, self.config.latent_size)
        if self.config.latent_prior == "normal":
            latent = torch.randn(size, generator=rng, device=self.device)
        else:
            latent = torch.rand(size, generator=rng, device=self.device).mul_(2).sub_(1)
        return Condition(latent=latent)

    def training_condition(self, real: Batch, rng: torch.Generator) -> Condition:
        """Choose what to generate from beside a minibatch of this process in training.

        Here its part of what the prior draws for the global minibatch.
        """
        count, world_size = len(real.data), self.trainer.world_size
        if world_size == 1:
            return self.prior(count, rng)
        start = self.global_rank * count
        return self.prior(count * world_size, rng)[start : start + count]

    def generate(self, condition: Condition) -> Tensor:
        """Map a complete condition to data, shape (N, *shape)."""
        assert condition.latent is not None
        data: Tensor = self.generator(condition.latent)
        return data

    def generate_from_prior(self, count: int, condition: Condition | None = None) -> Sample:
        """Generate data from the prior, with what `condition` fixes held fixed.

        Returns:
            Sample of `count` data with the generator's graph and its present mode and weights.
        """
        complete = self.prior(count).updated(condition)
        return Sample(self.generate(complete), complete)

    @final
    @torch.no_grad()
    def sample(self, count: int, condition: Condition | None = None, *, seed: int) -> Sample:
        """Generate data as a user sees it: evaluation mode, the running average where there is one.

        Leaves random states, modes and weights as they were. The same seed gives the same data.
        """
        with isolated_randomness(seed), self._ema_generator(), evaluation_mode(self):
            return self.generate_from_prior(count, condition)

    @final
    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Play the batch's rounds; batch data has shape (rounds, minibatches, N, *shape)."""
        torch.set_autocast_cache_enabled(True)  # Lightning turns it off; a step clears it
        rank, world_size = self.global_rank, self.trainer.world_size
        for game_round in batch.unbind():
            with synchronized_rng(self.seed, self.updates, rank, world_size, self.device):
                self._train_round(game_round.unbind())

    def _train_round(self, minibatches: list[Batch]) -> None:
        rng = torch.Generator(self.device)
        rng.manual_seed(derived_seed(self.seed, "prior", self.updates))
        discriminator, generator = self._optimizers()
        for real in minibatches[:-1]:
            with torch.no_grad():
                fake = self._generate_local_batch(real, rng)
            self._discriminator_step(discriminator, *self.preprocess_for_discriminator(real, fake))
        real = minibatches[-1]
        real, fake = self.preprocess_for_discriminator(real, self._generate_local_batch(real, rng))
        discriminator_terms = self._discriminator_step(discriminator, real, fake.detach())
        with frozen(optimizer_parameters(discriminator.optimizer)):
            generator_terms = self.generator_loss(real, fake)
            self._step(generator, generator_terms)
        if self.ema is not None:
            self.ema.update_parameters(self.generator)
        terms = {"discriminator": discriminator_terms, "generator": generator_terms}
        self.log_update(
            images=len(minibatches) * len(real.data),
            terms={
                f"loss/{player}/{name}": value
                for player, part in terms.items()
                for name, value in part.items()
            },
        )

    def _generate_local_batch(self, real: Batch, rng: torch.Generator) -> Sample:
        """Draw this process's part of the global minibatch."""
        condition = self.training_condition(real, rng)
        return Sample(self.generate(condition), condition)

    def _discriminator_step(
        self, optimizer: LightningOptimizer, real: Batch, fake: Sample
    ) -> LossTerms:
        terms = self.discriminator_terms(real, fake)
        self._step(optimizer, terms)
        self.after_discriminator_step()
        return terms

    def _step(self, optimizer: LightningOptimizer, terms: LossTerms) -> None:
        self.backward_and_step(optimizer, terms)
        torch.clear_autocast_cache()  # of the weights as they were before the step

    def _optimizers(self) -> tuple[LightningOptimizer, LightningOptimizer]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        discriminator, generator = optimizers
        return discriminator, generator

    @final
    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Build the discriminator's and the generator's optimizer, in this order."""
        config = self.config
        discriminator = parameters(self.discriminator_players())
        generator = parameters(self.generator_players())
        return [
            build_optimizer(discriminator, config.discriminator_optimizer),
            build_optimizer(generator, config.generator_optimizer),
        ]

    def inference_network(self) -> nn.Module:
        """Return the generator, its running average where there is one."""
        with self._ema_generator():
            return self.generator

    def networks_in_training(self) -> list[nn.Module]:
        """Return both sides' players, each once."""
        players = {**self.discriminator_players(), **self.generator_players()}
        return list(dict.fromkeys(players.values()))

    def _build_ema(self) -> RunningAverage | None:
        decay = self.config.ema_decay
        if decay is None:
            return None
        return RunningAverage(self.generator, lambda: ema_decay_schedule(decay, self.updates))

    @contextmanager
    def _ema_generator(self) -> Iterator[None]:
        playing = self.generator
        if self.ema is not None and self.updates > 0:
            self.generator = self.ema.module
        try:
            yield
        finally:
            self.generator = playing


def _rename_old_keys(gan: GAN, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Load a checkpoint of an earlier version, in which the attribute `ema` was `averaged`."""
    for name in [name for name in state if name.startswith(f"{prefix}averaged.")]:
        state[name.replace("averaged.", "ema.", 1)] = state.pop(name)
