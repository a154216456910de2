"""(a) Weights of every variant and network are those of the processor, and of another start.

20 updates in float32, without TF32, with the same random numbers: no weight differs from the
processor's by more than 1e-4. Two trainings with deterministic algorithms, for all operations that
have one, are equal in all bits, and so is one that is resumed from a checkpoint. A run of the
command line that is killed and resumed has the weights of an uninterrupted one. With rounds as CUDA
graphs no weight differs by more than 1e-4 from those without, by the GPU's own random numbers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors.torch import load_file

from gan_lightning.gans import GAN
from gan_lightning.gans.graphed_rounds import reason_against_graphs
from gan_lightning.testing.observers import SaveCheckpoint
from gan_lightning.testing.setups import GANSetup
from gan_lightning.testing.training import Weights, differences
from gan_lightning.utils.hardware import without_tf32
from gpu_proof.record import SKIPPED, Item, Row, Settings, verdict
from gpu_proof.training import host_randomness, setups, train

__all__ = ["items", "run_command"]

UPDATES = 20
LIMIT = 1e-4
WITHOUT_CUDA = {
    "verdict": SKIPPED,
    "text": "rounds are eager: not on CUDA; tests/test_cuda_graphs.py has a stand-in for graphs",
}
KILL_AT = 8
"""Updates of a run after which it is killed, at the earliest."""


def items(settings: Settings) -> list[Item]:
    """List a measurement for each variant and network, and that of a killed run."""
    updates = 6 if settings.quick else UPDATES
    made = [
        Item("a", name, partial(compare, setup, settings.accelerator, updates))
        for name, setup in setups(settings.quick).items()
    ]
    made.append(Item("a", "kill", partial(kill_and_resume, settings)))
    if not settings.on_cuda:
        return [*made, Item("a", "CUDA graphs", lambda: WITHOUT_CUDA)]
    graphed = [
        Item("a", f"{name}, CUDA graphs", partial(compare_graphs, setup, settings, updates))
        for name, setup in setups(settings.quick).items()
    ]
    return [*made, *graphed]


@without_tf32()
def compare(setup: GANSetup, accelerator: str, updates: int) -> Row:
    """Train on the processor, and three times on the device."""
    with host_randomness():
        expected = train(setup, "cpu", updates)
        found = train(setup, accelerator, updates)
    floats = [name for name, value in expected.items() if value.is_floating_point()]
    errors = {name: float((found[name] - expected[name]).abs().max()) for name in floats}
    worst = max(errors, key=errors.__getitem__)
    with deterministic(), TemporaryDirectory() as folder:
        half = Path(folder, "half.ckpt")
        first = train(setup, accelerator, updates, [SaveCheckpoint(half, updates // 2)])
        second = train(setup, accelerator, updates)
        resumed = train(setup, accelerator, updates, checkpoint=half)
    again, after = differences(first, second), differences(first, resumed)
    text = (
        f"largest difference from the processor {errors[worst]:.1e} in {worst}; "
        f"{_equal(again)} in a second training, {_equal(after)} after resuming"
    )
    holds = errors[worst] <= LIMIT and not again and not after
    return verdict(holds, text, difference=errors[worst], repeated=not again, resumed=not after)


@without_tf32()
def compare_graphs(setup: GANSetup, settings: Settings, updates: int) -> Row:
    """Train on the device without and with CUDA graphs."""
    watch = _Graphs()
    with deterministic():
        expected = train(setup, settings.accelerator, updates)
        found = train(setup, settings.accelerator, updates, [watch], graphs=True)
    if watch.reason:
        return {"verdict": SKIPPED, "text": f"rounds are eager: {watch.reason}"}
    floats = [name for name, value in expected.items() if value.is_floating_point()]
    error = max(float((found[name] - expected[name]).abs().max()) for name in floats)
    changed = differences(expected, found)
    text = f"{watch.count} graphs; largest difference {error:.1e}, {_equal(changed)}"
    holds = error <= LIMIT and watch.count > 0
    return verdict(holds, text, difference=error, equal=not changed)


class _Graphs(Callback):
    """Notes how many graphs a training has, or why it has none."""

    count, reason = 0, ""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the reason."""
        assert isinstance(pl_module, GAN)
        self.reason = reason_against_graphs(pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Count the graphs, which are freed at the end."""
        assert isinstance(pl_module, GAN)
        self.count = 0 if pl_module.graphs is None else pl_module.graphs.count


def _equal(changed: list[str]) -> str:
    return f"{len(changed)} tensors differ" if changed else "all bits equal"


@contextmanager
def deterministic() -> Iterator[None]:
    """Use deterministic algorithms inside the block, for all operations that have one."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def kill_and_resume(settings: Settings) -> Row:
    """Kill a run of the command line, resume it, and compare it with an uninterrupted one."""
    updates = 60 if settings.quick else 400
    arguments = [
        *("train", "gan_ring", "--accelerator", settings.accelerator, "log.wandb=disabled"),
        *(f"trainer.max_updates={updates}", "evaluation.every_n_updates=0"),
        *("evaluation.samples=100", "trainer.rounds_per_batch=1"),
        *(f"checkpoints.every_n_updates={KILL_AT}", "pictures.every_n_updates=0"),
    ]
    with TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        run_command(*arguments, "--output", str(whole))
        process = start_command(*arguments, "--output", str(killed))
        _wait(lambda: bool([*killed.glob("checkpoints/update_*.ckpt")]), process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        unfinished = not (killed / "generator.safetensors").exists()
        run_command("train", "gan_ring", "--resume", str(killed))
        weights = [_weights(run) for run in (whole, killed)]
    changed = differences(*weights)
    text = f"killed {'before' if unfinished else 'after'} its end and resumed: {_equal(changed)}"
    return verdict(unfinished and not changed, text)


def _weights(run: Path) -> Weights:
    file = run / "generator.safetensors"
    return load_file(file)


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not ready() and process.poll() is None:
        time.sleep(0.01)


def start_command(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a command of gan-lightning, without output."""
    command = [sys.executable, "-m", "gan_lightning", *arguments]
    environment = {**os.environ, "WANDB_MODE": "disabled"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def run_command(*arguments: str) -> None:
    """Run a command of gan-lightning.

    Raises:
        RuntimeError: it failed.
    """
    process = start_command(*arguments)
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode()[-300:])
