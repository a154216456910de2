"""Short trainings of a GAN, without files and output, and what its steps did."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.data import LoaderConfig
from gan_lightning.gans import GAN
from gan_lightning.testing.failure import require
from gan_lightning.testing.setups import GANSetup

__all__ = ["Step", "StepRecorder", "Weights", "copy_state", "differences", "quiet_trainer", "train"]

UPDATES = 6

Weights = dict[str, Tensor]


def train(
    setup: GANSetup,
    *,
    seed: int = 0,
    updates: int = UPDATES,
    rounds: int = 1,
    precision: str = "32-true",
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    trainer: dict[str, Any] | None = None,
    **changes: Any,
) -> GAN:
    """Build a GAN and train it on noise.

    Args:
        setup: class, config, networks and data.
        seed: seed of weights, data order and training.
        updates: generator updates.
        rounds: rounds in a Lightning batch.
        precision: Lightning's `precision`.
        callbacks: callbacks of the training.
        checkpoint: checkpoint from which it is resumed.
        trainer: further arguments of the Trainer.
        changes: values of the config that are changed.
    """
    gan, data = setup.build(seed, **changes), setup.data()
    gan.log_every = 1
    data.loader_config = LoaderConfig(updates, gan.config.minibatches_per_round, rounds, seed)
    with quiet():
        settings = {"precision": precision, "callbacks": [*callbacks], **(trainer or {})}
        fit: Any = quiet_trainer(**settings).fit  # `weights_only` is newer than its stubs
        fit(gan, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return gan


def quiet_trainer(**settings: Any) -> Trainer:
    """Return a Trainer on the CPU that prints and writes nothing.

    Args:
        settings: arguments of the Trainer that differ.
    """
    defaults: dict[str, Any] = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "default_root_dir": Path("/nonexistent"),
    }
    return Trainer(**{**defaults, **settings})


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's messages and warnings inside the block."""
    names = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def copy_state(module: torch.nn.Module) -> Weights:
    """Return copies of all parameters and buffers."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def differences(first: Weights, second: Weights) -> list[str]:
    """List the names whose tensors differ in a bit, or that only one of them has."""
    shared = first.keys() & second.keys()
    return sorted(first.keys() ^ second.keys()) + sorted(
        name for name in shared if not torch.equal(first[name], second[name])
    )


@dataclass
class Step:
    """What an optimizer step did.

    Attributes:
        player: 0 for the discriminator's optimizer, 1 for the generator's.
        before: parameters right before the step.
        after: parameters after the step and its hooks of the GAN.
        silent: parameters of the optimizer without a gradient, or with a gradient of zeros.
        not_finite: parameters of the optimizer whose gradient is not finite.
    """

    player: int
    before: Weights
    after: Weights
    silent: set[str]
    not_finite: set[str]


class StepRecorder(Callback):
    """Records every optimizer step, by hooks of the optimizers, and checks the terms of each loss.

    Attributes:
        steps: in the order in which they were made.
        terms: names of the terms of each loss method that was called.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.terms: dict[str, list[str]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Register the hooks."""
        assert isinstance(pl_module, GAN)
        gan = pl_module
        trained = {n: value for n, value in gan.named_parameters() if value.requires_grad}

        def snapshot() -> Weights:
            return {name: value.detach().clone() for name, value in trained.items()}

        def before_step(optimizer: Optimizer, *_: Any) -> None:
            own = set(map(id, optimizer_parameters(optimizer)))
            gradients = {n: value.grad for n, value in trained.items() if id(value) in own}
            silent = {n for n, grad in gradients.items() if grad is None or not grad.any()}
            wrong = {n for n, g in gradients.items() if g is not None and not g.isfinite().all()}
            number = trainer.optimizers.index(optimizer)
            self.steps.append(Step(number, snapshot(), {}, silent, wrong))

        def after_step(*_: Any) -> None:
            self.steps[-1].after = snapshot()

        for optimizer in trainer.optimizers:
            optimizer.register_step_pre_hook(before_step)
            optimizer.register_step_post_hook(after_step)
        hook = gan.after_discriminator_step

        def after_discriminator_step() -> None:
            hook()
            self.steps[-1].after = snapshot()

        gan.after_discriminator_step = after_discriminator_step  # type: ignore[method-assign]
        for name in ("discriminator_loss", "generator_loss"):
            setattr(gan, name, self._checking(type(gan), name, getattr(gan, name)))

    def _checking(self, owner: type, name: str, loss: Any) -> Any:
        def checked(*args: Any) -> Any:
            terms = loss(*args)
            _check_terms(owner, name, terms)
            known = self.terms.setdefault(name, list(terms))
            sentence = f"{name} returns other names in other updates: {list(terms)}"
            require(list(terms) == known, owner, sentence)
            return terms

        return checked


def _check_terms(owner: type, loss: str, terms: Any) -> None:
    """Check that a loss returned finite scalars with a gradient, by name."""
    is_mapping = isinstance(terms, Mapping) and bool(terms)
    require(is_mapping, owner, f"{loss} returns no loss terms by name")
    for name, term in terms.items():
        where = f"term {name!r} of {loss}"
        is_scalar = isinstance(term, Tensor) and term.ndim == 0
        require(is_scalar, owner, f"{where} is no scalar tensor")
        require(bool(term.isfinite()), owner, f"{where} is {term.item()}")
        require(term.requires_grad, owner, f"{where} has no gradient; it is detached")
