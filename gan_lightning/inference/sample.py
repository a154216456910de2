"""Generate samples with the model of a run, and write them to a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks.figures import Array, image_grid, to_uint8
from gan_lightning.callbacks.labelled_grids import COLUMNS, class_grid
from gan_lightning.callbacks.scatter import draw_scatter
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.inference.loading import check_range, check_seed, check_suffix, load_gan
from gan_lightning.utils.files import write_output

__all__ = ["Samples", "generate_samples", "write_samples"]

CHUNK = 500
"""Samples that are generated at a time."""

REAL_POINTS = 2500
"""Real points that a picture shows behind generated ones."""


@dataclass(frozen=True, repr=False)
class Samples:
    """Generated samples as arrays of numpy; a notebook shows their picture.

    Args:
        title: of the picture.
        images: uint8 (N, H, W, C), or None.
        points: float32 (N, D), or None.
        labels: classes, int64 (N,), or None.
        codes: categorical and continuous codes, float32 (N, codes), or None.
        sources: images that were translated, uint8 (N, H, W, C), or None.
        real_points: real points (M, D) that the picture shows behind generated ones, or None.
        class_names: of the classes that the generator takes; empty if it takes none.
    """

    title: str
    images: Array | None = None
    points: np.ndarray[Any, Any] | None = None
    labels: np.ndarray[Any, Any] | None = None
    codes: np.ndarray[Any, Any] | None = None
    sources: Array | None = None
    real_points: Tensor | None = None
    class_names: Sequence[str] = ()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(next(iter(self.arrays().values())))

    def __repr__(self) -> str:
        """Return the title and the shape of each array."""
        shapes = [f"{name} {array.dtype} {array.shape}" for name, array in self.arrays().items()]
        return f"{self.title}: {', '.join(shapes)}"

    def _repr_png_(self) -> bytes | None:
        """Return the picture for notebooks; None for scalars."""
        picture = self.picture()
        if picture is None:
            return None
        content = io.BytesIO()
        picture.save(content, "png")
        return content.getvalue()

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays by name, as a file `.npz` has them."""
        names = ("images", "points", "sources", "labels", "codes")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def picture(self) -> Image.Image | None:
        """Draw a grid of the images, or a scatter plot of the points; None for scalars.

        Images of up to ten classes are arranged by class.
        """
        if self.images is not None:
            images = torch.from_numpy(self.images).movedim(-1, 1).float().div(127.5).sub(1)
            if self.labels is None or not 0 < len(self.class_names) <= COLUMNS:
                return Image.fromarray(image_grid(images))
            labels, names = torch.from_numpy(self.labels), self.class_names
            return Image.fromarray(class_grid(images, labels, len(names), names))
        if self.real_points is None:
            return None
        points = torch.from_numpy(self.points)
        return Image.fromarray(draw_scatter(self.real_points, points, self.title))

    def save(self, path: Path | str) -> None:
        """Write the arrays as `.npz`, or the picture as `.png`.

        Raises:
            UserError: the suffix is another one, scalars have no picture, or the file cannot be
                written.
        """
        path = Path(path)
        check_suffix(path, (".npz", ".png"))
        if path.suffix == ".npz":
            arrays = self.arrays()
            write_output(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
            return
        picture = self.picture()
        if picture is None:
            raise UserError(f"{path} cannot show scalars, which have no picture; write a .npz file")
        write_output(path, lambda file: picture.save(file, "png"))


def generate_samples(run: str, count: int, seed: int, checkpoint: str = "latest") -> Samples:
    """Generate samples with a run's model.

    Args:
        run: run directory, or an experiment's name for its latest run.
        count: number of samples, at least 1.
        seed: of the samples, in [0, 2^32).
        checkpoint: `latest` or `best`.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, or the
            model is no GAN.
    """
    check_range("--count", count, 1)
    check_seed(seed)
    gan, data, _ = load_gan(run, checkpoint, needs_data=False)
    has_plane = data.spec.shape == (2,)
    real = data.test_data().data[:REAL_POINTS] if has_plane else None
    names = data.class_names or [str(index) for index in range(gan.data.classes or 0)]
    return Samples(
        f"{count} samples of {run}",
        real_points=real,
        class_names=names,
        **_generate(gan, count, seed),
    )


def write_samples(
    run: str, count: int, seed: int, output: Path, checkpoint: str = "latest"
) -> None:
    """Generate samples with a run's model, and write them as `.npz` or `.png`.

    Args:
        run: run directory, or an experiment's name for its latest run.
        count: number of samples, at least 1.
        seed: of the samples, in [0, 2^32).
        output: `.npz` for arrays, `.png` for a picture.
        checkpoint: `latest` or `best`.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, the model
            is no GAN, or the file cannot be written.
    """
    check_range("--count", count, 1)
    check_seed(seed)
    check_suffix(output, (".npz", ".png"))
    generate_samples(run, count, seed, checkpoint).save(output)


def _generate(gan: GAN, count: int, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Generate samples in chunks.

    Chunks have a fixed size, so that sample i of a seed does not depend on `count`.

    Returns:
        images: uint8 (N, H, W, C); or points: float32 (N, D).
        sources: source images of a translation, uint8 (N, H, W, C).
        labels: classes, int64 (N,).
        codes: categorical and continuous codes, float32 (N, codes).
    """
    chunks = [gan.sample(CHUNK, seed=seed * 1_000_003 + start) for start in range(0, count, CHUNK)]
    data = torch.cat([chunk.data for chunk in chunks])[:count]
    conditions = [chunk.condition.parts() for chunk in chunks]
    parts = {
        name: torch.cat([condition[name] for condition in conditions])[:count]
        for name in conditions[0]
    }
    arrays: dict[str, np.ndarray[Any, Any]] = (
        {"images": to_uint8(data)} if data.ndim == 4 else {"points": data.float().cpu().numpy()}
    )
    if "source" in parts:
        arrays["sources"] = to_uint8(parts["source"])
    if "labels" in parts:
        arrays["labels"] = parts["labels"].cpu().numpy()
    codes = [parts[name].float() for name in ("categorical", "continuous") if name in parts]
    if codes:
        arrays["codes"] = torch.cat(codes, 1).cpu().numpy()
    return arrays
