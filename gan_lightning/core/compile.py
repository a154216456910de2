"""torch.compile as an option, and where it has to stand aside."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

__all__ = ["compile_networks", "eager_mode"]

BACKEND = "inductor"
"""What compiles; PyTorch's own default."""

_used = False


def compile_networks(networks: Iterable[nn.Module]) -> None:
    """Compile what each network computes when it is called, at its first call.

    Weights and their names stay as they are, and so does what `as_written` surrounds. A network
    that cannot be compiled, as without a C++ compiler, computes as written; the log says why.
    """
    global _used
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    for network in networks:
        network.compile(backend=BACKEND)
    _used = True


def eager_mode() -> AbstractContextManager[object]:
    """Compute as written inside the block, compiled or not.

    For gradients that are to be differentiated, which torch.compile refuses, and for batches of
    other sizes than the training's, each of which it would compile for.
    """
    return torch.compiler.set_stance("force_eager") if _used else nullcontext()
