"""What is measured of a run to know its state, none of which the run logs.

All measures are those of the last weights, not of the running average, on samples of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning.classifiers.digits import shipped_digit_network
from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.game import discriminator_auc
from gan_lightning.gans import GAN
from gan_lightning.metrics.data_copying import data_copying_test
from gan_lightning.metrics.nearest_neighbour import k_nearest
from gan_lightning.metrics.wasserstein import exact_wasserstein
from gan_lightning.types import Batch, Sample

__all__ = ["Floor", "Point", "Truth", "World", "measure", "world_of"]

SAMPLES = 5000
"""Points whose modes are counted, and that the discriminator ranks."""

DIGITS = 500
"""Digits whose classes are counted, and that the discriminator ranks."""

TRANSPORTED = {True: 400, False: 1000}
"""Digits (True) and points of each side whose exact transport is computed."""

FLOOR_SETS = 8
CONFIDENT = 0.9
"""Probability of the classifier's class from which on an image counts as a digit."""

FEW = 1000
"""Number of training data up to which samples are tested for copies."""


@dataclass(frozen=True)
class Floor:
    """The distance of a perfect sampler, whose samples are other real data.

    Args:
        mean: mean of the distance.
        deviation: its standard deviation.
        quality: share of real data of high quality.
        masses: share of each mode or class in the training data.
    """

    mean: float
    deviation: float
    quality: float
    masses: list[float]


@dataclass(frozen=True)
class Point:
    """What the samples are like after an update.

    Args:
        update: generator updates made.
        distance: exact Wasserstein-1 distance to test data: of points in the plane, or of digits in
            the features of the shipped classifier; NaN where a sample is not finite.
        masses: share of samples nearest to each mode, or of each class; they sum to 1.
        quality: share of samples within three standard deviations of a mode, or of a class of
            which the classifier is sure.
        auc: probability that the discriminator scores test data above samples.
        spread: standard deviation of the samples over that of the data.
        near: share of samples nearer to training data than 95 % of test data; None with much data.
        copying: score of the data-copying test, far below 0 for copies; None with much data.
        training_auc: probability that the discriminator scores training data above samples; None
            with much data.
    """

    update: int
    distance: float
    masses: list[float]
    quality: float
    auc: float
    spread: float
    near: float | None = None
    copying: float | None = None
    training_auc: float | None = None


@dataclass(frozen=True)
class Truth:
    """Measures of a run, by which its state is defined.

    Args:
        floor: what a perfect sampler has.
        initial: before the first update.
        points: at six equal parts of the run, the last one at its end; fewer if it diverged.
        continued: in half as many updates more, at equal parts of them; fewer if it diverged.
        diverged_at: update in which a loss was not finite, up to the end of the run; or None.
        shows_digits: whether the data are digits, not points.
    """

    floor: Floor
    initial: Point
    points: list[Point] = field(default_factory=list)
    continued: list[Point] = field(default_factory=list)
    diverged_at: int | None = None
    shows_digits: bool = False


