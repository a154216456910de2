"""What a GAN variant implements, and the defaults that most variants share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.core.module import BaseModule
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.controls import Choice, Control
from gan_lightning.gans.update_rules import UpdateRule
from gan_lightning.losses import Objective
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["GANContract", "LossTerms"]

LossTerms = Mapping[str, Tensor]
"""Weighted loss terms of one player by name; scalars, which the base class sums."""


class GANContract(BaseModule):
    """The methods that a GAN variant may override; `GAN` trains what they define.

    A variant derives from `GAN`, declares a `Config` and overrides what its paper changes. It
    returns weighted, named loss terms and never touches an optimizer, a logger or a device.

    Attributes:
        update_rule: how both players step at the end of a round.
        objective: adversarial losses of both players, which the default losses apply to scores.
        generator: module that `generate` calls.
        discriminator: module that `discriminate` calls, where a variant does not override it.
        examples: sources (M, C, H, W) in [-1, 1] for `example_sources`; None without sources.
        has_discriminator: whether the discriminator is that of the training; False for a saved
            model, of which only the generator was kept.
    """

    Config: ClassVar[type[Any]] = GANConfig
    config: GANConfig
    update_rule: UpdateRule
    objective: Objective
    couples_classes: ClassVar[bool] = False
    """Whether one latent gives corresponding samples of all classes, which are shown together."""
    supports_partial_labels: ClassVar[bool] = False
    """Whether it can use a small labelled subset in addition to the unlabelled data."""
    generator: nn.Module
    discriminator: nn.Module
    examples: Tensor | None = None
    has_discriminator: bool = True

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the networks: by default a generator of noise and a discriminator of one score."""
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.discriminator = networks.discriminator(self.data.shape)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the modules that the discriminator's optimizer updates, by name."""
        return {"discriminator": self.discriminator}

    def generator_players(self) -> Mapping[str, nn.Module]:
        """Return the modules that the generator's optimizer updates, by name."""
        return {"generator": self.generator}

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the discriminator's weighted loss terms, to be minimised.

        Args:
            real: minibatch of real samples, (N, *shape).
            fake: as many generated samples, detached from the generator.

        Returns:
            Scalars by name; by default the objective's loss of the scores.
        """
        real_scores = self.discriminate(real.data, real.condition)
        fake_scores = self.discriminate(fake.data, fake.condition)
        return {"adversarial": self.objective.discriminator(real_scores, fake_scores)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the generator's weighted loss terms, to be minimised.

        The parameters of the discriminator's players are frozen.

        Args:
            real: minibatch of real samples, (N, *shape).
            fake: as many generated samples, with the generator's graph.

        Returns:
            Scalars by name; by default the objective's loss of the scores.
        """
        fake_scores = self.discriminate(fake.data, fake.condition)
        loss = self.objective.generator_loss(
            fake_scores, lambda: self.discriminate(real.data, real.condition)
        )
        return {"adversarial": loss}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the discriminator's scores, unbounded.

        Args:
            data: real or generated samples, (N, *shape).
            given: labels or sources that a conditional discriminator takes in addition.

        Returns:
            Shape (N,); (N / m,) where the networks pack m samples; (N P,) where the discriminator
            scores P patches of each sample.
        """
        scores: Tensor = self.discriminator(data)
        return scores

    def after_discriminator_step(self) -> None:
        """Run after each optimizer step of the discriminator, for example to clip weights."""

    def after_round(self, discriminator_terms: LossTerms, generator_terms: LossTerms) -> None:
        """Run after a round, without gradients, for example to adapt the weight of a loss term.

        What it changes belongs in a buffer, which checkpoints hold. The terms are those of this
        process; `all_reduce_mean` of a term is that of the global minibatch.

        Args:
            discriminator_terms: loss terms of the discriminator's last step.
            generator_terms: loss terms of the generator's last step.
        """

    def logged_values(self) -> Mapping[str, Tensor]:
        """Return scalars that are logged with the loss terms of a round, such as a changing weight.

        Returns:
            Scalars by metric, the same names after each round and equal in all processes.
        """
        return {}

    def estimate_divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the discriminator's estimates of the distance of two distributions, by metric.

        Args:
            real_scores: scores of real samples that it was not trained on, (N,).
            fake_scores: scores of generated samples, (M,).
        """
        return {}

    def methods_to_compile(self) -> tuple[str, ...]:
        """Return the losses of both players, which `trainer.compile` compiles whole.

        A variant leaves out a loss that differentiates, or that has numbers of Python that change,
        for which it would be compiled again. A regulariser that uses the discriminator's scores
        replaces `discriminate` in each step.
        """
        if self.config.regularisation.uses_scores():
            return ("generator_loss",)
        return ("discriminator_loss", "generator_loss")

    def reason_against_graphs(self) -> str:
        """Say why a round cannot be a CUDA graph, which repeats operations on the same tensors.

        A variant says it whose losses are other operations in some updates, or have Python's
        numbers that change, for example `self.updates`, or draw from generators of their own.

        Returns:
            A clause without a full stop; empty where a round can be captured.
        """
        return ""

    def condition_fields(self) -> tuple[str, ...]:
        """Return the fields of `Condition` that `generate` takes, by default the latent only.

        With `labels` a sample is generated for a class, with `source` from an image: evaluation,
        pictures and the playground then ask for classes, or translate the test data.
        """
        return ("latent",)

    def evaluators(self) -> tuple[str, ...]:
        """Return what is measured of this GAN, in addition to what the dataset measures of samples.

        Returns:
            Names of `gan_lightning.evaluation.GAN_EVALUATORS`, or import paths `module:Class`.
        """
        return ("divergence",) if self.data.shape == (1,) else ("duplicates", "divergence")

    def pictures(self) -> tuple[str, ...]:
        """Return what is drawn of this GAN, in addition to the pictures of its dataset.

        Returns:
            Names of `gan_lightning.callbacks.PICTURES`, or import paths `module:Class`.
        """
        return ()

    def controls(self, class_names: Sequence[str] = ()) -> tuple[Control, ...]:
        """Return the inputs that traversals vary and the playground shows: by default the class.

        Args:
            class_names: of the dataset; by default numbers.
        """
        classes = self.data.classes
        if "labels" not in self.condition_fields() or self.couples_classes or classes is None:
            return ()
        names = tuple(class_names) or tuple(map(str, range(classes)))
        return (Choice("labels", 0, "Class", names),)

    def example_sources(self, count: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw sources from `examples`, (count, C, H, W) in [-1, 1].

        Raises:
            ValueError: there are none.
        """
        if self.examples is None:
            raise ValueError("this GAN has no source to translate; pass one, or set `examples`")
        rows = torch.randint(len(self.examples), (count,), generator=rng, device=self.device)
        return self.examples[rows.to(self.examples.device)].to(self.device)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw all inputs of the generator.

        Args:
            count: number of samples.
            rng: random number generator; None for the global one.

        Returns:
            Condition with a latent of shape (count, latent_size) from the config's prior; a variant
            adds codes or labels.
        """
        size = (count, self.config.latent_size)
        if self.config.latent_prior == "normal":
            return Condition(latent=torch.randn(size, generator=rng, device=self.device))
        latent = torch.rand(size, generator=rng, device=self.device)
        if self.config.latent_prior == "uniform":
            latent.mul_(2).sub_(1)
        return Condition(latent=latent)

    def training_condition(self, real: Batch, rng: torch.Generator) -> Condition:
        """Return the generator's inputs for a minibatch in training, by default from the prior.

        The prior is drawn for the global minibatch; the result is the part of this process.
        """
        count, world_size = len(real.data), self.trainer.world_size
        if world_size == 1:
            return self.prior(count, rng)
        start = self.global_rank * count
        return self.prior(count * world_size, rng)[start : start + count]

    def generate(self, condition: Condition) -> Tensor:
        """Map a complete condition to samples of shape (N, *shape)."""
        assert condition.latent is not None
        data: Tensor = self.generator(condition.latent)
        return data

    def generate_from_prior(self, count: int, condition: Condition | None = None) -> Sample:
        """Generate samples from the prior, in the present mode and with the generator's graph.

        Args:
            count: number of samples.
            condition: inputs that are fixed; the others are drawn.
        """
        complete = self.prior(count).updated(condition)
        return Sample(self.generate(complete), complete)
