"""Evaluate anybody's images: samples of any source against a reference of any source."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gan_lightning.errors import UserError, warn
from gan_lightning.inference.extractors import Extractor, default_extractor, open_extractor
from gan_lightning.inference.generated_sources import GeneratedSource
from gan_lightning.inference.image_evaluation import ImageEvaluation, ImageOptions, Scale, Side
from gan_lightning.inference.image_measures import (
    MIN_IMAGES,
    Measure,
    measure_features,
    path_length_measure,
)
from gan_lightning.inference.image_sources import ImageSource, Shape, chosen_rows
from gan_lightning.inference.source_names import held_out_source, open_images
from gan_lightning.metrics.frechet import FeatureStatistics
from gan_lightning.metrics.statistics_cache import cached_statistics, cached_tensors
from gan_lightning.store.layout import FITS

__all__ = ["evaluate_images"]

SMALLEST, LARGEST = 8, 1024
DEFAULT_SIZE = 128
"""Size where neither the samples nor the reference have one."""

HELD_OUT, MAX_HELD_OUT = 10, 1_000
"""Where the reference has no test part, one image of ten is held out, at most 1,000."""

CHUNK = 2_000
"""Features that are converted to float64 at a time."""

DEVIATION_SHARE = 0.01
"""Smallest standard deviation by which a feature is divided, as a share of the largest."""

MAX_PATHS = 1_000

SAMPLES_A_FEATURE = 3
"""Least number of images, in multiples of the number of features, for the Fréchet distances."""

Say = Callable[[str], object]


def evaluate_images(options: ImageOptions, say: Say = lambda line: None) -> ImageEvaluation:
    """Compare images with real images in the features of any network.

    Images are read in chunks and forgotten; features are kept. Those of the reference are cached by
    the content of its images.

    Args:
        options: what is compared.
        say: is told what takes long.

    Raises:
        UserError: an option is wrong, or something cannot be read.
    """
    _check(options)
    places = options.root, options.overrides, options.checkpoint
    samples = open_images(options.samples, "--samples", *places)
    reference = open_images(options.reference, "--reference", *places)
    for source, option in ((samples, "--samples"), (reference, "--reference")):
        _check_number(source, len(source), option)
    shape = _shape(options, samples, reference)
    name = options.extractor or default_extractor(options.reference, shape)
    extractor = open_extractor(name, shape, options.weights)
    real, held_out = _real_sides(options, reference, shape, extractor, say)
    say(f"computing features of samples of {samples.name}")
    rows = chosen_rows(len(samples), options.count)
    generated = Side(samples, *_features(samples, rows, shape, extractor))
    for side, option in ((generated, "--samples"), (real, "--reference")):
        _check_number(side.source, len(side.rows), option)
    scale = _scale(real.features) if extractor.standardised else None
    generated, real, held_out = (side.scaled(scale) for side in (generated, real, held_out))
    statistics = cached_statistics(
        {**real.key, "what": "evaluator-statistics-1"}, lambda: _statistics(real.features)
    )
    say("computing measures and their intervals")
    measures = measure_features(generated.features, real.features, held_out.features, statistics)
    if isinstance(samples, GeneratedSource):
        measures += _path_length(samples, extractor, scale, len(generated.rows))
    remarks = [*samples.remarks, *reference.remarks, *_few_samples(generated, real)]
    for remark in remarks:
        warn(remark)
    described = f"{len(held_out.rows):,} of {held_out.source.name}"
    return ImageEvaluation(options, shape, name, generated, real, described, measures, remarks)


def _few_samples(generated: Side, real: Side) -> list[str]:
    """Say that there are too few images for the Fréchet distances, if it is so."""
    size = generated.features.shape[1]
    if min(len(generated.rows), len(real.rows)) >= SAMPLES_A_FEATURE * size:
        return []
    return [
        f"{len(generated.rows):,} samples and {len(real.rows):,} reference images are few for "
        f"{size:,} features: fd is mostly bias and fd_infinity is unreliable; use kid and mind, or "
        f"at least {SAMPLES_A_FEATURE * size:,} images of both"
    ]


def _check(options: ImageOptions) -> None:
    """Check the options that are numbers or choices.

    Raises:
        UserError: one is out of range.
    """
    for option, value in (
        ("--count", options.count),
        ("--reference-count", options.reference_count),
    ):
        if value < MIN_IMAGES:
            raise UserError(f"{option} is {value}; it must be at least {MIN_IMAGES}")
    if options.size is not None and not SMALLEST <= options.size <= LARGEST:
        raise UserError(f"--size is {options.size}; it must lie in {SMALLEST} to {LARGEST} pixels")
    if options.fit not in FITS:
        raise UserError(f"--resize is {options.fit!r}; valid are {', '.join(FITS)}")
    if options.channels not in (None, 1, 3):
        raise UserError(f"--channels is {options.channels}; valid are 1 (grey) and 3 (colour)")


def _check_number(source: ImageSource, count: int, option: str) -> None:
    """Check that there are enough images.

    Raises:
        UserError: there are not.
    """
    if count < MIN_IMAGES:
        raise UserError(
            f"{option} {source.name} has {count} image{'s' * (count != 1)} that can be read; at "
            f"least {MIN_IMAGES} are needed"
        )


def _shape(options: ImageOptions, samples: ImageSource, reference: ImageSource) -> Shape:
    """Choose what images are converted to.

    Raises:
        UserError: the sides have different sizes and --size is missing.
    """
    sizes = [source.shape[0] for source in (reference, samples) if source.shape is not None]
    if options.size is None and len({*sizes}) > 1:
        raise UserError(
            f"images of {reference.name} have {sizes[0]} pixels, those of {samples.name} have "
            f"{sizes[1]}; choose the size at which they are compared by --size N"
        )
    size = options.size or (sizes[0] if sizes else DEFAULT_SIZE)
    channels = options.channels or (reference.shape[1] if reference.shape else 3)
    return Shape(size, channels, options.fit)


def _real_sides(
    options: ImageOptions, reference: ImageSource, shape: Shape, extractor: Extractor, say: Say
) -> tuple[Side, Side]:
    """Compute or read the features of the reference and of held-out real images.

    The held-out images are those of the test part of a data set, else some of the reference.
    """
    rows = chosen_rows(len(reference), options.reference_count)
    other = held_out_source(options.reference, options.root, options.overrides)
    if other is not None:
        test_rows = chosen_rows(len(other), MAX_HELD_OUT)
    else:
        other, is_test = reference, torch.zeros(len(rows), dtype=torch.bool)
        is_test[chosen_rows(len(rows), max(1, min(len(rows) // HELD_OUT, MAX_HELD_OUT)))] = True
        rows, test_rows = rows[~is_test], rows[is_test]
    real = _real_side(reference, rows, shape, extractor, say)
    return real, _real_side(other, test_rows, shape, extractor, say)


def _real_side(
    source: ImageSource, rows: Tensor, shape: Shape, extractor: Extractor, say: Say
) -> Side:
    """Read the features of real images from the cache, or compute and cache them."""
    key: dict[str, str | int | float] = {
        "what": "evaluator-features-1",
        "data": source.fingerprint(rows, shape),
        "images": len(rows),
        "extractor": extractor.fingerprint,
        "shape": f"{shape.size} {shape.channels} {shape.fit}",
    }

    def compute() -> dict[str, Tensor]:
        say(f"computing features of {len(rows):,} images of {source.name}, which are cached")
        kept, features = _features(source, rows, shape, extractor)
        return {"rows": kept, "features": features}

    tensors = cached_tensors(key, compute)
    return Side(source, tensors["rows"], tensors["features"], key)


def _features(
    source: ImageSource, rows: Tensor, shape: Shape, extractor: Extractor
) -> tuple[Tensor, Tensor]:
    """Compute the features of rows, chunk by chunk.

    Returns:
        The rows that could be read, int64 (N,), and their features, float32 (N, D).

    Raises:
        UserError: none can be read.
    """
    kept, features = [], []
    for chunk in source.read(rows, shape):
        kept.append(chunk.rows)
        features.append(extractor(chunk.images))
    if not kept:
        remarks = "; ".join(source.remarks) or "it is empty"
        raise UserError(f"{source.name} has no image that can be read: {remarks}")
    return torch.cat(kept), torch.cat(features)


def _scale(features: Tensor) -> Scale:
    """Return mean and deviation of features; that of nearly constant ones is raised."""
    deviation, mean = torch.std_mean(features, dim=0, correction=0)
    least = max(DEVIATION_SHARE * float(deviation.max()), 1e-6)
    return mean, deviation.clamp(min=least)


def _statistics(features: Tensor) -> FeatureStatistics:
    """Compute mean and covariance in float64, of chunks, so that no copy of all is made."""
    mean = torch.stack([part.double().sum(dim=0) for part in features.split(CHUNK)]).sum(dim=0)
    mean /= len(features)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for part in features.split(CHUNK):
        centred = part.double() - mean
        covariance += centred.T @ centred
    return FeatureStatistics(mean, covariance / (len(features) - 1), len(features))


def _path_length(
    samples: GeneratedSource, extractor: Extractor, scale: Scale | None, count: int
) -> list[Measure]:
    """Measure the perceptual path length, of generators with a latent."""

    def features(images: Tensor) -> Tensor:
        found = extractor.of_floats(images)
        return found if scale is None else (found - scale[0]) / scale[1]

    lengths = samples.path_lengths(features, min(count, MAX_PATHS))
    return [] if lengths is None else [path_length_measure(lengths)]
