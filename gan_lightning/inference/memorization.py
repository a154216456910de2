"""A run's samples beside their nearest training data, and whether they are copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks.figures import Array, render_figure, to_uint8
from gan_lightning.classifiers.digits import shipped_digit_network
from gan_lightning.data import MNIST, IndexableData, IndexedData
from gan_lightning.data.base import to_float_nchw
from gan_lightning.errors import UserError, check_choice
from gan_lightning.gans import GAN
from gan_lightning.metrics.data_copying import Copying, copying
from gan_lightning.metrics.nearest_neighbour import nearest
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.utils.files import write_output

__all__ = ["write_neighbours"]

HELD_AGAINST = 1_000
"""Samples, and test data at most, whose distances to the training data are compared."""

CHUNK = 500
"""Training data looked at at a time."""

MOST = 100
BEHIND = 2_500
"""Training points, at most, drawn behind the nearest ones."""

CLEAR = 3.0
"""Standard deviations of a score from which on it says something."""

SPACES = ("pixels", "features")

Look = Callable[[Tensor], Tensor]
"""Data as networks see them, (N, *shape), to what distances are of, (N, D)."""


def write_neighbours(
    run: str,
    count: int,
    kept: int,
    space: str,
    seed: int,
    output: Path,
    checkpoint: str = "latest",
) -> list[str]:
    """Draw samples of a run beside their nearest training data, and hold them against test data.

    Args:
        run: folder, or an experiment's name.
        count: samples in the picture.
        kept: nearest training data of each.
        space: pixels (or coordinates), or features of the digit classifier.
        seed: of the draw.
        output: of the picture, `.png`.
        checkpoint: `latest` or `best`.

    Returns:
        Lines that say how near samples lie, and what that means.

    Raises:
        UserError: there is no such run, its data have no such space, or the file cannot be written.
    """
    for name, value in (("--count", count), ("--neighbours", kept)):
        if not 1 <= value <= MOST:
            raise UserError(f"{name} is {value}; it must lie in 1 to {MOST}")
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed is {seed}; it must lie in 0 to {2**32 - 1}")
    if output.suffix != ".png":
        raise UserError(f"--output is {output}; its name must end in .png")
    gan, data, config = load_model(RunDirectory.find(run), checkpoint)
    if not isinstance(gan, GAN):
        raise UserError(f"run {run!r} is of {config.model.name}, which generates nothing")
    look = _look(space, data, run)
    known, _ = data.training_data()
    if kept > len(known):
        raise UserError(f"--neighbours is {kept}, and there are {len(known)} training data")
    samples = gan.sample(max(HELD_AGAINST, count), seed=seed).data
    test = data.test_data().data[:HELD_AGAINST]
    distances, places = _found(look, torch.cat([samples, test]), known, data.mirrors, kept)
    nearest_of_samples, nearest_of_test = distances[:, 0].split([len(samples), len(test)])
    shown = to_float_nchw(known[places[:count].flatten()])
    neighbours = shown.view(count, kept, *data.spec.shape)
    if data.spec.is_image:
        picture = _drawn_images(samples[:count], neighbours, distances[:count])
    else:
        picture = _drawn_points(
            samples[:count], neighbours, known[torch.arange(min(BEHIND, len(known)))]
        )
    write_output(output, lambda file: Image.fromarray(picture).save(file, "png"))
    return in_words(copying(nearest_of_samples, nearest_of_test), len(samples), len(test), space)


def in_words(found: Copying, samples: int, tests: int, space: str) -> list[str]:
    """Say what distances were found, and what they mean."""
    lines = [
        f"to the nearest training datum ({space}): median {found.distance:.4g} from {samples:,} "
        f"samples, {found.test_distance:.4g} from {tests:,} test data",
        f"nearer than all but 5 % of the test data: {found.near:.1%} of the samples",
        f"score (Meehan et al. 2020): {found.score:+.1f}; it is far below 0 where data are copies",
    ]
    if found.score < -CLEAR and found.near > 0.05:
        meaning = (
            "memorising: samples lie nearer to the training data than data that nobody has seen; "
            "look at the picture, as blurred samples lie near to everything"
        )
    elif found.score > CLEAR:
        meaning = "not memorising: samples lie farther from the training data than unseen data do"
    else:
        meaning = "no sign of memorising: samples lie as near to the training data as unseen data"
    return [*lines, meaning]


def _look(space: str, data: IndexedData, run: str) -> Look:
    """Choose what distances are of."""
    try:
        check_choice("--space", space, SPACES)
    except ValueError as error:
        raise UserError(str(error)) from error
    if data.spec.shape == (1,):
        raise UserError(f"run {run!r} makes numbers, all of which are the datum 0; use `sample`")
    if space == "pixels":
        return lambda images: images.flatten(1)
    if not isinstance(data, MNIST):
        raise UserError(
            "--space is 'features', which the digit classifier has of data.name=mnist; use pixels"
        )
    return shipped_digit_network().features


@torch.no_grad()
def _found(
    look: Look, data: Tensor, known: IndexableData, mirrors: bool, count: int
) -> tuple[Tensor, Tensor]:
    """Find the nearest training data of each datum, as they are held or mirrored."""
    looks = [look(data)]
    if mirrors:  # training has shown each picture both ways
        looks.append(look(data.flip(-1)))
    queries = torch.cat(looks)
    distances, places = nearest(queries, _chunks(look, known), count)
    if not mirrors:
        return distances, places
    distances, places = (torch.cat(part.chunk(2), 1) for part in (distances, places))
    nearer, order = distances.sort(1)
    return nearer[:, :count], places.gather(1, order)[:, :count]


def _chunks(look: Look, known: IndexableData) -> Iterator[Tensor]:
    for start in range(0, len(known), CHUNK):
        rows = torch.arange(start, min(start + CHUNK, len(known)))
        yield look(to_float_nchw(known[rows]))


def _drawn_images(samples: Tensor, neighbours: Tensor, distances: Tensor) -> Array:
    """Draw a row a sample: the sample, a gap, and its nearest training data with distances."""
    from matplotlib.figure import Figure

    count, kept = distances.shape
    rows = torch.cat([samples[:, None].cpu(), neighbours], 1)
    pixels = to_uint8(rows.flatten(0, 1))
    if pixels.shape[-1] == 1:
        pixels = pixels.repeat(3, axis=-1)
    height, width = pixels.shape[1:3]
    gap, label = width // 2, height // 3
    wide = (kept + 1) * (width + 2) + gap
    sheet = np.full((count * (height + label), wide, 3), 255, np.uint8)
    figure = Figure(figsize=(0.8 * (kept + 1.5), 1.05 * count + 0.45), dpi=110)
    axis = figure.add_axes((0, 0, 1, 1 - 0.42 / (1.05 * count + 0.45)))
    for row in range(count):
        top = row * (height + label)
        for column in range(kept + 1):
            left = column * (width + 2) + (gap if column else 0)
            sheet[top : top + height, left : left + width] = pixels[row * (kept + 1) + column]
            if column:
                where = left + width / 2, top + height + label / 2
                said = f"{distances[row, column - 1]:.3g}"
                axis.text(*where, said, ha="center", va="center", fontsize=8)
    axis.imshow(sheet, interpolation="nearest", aspect="auto")
    axis.set_axis_off()
    figure.text(0.01, 0.995, "sample", va="top", fontsize=10, weight="bold")
    left = (width + 2 + gap) / wide
    figure.text(left, 0.995, "nearest training data, and how far", va="top", fontsize=10)
    return render_figure(figure)


def _drawn_points(samples: Tensor, neighbours: Tensor, known: Tensor) -> Array:
    """Draw samples and their nearest training points, joined by lines, before others."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), dpi=110, layout="constrained")
    axis = figure.subplots()
    for sample, around in zip(samples, neighbours, strict=True):
        for point in around:
            axis.plot(
                *zip(sample.tolist(), point.tolist(), strict=True),
                color="#888888",
                linewidth=0.8,
                zorder=1,
            )
    axis.scatter(known[:, 0], known[:, 1], s=3, color="#c8c8c8", label="training", zorder=0)
    near = neighbours.flatten(0, 1)
    axis.scatter(near[:, 0], near[:, 1], s=12, color="#33658a", label="nearest", zorder=3)
    axis.scatter(samples[:, 0], samples[:, 1], s=30, color="#d1495b", label="samples", zorder=2)
    axis.set(aspect="equal", title=f"{neighbours.shape[1]} nearest training points of each sample")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return render_figure(figure)
