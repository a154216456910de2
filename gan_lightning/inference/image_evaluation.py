"""What an evaluation of images compares, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_lightning.inference.image_measures import Measure
from gan_lightning.inference.image_sources import ImageSource, Shape

__all__ = ["CAUTION", "ImageEvaluation", "ImageOptions", "Scale", "Side"]

CAUTION = "compare only figures with the same extractor, resize, reference and number of samples"

RESIZE = {
    "crop": "centre square",
    "pad": "white borders to a square",
    "stretch": "stretched to a square",
}

Scale = tuple[Tensor, Tensor]
"""Mean and deviation of features, each (D,)."""


@dataclass(frozen=True)
class ImageOptions:
    """What is compared, and how.

    Attributes:
        samples: name of the samples, see `open_images`.
        reference: name of the reference.
        extractor: name of the features; None for the best that fits the reference.
        weights: file of the extractor's weights.
        size: height and width of the images; None for those of the reference, else of the samples.
        channels: 1 or 3; None for those of the reference.
        fit: how images of other sizes become square: crop, pad or stretch.
        count: largest number of samples.
        reference_count: largest number of reference images.
        root: folder of the data set that is the reference or the samples.
        checkpoint: of a run: `latest` or `best`.
        overrides: `data.KEY=VALUE` of a data set of this package.
    """

    samples: str
    reference: str
    extractor: str | None = None
    weights: Path | None = None
    size: int | None = None
    channels: int | None = None
    fit: str = "crop"
    count: int = 5_000
    reference_count: int = 60_000
    root: Path | None = None
    checkpoint: str = "latest"
    overrides: Sequence[str] = ()


@dataclass(frozen=True)
class Side:
    """Features of the images of one side.

    Attributes:
        source: the images.
        rows: which of them, int64 (N,).
        features: (N, D), float32.
        key: identifies the features in the cache; empty for samples, which are not cached.
    """

    source: ImageSource
    rows: Tensor
    features: Tensor
    key: Mapping[str, str | int | float] = field(default_factory=dict)

    def scaled(self, scale: Scale | None) -> Side:
        """Return the side with features minus a mean, divided by a deviation."""
        if scale is None:
            return self
        mean, deviation = scale
        return replace(self, features=(self.features - mean) / deviation)


@dataclass(frozen=True)
class ImageEvaluation:
    """The result of an evaluation.

    Attributes:
        options: what was asked for.
        shape: what all images were converted to.
        extractor: name of the features.
        samples: the samples.
        reference: the reference, without held-out images.
        held_out: description of the real images that ct compares with.
        measures: the measures, in the order of the table.
        remarks: lines about what was left out.
    """

    options: ImageOptions
    shape: Shape
    extractor: str
    samples: Side
    reference: Side
    held_out: str
    measures: list[Measure]
    remarks: list[str]

    def lines(self) -> list[str]:
        """Describe what was compared, one fact a line."""
        shape, channels = self.shape, "grey" if self.shape.channels == 1 else "colour"
        return [
            f"samples: {len(self.samples.rows):,} of {self.samples.source.name} "
            f"({self.samples.source.kind})",
            f"reference: {len(self.reference.rows):,} of {self.reference.source.name} "
            f"({self.reference.source.kind}); held out for ct: {self.held_out}",
            f"resize: {shape.size}x{shape.size} pixels, {channels}; images of other sizes: "
            f"{RESIZE[shape.fit]}, then Pillow's antialiased bicubic filter",
            f"extractor: {self.extractor}, {self.samples.features.shape[1]:,} features",
            "interval: 95 %, from random halves of the samples; the reference is taken as fixed",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain values; None in place of NaN and infinity."""
        return {
            "samples": self.samples.source.name,
            "reference": self.reference.source.name,
            "extractor": self.extractor,
            "size": self.shape.size,
            "channels": self.shape.channels,
            "fit": self.shape.fit,
            "held_out": self.held_out,
            "caution": CAUTION,
            "remarks": self.remarks,
            "measures": {
                measure.name: {
                    key: value if isfinite(value) else None
                    for key, value in asdict(measure).items()
                    if key != "name"
                }
                for measure in self.measures
            },
        }
