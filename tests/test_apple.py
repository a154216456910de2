"""What a Mac with an Apple GPU needs: no float64 on it, the processor by default, no affinity.

There is no such machine here; the device is patched.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_inputs import mistake
from conftest import run_cli
from factories import ALL_GANS, make_config, make_gan, make_real_batch, quiet_trainer
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_lightning.callbacks import GameMeasures
from gan_lightning.cli.machine_checks import CHECKS
from gan_lightning.config.schema import GameConfig
from gan_lightning.core import module
from gan_lightning.core.module import BaseModule, on_device_with_float64
from gan_lightning.evaluation import evaluate
from gan_lightning.gans.directions import principal_directions
from gan_lightning.gans.monitoring import Monitor
from gan_lightning.training.build import build
from gan_lightning.training.checks import check_devices, resolve_accelerator
from gan_lightning.utils.hardware import available_cores


class NoFloat64(TorchDispatchMode):
    """Fails where an operation makes a float64 tensor of one element or more dimensions."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            assert not isinstance(value, torch.Tensor) or value.dtype != torch.float64, function
        return result


@pytest.mark.parametrize("model", [name for name in ALL_GANS if name != "pix2pix"])  # too slow
def test_training_makes_no_float64(model: str) -> None:
    """Neither a step, nor what is moved to the device: weights, buffers, states of optimizers."""
    gan, data = build(make_config(model, "trainer.max_updates=2"))
    with NoFloat64():
        quiet_trainer(max_steps=-1).fit(gan, datamodule=data)
    assert gan.updates == 2
    optimizers = gan.optimizers()
    states = [optimizer.state_dict() for optimizer in optimizers]  # type: ignore[union-attr]
    tensors = [gan.state_dict(), states, gan.trainer.strategy.lightning_module.state_dict()]
    found = [value for value in tree_leaves(tensors) if isinstance(value, torch.Tensor)]
    assert found
    assert torch.float64 not in {value.dtype for value in found}


@pytest.fixture
def apple_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make models say that they are on an Apple GPU, until they are moved; return the moves."""
    moves: list[str] = []

    def move(self: BaseModule, device: Any) -> None:
        moves.append(torch.device(device).type)

    present = property(lambda self: torch.device(moves[-1] if moves else "mps"))
    monkeypatch.setattr(BaseModule, "device", present)
    monkeypatch.setattr(BaseModule, "to", move)
    return moves


@pytest.mark.parametrize("model", ["gan", "infogan", "cgan"])
def test_measures_are_computed_on_the_processor(model: str, apple_gpu: list[str]) -> None:
    gan, data = build(make_config(model))
    assert isinstance(gan, BaseModule)
    assert evaluate(gan, data, 20)
    assert apple_gpu == ["cpu", "mps"]


def test_the_game_is_measured_on_the_processor(apple_gpu: list[str], tmp_path: Path) -> None:
    """Its derivatives need float64."""
    gan, data = build(make_config("gan"))
    measuring = GameMeasures(tmp_path, data, GameConfig(measures=[]))
    measuring.on_interval(quiet_trainer(), gan)
    assert apple_gpu == ["cpu", "mps"]


def test_measures_of_a_plain_script_are_computed_on_the_processor(apple_gpu: list[str]) -> None:
    gan, monitor = make_gan("gan"), Monitor(40)
    monitor.add(make_real_batch(gan, 40))
    assert monitor.measure(gan)
    assert apple_gpu == ["cpu", "mps"]


def test_a_failed_measurement_moves_the_model_back(apple_gpu: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), on_device_with_float64(make_gan("gan")):
        raise ZeroDivisionError
    assert apple_gpu == ["cpu", "mps"]


def test_directions_are_computed_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid of a training run shows them; MPS has no float64, nor `eigh`."""
    gan = make_gan("gan")
    expected = principal_directions(gan, 2)
    moved = []
    monkeypatch.setattr(module, "WITHOUT_FLOAT64", ("cpu",))
    monkeypatch.setattr(Tensor, "cpu", lambda tensor: moved.append(tensor) or tensor)
    assert torch.equal(principal_directions(gan, 2), expected)
    assert moved


def test_auto_is_what_doctor_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_accelerator(make_config("gan")) == "cpu"
    assert resolve_accelerator(make_config("gan", "trainer.accelerator=mps")) == "mps"
    messages = [finding.message for finding in CHECKS["devices"]("devices")]
    assert "MPS is available; runs use the CPU unless --accelerator is mps" in messages
    lines = [finding.message for finding in CHECKS["auto"]("auto")]
    assert lines[0].startswith("accelerator: auto is cpu, since torch finds no CUDA GPU, and ")
    assert lines[-1].startswith("MPS: refuses --devices above 1 and trainer.sync_batch_norm")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_accelerator(make_config("gan")) == "cuda"


@pytest.mark.usefixtures("empty_folder")
def test_one_apple_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    check_devices(make_config("gan", "trainer.accelerator=mps"))
    mistake(
        ["train", "gan_ring", "--accelerator", "mps", "--devices", "2"],
        "--devices is 2, and this machine has 1 Apple GPU; valid are 1 to 1",
    )
    mistake(
        ["train", "gan_ring", "--accelerator", "mps", "trainer.sync_batch_norm=true"],
        "trainer.sync_batch_norm is true, and PyTorch synchronises batch norm on GPUs only",
    )


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cores() == os.cpu_count()


@pytest.mark.usefixtures("empty_folder")
def test_without_affinity_images_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    Path("photos").mkdir()
    for number in range(4):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(f"photos/{number}.png")
    prepared = run_cli("prepare", "folder", "--root", "photos", "--size", "16", "--output", "small")
    assert prepared.code == 0, prepared.err
    assert "4 images" in prepared.out
