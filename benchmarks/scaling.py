"""Predict the data-parallel efficiency of a DCGAN at 3 x 64 x 64 on several GPUs.

    python benchmarks/scaling.py [--width 64 128] [--batch 128] [--step MS] [--gpus 8 64]

The bytes that an update sends are those of the optimizers' parameters; tests/test_processes.py
checks that nothing else is sent. PyTorch counts the floating-point operations. The rest is a
prediction whose assumptions are options; `--step`, the measured time of an update on one GPU,
replaces the most uncertain one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from gan_lightning.distributed.strategy import batch_norm_statistics
from gan_lightning.gans import StandardGAN
from gan_lightning.gans.parameters import frozen
from gan_lightning.networks import NETWORKS
from gan_lightning.types import DataSpec
from gan_lightning.utils.tables import markdown_table

SHAPE = (3, 64, 64)
COUNTED = 4
"""Batch size for which operations are counted; they are proportional to it."""
NODE = 8
"""GPUs per node."""
CONTROL_MESSAGES = 5
"""Scalar messages per Lightning batch by which the processes agree to continue.

One is Lightning's; two are this package's, each with the barrier that Lightning puts before it.
"""


@dataclass(frozen=True)
class Update:
    """Communication and computation of one update in one process.

    Args:
        discriminator: bytes of the discriminator's gradients.
        generator: bytes of the generator's gradients.
        statistics: bytes of running statistics.
        operations: floating-point operations per image, for the steps of both players.
    """

    discriminator: int
    generator: int
    statistics: int
    operations: float

    def messages(self) -> list[int]:
        """Return the bytes of each message."""
        return [self.discriminator, self.generator, self.statistics]


def count(width: int) -> Update:
    """Build a DCGAN of the given width, and count its bytes and operations."""
    config = StandardGAN.Config(latent_size=100)
    networks = NETWORKS["dcgan"](NETWORKS["dcgan"].Config(width=width))
    gan = StandardGAN(config, networks, DataSpec(SHAPE))
    discriminator, generator = (
        sum(4 * weight.numel() for weight in optimizer.param_groups[0]["params"])
        for optimizer in gan.configure_optimizers()
    )
    statistics = sum(4 * part.numel() for part in batch_norm_statistics(gan))
    with FlopCounterMode(display=False) as counter:
        real, fake = torch.randn(COUNTED, *SHAPE), gan.generate_from_prior(COUNTED).data
        scores = gan.discriminate(real), gan.discriminate(fake.detach())
        (scores[0].sum() + scores[1].sum()).backward()
        with frozen(gan.discriminator.parameters()):
            gan.discriminate(fake).sum().backward()
    return Update(discriminator, generator, statistics, counter.get_total_flops() / COUNTED)


def communication_seconds(update: Update, gpus: int, assumed: argparse.Namespace) -> float:
    """Predict the time of an update's ring all-reduces, without overlap with computation."""
    one_node = gpus <= NODE
    rate: float = 1e9 * (assumed.node if one_node else assumed.network)
    latency: float = 1e-6 * (assumed.node_latency if one_node else assumed.network_latency)
    ring_factor = 2 * (gpus - 1) / gpus
    large = sum(latency + ring_factor * size / rate for size in update.messages())
    return large + CONTROL_MESSAGES * latency


def main() -> None:
    """Count, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--batch", type=int, default=128, help="images per GPU")
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--step", type=float, help="measured ms per update on one GPU")
    parser.add_argument("--speed", type=float, default=100, help="without --step: TFLOP/s of a GPU")
    parser.add_argument("--node", type=float, default=200, help="GB/s of a ring within a node")
    parser.add_argument("--network", type=float, default=40, help="GB/s of a ring across nodes")
    parser.add_argument("--node-latency", type=float, default=30, help="microseconds per message")
    parser.add_argument("--network-latency", type=float, default=100, help="the same across nodes")
    assumed = parser.parse_args()
    counts = [["width", "discriminator", "generator", "statistics", "operations per image"]]
    predictions = [["width", "GPUs", "computation", "communication", "efficiency"]]
    for width in assumed.width:
        update = count(width)
        gradients = [f"{size / 1e6:.2f} MB" for size in update.messages()[:2]]
        statistics = f"{update.statistics / 1e3:.1f} kB"
        counts.append([str(width), *gradients, statistics, f"{update.operations / 1e9:.2f} · 10⁹"])
        step = assumed.step or assumed.batch * update.operations / assumed.speed / 1e9
        for gpus in assumed.gpus:
            communication = 1e3 * communication_seconds(update, gpus, assumed)
            efficiency = step / (step + communication)
            numbers = [f"{step:.2f} ms", f"{communication:.2f} ms", f"{efficiency:.0%}"]
            predictions.append([str(width), str(gpus), *numbers])
    print(markdown_table(counts), markdown_table(predictions), sep="\n\n")


if __name__ == "__main__":
    main()
