"""Evaluation of colour images in the features of the Inception network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.errors import check_choice
from gan_lightning.evaluation.base import CHUNK_SIZE, SampleEvaluator
from gan_lightning.evaluation.inception import RESIZERS, InceptionNetwork
from gan_lightning.metrics import (
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    KernelDistance,
    PrecisionRecall,
    cached_statistics,
    cached_tensors,
)

__all__ = ["InceptionEvaluator", "RealImages"]

Reference = tuple[FeatureStatistics, Tensor]

LATEST_REFERENCE: dict[tuple[str | int, ...], Reference] = {}
"""The latest reference of this process; computing one may take hours, and the cache of files may
not be writable."""


class RealImages(Protocol):
    """Real images, which need not fit in memory."""

    @property
    def fingerprint(self) -> str:
        """Return a hash of all images; equal fingerprints mean equal images."""
        ...

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the images with these indices, int64 (N,), as uint8 (N, H, W, 3)."""
        ...


class InceptionEvaluator(SampleEvaluator):
    """Compares colour images with all real images in the features of the Inception network.

    Generated images are first rounded to 256 levels, as in image files. FID uses all real images.
    KID, precision, recall, density and coverage compare `samples` images of each side: the first
    generated ones, and real ones evenly spaced over the dataset. The features of the real images
    are computed once and cached.

    Args:
        real: the real images, at least 2.
        network: from `inception_network`.
        device: device of the generated images.
        shard: this process's part of the work.
        samples: number of images of each side for pairwise comparisons, at most the number of real
            images.
        resizer: one of `RESIZERS`; values under different resizers are not comparable.

    Raises:
        ValueError: the resizer is unknown.
        Exception: what the shard's `before_chunk` raises.
    """

    def __init__(
        self,
        real: RealImages,
        network: InceptionNetwork,
        device: torch.device,
        shard: Shard = SINGLE_PROCESS,
        samples: int = 10_000,
        resizer: str = "tf_bilinear",
    ) -> None:
        check_choice("resizer", resizer, RESIZERS)
        self._network, self._resizer = network, resizer
        size = network.features_size
        statistics, features = reference(real, network, device, shard, samples, resizer)
        features = features.to(device)
        self._frechet = FrechetDistance(nn.Identity(), size, statistics).to(device)
        self._kernel = KernelDistance(features).to(device)
        self._precision_recall = PrecisionRecall(features).to(device)
        self._inception_score = InceptionScore(network.classes).to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated images (N, 3, H, W) in [-1, 1]."""
        features, logits = self._network(to_uint8_nhwc(samples), self._resizer)
        self._frechet.update(features)
        self._kernel.update(features, first_index)
        self._precision_recall.update(features, first_index)
        self._inception_score.update(logits)

    def compute(self) -> dict[str, float]:
        """Return the metrics, with the resizer in their names, without those that are undefined.

        Returns:
            fid/RESIZER: squared Fréchet distance, at least 0.
            kid/RESIZER: mean kernel distance of the subsets, 0 in expectation for equal
                distributions.
            inception_score/RESIZER: of all generated images at once, in [1, 1008]. Papers report
                the mean over ten splits, which is a little lower.
            precision/RESIZER, recall/RESIZER, coverage/RESIZER: in [0, 1].
            density/RESIZER: at least 0, 1 in expectation for equal distributions.
        """
        frechet: Tensor = self._frechet.compute()
        metrics: dict[str, Tensor] = {
            "fid": frechet,
            "kid": self._kernel.compute()["mean"],
            "inception_score": self._inception_score.compute()["score"],
            **self._precision_recall.compute(),
        }
        values = {f"{name}/{self._resizer}": value.item() for name, value in metrics.items()}
        return {name: value for name, value in values.items() if not math.isnan(value)}


def reference(
    real: RealImages,
    network: InceptionNetwork,
    device: torch.device,
    shard: Shard,
    samples: int,
    resizer: str,
) -> Reference:
    """Return the statistics of all real images and the features of a subset, cached if possible.

    Returns:
        Statistics of all, and features (S, 2048) of S = min(samples, len(real)), on the CPU.
    """
    key: dict[str, str | int | float] = {
        "data": real.fingerprint,
        "images": len(real),
        "network": network.fingerprint,
        "resizer": resizer,
    }
    count = min(samples, len(real))
    name = (real.fingerprint, len(real), network.fingerprint, resizer, count)
    if name in LATEST_REFERENCE:
        return LATEST_REFERENCE[name]

    def features_of(indices: Tensor) -> Iterator[Tensor]:
        """Yield the features of real images in chunks; signals are handled between two chunks."""
        for chunk in shard.undivided().iterate(indices.split(CHUNK_SIZE)):
            yield network(real[chunk].to(device), resizer)[0]

    def all_statistics() -> FeatureStatistics:
        metric = FrechetDistance(nn.Identity(), network.features_size).to(device)
        for features in features_of(torch.arange(len(real))):
            metric.update(features)
        return metric.statistics()

    def subset_features() -> dict[str, Tensor]:
        # evenly spaced, because neighbours in a dataset may be similar
        indices = torch.arange(count) * len(real) // count
        return {"features": torch.cat([features.cpu() for features in features_of(indices)])}

    statistics = cached_statistics({"what": "inception-statistics", **key}, all_statistics)
    subset_key = {"what": "inception-features", "some": count, **key}
    features = cached_tensors(subset_key, subset_features)["features"]
    LATEST_REFERENCE.clear()
    LATEST_REFERENCE[name] = statistics, features
    return LATEST_REFERENCE[name]
