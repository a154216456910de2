"""Images that a generator draws while they are evaluated: of a run, or of an exported file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.errors import UserError
from gan_lightning.export import load_generator
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.inference.image_sources import (
    Chunk,
    ImageSource,
    Shape,
    converted,
)
from gan_lightning.inference.loading import load_gan
from gan_lightning.metrics.path_length import path_lengths

__all__ = ["ExportedSource", "GeneratedSource", "RunSource"]

CHUNK_SIZE = 500
"""Samples drawn at a time; their seeds depend on it, as those of `gan-lightning sample`."""

MAX_SAMPLES = 50_000


class GeneratedSource(ImageSource):
    """Samples of a generator, drawn anew whenever they are read, from seeds of their rows."""

    def __len__(self) -> int:
        """Return the largest number of samples."""
        return MAX_SAMPLES

    @abstractmethod
    def _draw(self, start: int) -> Tensor:
        """Draw the samples from row `start` on, (CHUNK_SIZE, C, H, W) in [-1, 1]."""

    @abstractmethod
    def function(self) -> GeneratorFunction:
        """Return the generator as a function of named inputs."""

    def read(self, rows: Tensor, shape: Shape) -> Iterator[Chunk]:
        """Yield the samples of rows."""
        chunks = rows // CHUNK_SIZE
        for chunk in chunks.unique().tolist():
            start = chunk * CHUNK_SIZE
            part = rows[chunks == chunk]
            images = to_uint8_nhwc(self._draw(start)[part - start]).cpu()
            yield Chunk(part, converted(images, shape))

    @torch.no_grad()
    def path_lengths(self, features: Callable[[Tensor], Tensor], count: int) -> Tensor | None:
        """Compute the perceptual lengths of paths between latents.

        Labels and codes stay the same along a path.

        Args:
            features: of images (N, C, H, W) in [-1, 1].
            count: number of paths.

        Returns:
            (count,), float64; None for generators without a latent.
        """
        function = self.function()
        if "latent" not in function.inputs:
            return None
        spherical = "standard normal" in function.describe_input("latent")
        parts = []
        for start in range(0, count, CHUNK_SIZE):
            size = min(CHUNK_SIZE, count - start)
            inputs = function.sample_inputs(2 * size, seed=start)
            first, second = inputs.pop("latent").split(size)
            fixed = {name: value[:size] for name, value in inputs.items()}
            at = torch.rand(size, generator=torch.Generator().manual_seed(start))

            def generate(latent: Tensor, fixed: dict[str, Tensor] = fixed) -> Tensor:
                images: Tensor = function(latent=latent, **fixed)
                return images * 2 - 1

            parts.append(path_lengths(generate, features, first, second, at, spherical))
        return torch.cat(parts)


class ExportedSource(GeneratedSource):
    """Samples of a file that `gan-lightning export --format safetensors` wrote.

    Args:
        path: of the file.

    Raises:
        UserError: it is no such file, or its generator draws points or translates images.
    """

    kind = "generator file"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._function = load_generator(path)
        if not self._function.is_image or "source" in self._function.inputs:
            raise UserError(
                f"{path} draws points or translates images; --samples needs a generator of images"
            )

    @cached_property
    def shape(self) -> tuple[int, int] | None:
        """Size and channels of the samples; None where they are not square."""
        return _square(self._draw(0)[:1])

    def function(self) -> GeneratorFunction:
        """Return the generator as a function of named inputs."""
        return self._function

    @torch.no_grad()
    def _draw(self, start: int) -> Tensor:
        inputs = self._function.sample_inputs(CHUNK_SIZE, seed=start)
        images: Tensor = self._function(**inputs)
        return images * 2 - 1


class RunSource(GeneratedSource):
    """Samples of a run's model, those that `gan-lightning sample RUN` writes.

    Args:
        run: run directory, or an experiment's name for its latest run.
        checkpoint: `latest` or `best`.

    Raises:
        UserError: there is no such run, or its model draws points or translates images.
    """

    kind = "run"

    def __init__(self, run: str, checkpoint: str = "latest") -> None:
        super().__init__(run)
        self._checkpoint = checkpoint
        self._gan, _, _ = load_gan(run, checkpoint, needs_data=False)
        if not self._gan.data.is_image or self._gan.data.source_shape is not None:
            raise UserError(
                f"run {run!r} draws points or translates images; --samples needs a generator of "
                f"images"
            )

    @property
    def shape(self) -> tuple[int, int] | None:
        """Size and channels of the samples; None where they are not square."""
        channels, height, width = self._gan.data.shape
        return (height, channels) if height == width else None

    def function(self) -> GeneratorFunction:
        """Return the generator as a function of named inputs, of weights that are read again."""
        gan, _, _ = load_gan(self.name, self._checkpoint, needs_data=False)
        return GeneratorFunction(gan)

    def _draw(self, start: int) -> Tensor:
        return self._gan.sample(CHUNK_SIZE, seed=start).data


def _square(images: Tensor) -> tuple[int, int] | None:
    """Return size and channels of square images (N, C, H, W), else None."""
    _, channels, height, width = images.shape
    return (height, channels) if height == width else None
