"""What an update of a DCGAN at 3 x 64 x 64 sends and computes, and what that predicts on many GPUs.

    python benchmarks/scaling.py [--width 64 128] [--batch 128] [--step MS] [--gpus 8 64]

Bytes are those of the optimizers' parameters, which tests/test_processes.py finds to be all that is
sent; operations are counted by PyTorch. The rest is a prediction: its assumptions are options, and
`--step`, a measured time of an update on one GPU, takes the place of the most uncertain one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from gan_lightning.distributed.strategy import running_statistics
from gan_lightning.gans import StandardGAN
from gan_lightning.gans.parameters import frozen
from gan_lightning.networks import NETWORKS
from gan_lightning.types import DataSpec
from gan_lightning.utils.tables import markdown_table

SHAPE = (3, 64, 64)
COUNTED = 4
"""Images for which operations are counted: they grow in proportion."""
NODE = 8
"""GPUs of a node."""
CONTROL = 5
"""Messages of one number a Lightning batch, by which processes agree to go on: Lightning's one, and
two of ours with the barrier that Lightning puts before each."""


@dataclass(frozen=True)
class Update:
    """What an update of one process takes.

    Args:
        discriminator: bytes of its gradients.
        generator: bytes of its gradients.
        statistics: bytes of running statistics.
        operations: floating-point operations an image, both players' steps.
    """

    discriminator: int
    generator: int
    statistics: int
    operations: float

    def messages(self) -> list[int]:
        """Return the bytes of each message."""
        return [self.discriminator, self.generator, self.statistics]


def counted(width: int) -> Update:
    """Build the game and count."""
    config = StandardGAN.Config(latent_size=100)
    networks = NETWORKS["dcgan"](NETWORKS["dcgan"].Config(width=width))
    gan = StandardGAN(config, networks, DataSpec(SHAPE))
    discriminator, generator = (
        sum(4 * weight.numel() for weight in optimizer.param_groups[0]["params"])
        for optimizer in gan.configure_optimizers()
    )
    statistics = sum(4 * part.numel() for part in running_statistics(gan))
    with FlopCounterMode(display=False) as counter:
        real, fake = torch.randn(COUNTED, *SHAPE), gan.generate_from_prior(COUNTED).data
        scores = gan.discriminate(real), gan.discriminate(fake.detach())
        (scores[0].sum() + scores[1].sum()).backward()
        with frozen(gan.discriminator.parameters()):
            gan.discriminate(fake).sum().backward()
    return Update(discriminator, generator, statistics, counter.get_total_flops() / COUNTED)


def seconds_to_send(update: Update, gpus: int, assumed: argparse.Namespace) -> float:
    """Predict the time of an update's messages: a ring's, none of it hidden behind computing."""
    within = gpus <= NODE
    rate: float = 1e9 * (assumed.node if within else assumed.network)
    latency: float = 1e-6 * (assumed.node_latency if within else assumed.network_latency)
    share = 2 * (gpus - 1) / gpus
    large = sum(latency + share * size / rate for size in update.messages())
    return large + CONTROL * latency


def main() -> None:
    """Count, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--batch", type=int, default=128, help="images of one GPU")
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--step", type=float, help="measured ms of an update on one GPU, one width")
    parser.add_argument("--speed", type=float, default=100, help="else: 10^12 operations a second")
    parser.add_argument("--node", type=float, default=200, help="GB/s of a ring within a node")
    parser.add_argument("--network", type=float, default=40, help="GB/s of a ring across nodes")
    parser.add_argument("--node-latency", type=float, default=30, help="microseconds a message")
    parser.add_argument("--network-latency", type=float, default=100, help="microseconds a message")
    assumed = parser.parse_args()
    counts = [["width", "discriminator", "generator", "statistics", "operations an image"]]
    predictions = [["width", "GPUs", "computing", "sending", "efficiency"]]
    for width in assumed.width:
        update = counted(width)
        sent = [f"{size / 1e6:.2f} MB" for size in update.messages()[:2]]
        statistics = f"{update.statistics / 1e3:.1f} kB"
        counts.append([str(width), *sent, statistics, f"{update.operations / 1e9:.2f} · 10⁹"])
        step = assumed.step or assumed.batch * update.operations / assumed.speed / 1e9
        for gpus in assumed.gpus:
            sending = 1e3 * seconds_to_send(update, gpus, assumed)
            efficiency = step / (step + sending)
            figures = [f"{step:.2f} ms", f"{sending:.2f} ms", f"{efficiency:.0%}"]
            predictions.append([str(width), str(gpus), *figures])
    print(markdown_table(counts), markdown_table(predictions), sep="\n\n")


if __name__ == "__main__":
    main()
