"""Real images, and Inception networks: one that nobody has trained, and a small one."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.distributed.sharding import WHOLE, Shard
from gan_lightning.evaluation import InceptionEvaluator
from gan_lightning.evaluation.base import CHUNK

CPU = torch.device("cpu")


def write_weights(path: Path) -> str:
    """Write random weights under which images look different, and return the file's SHA-256."""
    with torch.random.fork_rng([]), patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        torch.manual_seed(0)
        nothing = path.with_suffix(".nothing")
        torch.save({}, nothing)
        network = FeatureExtractorInceptionV3("random", ["2048"], str(nothing))
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        nothing.unlink()
    # the published file is of torch's format before 1.6
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    return sha256(path.read_bytes()).hexdigest()


class Linear:
    """A network whose features are a few mixed pixels, and which sees how it is told to resize."""

    features_size, classes = 6, 5

    def __init__(self, fingerprint: str = "linear") -> None:
        self.fingerprint = fingerprint
        rng = torch.Generator().manual_seed(len(fingerprint))
        self._mixing = torch.randn(48, 11, generator=rng) / 7

    def __call__(self, images: Tensor, resizer: str) -> tuple[Tensor, Tensor]:
        pixels = images.flatten(1).float() / 128 - 1
        if resizer == "antialias":
            pixels = pixels.roll(1, 1)
        both = pixels @ self._mixing
        return both[:, :6], both[:, 6:]


class Photographs:
    """Random images, and how many were asked for, and at most at once."""

    def __init__(self, count: int = 700, fingerprint: str = "photographs") -> None:
        self.fingerprint = fingerprint
        self.held = to_uint8_nhwc(pictures(count, 0))
        self.seen = self.most = 0

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, rows: Tensor) -> Tensor:
        self.seen += len(rows)
        self.most = max(self.most, len(rows))
        return self.held[rows]


def pictures(count: int, seed: int, spread: float = 0.3) -> Tensor:
    """Draw images (N, 3, 4, 4) in [-1, 1]."""
    rng = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(count, 3, 4, 4, generator=rng)).clamp(-1, 1)


def judged(
    real: Photographs, fake: Tensor, share: Shard = WHOLE, **settings: Any
) -> dict[str, float]:
    """Measure images as evaluation does, this process its chunks."""
    judge = InceptionEvaluator(real, settings.pop("network", Linear()), CPU, share, **settings)
    for first in share.of(range(0, len(fake), CHUNK)):
        judge.update(fake[first : first + CHUNK], first)
    return judge.compute()
