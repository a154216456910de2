"""Several processes, one game."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning import LightningModule
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from gan_lightning.core.optim import optimizer_parameters

__all__ = ["AlternatingDDP", "running_statistics"]

logger = logging.getLogger(__name__)


class AlternatingDDP(DDPStrategy):
    """Data-parallel training in which only the player that steps has its gradients averaged.

    DistributedDataParallel's reducer would average both players' gradients at every backward. Here
    the model is left as it is, and the gradients of an optimizer's own parameters are averaged,
    in one message a data type, right before its step. Batch statistics are those of each process,
    unless they are synchronised; their running averages are averaged over the processes after each
    Lightning batch. Networks without such norms send nothing there.
    """

    def configure_ddp(self) -> None:
        """Give every process the weights of the first, and leave the module unwrapped."""
        assert self.model is not None
        if running_statistics(self.model):
            logger.info(
                "batch statistics are of each process's own part of a minibatch; on GPUs "
                "trainer.sync_batch_norm=true takes those of all"
            )
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            dist.broadcast(tensor.detach(), src=0)

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: LightningModule | nn.Module | None = None,
        **kwargs: Any,
    ) -> Any:
        """Average the gradients of the optimizer's parameters, then step."""
        parameters = optimizer_parameters(optimizer)
        for weight in parameters:
            if weight.grad is None:  # another process's data may have used it
                weight.grad = torch.zeros_like(weight)
        average([weight.grad for weight in parameters if weight.grad is not None])
        return super().optimizer_step(optimizer, closure, model, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Play a batch, then average the running statistics."""
        output = super().training_step(*args, **kwargs)
        assert self.lightning_module is not None
        average(running_statistics(self.lightning_module))
        return output


def running_statistics(module: nn.Module) -> list[Tensor]:
    """List the running means and variances of norms whose processes see different batches."""
    return [
        buffer
        for part in module.modules()
        if isinstance(part, _NormBase) and not isinstance(part, nn.SyncBatchNorm)
        for buffer in part.buffers(recurse=False)
        if buffer.is_floating_point()
    ]


def average(tensors: list[Tensor]) -> None:
    """Replace tensors by their mean over all processes, in place, in one message a data type."""
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        by_type.setdefault(tensor.dtype, []).append(tensor)
    for group in by_type.values():
        message = torch.cat([tensor.reshape(-1) for tensor in group])
        dist.all_reduce(message)
        message /= dist.get_world_size()
        parts = message.split([tensor.numel() for tensor in group])
        for tensor, part in zip(group, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
