"""The base class of all trained models: seed, counters in checkpoints, steps and log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from math import isfinite
from operator import add
from typing import Any, ClassVar, NamedTuple

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from gan_lightning.core import fast_paths
from gan_lightning.core.compile import eager_mode
from gan_lightning.core.fast_paths import can_step_directly
from gan_lightning.types import DataSpec

__all__ = [
    "BaseModule",
    "NonFiniteReport",
    "as_tensors",
    "evaluation_mode",
    "on_device_with_float64",
    "short_name",
    "to_float64",
]

WITHOUT_FLOAT64 = ("mps",)
"""Kinds of devices that have no float64, in which metrics sum."""


MAX_UNCHECKED = 1000
"""Updates whose losses a GPU keeps before they are checked, since a look at one waits for it."""


class NonFiniteReport(NamedTuple):
    """The first update after which a loss or weight was not finite.

    Attributes:
        update: number of the update, counted from 1.
        terms: loss terms of that update, by name.
        weights: names of the weights that are not finite.
    """

    update: int
    terms: Mapping[str, float]
    weights: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return one line that names what is not finite, with the finite losses in brackets."""
        wrong = [f"{name} is {value}" for name, value in self.terms.items() if not isfinite(value)]
        fine = [f"{name} {value:.4g}" for name, value in self.terms.items() if isfinite(value)]
        wrong += [f"weights {name} are not finite" for name in self.weights[:3]]
        text = ", ".join(wrong) or "another process found a loss that is not finite"
        return f"{text} ({', '.join(fine)})" if fine else text


