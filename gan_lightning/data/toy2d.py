"""Two-dimensional toy datasets whose distribution is known."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import BaseDataModule, DataConfig
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["Grid", "GridConfig", "Ring", "RingConfig", "SwissRoll", "SwissRollConfig"]

TEST_POINTS = 10_000


@dataclass
class PointsConfig(DataConfig):
    """Points that are sampled once."""

    batch_size: int = 100
    points: int = setting(100_000, "Number of training points.", minimum=1)
    data_seed: int = setting(0, "Seed of the points.")


@dataclass
class RingConfig(PointsConfig):
    """Gaussians on a circle; PacGAN's values."""

    modes: int = setting(8, "Number of Gaussians.", minimum=1)
    radius: float = setting(1.0, "Radius of the circle.", above=0)
    standard_deviation: float = setting(
        0.01, "Standard deviation of each Gaussian, in both directions.", above=0
    )


@dataclass
class GridConfig(PointsConfig):
    """Gaussians on a square grid; PacGAN's values."""

    side: int = setting(5, "Gaussians along one side of the grid.", minimum=1)
    spacing: float = setting(2.0, "Distance between neighbouring means.", above=0)
    standard_deviation: float = setting(
        0.05, "Standard deviation of each Gaussian, in both directions.", above=0
    )


@dataclass
class SwissRollConfig(PointsConfig):
    """A spiral; WGAN-GP's values."""

    noise: float = setting(
        0.25, "Standard deviation of the noise around the spiral, before scaling.", minimum=0
    )
    scale: float = setting(7.5, "Divisor of the coordinates.", above=0)


class Points(BaseDataModule):
    """Points (N, 2), sampled once from a known distribution."""

    spec = DataSpec((2,))
    config: PointsConfig

    @abstractmethod
    def sample_points(self, count: int, rng: torch.Generator) -> Batch:
        """Sample points (count, 2), with their modes as labels where there are modes."""

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the exact Wasserstein distance."""
        return ("wasserstein",)

    def training_data(self) -> tuple[Tensor, Tensor | None]:
        """Return the points (points, 2) and their modes (points,), or None without modes."""
        points = self._sample_part("train", self.config.points)
        return points.data, points.labels

    def test_data(self) -> Batch:
        """Return other samples of the same distribution, (10000, 2)."""
        return self._sample_part("test", TEST_POINTS)

    def _sample_part(self, part: str, count: int) -> Batch:
        rng = torch.Generator().manual_seed(derived_seed(self.config.data_seed, "points", part))
        return self.sample_points(count, rng)


class GaussianMixture(Points):
    """Equally likely Gaussians of one standard deviation; the class of a point is its Gaussian.

    Attributes:
        centres: means of the Gaussians, (M, 2).
        standard_deviation: standard deviation of each Gaussian, in both directions.
    """

    centres: Tensor

    def __init__(self, config: RingConfig | GridConfig) -> None:
        super().__init__(config)
        self.standard_deviation = config.standard_deviation
        self.centres = self.mode_centres()
        self.spec = DataSpec((2,), classes=len(self.centres))

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the coverage of the modes, and the exact Wasserstein distance."""
        return ("modes",)

    @abstractmethod
    def mode_centres(self) -> Tensor:
        """Return the means of the Gaussians, (M, 2)."""

    def sample_points(self, count: int, rng: torch.Generator) -> Batch:
        """Sample points (count, 2) and their modes (count,)."""
        modes = torch.randint(len(self.centres), (count,), generator=rng)
        noise = torch.randn(count, 2, generator=rng)
        return Batch(self.centres[modes] + self.standard_deviation * noise, modes)


class Ring(GaussianMixture):
    """Gaussians at equal angles on a circle, the first at angle 0.

    Source: Metz et al. 2017 (arXiv:1611.02163), appendix A; values of Lin et al. 2018
        (arXiv:1712.04086) and their code.
    """

    Config: ClassVar[type[Any]] = RingConfig
    config: RingConfig

    def mode_centres(self) -> Tensor:
        """Return the means of the Gaussians, (modes, 2)."""
        angles = torch.arange(self.config.modes) * (2 * math.pi / self.config.modes)
        return self.config.radius * torch.stack([angles.cos(), angles.sin()], dim=1)


class Grid(GaussianMixture):
    """Gaussians on a square grid around the origin.

    Source: Srivastava et al. 2017 (arXiv:1705.07761); values of Lin et al. 2018
        (arXiv:1712.04086) and their code.
    """

    Config: ClassVar[type[Any]] = GridConfig
    config: GridConfig

    def mode_centres(self) -> Tensor:
        """Return the means of the Gaussians, (side^2, 2)."""
        config = self.config
        line = (torch.arange(config.side) - (config.side - 1) / 2) * config.spacing
        return torch.cartesian_prod(line, line)


class SwissRoll(Points):
    """A spiral of one and a half turns in the plane; it has no modes.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), section 3.1 and its code.
    """

    Config: ClassVar[type[Any]] = SwissRollConfig
    config: SwissRollConfig

    def sample_points(self, count: int, rng: torch.Generator) -> Batch:
        """Sample points (count, 2)."""
        angle = 1.5 * math.pi * (1 + 2 * torch.rand(count, generator=rng))
        spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1)
        noise = self.config.noise * torch.randn(count, 2, generator=rng)
        return Batch((spiral + noise) / self.config.scale)
