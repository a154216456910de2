"""(b) No training step makes the host wait for the GPU.

Around each step, and each copy of a batch to the GPU, `torch.cuda.set_sync_debug_mode("error")`
turns such a call into an error. It sees neither collectives nor asynchronous copies from memory
that is not pinned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from pytorch_lightning.strategies import Strategy

from gan_lightning.gans import GAN
from gan_lightning.testing.setups import GANSetup
from gpu_proof.record import SKIPPED, Item, Row, Settings, verdict
from gpu_proof.training import setups, train

__all__ = ["items", "strict_steps"]

UPDATES = 3
WITHOUT_CUDA = "needs a CUDA GPU; tests/test_fake_device.py shows it on a device without values"


def items(settings: Settings) -> list[Item]:
    """List a measurement for each variant and network."""
    if not settings.on_cuda:
        return [Item("b", "all", lambda: {"verdict": SKIPPED, "text": WITHOUT_CUDA})]
    return [
        Item("b", name, partial(check, setup, settings.accelerator))
        for name, setup in setups(settings.quick).items()
    ]


def check(setup: GANSetup, accelerator: str) -> Row:
    """Train without one call that waits; a call that waits is an error, which is stored."""
    with strict_steps(torch.cuda.set_sync_debug_mode):
        train(setup, accelerator, UPDATES)
    return verdict(True, f"no call waits in {UPDATES} updates")


@contextmanager
def strict_steps(set_mode: Callable[[str], Any]) -> Iterator[None]:
    """Set the mode "error" in each training step, and each transfer of a batch, in the block.

    Args:
        set_mode: `torch.cuda.set_sync_debug_mode`.
    """

    def strictly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            set_mode("error")
            try:
                return function(*args, **kwargs)
            finally:
                set_mode("default")

        return call

    with (
        patch.object(GAN, "training_step", strictly(GAN.training_step)),
        patch.object(Strategy, "batch_to_device", strictly(Strategy.batch_to_device)),
    ):
        yield
