"""(d) All measures on the device are those of the processor, for the same samples.

Statistics are sums in float64; on a device without float64 (MPS) the model is evaluated on the
processor. A measure may differ by a thousandth, as the features that networks compute in float32
do. With samples in bf16 (`evaluation.precision`) the Fréchet distance changes by less than with
other samples.
"""

from __future__ import annotations

import math
from functools import partial

import torch

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.evaluation import evaluate
from gan_lightning.runs.models import shipped_models
from gan_lightning.training.build import build
from gan_lightning.training.restore import load_model
from gpu_proof.record import Item, Row, Settings, verdict
from gpu_proof.training import host_randomness

__all__ = ["items"]

EXPERIMENTS = (
    *("gan_ring", "infogan_mnist", "cgan_mnist", "gan_stacked_mnist", "pix2pix_edges_mnist"),
    *("cogan_edges", "semi_supervised_mnist", "wgan_gp_swissroll", "ebgan_pt_mnist"),
)
"""Experiments on built-in data, which together have nearly all evaluators."""

TOLERANCE = 1e-3
SAMPLES = 1000


def items(settings: Settings) -> list[Item]:
    """List a measurement for each experiment."""
    chosen = EXPERIMENTS[:2] if settings.quick else EXPERIMENTS
    samples = 200 if settings.quick else SAMPLES
    made = [Item("d", name, partial(compare, name, settings, samples)) for name in chosen]
    low = partial(compare_low_precision, settings, samples)
    return [*made, Item("d", "infogan_mnist, samples in bf16", low)]


def compare(experiment: str, settings: Settings, samples: int) -> Row:
    """Evaluate an untrained model on the processor and on the device."""
    found = []
    for device in ("cpu", settings.accelerator):
        config = load_config(read_yaml(experiment_path(experiment)), ["log.wandb=disabled"])
        model, data = build(config)
        with host_randomness():
            found.append(evaluate(model.to(torch.device(device)), data, samples))
    expected, measured = found
    wrong = {
        name: (value, measured[name])
        for name, value in expected.items()
        if not _close(value, measured[name])
    }
    text = f"{len(expected) - len(wrong)} of {len(expected)} measures are equal"
    differing = "".join(f"; {name} {a:.6g}, {b:.6g}" for name, (a, b) in wrong.items())
    return verdict(not wrong and expected.keys() == measured.keys(), text + differing)


def compare_low_precision(settings: Settings, samples: int) -> Row:
    """Evaluate the shipped model on the device with samples in float32, in bf16, and others."""
    model, data, _ = load_model(shipped_models()["infogan_mnist"])
    model.to(torch.device(settings.accelerator))
    full = evaluate(model, data, samples)["fd_digits"]
    low = evaluate(model, data, samples, precision="bf16-mixed")["fd_digits"]
    others = []
    for _ in range(3):
        model.seed += 1
        others.append(evaluate(model, data, samples)["fd_digits"])
    text = f"fd_digits {full:.5g}, in bf16 {low:.5g}, of other samples "
    text += ", ".join(f"{other:.5g}" for other in others)
    return verdict(abs(low - full) < max(abs(other - full) for other in others), text)


def _close(expected: float, found: float) -> bool:
    both_nan = math.isnan(expected) and math.isnan(found)
    return both_nan or math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