class BaseModule(LightningModule, ABC):
    """A model that is trained by manual optimization; its progress is counted in updates.

    An update is one generator update of a GAN or one optimizer step of a classifier. It is also the
    unit of the Trainer: `trainer.global_step` counts updates, and with it `max_steps` and
    `ModelCheckpoint(every_n_train_steps=...)`. `trainer.callback_metrics` holds the latest losses.

    Args:
        data: shape and classes of the data.
        seed: seed of all random numbers of training.

    Attributes:
        updates: number of updates made so far.
        images_seen: number of real samples used so far, by all processes together.
        log_every: updates between two rows of the log; None for the Trainer's `log_every_n_steps`.
        losses: loss terms of the latest logged update, by name; equal in all processes.
        cuda_graphs: whether rounds of a GAN are captured as CUDA graphs, where they can be.
        non_finite: the first update of this process with a loss that is not finite, or None.
    """

    Config: ClassVar[type[Any]]
    automatic_optimization = False

    def __init__(self, data: DataSpec, seed: int) -> None:
        super().__init__()
        self.data = data
        self.seed = seed
        self.updates = 0
        self.images_seen = 0
        self.log_every: int | None = None
        self.losses: dict[str, float] = {}
        self.cuda_graphs = False
        self.non_finite: NonFiniteReport | None = None
        self._unchecked: list[list[Tensor]] = []
        self._latest_terms: Mapping[str, Tensor] = {}
        self._step_directly = False
        self._log_interval = 50
        self._updates_before = 0

    @abstractmethod
    def inference_network(self) -> nn.Module:
        """Return the network of a finished run that is exported."""

    def pictures(self) -> tuple[str, ...]:
        """Return names of `gan_lightning.callbacks.PICTURES` that show this model."""
        return ()

    @abstractmethod
    def networks_in_training(self) -> list[nn.Module]:
        """Return the networks that training calls, for `torch.compile`."""

    def methods_to_compile(self) -> tuple[str, ...]:
        """Return the names of methods that `torch.compile` compiles whole; by default none."""
        return ()

    def backward_and_step(self, optimizer: LightningOptimizer, terms: Mapping[str, Tensor]) -> None:
        """Backpropagate the summed loss terms, step the optimizer, and clear its gradients.

        Args:
            optimizer: one of the module's optimizers.
            terms: weighted loss terms by name, scalars.
        """
        self.backpropagate(terms)
        self.step_optimizer(optimizer)

    def backpropagate(self, terms: Mapping[str, Tensor]) -> None:
        """Backpropagate the summed loss terms; gradients add up until `step_optimizer`.

        Args:
            terms: weighted loss terms by name, scalars.
        """
        self.backpropagate_in_turn([reduce(add, terms.values())])

    def backpropagate_in_turn(self, losses: Iterable[Tensor]) -> None:
        """Backpropagate losses one after the other, whose gradients add up.

        Args:
            losses: scalars; each may be computed when it is asked for.
        """
        fast_paths.backward(self, losses, direct=self._step_directly)

    def step_optimizer(self, optimizer: LightningOptimizer) -> None:
        """Step an optimizer by the gradients of its weights, and clear them.

        Args:
            optimizer: one of the module's optimizers.
        """
        fast_paths.step(optimizer, direct=self._step_directly)
        optimizer.optimizer.zero_grad()  # now, so that the next forward pass can use the memory

    def on_train_start(self) -> None:
        """Choose how `step_optimizer` steps, when losses are logged, and what is counted."""
        self._step_directly = can_step_directly(self)
        interval: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set outside of __init__
        self._log_interval = self.log_every or interval
        steps = self.trainer.global_step
        # a checkpoint without Lightning's counters continues at the update; a model that an earlier
        # Trainer has trained begins at step 0 in a new one
        continues = self.trainer.ckpt_path is not None and steps == 0
        self._updates_before = 0 if continues else self.updates - steps
        self.count_steps()

    def count_steps(self) -> None:
        """Set `trainer.global_step` to the number of updates of this training.

        Lightning counts the steps of all optimizers, or none where `step_optimizer` goes without
        its optimizers; the end of each `training_step` calls this method.
        """
        steps = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        steps.ready = steps.completed = self.updates - self._updates_before

    def log_update(self, images: int, terms: Mapping[str, Tensor]) -> None:
        """Count an update, and log its loss terms every `log_every` updates.

        The logged values are means over all processes, the losses of the global minibatch.

        Args:
            images: number of real samples of this process in the update.
            terms: loss terms by name, scalars; the same names in each update.
        """
        self.updates += 1
        self.images_seen += images * self.trainer.world_size
        losses = {name: value.detach() for name, value in terms.items()}
        self._unchecked.append(list(losses.values()))
        self._latest_terms = losses
        if self._log_interval and self.updates % self._log_interval == 0:
            self.log_latest_losses()
        elif self._unchecked[-1][0].is_cpu or len(self._unchecked) >= MAX_UNCHECKED:
            self._check_losses(list(losses))

    def log_latest_losses(self) -> None:
        """Log the loss terms of the latest update, unless they have been logged."""
        terms, self._latest_terms = self._latest_terms, {}
        if not terms:
            return
        if self._unchecked:
            self._check_losses(list(terms))
        latest = torch.stack([loss.float() for loss in terms.values()])
        mean = self.trainer.strategy.reduce(latest, reduce_op="mean")
        self.losses = dict(zip(terms, mean.tolist(), strict=True))
        row = {**self.losses, "images_seen": self.images_seen}
        for logger in self.loggers:
            logger.log_metrics(row, step=self.updates)
        self.trainer.callback_metrics.update(as_tensors(self.losses))
        short_names = {short_name(name): value for name, value in self.losses.items()}
        self.trainer.progress_bar_metrics.update(short_names)

    def _check_losses(self, names: list[str]) -> None:
        """Record the first unchecked update whose losses are not finite."""
        values = _to_floats([loss for update in self._unchecked for loss in update])
        first = self.updates - len(self._unchecked) + 1
        self._unchecked.clear()
        if self.non_finite is None and not all(map(isfinite, values)):
            index = next(index for index, value in enumerate(values) if not isfinite(value))
            update = index // len(names)
            row = values[update * len(names) :][: len(names)]
            self.non_finite = NonFiniteReport(first + update, dict(zip(names, row, strict=True)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters to a checkpoint."""
        checkpoint["progress"] = {"updates": self.updates, "images_seen": self.images_seen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the counters from a checkpoint."""
        self.updates = checkpoint["progress"]["updates"]
        self.images_seen = checkpoint["progress"]["images_seen"]


def as_tensors(measures: Mapping[str, float]) -> dict[str, Tensor]:
    """Convert values to scalars, float32, as Lightning's callbacks expect them."""
    return {name: torch.tensor(value) for name, value in measures.items()}


def short_name(name: str) -> str:
    """Abbreviate the name of a loss, for example loss/generator/adversarial to G adversarial."""
    player, _, term = name.removeprefix("loss/").partition("/")
    return f"{player[0].upper()} {term}"


def _to_floats(scalars: list[Tensor]) -> list[float]:
    """Return the values of scalars; those of a GPU in one transfer, for which it waits."""
    if scalars[0].is_cpu:
        return [scalar.item() for scalar in scalars]
    values: list[float] = torch.stack([scalar.float() for scalar in scalars]).tolist()
    return values


@contextmanager
def on_device_with_float64(model: LightningModule) -> Iterator[None]:
    """Move a model to the CPU inside the block if its device has no float64, such as MPS."""
    device = model.device
    if device.type not in WITHOUT_FLOAT64:
        yield
        return
    model.to("cpu")  # in place: the optimizers keep the parameters
    try:
        yield
    finally:
        model.to(device)


def to_float64(tensor: Tensor) -> Tensor:
    """Convert a tensor to float64, on the CPU if its device has none, such as MPS."""
    on_device = tensor.cpu() if tensor.device.type in WITHOUT_FLOAT64 else tensor
    return on_device.double()


@contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Put networks in evaluation mode inside the block, then restore each module's mode.

    Compiled networks compute eagerly inside the block.
    """
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        with eager_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training
