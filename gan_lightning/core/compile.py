"""`torch.compile` as an option, and blocks that compute eagerly."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

__all__ = ["any_compiled", "compile_networks", "eager_mode"]

BACKEND = "inductor"
"""Backend of torch.compile; PyTorch's default."""

_any_compiled = False


def compile_networks(networks: Iterable[nn.Module]) -> None:
    """Compile the forward pass of networks, at their first call outside of `eager_mode`.

    Weights and their names stay the same. A network that cannot be compiled, for example without a
    C++ compiler, computes eagerly, with a line in the log.
    """
    global _any_compiled
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    for network in networks:
        network.compile(backend=BACKEND)
    _any_compiled = True


def any_compiled() -> bool:
    """Tell whether networks of this process are compiled."""
    return _any_compiled


def eager_mode() -> AbstractContextManager[object]:
    """Return a context in which compiled networks compute eagerly.

    It is needed for second derivatives, which torch.compile does not support, and useful for
    minibatches of other sizes than in training, for each of which it would compile again.
    """
    return torch.compiler.set_stance("force_eager") if _any_compiled else nullcontext()
