"""What measures colour images: in the features of the Inception network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.distributed.sharding import WHOLE, Shard
from gan_lightning.errors import check_choice
from gan_lightning.evaluation.base import CHUNK, SampleEvaluator
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

REMEMBERED: dict[tuple[str | int, ...], Reference] = {}
"""The latest reference of this process, for a cache that cannot be written: it may take hours."""


class RealImages(Protocol):
    """Real images that need not fit in memory."""

    @property
    def fingerprint(self) -> str:
        """Name the pixels of all images: images of one fingerprint are the same ones."""
        ...

    def __len__(self) -> int:
        """Count the images."""
        ...

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the images of these numbers, int64 (N,): uint8 (N, H, W, 3)."""
        ...


class InceptionEvaluator(SampleEvaluator):
    """Measures colour images in the features of the Inception network, against all real ones.

    Generated images are rounded to 256 levels first, as they would be in files. What compares
    image with image does so on `samples` images of each side: the first generated ones, and real
    ones spread evenly over the set. The real side is computed once and cached.

    Args:
        real: the real images, at least 2.
        network: from `inception_network`.
        device: that the generated images are on.
        share: of this process.
        samples: images of each side that are compared one by one; fewer where there are fewer
            real ones.
        resizer: one of `RESIZERS`; measures under different ones are not to be compared.

    Raises:
        ValueError: there is no such resizer.
        Exception: what the share's pause raises.
    """

    def __init__(
        self,
        real: RealImages,
        network: InceptionNetwork,
        device: torch.device,
        share: Shard = WHOLE,
        samples: int = 10_000,
        resizer: str = "tf_bilinear",
    ) -> None:
        check_choice("resizer", resizer, RESIZERS)
        self._network, self._resizer = network, resizer
        size = network.features_size
        statistics, some = reference(real, network, device, share, samples, resizer)
        some = some.to(device)
        self._distance = FrechetDistance(nn.Identity(), size, statistics).to(device)
        self._kernel = KernelDistance(some).to(device)
        self._manifold = PrecisionRecall(some).to(device)
        self._scores = InceptionScore(network.classes).to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in images (N, 3, H, W) in [-1, 1]."""
        features, logits = self._network(to_uint8_nhwc(data), self._resizer)
        self._distance.update(features)
        self._kernel.update(features, first)
        self._manifold.update(features, first)
        self._scores.update(logits)

    def compute(self) -> dict[str, float]:
        """Return the measures, each with the resizer behind its name, without undefined ones.

        Returns:
            fid/RESIZER: squared Fréchet distance, at least 0.
            kid/RESIZER: mean kernel distance of the subsets, about 0 where there is no difference.
            inception_score/RESIZER: of all generated images at once, in [1, 1008]. Papers give the
                mean over ten parts of them, which is a little lower.
            precision/RESIZER, recall/RESIZER, coverage/RESIZER: in [0, 1].
            density/RESIZER: at least 0, about 1 where there is no difference.
        """
        distance: Tensor = self._distance.compute()
        found: dict[str, Tensor] = {
            "fid": distance,
            "kid": self._kernel.compute()["mean"],
            "inception_score": self._scores.compute()["score"],
            **self._manifold.compute(),
        }
        values = {f"{name}/{self._resizer}": value.item() for name, value in found.items()}
        return {name: value for name, value in values.items() if not math.isnan(value)}


def reference(
    real: RealImages,
    network: InceptionNetwork,
    device: torch.device,
    share: Shard,
    samples: int,
    resizer: str,
) -> Reference:
    """Return the statistics of all real images and the features of some, from the cache if it can.

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
    if name in REMEMBERED:
        return REMEMBERED[name]

    def features(rows: Tensor) -> Tensor:
        return network(real[rows].to(device), resizer)[0]

    def of_all() -> FeatureStatistics:
        sums = FrechetDistance(nn.Identity(), network.features_size).to(device)
        _in_chunks(torch.arange(len(real)), share, lambda rows: sums.update(features(rows)))
        return sums.statistics()

    def of_some() -> dict[str, Tensor]:
        found: list[Tensor] = []
        # spread evenly, as neighbours in a data set may be alike
        spread = torch.arange(count) * len(real) // count
        _in_chunks(spread, share, lambda rows: found.append(features(rows).cpu()))
        return {"features": torch.cat(found)}

    statistics = cached_statistics({"what": "inception-statistics", **key}, of_all)
    some = cached_tensors({"what": "inception-features", "some": count, **key}, of_some)
    REMEMBERED.clear()
    REMEMBERED[name] = statistics, some["features"]
    return REMEMBERED[name]


def _in_chunks(rows: Tensor, share: Shard, take: Callable[[Tensor], None]) -> None:
    """Take rows a chunk at a time, so that a signal can break in between two."""
    for chunk in share.apart().of(rows.split(CHUNK)):
        take(chunk)
