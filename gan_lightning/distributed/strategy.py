"""The strategy for training in several processes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning import LightningModule
from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from gan_lightning.core.optim import optimizer_parameters

__all__ = ["AlternatingDDP", "batch_norm_statistics"]

logger = logging.getLogger(__name__)


class AlternatingDDP(DDPStrategy):
    """Data-parallel training that averages the gradients of the stepping player only.

    DistributedDataParallel's reducer would average the gradients of both players in every backward
    pass. This strategy leaves the model unwrapped and averages the gradients of an optimizer's own
    parameters right before its step, in one message per data type.

    Batch normalisation uses the statistics of each process's own part of the minibatch, unless it
    is synchronised; its running statistics are averaged over the processes after each Lightning
    batch. Without such layers no message is sent there.
    """

    def configure_ddp(self) -> None:
        """Broadcast weights and buffers from rank 0, and leave the module unwrapped."""
        assert self.model is not None
        if batch_norm_statistics(self.model):
            logger.info(
                "batch normalisation uses the statistics of each process's own part of a "
                "minibatch; trainer.sync_batch_norm=true synchronises them on GPUs"
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
            if weight.grad is None:  # it may have a gradient in another process
                weight.grad = torch.zeros_like(weight)
        average_in_place([weight.grad for weight in parameters if weight.grad is not None])
        return super().optimizer_step(optimizer, closure, model, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Train the rounds of a batch, then average the running statistics."""
        output = super().training_step(*args, **kwargs)
        assert self.lightning_module is not None
        average_in_place(batch_norm_statistics(self.lightning_module))
        return output


StrategyRegistry.register(
    "alternating_ddp",
    AlternatingDDP,
    description="Data-parallel training of two players that step in turn",
    override=True,
)


def batch_norm_statistics(module: nn.Module) -> list[Tensor]:
    """List the running means and variances of batch norms that are not synchronised."""
    return [
        buffer
        for layer in module.modules()
        if isinstance(layer, _NormBase) and not isinstance(layer, nn.SyncBatchNorm)
        for buffer in layer.buffers(recurse=False)
        if buffer.is_floating_point()
    ]


def average_in_place(tensors: list[Tensor]) -> None:
    """Replace tensors by their means over all processes, in one message per data type."""
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
