"""Count the cost of an update: floating-point operations, weights, and memory saved for backward.

`python benchmarks/cost.py [EXP ...]`

Counts the floating-point operations of one generator update, with all of its discriminator steps,
by PyTorch's formulas, and the bytes that autograd saves for the backward passes. The update runs
once on random data of the experiment's shape at batch size 8; the counts are scaled to the
experiment's batch size. Nothing is timed, so the counts are the same on every machine.
docs/scaling.md converts them to hours under the assumptions given there.
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
"""Batch size of the counted update; the counts are proportional to it."""


@dataclass(frozen=True)
class Cost:
    """Cost of one update at the experiment's batch size.

    Args:
        operations: floating-point operations; a multiply-add counts as two.
        saved: bytes that autograd saves in float32, summed over all passes of the update; an upper
            bound of what is in memory at once.
        weights: number of parameters of generator and discriminator.
        updates: of the complete run.
    """

    operations: float
    saved: float
    weights: int
    updates: int


class FlopCounter(TorchDispatchMode):
    """Count floating-point operations by PyTorch's formulas.

    PyTorch's FlopCounterMode does not support second derivatives, which gradient penalties need.

    Attributes:
        total: operations counted so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
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
    # Storages stay alive, so that no address is used twice.
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage
        return tensor

    counter = FlopCounter()
    with counter, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        train_round(gan, batch)
    weights = sum(
        weight.numel()
        for weight in parameters({**gan.generator_players(), **gan.discriminator_players()})
    )
    scale = config.data.batch_size / BATCH
    weight_addresses = {weight.untyped_storage().data_ptr() for weight in gan.parameters()}
    activations = sum(
        storage.nbytes() for address, storage in saved.items() if address not in weight_addresses
    )
    return Cost(counter.total * scale, activations * scale, weights, config.trainer.max_updates)


def random_round(spec: DataSpec, steps: int) -> Batch:
    """Draw one round of random data."""
    data = torch.rand(1, steps, BATCH, *spec.shape) * 2 - 1
    labels = None if spec.classes is None else torch.zeros(1, steps, BATCH, dtype=torch.int64)
    source = None if spec.source_shape is None else torch.rand_like(data)
    return Batch(data, labels, source)


def train_round(gan: GAN, batch: Batch) -> None:
    """Train one round with a Trainer that prints and writes nothing."""
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
    """Count, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("experiments", nargs="*", default=EXPERIMENTS, metavar="EXP")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    rows = [["experiment", "updates", "weights, M", "GFLOP per update", "PFLOP", "MB saved"]]
    for experiment in options.experiments:
        counted = cost(experiment, options.set)
        rows.append(
            [
                experiment,
                f"{counted.updates:,}",
                f"{counted.weights / 1e6:.1f}",
                f"{counted.operations / 1e9:,.0f}",
                f"{counted.operations * counted.updates / 1e15:.2g}",
                f"{counted.saved / 1e6:,.0f}",
            ]
        )
    print(text_table(rows))


if __name__ == "__main__":
    main()
