"""What every trained model has: a seed, counters that a checkpoint keeps, and a log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from math import isfinite
from operator import add
from typing import Any, ClassVar, NamedTuple

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn

from gan_lightning.core.compile import eager_mode
from gan_lightning.types import DataSpec

__all__ = ["BaseModule", "NonFiniteReport", "evaluation_mode"]

STEP_HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")
"""What Lightning calls on a model and its callbacks around a backward and a step."""


class NonFiniteReport(NamedTuple):
    """Where numbers stopped being finite.

    Args:
        update: after whose steps, counted from 1.
        terms: losses of that update, by name.
        weights: names of those that are not finite.
    """

    update: int
    terms: Mapping[str, float]
    weights: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say what is not finite, the rest in brackets."""
        wrong = [f"{name} is {value}" for name, value in self.terms.items() if not isfinite(value)]
        fine = [f"{name} {value:.4g}" for name, value in self.terms.items() if isfinite(value)]
        wrong += [f"weights {name} are not finite" for name in self.weights[:3]]
        said = ", ".join(wrong) or "another process found a loss that is not finite"
        return f"{said} ({', '.join(fine)})" if fine else said


class BaseModule(LightningModule, ABC):
    """A model trained by manual optimisation, its progress counted in updates.

    An update is one generator update for a GAN, one optimizer step for a classifier. Lightning's
    own `global_step` counts every optimizer's steps and is used for nothing.

    Args:
        data: shape and classes of the data.
        seed: of all random draws in training.

    Attributes:
        updates: made so far.
        images_seen: real data seen so far, on all processes together.
        log_every: updates between two rows of the log.
        losses: the latest logged loss terms, by name; the same on every process.
        broken: where loss terms stopped being finite in this process, or None.
    """

    Config: ClassVar[type[Any]]
    automatic_optimization = False

    def __init__(self, data: DataSpec, seed: int) -> None:
        super().__init__()
        self.data = data
        self.seed = seed
        self.updates = 0
        self.images_seen = 0
        self.log_every = 50
        self.losses: dict[str, float] = {}
        self.non_finite: NonFiniteReport | None = None
        self._unchecked: list[list[Tensor]] = []
        self._bypass_lightning = (
            False  # with its steps, which nothing of Lightning's then has a part in
        )

    @abstractmethod
    def inference_network(self) -> nn.Module:
        """Return the network that a user wants of a finished run."""

    @abstractmethod
    def networks_in_training(self) -> list[nn.Module]:
        """Return the networks that its training calls."""

    def backward_and_step(self, optimizer: LightningOptimizer, terms: Mapping[str, Tensor]) -> None:
        """Make a step of an optimizer down the gradient of the sum of loss terms, and forget it.

        By itself where Lightning would add nothing to it: the way through its strategy, plugins and
        hooks takes a tenth of a small network's update.
        """
        loss = reduce(add, terms.values())
        if self._bypass_lightning:
            loss.backward()
            optimizer.optimizer.step()
        else:
            self.manual_backward(loss)
            optimizer.step()
        optimizer.optimizer.zero_grad()  # now, so that the next forward has its memory

    def on_train_start(self) -> None:
        """Find out whether there is one process, no scaled loss and no hook that watches steps."""
        trainer = self.trainer
        self._bypass_lightning = (
            type(trainer.strategy) is SingleDeviceStrategy
            and getattr(trainer.precision_plugin, "scaler", None) is None
            and all(_is_default(self, hook, LightningModule) for hook in STEP_HOOKS)
            and all(
                _is_default(callback, hook, Callback)
                for callback in trainer.callbacks  # type: ignore[attr-defined]  # set outside of __init__
                for hook in STEP_HOOKS
            )
        )

    def log_update(self, images: int, terms: Mapping[str, Tensor]) -> None:
        """Count one update on `images` data of this process, and log its losses when due.

        What is logged is the mean over all processes, the loss of the global minibatch.
        """
        self.updates += 1
        self.images_seen += images * self.trainer.world_size
        due = self.updates % self.log_every == 0
        losses = [value.detach() for value in terms.values()]
        self._unchecked.append(losses)
        if due or losses[0].is_cpu:  # elsewhere looking at a number waits for it
            self._check(list(terms))
        if due:
            latest = torch.stack([loss.float() for loss in losses])
            mean = self.trainer.strategy.reduce(latest, reduce_op="mean")
            self.losses = dict(zip(terms, mean.tolist(), strict=True))
            for logger in self.loggers:
                logger.log_metrics(
                    {**self.losses, "images_seen": self.images_seen}, step=self.updates
                )

    def _check(self, names: list[str]) -> None:
        """Note the first update of the latest whose losses are not finite."""
        numbers = _read([loss for update in self._unchecked for loss in update])
        first = self.updates - len(self._unchecked) + 1
        self._unchecked.clear()
        if self.non_finite is None and not all(map(isfinite, numbers)):
            bad = next(place for place, number in enumerate(numbers) if not isfinite(number))
            update = bad // len(names)
            row = numbers[update * len(names) :][: len(names)]
            self.non_finite = NonFiniteReport(first + update, dict(zip(names, row, strict=True)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters."""
        checkpoint["progress"] = {"updates": self.updates, "images_seen": self.images_seen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the counters."""
        self.updates = checkpoint["progress"]["updates"]
        self.images_seen = checkpoint["progress"]["images_seen"]


def _read(scalars: list[Tensor]) -> list[float]:
    """Return numbers: of a GPU at once, since it is waited for at each look."""
    if scalars[0].is_cpu:
        return [scalar.item() for scalar in scalars]
    numbers: list[float] = torch.stack([scalar.float() for scalar in scalars]).tolist()
    return numbers


def _is_default(watcher: object, hook: str, base: type) -> bool:
    return getattr(type(watcher), hook) is getattr(base, hook)


@contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Put networks into evaluation mode inside the block, and every part back into its own.

    What is compiled computes as written there.
    """
    modes = [(part, part.training) for network in networks for part in network.modules()]
    for network in networks:
        network.eval()
    try:
        with eager_mode():
            yield
    finally:
        for part, training in modes:
            part.training = training
