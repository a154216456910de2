"""Fakes for tests of Inception metrics: images, a linear network, random Inception weights."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation import InceptionEvaluator
from gan_lightning.evaluation.base import CHUNK_SIZE

CPU = torch.device("cpu")


def write_weights(path: Path) -> str:
    """Write random weights that give different images different features; return the SHA-256."""
    with torch.random.fork_rng([]), patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        torch.manual_seed(0)
        empty = path.with_suffix(".empty")
        torch.save({}, empty)
        network = FeatureExtractorInceptionV3("random", ["2048"], str(empty))
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        empty.unlink()
    # the published file has torch's format before 1.6
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    return sha256(path.read_bytes()).hexdigest()


class LinearNetwork:
    """A network whose features are linear in the first 48 values and depend on the resizer."""

    features_size, classes = 6, 5

    def __init__(self, fingerprint: str = "linear") -> None:
        self.fingerprint = fingerprint
        rng = torch.Generator().manual_seed(len(fingerprint))
        self._mixing = torch.randn(48, 11, generator=rng) / 7

    def __call__(self, images: Tensor, resizer: str) -> tuple[Tensor, Tensor]:
        pixels = images.flatten(1)[:, :48].float() / 128 - 1
        if resizer == "antialias":
            pixels = pixels.roll(1, 1)
        outputs = pixels @ self._mixing
        return outputs[:, :6], outputs[:, 6:]


class FakeImages:
    """Random images that count how many were read in total, and at most at once."""

    def __init__(self, count: int = 700, fingerprint: str = "fake images") -> None:
        self.fingerprint = fingerprint
        self.images = to_uint8_nhwc(random_images(count, 0))
        self.read = self.largest_read = 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor) -> Tensor:
        self.read += len(rows)
        self.largest_read = max(self.largest_read, len(rows))
        return self.images[rows]


def random_images(count: int, seed: int, spread: float = 0.3) -> Tensor:
    """Draw images (N, 3, 4, 4) in [-1, 1]."""
    rng = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(count, 3, 4, 4, generator=rng)).clamp(-1, 1)


def evaluate_images(
    real: FakeImages, fake: Tensor, shard: Shard = SINGLE_PROCESS, **settings: Any
) -> dict[str, float]:
    """Evaluate this process's chunks of the images as `evaluate` does."""
    network = settings.pop("network", LinearNetwork())
    evaluator = InceptionEvaluator(real, network, CPU, shard, **settings)
    for start in shard.iterate(range(0, len(fake), CHUNK_SIZE)):
        evaluator.update(fake[start : start + CHUNK_SIZE], start)
    return evaluator.compute()
