"""The base class of all GANs: training, sampling and the optimizers of both players.

What a variant implements is in `contract.py`, the course of a round in `round.py`, how both players
step in `update_rules`, what a plain Lightning script needs in `plain.py`, the running average of
the generator in `ema.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, final

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.optim import apply_schedules, build_optimizer, optimizer_parameters
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.distributed.collectives import synchronized_rng
from gan_lightning.gans.adaptive_augmentation import AdaptiveAugmentation
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.differentiable_optim import Weights, unroll
from gan_lightning.gans.ema import build_generator_ema, ema_generator, rename_old_ema_keys
from gan_lightning.gans.graphed_rounds import GraphedRounds, graphed_rounds
from gan_lightning.gans.hyperparameters import (
    as_hyperparameters,
    check_combinations,
    to_config,
    to_data_spec,
    to_networks,
)
from gan_lightning.gans.lecam import LeCam
from gan_lightning.gans.parameters import freeze_first_layers, trained_parameters
from gan_lightning.gans.plain import PlainTraining
from gan_lightning.gans.plain_batches import MinibatchReader
from gan_lightning.gans.regularisation import (
    augment_and_add_noise,
    penalties,
    refuse_batch_norm_under_penalties,
)
from gan_lightning.gans.round import train_round
from gan_lightning.gans.scores import scores_computed_once
from gan_lightning.gans.transform_checks import check_transforms
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, DataSpec, Sample
from gan_lightning.utils.settings import check_settings

__all__ = ["GAN", "LossTerms"]


class GAN(PlainTraining):
    """A generator and a discriminator, trained in turn by manual optimization.

    In a *round* the discriminator makes a step on each of `discriminator_steps` minibatches, then
    the generator makes one step, or `generator_steps` from the same inputs; a round is one
    *generator update*, the unit of all budgets and axes. Other rules than steps in turn are in
    `update_rules`. The batches of this project's DataModules
    hold rounds, tensors of shape (rounds, minibatches, N, *shape); those of any other loader are
    minibatches, see `PlainTraining`.

    A variant overrides methods of `GANContract` and returns weighted, named loss terms. This class
    sums and logs them, steps the optimizers, adds the config's regularisers and updates the running
    average of the generator.

    Random numbers are a function of the seed for the initial weights; of (seed, generator update)
    for the prior and for the interpolation points of a gradient penalty, which every process draws
    for the global minibatch to take its part; of (seed, rank, generator update) for dropout,
    instance noise and other layers. So a resumed run repeats an uninterrupted one bit for bit.

    Args:
        config: an instance of the class's `Config`, a mapping of its keys, or None for the
            defaults.
        networks: the network family that builds the players; or its name, or a mapping of its keys
            with `name`.
        data: shape and classes of the data; or the shape of a sample, or a mapping of the fields.
        seed: seed of the initial weights and of all random numbers of training.

    Attributes:
        generator: module that `generate` calls.
        update_rule: how both players step on the last minibatch of a round.
        ema: running average of the generator, which `sample` uses; None without `ema_decay`.
        ada: adaptive augmentation of the discriminator's inputs; None where it is not enabled.
        lecam: LeCam regularisation; None without a weight.
        graphs: what plays rounds as CUDA graphs in a training; None where nothing does.
        updates: number of rounds, that is generator updates, made so far.

    Raises:
        ValueError: a value of the config is out of range, or does not fit the data or networks.
    """

    def __init__(
        self,
        config: GANConfig | Mapping[str, Any] | None = None,
        networks: NetworkFamily[Any] | Mapping[str, Any] | str = "mlp",
        data: DataSpec | Mapping[str, Any] | Sequence[int] = (2,),
        seed: int = 0,
    ) -> None:
        data = to_data_spec(data)
        super().__init__(data, seed)
        self.config = to_config(type(self).Config, config)
        family = to_networks(networks)
        check_settings(self.config)
        check_combinations(data)
        if data.labelled_classes is not None and not self.supports_partial_labels:
            raise ValueError(
                "this GAN cannot use a labelled subset of the data; set data.labelled to 0"
            )
        self.objective = self.config.build_objective()
        self.update_rule = self.config.build_update_rule()
        regularisation = self.config.regularisation
        check_transforms(regularisation, data, self.objective)
        with isolated_randomness(derived_seed(seed, "weights")):
            self.build(family)
        freeze_first_layers(self.discriminator_players(), self.config.freeze_discriminator_layers)
        self.ema = build_generator_ema(self)
        boundary = self.objective.boundary or 0.0
        ada, lecam = regularisation.ada, regularisation.lecam
        self.ada = AdaptiveAugmentation(ada, boundary) if ada.enabled else None
        self.lecam = LeCam(lecam) if lecam.weight else None
        self.graphs: GraphedRounds | None = None
        self.packing: int = family.config.packing
        self.reader = MinibatchReader(
            data,
            self.condition_fields(),
            self.packing,
            self.config.accumulate_gradients,
            self.config.check_minibatch,
        )
        self.save_hyperparameters(as_hyperparameters(self.config, family, data, seed))
        self.register_load_state_dict_pre_hook(rename_old_ema_keys)  # type: ignore[no-untyped-call]

    @final
    @torch.no_grad()
    def sample(self, count: int, condition: Condition | None = None, *, seed: int) -> Sample:
        """Generate samples in evaluation mode by the running average, where there is one.

        The same seed gives the same samples. Random states, modes and weights stay as they are.

        Args:
            count: number of samples.
            condition: inputs that are fixed; the others are drawn.
            seed: seed of the prior and of layers that draw random numbers.
        """
        with isolated_randomness(seed), ema_generator(self), evaluation_mode(self):
            return self.generate_from_prior(count, condition)

    @final
    def sample_across(self, latents: int, *, seed: int) -> Sample:
        """Generate samples of some latents in every class, by a GAN that takes labels.

        Args:
            latents: number of latents.
            seed: seed of the latents and of layers that draw random numbers.

        Returns:
            Sample of latents * classes rows, as `sample` generates them: the classes of the first
            latent, then those of the second, and so on.
        """
        classes = self.data.classes
        rng = torch.Generator(self.device)
        rng.manual_seed(seed)
        noise = self.prior(latents, rng).latent
        assert noise is not None
        assert classes is not None
        labels = torch.arange(classes, device=self.device).repeat(latents)
        condition = Condition(latent=noise.repeat_interleave(classes, 0), labels=labels)
        return self.sample(len(labels), condition, seed=seed)

    @final
    def preprocess_for_discriminator(self, real: Batch, fake: Sample) -> tuple[Batch, Sample]:
        """Augment what the discriminator is given, and add the instance noise of this update."""
        data = (real.data, fake.data)
        if self.ada is not None:
            data = self.ada(real.data), self.ada(fake.data)
        data = augment_and_add_noise(self.config.regularisation, self.updates, *data)
        if data[0] is real.data and data[1] is fake.data:
            return real, fake
        return real._replace(data=data[0]), replace(fake, data=data[1])

    @final
    def discriminator_terms(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the discriminator's loss terms together with the config's penalties.

        The scores enter LeCam's averages and the measure of adaptive augmentation.
        """
        config = self.config.regularisation
        with scores_computed_once(self) if config.uses_scores() else nullcontext():
            regularisers = penalties(
                config,
                self.updates,
                lambda data: self.discriminate(data, real.condition),
                real.data,
                fake.data,
                lambda data: self.discriminate(data, fake.condition),
            )
            terms = {**self.discriminator_loss(real, fake), **regularisers}
            if self.lecam is not None:
                fake_scores = self.discriminate(fake.data, fake.condition)
                real_scores = self.discriminate(real.data, real.condition)
                terms["lecam"] = self.lecam(self.updates, real_scores, fake_scores)
            if self.ada is not None:
                real_scores = self.discriminate(real.data, real.condition)
                self.ada.adjust(real_scores, len(real.data))
        return terms

    def log_update(self, images: int, terms: LossTerms) -> None:
        """Count an update, and log its loss terms, `logged_values` and the probability of ADA."""
        values = dict(self.logged_values())
        if self.ada is not None:
            values["augmentation/probability"] = self.ada.probability
        copies = {name: value.detach().clone() for name, value in values.items()}
        super().log_update(images, {**terms, **copies})

    def unrolled_weights(self, steps: int, loss_of: Callable[[Weights], Tensor]) -> Weights:
        """Return the weights of `self.discriminator` after further steps of its optimizer.

        Args:
            steps: number of steps, at least 0.
            loss_of: maps weights by name to the loss that the steps minimise, a scalar.

        Returns:
            Weights by name, with the graph of the steps; the discriminator and its optimizer are
            not changed.
        """
        optimizer, config = self.player_optimizers()[0].optimizer, self.config
        apply_schedules(optimizer, config.discriminator_optimizer, self.updates)
        trained = set(optimizer_parameters(optimizer))
        every = self.discriminator.named_parameters()
        weights = {name: weight for name, weight in every if weight in trained}
        clip_norm = config.discriminator_optimizer.clip_norm
        keep_graph = self.update_rule.is_second_order
        return unroll(weights, optimizer, loss_of, steps, clip_norm, keep_graph)

    @final
    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Train the rounds of a batch, of shape (rounds, minibatches, N, *shape), or a minibatch.

        Args:
            batch: rounds, or what a loader of minibatches yields, see `PlainTraining`.
            batch_idx: number of the batch.
        """
        torch.set_autocast_cache_enabled(True)  # Lightning disables it; each step clears it
        if isinstance(batch, Batch) and batch.data.ndim == len(self.data.shape) + 3:
            rank, world_size = self.global_rank, self.trainer.world_size
            for minibatches in batch.unbind():
                with synchronized_rng(self.seed, self.updates, rank, world_size, self.device):
                    train_round(self, minibatches.unbind())
        else:
            self.train_plain_minibatch(batch)
        self.count_steps()

    @final
    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Build the discriminator's and the generator's optimizer, in this order.

        Raises:
            ValueError: a gradient penalty has a weight, and the discriminator has batch norm.
        """
        config = self.config
        refuse_batch_norm_under_penalties(config.regularisation, self.discriminator_players())
        discriminator = trained_parameters(self.discriminator_players())
        generator = trained_parameters(self.generator_players())
        return [
            build_optimizer(discriminator, config.discriminator_optimizer, lambda: self.updates),
            build_optimizer(generator, config.generator_optimizer, lambda: self.updates),
        ]

    @final
    def player_optimizers(self) -> tuple[LightningOptimizer, LightningOptimizer]:
        """Return the discriminator's and the generator's optimizer of the present training."""
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        discriminator, generator = optimizers
        return discriminator, generator

    def on_train_start(self) -> None:
        """Count the updates of a loaded running average, and prepare CUDA graphs."""
        super().on_train_start()
        self.graphs = graphed_rounds(self) if self.cuda_graphs else None
        if self.ema is not None:
            self.ema.earlier = max(0, int(self.ema.n_averaged) - self.updates)

    def on_train_end(self) -> None:
        """Free the memory of CUDA graphs."""
        self.graphs = None

    def inference_network(self) -> nn.Module:
        """Return the generator, or its running average where there is one."""
        with ema_generator(self):
            return self.generator

    def networks_in_training(self) -> list[nn.Module]:
        """Return the modules of both players, each once."""
        players = {**self.discriminator_players(), **self.generator_players()}
        return list(dict.fromkeys(players.values()))
