"""What an update of an experiment costs: multiplications, weights, and memory kept for backward.

`python benchmarks/cost.py [EXP ...]`

Counts, by PyTorch's own counter, the floating-point operations of one generator update (all of its
discriminator steps included) and the bytes that autograd keeps for the backward passes, on random
data of the experiment's shape in a batch of 8, scaled to the experiment's batch. Nothing is timed:
the counts are the same on every machine. docs/scaling.md makes hours of them, by assumptions that
stand there.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader
from torch.utils.flop_counter import flop_registry

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.gans import GAN, GANS
from gan_lightning.gans.parameters import parameters
from gan_lightning.networks import NETWORKS
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.tables import text_table

EXPERIMENTS = (
    "dcgan_celeba",
    "cgan_celeba",
    "infogan_celeba",
    "wgan_gp_celeba",
    "dcgan_lsun_bedroom",
    "wgan_gp_lsun_bedroom",
    "pix2pix_facades",
)
BATCH = 8
"""Data in the counted update; counts grow with it in proportion."""


@dataclass(frozen=True)
class Cost:
    """What one update costs at the experiment's batch.

    Args:
        operations: floating-point operations, a multiplication and an addition being two.
        kept: bytes that autograd keeps, of all passes of the update together, in float32: a bound
            of what is there at once.
        weights: numbers of both players.
        updates: of the whole run.
    """

    operations: float
    kept: float
    weights: int
    updates: int


class Operations(TorchDispatchMode):
    """Counts by PyTorch's formulas; its own FlopCounterMode does not take a second derivative.

    Attributes:
        total: operations so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count it."""
        out = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def cost(experiment: str, overrides: list[str]) -> Cost:
    """Count one update."""
    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    shape = (3, config.data.size, config.data.size)
    spec = DataSpec(
        shape,
        classes=2 ** len(getattr(config.data, "attributes", [])) if "cgan" in experiment else None,
        source_shape=shape if config.data.name == "pairs" else None,
    )
    gan = GANS[config.model.name](
        config.model, NETWORKS[config.network.name](config.network), spec, 0
    )
    batch = random_round(spec, config.model.discriminator_steps)
    kept: dict[int, torch.UntypedStorage] = {}  # alive, so that no two share a place

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage
        return tensor

    counter = Operations()
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        play(gan, batch)
    weights = sum(
        weight.numel()
        for weight in parameters({**gan.generator_players(), **gan.discriminator_players()})
    )
    scale = config.data.batch_size / BATCH
    own = {weight.untyped_storage().data_ptr() for weight in gan.parameters()}
    activations = sum(held.nbytes() for place, held in kept.items() if place not in own)
    return Cost(counter.total * scale, activations * scale, weights, config.trainer.max_updates)


def random_round(spec: DataSpec, steps: int) -> Batch:
    """Make one round of random data."""
    data = torch.rand(1, steps, BATCH, *spec.shape) * 2 - 1
    labels = None if spec.classes is None else torch.zeros(1, steps, BATCH, dtype=torch.int64)
    source = None if spec.source_shape is None else torch.rand_like(data)
    return Batch(data, labels, source)


def play(gan: GAN, batch: Batch) -> None:
    """Play one round by a Trainer that shows and writes nothing."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(gan, DataLoader([batch], batch_size=None))  # type: ignore[arg-type]  # a list is data


def main() -> None:
    """Count and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("experiments", nargs="*", default=EXPERIMENTS, metavar="EXP")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    rows = [["experiment", "updates", "weights, M", "GFLOP an update", "PFLOP", "MB kept"]]
    for experiment in options.experiments:
        found = cost(experiment, options.set)
        rows.append(
            [
                experiment,
                f"{found.updates:,}",
                f"{found.weights / 1e6:.1f}",
                f"{found.operations / 1e9:,.0f}",
                f"{found.operations * found.updates / 1e15:.2g}",
                f"{found.kept / 1e6:,.0f}",
            ]
        )
    print(text_table(rows))


if __name__ == "__main__":
    main()
