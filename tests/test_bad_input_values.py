"""An invalid config value gives one line, exit code 2 and no file on the disk."""

from __future__ import annotations

import os
import re

import pytest
from bad_inputs import SHORT, mistake
from conftest import run_cli

pytestmark = pytest.mark.usefixtures("empty_folder")


OUT_OF_RANGE = [
    ("gan_ring", "trainer.max_updates=0", "trainer.max_updates is 0; it must be at least 1"),
    ("gan_ring", "trainer.devices=0", "trainer.devices is 0; it must be at least 1"),
    ("gan_ring", "trainer.nodes=-1", "trainer.nodes is -1; it must be at least 1"),
    ("gan_ring", "trainer.rounds_per_batch=-1", "trainer.rounds_per_batch is -1; .* at least 0"),
    ("gan_ring", "trainer.precision=16", "precision is '16'; valid are 16-mixed, .*32-true"),
    ("gan_ring", "trainer.accelerator=cpuu", "'cpuu'; valid are cpu, .*gpu"),
    ("gan_ring", "evaluation.samples=1", "evaluation.samples is 1; it must be at least 2"),
    (
        "gan_ring",
        "evaluation.every_n_updates=-1",
        "evaluation.every_n_updates is -1; it must be at least 0",
    ),
    (
        "gan_ring",
        "pictures.every_n_updates=-1",
        "pictures.every_n_updates is -1; it must be at least 0",
    ),
    ("gan_ring", "pictures.samples=0", "pictures.samples is 0; it must be at least 1"),
    (
        "gan_ring",
        "checkpoints.every_n_updates=-1",
        "checkpoints.every_n_updates is -1; it must be at least 0",
    ),
    ("gan_ring", "checkpoints.keep=0", "checkpoints.keep is 0; it must be at least 1"),
    ("gan_ring", "log.every_n_updates=0", "log.every_n_updates is 0; it must be at least 1"),
    ("gan_ring", "log.wandb=onlne", "'onlne'; valid are online, .*disabled"),
    ("gan_ring", "seed=-1", "seed is -1; it must be at least 0"),
    ("gan_ring", "data.batch_size=0", "data.batch_size is 0; it must be at least 1"),
    ("gan_ring", "data.points=0", "data.*points is 0; it must be at least 1"),
    ("gan_ring", "data.modes=0", "data.*modes is 0; it must be at least 1"),
    ("gan_ring", "data.standard_deviation=0", "data.*standard_deviation is 0.0; .* positive"),
    ("gan_ring", "data.standard_deviation=nan", "data.standard_deviation is nan; .* finite"),
    ("gan_grid", "data.side=0", "data.*side is 0; it must be at least 1"),
    ("gan_grid", "data.spacing=inf", "data.spacing is inf; it must be finite"),
    ("gan_mnist", "data.size=29", "data.size is 29; valid are 28, 32"),
    ("gan_ring", "model.latent_size=0", "model.latent_size is 0; it must be at least 1"),
    ("gan_ring", "model.latent_prior=norml", "model.latent_prior is 'norml'; valid are normal"),
    ("gan_ring", "model.discriminator_steps=0", "model.discriminator_steps is 0; .* at least 1"),
    ("gan_ring", "model.ema_decay=1.5", r"model.ema_decay is 1.5; it must lie in \(0, 1\)"),
    ("gan_ring", "model.objective=minmax", "'minmax'; valid are minimax, "),
    (
        "gan_ring",
        "model.generator_optimizer.learning_rate=nan",
        "model.generator_optimizer.learning_rate is nan; it must be finite",
    ),
    ("infogan_mnist", "model.categorical_codes=[1]", r"categorical_codes is \[1\]; .* at least 2"),
    ("infogan_mnist", "model.continuous_codes=-1", "model.continuous_codes is -1; .* at least 0"),
    ("gan_ring", "network.activation=rellu", "network.activation is 'rellu'; valid are relu, "),
    ("gan_ring", "network.initialisation=nrmal", "initialisation is 'nrmal'; valid are normal"),
    ("dcgan_mnist", "network.generator_norm=btch", "generator_norm is 'btch'; valid are batch, "),
    ("dcgan_mnist", "network.discriminator_norm=lyer", "'lyer'; valid are layer, batch, none"),
    ("classifier_mnist", "model.warm_up=1", r"model.warm_up is 1.0; it must lie in \[0, 1\)"),
    ("classifier_mnist", "model.scale=-1", r"model.scale is -1.0; it must lie in \[0, 1\)"),
    ("classifier_mnist", "data={name: ring}", "one-channel images of ten classes.* data.name"),
    ("gan_ring", "data.batch_size=1000000", "batch_size is 1000000; it must lie in 1..100000"),
    ("gan_mnist", "data.batch_size=70000", "batch_size is 70000; it must lie in 1..60000"),
    ("gan_ring", "model.generator_optimizer.learning_rate=0", "learning_rate is 0.0; .* positive"),
    ("gan_ring", "model.generator_optimizer.learning_rate=-1", "learning_rate is -1.0"),
    ("gan_ring", "model.generator_optimizer.betas=[0.5]", r"betas is \[0.5\]; .* 2 elements"),
    ("gan_ring", "model.discriminator_optimizer.betas=[0.5,1]", r"betas is .* in \[0, 1\)"),
    ("gan_ring", "model.generator_optimizer.name=adamm", "'adamm'; valid are adam, "),
    ("gan_ring", "model.discriminator_optimizer.name=sdg", "optimizer.name is 'sdg'; .* sgd, "),
    ("gan_ring", "model.generator_optimizer.weight_decay=-1", "weight_decay is -1.0; .* at least"),
    ("classifier_mnist", "model.optimizer.learning_rate=-1", "learning_rate is -1.0; .* positive"),
    ("gan_ring", "data={name: swissroll, scale: 0}", "data.*scale is 0.0; .* positive"),
    ("gan_ring", "network.dropout=1.5", "network.*dropout is 1.5"),
    ("gan_ring", "network.dropout=-0.5", "network.*dropout is -0.5"),
    ("gan_ring", "network.generator_hidden=[0]", r"network.*generator_hidden is \[0\]"),
    ("gan_ring", "network.generator_hidden=[-1]", r"network.*generator_hidden is \[-1\]"),
    ("dcgan_mnist", "network.width=0", "network.*width is 0; .* at least 1"),
    ("dcgan_mnist", "network.width=-1", "network.*width is -1; .* at least 1"),
    ("dcgan_mnist", "network.negative_slope=-1", "network.negative_slope is -1.0; .* at least 0"),
    ("infogan_mnist", "network.negative_slope=-1", "network.negative_slope is -1.0; .* at least 0"),
    ("classifier_faces", "model.noise=-1", "model.noise is -1.0; .* at least 0"),
    ("classifier_mnist", "model.rotation=-1", "model.rotation is -1.0; .* at least 0"),
    ("classifier_mnist", "model.shift=-0.5", "model.shift is -0.5; .* at least 0"),
    ("gan_ring", "trainer.strategy=fsdp", "'fsdp'.* cannot be chosen.* freezes one player"),
    ("gan_ring", "--strategy=deepspeed", "'deepspeed'.* leave it out and set --devices"),
    (
        "gan_ring",
        "trainer.strategy={name: ddp}",
        "trainer.strategy is .* gradients of both players",
    ),
    ("gan_ring", "trainer.accelerator=mps", "'mps'.* (cpu|auto)"),
]


