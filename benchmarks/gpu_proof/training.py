"""Short trainings of all variants and networks on a device, with the random numbers of the host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pytorch_lightning import Callback
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gan_lightning.core import fast_paths
from gan_lightning.data import LoaderConfig
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, GANS, StandardGAN
from gan_lightning.testing.setups import GANSetup, find_setups
from gan_lightning.testing.training import Weights, copy_state, quiet, quiet_trainer

__all__ = ["host_randomness", "setups", "train"]

SMALL_NETWORKS: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 8},
    "infogan": {"width": 8},
    "resnet": {"width": 4},
    "resnext": {"widths": [16], "blocks": 1, "group_width": 8},
}
"""Network families beside the small ones that each variant is trained with; settings by name."""

UNLOGGED = 10**6


def setups(quick: bool) -> dict[str, GANSetup]:
    """Return what is trained: every variant, and the standard GAN with every network family.

    Projected GANs are left out where the extra `lite0` is not installed.

    Args:
        quick: whether three are enough.
    """
    found: dict[str, GANSetup] = {}
    for name, kind in GANS.items():
        if quick and name not in ("gan", "unrolled"):
            continue
        try:
            found[name] = find_setups(kind, None, None, None)[0]
        except UserError as error:  # its extra is not installed
            print(f"{name} is left out: {error}", flush=True)
    for name, settings in SMALL_NETWORKS.items():
        if quick and name != "dcgan":
            continue
        networks = {"name": name, **settings}
        (setup,) = find_setups(StandardGAN, None, networks, (1, 32, 32))
        found[f"gan with {name}"] = setup
    return found


def train(
    setup: GANSetup,
    accelerator: str,
    updates: int,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    graphs: bool = False,
) -> Weights:
    """Train in float32 on noise; return the state at the end.

    Nothing is logged, so that no step waits for the device by design.

    Args:
        setup: class, config, networks and data.
        accelerator: "cpu" or "cuda".
        updates: generator updates.
        callbacks: of the training.
        checkpoint: from which it is resumed.
        graphs: capture rounds as CUDA graphs, where they can be.
    """
    gan, data = setup.build(), setup.data()
    gan.log_every = UNLOGGED
    gan.cuda_graphs = graphs
    data.loader_config = LoaderConfig(updates, gan.config.minibatches_per_round)
    with quiet():
        fit: Any = quiet_trainer(accelerator=accelerator, callbacks=[*callbacks]).fit
        fit(gan, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    assert isinstance(gan, GAN)
    return {name: value.cpu() for name, value in copy_state(gan).items()}


FACTORIES = {torch.rand, torch.randn, torch.randint, torch.randperm}
LIKE = {torch.rand_like, torch.randn_like, torch.randint_like}
FROM_VALUES = {torch.bernoulli, torch.multinomial, Tensor.bernoulli, Tensor.multinomial}
IN_PLACE = {Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_}


class _HostRandomness(TorchFunctionMode):
    """Draws random numbers by the host's generators and moves them to the device."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in FACTORIES:
            device = kwargs.pop("device", None) or "cpu"
            return function(*args, **kwargs).to(device, non_blocking=True)
        if function in LIKE:
            drawn = function(_on_host(args[0]), *args[1:], **kwargs)
            return drawn.to(args[0].device, non_blocking=True)
        if function in FROM_VALUES:
            return function(args[0].cpu(), *args[1:], **kwargs).to(args[0].device)
        if function in IN_PLACE:
            drawn = function(_on_host(args[0]), *args[1:], **kwargs)
            return args[0].copy_(drawn, non_blocking=True)
        if function is torch.nn.functional.dropout:
            return _dropout(*args, **kwargs)
        return function(*args, **kwargs)


def _on_host(tensor: Tensor) -> Tensor:
    """Return a tensor of the host of the same shape, type and order in memory, without values."""
    return torch.empty_like(tensor, device="cpu", requires_grad=False)


def _dropout(data: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not training or not p:
        return data
    kept = torch.rand(data.shape) >= p
    return data * (kept.to(data.dtype) / (1 - p)).to(data.device, non_blocking=True)


@contextmanager
def host_randomness() -> Iterator[None]:
    """Draw the same random numbers on all devices inside the block: those of the host.

    The generators of a GPU give other numbers than those of the processor, so that trainings could
    not be compared otherwise.
    """
    generator = torch.Generator
    with (
        _HostRandomness(),
        fast_paths.disabled("dropout"),
        patch.object(torch, "Generator", lambda device="cpu": generator()),
    ):
        yield
