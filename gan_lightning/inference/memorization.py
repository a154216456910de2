"""Compare a run's samples with their nearest training data, to detect memorization."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gan_lightning.classifiers.digits import shipped_digit_network
from gan_lightning.data import BaseDataModule, IndexableData
from gan_lightning.data.base import to_float_nchw
from gan_lightning.errors import UserError, check_choice
from gan_lightning.inference.loading import check_range, check_seed, check_suffix, load_gan
from gan_lightning.inference.memorization_figures import (
    draw_image_neighbours,
    draw_point_neighbours,
)
from gan_lightning.metrics.data_copying import DataCopyingTest, data_copying_test
from gan_lightning.metrics.nearest_neighbour import k_nearest
from gan_lightning.utils.files import write_output

__all__ = ["nearest_training_data", "report", "write_neighbours"]

TEST_SIZE = 1_000
"""Samples, and at most as many test data, in the data-copying test."""

CHUNK = 500
"""Training data in memory at a time."""

MIN_TEST_DATA = 50
"""Test data below which the data-copying test has no verdict; 5 % of these are two or three."""

MAX_COUNT = 100
BACKGROUND_POINTS = 2_500
"""Training points, at most, in the background of the picture."""

SIGNIFICANT_SCORE = 3.0
"""Absolute z-score from which on the data-copying test counts as significant."""

SPACES = ("pixels", "features")

FeatureFunction = Callable[[Tensor], Tensor]
"""Maps data (N, *shape) to the vectors (N, D) whose distances are compared."""


def write_neighbours(
    run: str,
    count: int,
    neighbours: int,
    space: str,
    seed: int,
    output: Path,
    checkpoint: str = "latest",
) -> list[str]:
    """Draw samples of a run next to their nearest training data, and test for data copying.

    Args:
        run: run directory, or an experiment's name for its latest run.
        count: samples in the picture, in 1 to 100.
        neighbours: nearest training data of each sample, in 1 to 100.
        space: of the Euclidean distances: `pixels` (or coordinates), or `features` of the digit
            classifier.
        seed: of the samples, in [0, 2^32).
        output: of the picture, `.png`.
        checkpoint: `latest` or `best`.

    Returns:
        Lines with the distances, the result of the test, and its meaning.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, the
            dataset does not support the space, or the file cannot be written.
    """
    check_range("--count", count, 1, MAX_COUNT)
    check_range("--neighbours", neighbours, 1, MAX_COUNT)
    check_seed(seed)
    check_suffix(output, (".png",))
    gan, data, _ = load_gan(run, checkpoint)
    features = _feature_function(space, data, run)
    train = data.used_data()[0]
    if neighbours > len(train):
        raise UserError(
            f"--neighbours is {neighbours}, but there are only {len(train)} training samples"
        )
    samples = gan.sample(max(TEST_SIZE, count), seed=seed).data
    test = data.test_data().data[:TEST_SIZE]
    distances, rows = nearest_training_data(
        features, torch.cat([samples, test]), train, data.random_mirror, neighbours
    )
    sample_distances, test_distances = distances[:, 0].split([len(samples), len(test)])
    nearest = to_float_nchw(train[rows[:count].flatten()]).view(count, neighbours, *data.spec.shape)
    if data.spec.is_image:
        picture = draw_image_neighbours(samples[:count], nearest, distances[:count])
    else:
        background = train[torch.arange(min(BACKGROUND_POINTS, len(train)))]
        picture = draw_point_neighbours(samples[:count], nearest, background)
    write_output(output, lambda file: Image.fromarray(picture).save(file, "png"))
    result = data_copying_test(sample_distances, test_distances)
    return report(result, len(samples), len(test), space)


def report(result: DataCopyingTest, samples: int, tests: int, space: str) -> list[str]:
    """Describe the result of the data-copying test, and its meaning, one line each."""
    distances = (
        f"distance to the nearest training sample ({space}): median {result.distance:.4g} from "
        f"{samples:,} generated samples, {result.test_distance:.4g} from {tests:,} test samples"
    )
    if tests < MIN_TEST_DATA:
        return [
            distances,
            f"no verdict: {tests:,} test samples are too few to tell copies from similar samples, "
            f"which needs at least {MIN_TEST_DATA}; look at the picture",
        ]
    lines = [
        distances,
        f"generated samples nearer than 95 % of the test samples: {result.near:.1%}",
        f"data-copying score (Meehan et al. 2020): {result.score:+.1f}; far below 0 means copies",
    ]
    if result.score < -SIGNIFICANT_SCORE and result.near > 0.05:
        meaning = (
            "memorization: generated samples lie nearer to the training data than test samples do; "
            "check the picture, because blurred samples lie near to everything"
        )
    elif result.score > SIGNIFICANT_SCORE:
        meaning = (
            "no memorization: generated samples lie farther from the training data than test "
            "samples do"
        )
    else:
        meaning = (
            f"no sign of memorization: the score is within {-SIGNIFICANT_SCORE:g} and "
            f"{SIGNIFICANT_SCORE:g}, no significant difference between generated and test samples"
        )
    return [*lines, meaning]


def _feature_function(space: str, data: BaseDataModule, run: str) -> FeatureFunction:
    """Return the function of a `--space`."""
    try:
        check_choice("--space", space, SPACES)
    except ValueError as error:
        raise UserError(str(error)) from error
    if data.spec.shape == (1,):
        raise UserError(
            f"run {run!r} generates scalars whose only training value is 0; use `sample`"
        )
    if space == "pixels":
        return lambda images: images.flatten(1)
    if not data.shows_digits:
        raise UserError(
            "--space is 'features', but the digit classifier has features of data.name=mnist only; "
            "use --space pixels"
        )
    return shipped_digit_network().features


@torch.no_grad()
def nearest_training_data(
    features: FeatureFunction, queries: Tensor, train: IndexableData, mirrored: bool, k: int
) -> tuple[Tensor, Tensor]:
    """Find the nearest training data of each query.

    Args:
        features: whose Euclidean distances are compared.
        queries: (N, *shape).
        train: the training data, at least k.
        mirrored: compare with mirrored training images too, because training mirrors at random.
        k: number of neighbours.

    Returns:
        Distances in ascending order, float64 (N, k), and rows of `train`, int64 (N, k).
    """
    query_features = [features(queries)]
    if mirrored:  # mirroring the queries is cheaper than mirroring the training data
        query_features.append(features(queries.flip(-1)))
    distances, rows = k_nearest(torch.cat(query_features), _feature_chunks(features, train), k)
    if not mirrored:
        return distances, rows
    distances, rows = (torch.cat(part.chunk(2), 1) for part in (distances, rows))
    distances, order = distances.sort(1)
    return distances[:, :k], rows.gather(1, order)[:, :k]


def _feature_chunks(features: FeatureFunction, train: IndexableData) -> Iterator[Tensor]:
    for start in range(0, len(train), CHUNK):
        rows = torch.arange(start, min(start + CHUNK, len(train)))
        yield features(to_float_nchw(train[rows]))
