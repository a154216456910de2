"""Vector arithmetic of latents: a face with glasses, minus one without, plus a third face."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import CHUNK_SIZE, GANEvaluator
from gan_lightning.evaluation.faces import read_attributes
from gan_lightning.gans import GAN
from gan_lightning.types import Condition

__all__ = ["ArithmeticEvaluator", "ArithmeticTrials", "draw_trials"]

SAMPLES = 1000
"""Generated faces among which those with given values are searched."""

TRIALS = 500
"""Results of vector arithmetic that are read."""

EXEMPLARS = 3
"""Faces whose latents are averaged for a concept, as in the paper."""

LEAST_SHARE = 0.05
"""A value of an attribute that a smaller share of the generated faces has is not used."""

ATTEMPTS = 10
"""Draws for each trial, of which those count that have enough faces of each concept."""


@dataclass(frozen=True)
class ArithmeticTrials:
    """Sums of concepts: (added, other) - (removed, other) + (removed, kept) = (added, kept).

    A concept is a value of a first attribute with a value of a second one.

    Attributes:
        exemplars: rows of the faces of the three concepts, int64 (T, 3, EXEMPLARS).
        attributes: numbers of the first and the second attribute, int64 (T, 2).
        wanted: values of these attributes that the result should have, int64 (T, 2).
    """

    exemplars: Tensor
    attributes: Tensor
    wanted: Tensor

    def shown_by(self, values: Tensor) -> Tensor:
        """Return whether each face has the wanted values of each trial.

        Args:
            values: numbers of the values of all attributes, int64 (T, N, attributes): of N faces
                for each trial.

        Returns:
            Of the first attribute and of the second one, bool (T, N, 2).
        """
        columns = self.attributes[:, None].expand(-1, values.shape[1], -1)
        return values.gather(2, columns) == self.wanted[:, None]


class ArithmeticEvaluator(GANEvaluator):
    """Computes how often vector arithmetic of latents gives the face that it should give.

    The latents of three faces with glasses and red hair, for example, are averaged; the mean of
    three without glasses and with red hair is subtracted, and that of three without glasses and
    with black hair is added. The face of the result should have glasses and black hair. The shipped
    classifier reads the attributes of 1,000 generated faces, among which the concepts of 500 trials
    are searched, and those of the 500 results. The attributes and values of a trial are drawn at
    random: two attributes, and of each two values that at least 5 % of the generated faces have. A
    generator that has no trial, since it makes too few kinds of faces, scores 0.

    Args:
        gan: the model, whose attributes are measured if its generator takes the latent alone.
        data: its dataset, cartoon faces.
        shard: this process's part of the work, which every process does in full.

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), section 6.3.2, figure 7.
    Deviations: the paper shows three sums, of exemplars that people chose; here both are drawn, and
        a classifier reads the results. It also shows eight neighbours of each result. The results
        are compared in the two attributes of a trial only, since the mean faces of the paper are
        those of other people, too.

    If latents mean nothing, the sum of three means of three latents has the variance of a latent,
    and its face is a random one: accuracy is at the chance level.
    """

    uses_discriminator = False

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._shard = gan, shard

    def compute(self) -> dict[str, float]:
        """Return shares of the trials, in [0, 1], and their differences; empty for other GANs.

        Returns:
            `arithmetic/added` and `arithmetic/kept`, where the first and the second attribute have
            the wanted value; `arithmetic/accuracy`, where both have; `arithmetic/chance`, of random
            samples; `arithmetic/excess`, accuracy minus chance; `arithmetic/single_accuracy`, with
            one exemplar instead of the mean of three, and `arithmetic/gain_over_single`.
        """
        if self._gan.condition_fields() != ("latent",):
            return {}
        seed = derived_seed(self._gan.seed, "arithmetic")
        rng = torch.Generator(self._gan.device).manual_seed(seed)
        latents = self._gan.prior(SAMPLES, rng).latent
        assert latents is not None
        read = self._read(latents)
        trials = draw_trials(read, torch.Generator().manual_seed(seed))
        if trials is None:
            added = kept = accuracy = chance = single = 0.0
        else:
            exemplars = latents[trials.exemplars.to(latents.device)]
            shown = trials.shown_by(self._read(_sums(exemplars))[:, None]).double()
            added, kept = shown.mean((0, 1)).tolist()
            accuracy = shown.prod(2).mean().item()
            firsts = trials.shown_by(self._read(_sums(exemplars[:, :, :1]))[:, None])
            single = firsts.all(2).double().mean().item()
            random = trials.shown_by(read.expand(len(trials.wanted), -1, -1))
            chance = random.all(2).double().mean().item()
        return {
            "arithmetic/added": added,
            "arithmetic/kept": kept,
            "arithmetic/accuracy": accuracy,
            "arithmetic/chance": chance,
            "arithmetic/excess": accuracy - chance,
            "arithmetic/single_accuracy": single,
            "arithmetic/gain_over_single": accuracy - single,
        }

    def _read(self, latents: Tensor) -> Tensor:
        """Return the values of the attributes of the faces of latents, int64 (N, attributes)."""
        seed = derived_seed(self._gan.seed, "arithmetic", "layers")
        parts = self._shard.undivided().iterate(latents.split(CHUNK_SIZE))
        faces = (self._gan.sample(len(part), Condition(latent=part), seed=seed) for part in parts)
        return torch.cat([read_attributes(sample.data).cpu() for sample in faces])


def _sums(exemplars: Tensor) -> Tensor:
    """Return first - second + third mean, (T, D), of exemplars (T, 3, E, D)."""
    first, second, third = exemplars.mean(2).unbind(1)
    return first - second + third


def draw_trials(values: Tensor, rng: torch.Generator) -> ArithmeticTrials | None:
    """Draw trials of vector arithmetic among faces.

    Args:
        values: numbers of the values of each attribute, int64 (N, attributes), on the CPU.
        rng: random number generator.

    Returns:
        `TRIALS` of them, or those that were found in 10 times as many draws; None without any.
    """
    frequent = [_frequent_values(column) for column in values.unbind(1)]
    usable = [column for column, found in enumerate(frequent) if len(found) > 1]
    exemplars, attributes, wanted = [], [], []
    for _ in range(ATTEMPTS * TRIALS if len(usable) > 1 else 0):
        first, second = (usable[i] for i in _draw(len(usable), 2, rng))
        added, removed = frequent[first][_draw(len(frequent[first]), 2, rng)].tolist()
        kept, other = frequent[second][_draw(len(frequent[second]), 2, rng)].tolist()
        pairs = torch.tensor([[added, other], [removed, other], [removed, kept]])
        has = (values[:, [first, second]] == pairs[:, None]).all(2)
        if has.sum(1).min() < EXEMPLARS:
            continue
        faces = [rows.nonzero()[:, 0] for rows in has]
        exemplars.append(torch.stack([rows[_draw(len(rows), EXEMPLARS, rng)] for rows in faces]))
        attributes.append([first, second])
        wanted.append([added, kept])
        if len(wanted) == TRIALS:
            break
    if not wanted:
        return None
    return ArithmeticTrials(torch.stack(exemplars), torch.tensor(attributes), torch.tensor(wanted))


def _frequent_values(values: Tensor) -> Tensor:
    """Return the values that at least `LEAST_SHARE` of the faces have."""
    counts = torch.bincount(values)
    return (counts >= LEAST_SHARE * len(values)).nonzero()[:, 0]


def _draw(count: int, drawn: int, rng: torch.Generator) -> Tensor:
    """Draw different numbers below a count."""
    return torch.randperm(count, generator=rng)[:drawn]
