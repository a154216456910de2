"""Page of an evaluation of images: measures, samples, neighbours and coverage holes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gan_lightning.inference.image_evaluation import CAUTION, ImageEvaluation, Side
from gan_lightning.inference.image_measures import ABOUT
from gan_lightning.inference.image_sources import Shape, chosen_rows
from gan_lightning.metrics.authenticity import nearest_rows
from gan_lightning.metrics.realism import hole_depths, realism_scores
from gan_lightning.report.evaluation_template import MeasureRow, Picture, Section, render_evaluation
from gan_lightning.utils.files import write_output

__all__ = ["write_page"]

GRID, EXTREMES, COMPARED, NEIGHBOURS, HOLES = 96, 24, 16, 5, 48


def write_page(evaluation: ImageEvaluation, output: Path) -> None:
    """Write the page of an evaluation; the images that it shows are read again.

    Args:
        evaluation: the result.
        output: the HTML file.

    Raises:
        UserError: an image cannot be read again, or the file cannot be written.
    """
    samples, reference = evaluation.samples, evaluation.reference
    pairs = chosen_rows(len(reference.rows), len(samples.rows))
    shape = evaluation.shape
    content = render_evaluation(
        f"{samples.source.name} against {reference.source.name}",
        [*evaluation.lines(), *(f"remark: {remark}" for remark in evaluation.remarks)],
        CAUTION,
        _rows(evaluation),
        [
            _grid(samples, shape),
            *_extremes(samples, reference.features[pairs], shape),
            _neighbours(samples, reference, shape),
            _holes(samples, reference, pairs, shape),
        ],
    )
    write_output(output, content)


def _rows(evaluation: ImageEvaluation) -> list[MeasureRow]:
    """Return the rows of the table of measures."""
    rows = []
    for measure in evaluation.measures:
        about = ABOUT[measure.name]
        reference = f"{measure.reference:,}" if measure.reference else "none"
        rows.append(
            MeasureRow(
                measure.name,
                f"{measure.value:.4f}",
                f"{measure.low:.4f} to {measure.high:.4f}",
                f"{measure.samples:,}, {reference}, {measure.resamples}",
                about.better,
                about.sees,
            )
        )
    return rows


def _images(side: Side, indices: Tensor, shape: Shape) -> Tensor:
    """Read images again by their index among the features, uint8 (N, H, W, C)."""
    if not len(indices):
        return torch.zeros(0, shape.size, shape.size, shape.channels, dtype=torch.uint8)
    return side.source.images(side.rows[indices], shape)


def _grid(samples: Side, shape: Shape) -> Section:
    indices = chosen_rows(len(samples.rows), GRID)
    pictures = [Picture(image) for image in _images(samples, indices, shape)]
    return Section("samples", "Samples", "Chosen at random.", pictures)


def _extremes(samples: Side, real: Tensor, shape: Shape) -> list[Section]:
    """Return the samples of least and of greatest realism."""
    scores = realism_scores(samples.features, real)
    order = scores.argsort()
    text = (
        "By their realism (Kynkäänniemi et al. 2019, equation 3): the largest ratio of the "
        "distance of a reference image to its third neighbour to that of the sample from this "
        "image, without the half of the reference with the largest such distances. A sample with 1 "
        "or more lies among real images."
    )
    sections = []
    for name, title, chosen in (
        ("worst", "Worst samples", order[:EXTREMES]),
        ("best", "Best samples", order.flip(0)[:EXTREMES]),
    ):
        images = _images(samples, chosen, shape)
        pictures = [
            Picture(image, f"{score:.2f}")
            for image, score in zip(images, scores[chosen].tolist(), strict=True)
        ]
        sections.append(Section(name, title, text if name == "worst" else "", pictures))
    return sections


def _neighbours(samples: Side, reference: Side, shape: Shape) -> Section:
    """Show samples beside their nearest reference images, the nearest of all samples first."""
    distances, nearest = nearest_rows(samples.features, reference.features)
    data, place = nearest[:, 0].unique(return_inverse=True)
    spacing = nearest_rows(reference.features[data], reference.features, k=2)[0].amax(dim=1)
    ratio = distances[:, 0] / spacing[place].clamp(min=1e-12)
    suspects = ratio.argsort()[: COMPARED // 2]
    others = torch.arange(len(ratio))
    others = others[~torch.isin(others, suspects)]
    chosen = torch.cat([suspects, others[chosen_rows(len(others), COMPARED - len(suspects))]])
    distances, nearest = nearest_rows(samples.features[chosen], reference.features, NEIGHBOURS)
    left = _images(samples, chosen, shape)
    right = _images(reference, nearest.flatten(), shape).view(
        len(chosen), NEIGHBOURS, *left.shape[1:]
    )
    pictures = []
    for row, sample in enumerate(left):
        pictures.append(Picture(sample, f"{float(ratio[chosen[row]]):.2f}", is_first=True))
        pictures += [
            Picture(image, f"{distance:.3g}")
            for image, distance in zip(right[row], distances[row].tolist(), strict=True)
        ]
    text = (
        "Each row: a sample, then its nearest reference images with their distances in the "
        "features. Below the sample is its distance to the nearest one, divided by that of this "
        "image to its own nearest neighbour: well below 1 suggests a copy. First the samples with "
        "the smallest ratio, then as many at random."
    )
    return Section("neighbours", "Nearest reference images", text, pictures)


def _holes(samples: Side, reference: Side, pairs: Tensor, shape: Shape) -> Section:
    """Show the reference images that are farthest from any sample."""
    depths = hole_depths(samples.features, reference.features[pairs])
    order = depths.argsort(descending=True)
    chosen = order[depths[order] > 1][:HOLES]
    images = _images(reference, pairs[chosen], shape)
    pictures = [
        Picture(image, f"{depth:.2f}")
        for image, depth in zip(images, depths[chosen].tolist(), strict=True)
    ]
    text = (
        f"{int((depths > 1).sum()):,} of {len(pairs):,} reference images have no sample within "
        f"the distance of their fifth neighbour (Naeem et al. 2020); the farthest are shown, with "
        f"their distance to the nearest sample in units of that distance."
    )
    return Section("holes", "Coverage holes", text, pictures)
