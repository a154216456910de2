"""Train for a day on a GPU what is too long for a processor, and check the claims.

`python benchmarks/quality.py [--list] [--only NAME ...]`

Each row is `gan-lightning verify` of an experiment on some seeds, which goes on where it was
stopped and stores its results as any `verify` does. `--list` prints what would be trained and an
**estimate** of its hours on an H100: the operations of one update are counted by PyTorch, on a
minibatch of noise, and divided by a share of the peak that is assumed, not measured. Small networks
and minibatches are bound by the launches of kernels instead, of which the estimate knows nothing
but a lower bound of milliseconds an update.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.data import LoaderConfig
from gan_lightning.gans import GAN
from gan_lightning.testing.synthetic import SyntheticData
from gan_lightning.testing.training import quiet, quiet_trainer
from gan_lightning.training.build import build_model
from gan_lightning.types import DataSpec
from gan_lightning.utils.tables import text_table

__all__ = ["PLANS", "Estimate", "Plan", "count_operations", "estimate", "expected_hours", "main"]

PEAK = 989e12
"""Operations a second of an H100 SXM in bf16, dense, by its data sheet."""

UTILISATION = 0.15
"""Share of the peak that is assumed for convolutions of GANs in bf16; not measured."""

FLOOR = 2e-3
"""Seconds that an update takes at least for its launches, some hundred kernels; not measured."""

COUNTED = 4
"""Size of the minibatch whose operations are counted; they are proportional to it."""


@dataclass(frozen=True)
class Plan:
    """What is verified.

    Attributes:
        experiment: name.
        spec: shape and classes of its data, which may be missing here.
        seeds: number of seeds, from 0.
        needs: what the user has to bring.
    """

    experiment: str
    spec: DataSpec
    seeds: int
    needs: str = ""


CIFAR = "your copy of CIFAR-10, and the weights of Inception for FID (doctor names their place)"

PLANS = {
    "infogan_mnist": Plan("infogan_mnist", DataSpec((1, 28, 28)), 10),
    "dcgan_mnist": Plan("dcgan_mnist", DataSpec((1, 32, 32)), 10),
    "r3gan_stacked_mnist": Plan("r3gan_stacked_mnist", DataSpec((3, 28, 28)), 10),
    "sngan_cifar10": Plan("sngan_cifar10", DataSpec((3, 32, 32)), 3, CIFAR),
    "cgan_cifar10": Plan("cgan_cifar10", DataSpec((3, 32, 32), classes=10), 3, CIFAR),
    "r3gan_cifar10": Plan("r3gan_cifar10", DataSpec((3, 32, 32), classes=10), 1, CIFAR),
}
"""Name -> what is verified, in this order."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Verify the chosen experiments one after the other, or list them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="print the table, and train nothing")
    parser.add_argument("--only", nargs="+", choices=list(PLANS), help="train these, however long")
    parser.add_argument("--hours", type=float, default=24.0, help="estimate of the longest plan")
    options = parser.parse_args(arguments)
    chosen = {name: PLANS[name] for name in options.only or PLANS}
    needed = options.list or not options.only
    estimates = {name: estimate(plan) for name, plan in chosen.items()} if needed else {}
    if options.list:
        print(table(chosen, estimates))
        return
    codes = []
    for name, plan in chosen.items():
        if not options.only and estimates[name].hours > options.hours:
            print(f"{name} is left out: about {estimates[name].hours:.0f} hours; --only {name}")
            continue
        codes.append(subprocess.run(command(plan)).returncode)
    sys.exit(max(codes, default=0))


class Estimate(NamedTuple):
    """What a plan takes.

    Attributes:
        updates: updates of a run.
        operations: floating-point operations of an update.
        hours: of all seeds on an H100.
    """

    updates: int
    operations: float
    hours: float


def estimate(plan: Plan) -> Estimate:
    """Estimate what a plan takes."""
    config = _config(plan)
    operations, updates = count_operations(config, plan.spec), config.trainer.max_updates
    return Estimate(updates, operations, plan.seeds * expected_hours(operations, updates))


def command(plan: Plan) -> list[str]:
    """Return the command that verifies a plan."""
    seeds = ",".join(map(str, range(plan.seeds)))
    return [sys.executable, "-m", "gan_lightning", "verify", plan.experiment, "--seeds", seeds]


def table(plans: dict[str, Plan], estimates: dict[str, Estimate]) -> str:
    """Return the table of operations and estimated hours."""
    rows = [["experiment", "updates", "seeds", "GFLOP an update", "hours (estimate)", "needs"]]
    for name, plan in plans.items():
        updates, operations, hours = estimates[name]
        cells = [name, f"{updates:,}", str(plan.seeds), f"{operations / 1e9:,.1f}", f"{hours:.2f}"]
        rows.append([*cells, plan.needs])
    return (
        f"{text_table(rows)}\n\n"
        f"hours on an H100 are an estimate, at {UTILISATION:.0%} of {PEAK / 1e12:.0f} TFLOP/s and "
        f"at least {1000 * FLOOR:.0f} ms an update, without start, evaluations and pictures; "
        f"nothing of this was measured"
    )


def expected_hours(operations: float, updates: int) -> float:
    """Estimate the hours of a run on an H100.

    Args:
        operations: floating-point operations of an update.
        updates: updates of the run.
    """
    seconds = max(FLOOR, operations / (UTILISATION * PEAK))
    return updates * seconds / 3600


def count_operations(config: RunConfig, spec: DataSpec) -> float:
    """Count the floating-point operations of an update, of all passes of both players.

    Two updates are made on a small minibatch, of which the second one is counted, since the first
    one may initialise layers.

    Args:
        config: of the experiment.
        spec: shape and classes of its data.
    """
    data = SyntheticData(spec)
    data.config = replace(data.config, batch_size=COUNTED)
    model = build_model(config, data)
    assert isinstance(model, GAN)
    model.log_every = config.trainer.max_updates
    data.loader_config = LoaderConfig(2, model.config.minibatches_per_round)
    counted: list[int] = []
    step = type(model).training_step

    def counting_step(batch: Any, batch_idx: int) -> None:
        with _Operations() as counter:
            step(model, batch, batch_idx)
        counted.append(counter.total)

    vars(model)["training_step"] = counting_step
    with quiet():
        quiet_trainer().fit(model, datamodule=data)
    batch_size: int = config.data.batch_size
    return counted[-1] * batch_size / COUNTED


class _Operations(TorchDispatchMode):
    """Counts operations by the formulas of PyTorch's `FlopCounterMode`.

    That class follows modules, too, by hooks that gradient penalties do not allow. Each of the two
    gradients of a convolution takes as many operations as the convolution.

    Attributes:
        total: operations so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self.total = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        packet = function.overloadpacket
        if packet is torch.ops.aten.convolution_backward:
            # PyTorch's formula for the gradient of the weights ignores groups
            gradient, data, weight, _, *settings, mask = args
            forward = flop_registry[torch.ops.aten.convolution]
            each = forward(data, weight, None, *settings, out_val=gradient)
            self.total += each * sum(mask[:2])
        elif packet in flop_registry:
            self.total += flop_registry[packet](*args, **(kwargs or {}), out_val=result)
        return result


def _config(plan: Plan) -> RunConfig:
    return load_config(read_yaml(experiment_path(plan.experiment)), ["trainer.precision=32-true"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
