"""Two-dimensional worlds on which theory is visible."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import DataConfig, IndexedData
from gan_lightning.types import Batch, DataSpec

__all__ = ["Grid", "GridConfig", "Ring", "RingConfig", "SwissRoll", "SwissRollConfig"]

TEST_POINTS = 10_000


@dataclass
class PointsConfig(DataConfig):
    """Points drawn once and held."""

    batch_size: int = 100
    # number of training points
    points: int = 100_000
    # of the draw of the points
    data_seed: int = 0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        _at_least_one("points", self.points)


@dataclass
class RingConfig(PointsConfig):
    """Gaussians on a circle; PacGAN's values."""

    modes: int = 8
    radius: float = 1.0
    standard_deviation: float = 0.01

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        _at_least_one("modes", self.modes)
        _positive("radius", self.radius)
        _positive("standard_deviation", self.standard_deviation)


@dataclass
class GridConfig(PointsConfig):
    """Gaussians on a square grid; PacGAN's values."""

    # modes along one side
    side: int = 5
    # distance between neighbours
    spacing: float = 2.0
    standard_deviation: float = 0.05

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        _at_least_one("side", self.side)
        _positive("spacing", self.spacing)
        _positive("standard_deviation", self.standard_deviation)


@dataclass
class SwissRollConfig(PointsConfig):
    """A spiral; WGAN-GP's values."""

    # of the noise around the spiral, before scaling
    noise: float = 0.25
    # the spiral is divided by this number
    scale: float = 7.5

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        _positive("scale", self.scale)
        if self.noise < 0:
            raise ValueError(f"noise is {self.noise}; it must be at least 0")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")


def _positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} is {value}; it must be positive")


class Points(IndexedData):
    """Points (N, 2), drawn once from a known distribution."""

    spec = DataSpec((2,))
    config: PointsConfig

    @abstractmethod
    def draw(self, count: int, rng: torch.Generator) -> Batch:
        """Draw points, shape (count, 2), with their modes as labels where there are modes."""

    def training_data(self) -> tuple[Tensor, Tensor | None]:
        """Return the points (points, 2), and labels (points,) where there are modes."""
        drawn = self._draw("train", self.config.points)
        return drawn.data, drawn.labels

    def test_data(self) -> Batch:
        """Return other points of the same distribution, (10000, 2)."""
        return self._draw("test", TEST_POINTS)

    def _draw(self, part: str, count: int) -> Batch:
        rng = torch.Generator().manual_seed(derived_seed(self.config.data_seed, "points", part))
        return self.draw(count, rng)


class GaussianMixture(Points):
    """Equally likely Gaussians of one width; a point's class is its Gaussian.

    Attributes:
        centres: (M, 2), the modes.
        standard_deviation: of each mode, in both directions.
    """

    centres: Tensor

    def __init__(self, config: RingConfig | GridConfig) -> None:
        super().__init__(config)
        self.standard_deviation = config.standard_deviation
        self.centres = self.place()
        self.spec = DataSpec((2,), classes=len(self.centres))

    @abstractmethod
    def place(self) -> Tensor:
        """Return the centres, (M, 2)."""

    def draw(self, count: int, rng: torch.Generator) -> Batch:
        """Draw points, shape (count, 2), and their modes."""
        modes = torch.randint(len(self.centres), (count,), generator=rng)
        noise = torch.randn(count, 2, generator=rng)
        return Batch(self.centres[modes] + self.standard_deviation * noise, modes)


class Ring(GaussianMixture):
    """Gaussians at equal angles on a circle, the first at angle 0; all centres are distinct.

    Source: Metz et al. 2017 (arXiv:1611.02163), appendix A; values of Lin et al. 2018
        (arXiv:1712.04086) and their code.
    """

    Config: ClassVar[type[Any]] = RingConfig
    config: RingConfig

    def place(self) -> Tensor:
        """Return the centres, (modes, 2)."""
        angles = torch.arange(self.config.modes) * (2 * math.pi / self.config.modes)
        return self.config.radius * torch.stack([angles.cos(), angles.sin()], dim=1)


class Grid(GaussianMixture):
    """Gaussians on a square grid around the origin.

    Source: Srivastava et al. 2017 (arXiv:1705.07761); values of Lin et al. 2018
        (arXiv:1712.04086) and their code.
    """

    Config: ClassVar[type[Any]] = GridConfig
    config: GridConfig

    def place(self) -> Tensor:
        """Return the centres, (side^2, 2)."""
        config = self.config
        line = (torch.arange(config.side) - (config.side - 1) / 2) * config.spacing
        return torch.cartesian_prod(line, line)


class SwissRoll(Points):
    """A spiral of one and a half turns in the plane; it has no modes.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), section 3.1 and its code.
    """

    Config: ClassVar[type[Any]] = SwissRollConfig
    config: SwissRollConfig

    def draw(self, count: int, rng: torch.Generator) -> Batch:
        """Draw points, shape (count, 2)."""
        angle = 1.5 * math.pi * (1 + 2 * torch.rand(count, generator=rng))
        spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1)
        noise = self.config.noise * torch.randn(count, 2, generator=rng)
        return Batch((spiral + noise) / self.config.scale)