class World:
    """Data with a known distribution, of which samples are measured.

    Args:
        data: points in the plane, or digits.
    """

    def __init__(self, data: Any) -> None:
        self.data: BaseDataModule = data
        self.shows_digits = data.spec.is_image
        self.count = DIGITS if self.shows_digits else SAMPLES
        test = data.test_data()
        rows = torch.randperm(len(test.data), generator=torch.Generator().manual_seed(1))
        self.test = test.data[rows]
        self._transported = TRANSPORTED[self.shows_digits]
        self._real = self.embed(self.test[: self._transported])
        self.centres, self.radius = _modes(data)
        train = data.used_data()[0]
        self.few = self._training_samples(FEW) if len(train) <= FEW else None
        self.floor = self._measure_floor()

    def embed(self, samples: Tensor) -> Tensor:
        """Return the vectors (N, D) whose distances are compared."""
        return self._of_digits(samples) if self.shows_digits else samples

    def distance(self, vectors: Tensor) -> float:
        """Return the exact Wasserstein-1 distance of the first vectors to test data."""
        return exact_wasserstein(vectors[: self._transported], self._real).item()

    def masses(self, vectors: Tensor) -> tuple[list[float], float]:
        """Return the share of each mode or class, and the share of samples of high quality."""
        if self.shows_digits:
            sure, modes = shipped_digit_network().head(vectors).softmax(1).max(1)
            good, count = sure >= CONFIDENT, 10
        else:
            distances, modes = torch.cdist(vectors, self.centres).min(1)
            good, count = distances < self.radius, len(self.centres)
        shares = torch.bincount(modes, minlength=count) / len(vectors)
        return [round(share, 4) for share in shares.tolist()], good.double().mean().item()

    @torch.no_grad()
    def _of_digits(self, images: Tensor) -> Tensor:
        network = shipped_digit_network()
        return torch.cat([network.features(part) for part in images.float().split(125)])

    def _measure_floor(self) -> Floor:
        count = self._transported
        rest = self.embed(self.test[count : count * (1 + FLOOR_SETS)])
        sets = rest.split(count)
        distances = torch.tensor([self.distance(each) for each in sets])
        train = self._training_samples(self.count)
        masses = self.masses(self.embed(train))[0]
        quality = self.masses(rest)[1]
        return Floor(distances.mean().item(), distances.std().item(), quality, masses)

    def _training_samples(self, count: int) -> Tensor:
        """Return the first training data that are used, as the networks see them."""
        train = self.data.used_data()[0]
        rows = train[torch.arange(min(count, len(train)))]
        return to_float_nchw(rows) if self.shows_digits else rows

    def copying(self, samples: Tensor) -> tuple[float | None, float | None]:
        """Return `near` and the score of the data-copying test, of pixels or coordinates."""
        if self.few is None:
            return None, None
        queries = torch.cat([samples[:DIGITS], self.test[:DIGITS]]).flatten(1)
        nearest = k_nearest(queries, iter([self.few.flatten(1)]), 1)[0][:, 0]
        result = data_copying_test(nearest[:DIGITS], nearest[DIGITS:])
        return round(result.near, 4), round(result.score, 2)


WORLDS: dict[str, World] = {}
"""Worlds by the config of their data, since the floor of each takes seconds."""


def world_of(data: Any) -> World:
    """Return the world of a data module, the same one for equal data."""
    key = repr(replace(data.config, batch_size=1))
    if key not in WORLDS:
        WORLDS[key] = World(data)
    return WORLDS[key]


def _swissroll_centres(scale: float) -> Tensor:
    """Return points along the spiral of the Swiss roll, (10, 2), at equal steps of the angle."""
    angle = 1.5 * torch.pi * (1 + 2 * (torch.arange(10) + 0.5) / 10)
    return torch.stack([angle * angle.cos(), angle * angle.sin()], 1) / scale


def _modes(data: Any) -> tuple[Tensor, float]:
    """Return the centres of modes and the radius of high quality; none for digits."""
    if data.spec.is_image:
        return torch.empty(0, 2), 0.0
    if hasattr(data, "centres"):
        return data.centres, 3 * data.standard_deviation
    return _swissroll_centres(data.config.scale), 2.5 / data.config.scale


@torch.no_grad()
def measure(gan: GAN, world: World) -> Point:
    """Measure the last weights of a GAN, without any effect on training."""
    seed = derived_seed(gan.seed, "diagnosis corpus")
    with isolated_randomness(seed), evaluation_mode(gan):
        sample = gan.generate_from_prior(world.count)
        data = sample.data.float()
        real = Batch(world.test[: world.count])
        fake = Sample(data, sample.condition)
        auc, training_auc = discriminator_auc(gan, real, fake), None
        if world.few is not None:
            training_auc = discriminator_auc(gan, Batch(world.few), fake)
    if not data.isfinite().all():
        nan = float("nan")
        return Point(gan.updates, nan, [], 0.0, auc, nan)
    vectors = world.embed(data)
    masses, quality = world.masses(vectors)
    spread = (data.std(0).norm() / world.test.std(0).norm()).item()
    near, copying = world.copying(data)
    distance = world.distance(vectors)
    return Point(gan.updates, distance, masses, quality, auc, spread, near, copying, training_auc)
