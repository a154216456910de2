"""(e) Two processes have the weights of one.

With two GPUs by NCCL, otherwise on the processor by gloo. Both players step by SGD, since Adam
would turn errors of rounding into steps.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file

from gpu_proof.equality import run_command
from gpu_proof.record import Item, Row, Settings, verdict

__all__ = ["items"]

LIMIT = 1e-4
SGD = "{name: sgd, learning_rate: 0.01}"


def items(settings: Settings) -> list[Item]:
    """List the measurement by NCCL, or by gloo where there are no two GPUs."""
    by_nccl = settings.on_cuda and torch.cuda.device_count() > 1
    name = "NCCL on two GPUs" if by_nccl else "gloo on the processor"
    updates = 20 if settings.quick else 100
    return [Item("e", name, partial(compare, "cuda" if by_nccl else "cpu", updates))]


def compare(accelerator: str, updates: int) -> Row:
    """Train by the command line in one and in two processes."""
    runs = []
    for devices in (1, 2):
        with TemporaryDirectory() as folder:
            run_command(
                *("train", "gan_ring", "--accelerator", accelerator, "--devices", str(devices)),
                *("--output", f"{folder}/run", "log.wandb=disabled", "trainer.tf32=false"),
                *(f"trainer.max_updates={updates}", "trainer.threads=1"),
                *(f"model.discriminator_optimizer={SGD}", f"model.generator_optimizer={SGD}"),
                *("evaluation.samples=100", "evaluation.every_n_updates=0"),
                *("pictures.every_n_updates=0", "checkpoints.every_n_updates=0"),
            )
            file = Path(folder, "run", "generator.safetensors")
            runs.append(load_file(file))
    one, two = runs
    largest = max(float((one[name] - two[name]).abs().max()) for name in one)
    return verdict(largest <= LIMIT, f"largest difference {largest:.1e}", difference=largest)