INCOMPATIBLE = [
    ("gan_ring", "--accelerator=cpu --devices=640", "valid are 1 to "),
    ("gan_ring", "network.packing=3 data.batch_size=100", "network.packing = 3; … is 99"),
    ("gan_ring", "network.packing=2 data.batch_size=9", "network.packing = 2; … is 8"),
    ("gan_ring", "network.packing=16 data.batch_size=5", "network.packing = 16; … is 16"),
    ("gan_ring_paper", "data.batch_size=1", "at least 2"),
    ("packed_ring_paper", "data.batch_size=2", "at least 4"),
    ("ebgan_pt_mnist", "data.batch_size=1", "model.pulling_away_weight is 0.1 … needs 2 or more"),
    (
        "gan_ring",
        "--accelerator=cpu trainer.sync_batch_norm=true",
        "on GPUs only … each process then normalises over its own part",
    ),
    ("gan_mnist", "model.name=infogan network.packing=2", "set it to 1"),
    ("gan_mnist", "model.name=ebgan network.packing=2", "set it to 1"),
]
"""Arguments of which the last is incompatible with the others, and the parts of the message."""

INCOMPATIBLE_WITH_TWO_PROCESSES = [
    ("gan_ring", "data.batch_size=7", "multiple of 2 processes; the nearest valid value is 8"),
    (
        "gan_ring",
        "network.packing=4 data.batch_size=12",
        "network.packing = 4 times 2 processes … nearest valid value is 16",
    ),
]
"""The same with two processes."""


@pytest.mark.parametrize(("experiment", "override", "line"), OUT_OF_RANGE)
def test_value_out_of_range(experiment: str, override: str, line: str) -> None:
    mistake(["train", experiment, *SHORT, override])
    message = run_cli("train", experiment, *SHORT, override).err
    assert re.search(line, message), message


@pytest.mark.parametrize(("experiment", "words", "line"), INCOMPATIBLE)
def test_incompatible_values(experiment: str, words: str, line: str) -> None:
    check_incompatible(experiment, words.split(), line)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
@pytest.mark.parametrize(("experiment", "words", "line"), INCOMPATIBLE_WITH_TWO_PROCESSES)
def test_incompatible_values_with_two_processes(experiment: str, words: str, line: str) -> None:
    check_incompatible(experiment, ["--devices=2", "--accelerator=cpu", *words.split()], line)


def check_incompatible(experiment: str, words: list[str], line: str) -> None:
    wrong = words[-1].replace("=", " is ")
    mistake(["train", experiment, *SHORT, *words], wrong, *line.split(" … "))


def test_gpu_on_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    mistake(
        ["train", "gan_ring", "--accelerator", "gpu"], "'gpu'", "no CUDA GPU", "use cpu or auto"
    )
