"""What a generator does, as the frames of a loop."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks.figures import Array, image_grid
from gan_lightning.callbacks.scatter import axis_limit
from gan_lightning.data import BaseDataModule
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.gans.controls import Choice, Slider
from gan_lightning.play.latents import interpolate
from gan_lightning.play.scatter import ScatterPlot
from gan_lightning.types import Condition

__all__ = ["as_webp", "caption", "frames"]

COLUMNS, ROWS = 10, 4
"""Images of a frame; with classes, each column has its own."""

STATIONS, STEPS = 3, 12
"""Latents that the loop passes through, and frames between two of them."""

POINTS = 400
SOURCES = 10
SECONDS = 0.08
"""Duration of a frame."""


def frames(gan: GAN, data: BaseDataModule, seed: int = 0) -> list[Array]:
    """Generate the frames of a loop.

    The latents move through three draws of the prior and back. Where the generator has continuous
    codes, the first one moves to and fro instead, and the latents stay. Of a model that translates
    there is one frame: sources above their translations.

    Args:
        gan: the model.
        data: its data, of which it needs no more than a saved model has.
        seed: of the latents.

    Returns:
        Pictures, uint8 (H, W, C).

    Raises:
        UserError: it generates neither images nor points of a plane.
    """
    if not data.spec.is_image and data.spec.shape != (2,):
        raise UserError(
            f"there is no picture of samples of shape {data.spec.shape}; choose a model of images "
            f"or of points of a plane"
        )
    if "source" in gan.condition_fields():
        sources = data.test_data().source
        assert sources is not None
        sources = sources[:SOURCES].to(gan.device)
        translated = gan.sample(len(sources), Condition(source=sources), seed=seed).data
        return [image_grid(torch.cat([sources.cpu(), translated.cpu()]), len(sources))]
    count = POINTS if not data.spec.is_image else COLUMNS * ROWS
    if gan.couples_classes and data.spec.is_image:
        return _coupled_frames(gan, seed)
    path = _path(gan, count, seed)
    fixed = _fixed_parts(gan, count, seed)
    code = next((c for c in gan.controls() if isinstance(c, Slider)), None)
    generated = []
    for number, latents in enumerate(path):
        parts = {**fixed, "latent": latents}
        if code is not None and "continuous" in fixed:
            phase = torch.tensor(2 * torch.pi * number / len(path))
            parts["latent"] = path[0]
            parts["continuous"] = fixed["continuous"].clone()
            parts["continuous"][:, code.index] = code.limit * phase.sin()
        generated.append(gan.sample(count, Condition(**parts), seed=seed).data.cpu())
    if data.spec.is_image:
        return [image_grid(images, COLUMNS) for images in generated]
    real = data.test_data().data
    plot = ScatterPlot(real, axis_limit(real if len(real) else generated[0]))
    return [plot.draw(points, points[:0], points[:0]) for points in generated]


def caption(gan: GAN, data: BaseDataModule) -> str:
    """Say in a clause what moves in `frames`, and what the columns are."""
    fields = gan.condition_fields()
    if "source" in fields:
        return "sources, and their translations below"
    if not data.spec.is_image:
        return "the latents move; real points are grey"
    columns = ""
    if gan.couples_classes:
        columns = f"; two rows each are {' and '.join(data.class_names)}"
    elif "labels" in fields:
        columns = "; a column for each class"
    elif "categorical" in fields:
        columns = "; a column for each category of the code"
    moving = "the first continuous code changes" if "continuous" in fields else "the latents move"
    return moving + columns


def as_webp(pictures: Sequence[Array]) -> bytes:
    """Write frames as an animated WebP that repeats for ever; a single one as a still picture."""
    images = [Image.fromarray(picture) for picture in pictures]
    content = io.BytesIO()
    images[0].save(
        content,
        "webp",
        save_all=len(images) > 1,
        append_images=images[1:],
        duration=round(1000 * SECONDS),
        loop=0,
        quality=80,
    )
    return content.getvalue()


def _path(gan: GAN, count: int, seed: int) -> list[Tensor]:
    """Return latents (count, D) for each frame of the loop."""
    rng = torch.Generator(gan.device).manual_seed(seed)
    latents = [gan.prior(count, rng).latent for _ in range(STATIONS)]
    fractions = torch.arange(STEPS, device=gan.device) / STEPS
    path = []
    for start, end in zip(latents, latents[1:] + latents[:1], strict=True):
        assert start is not None
        assert end is not None
        rows = [
            interpolate(one, other, fractions, gan.config.latent_prior)
            for one, other in zip(start, end, strict=True)
        ]
        path += list(torch.stack(rows, 1))
    return path


def _fixed_parts(gan: GAN, count: int, seed: int) -> dict[str, Tensor]:
    """Return the inputs that stay: a class or a category for each column, other codes at rest."""
    rng = torch.Generator(gan.device).manual_seed(seed)
    parts = {name: part for name, part in gan.prior(count, rng).parts().items() if part.numel()}
    parts.pop("latent", None)
    columns = torch.arange(count, device=gan.device) % COLUMNS
    if "labels" in parts and gan.data.classes is not None:
        parts["labels"] = columns % gan.data.classes
    if "categorical" in parts:
        sizes = [len(c.options) for c in gan.controls() if isinstance(c, Choice)]
        parts["categorical"] = parts["categorical"].clone()
        parts["categorical"][:, 0] = columns % sizes[0]
    if "continuous" in parts:
        parts["continuous"] = torch.zeros_like(parts["continuous"])
    return parts


def _coupled_frames(gan: GAN, seed: int) -> list[Array]:
    """Return frames with both domains of each latent in one column, two pairs below each other."""
    classes = gan.data.classes or 1
    rows = max(1, ROWS // classes)
    generated = []
    for latents in _path(gan, COLUMNS * rows, seed):
        grid = [
            gan.sample(
                COLUMNS,
                Condition(latent=row, labels=torch.full((COLUMNS,), domain, device=gan.device)),
                seed=seed,
            ).data.cpu()
            for row in latents.split(COLUMNS)
            for domain in range(classes)
        ]
        generated.append(image_grid(torch.cat(grid), COLUMNS))
    return generated
