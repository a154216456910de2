"""Training by a plain Lightning Trainer, with any loader of minibatches."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from pytorch_lightning import Callback
from pytorch_lightning.strategies import ParallelStrategy
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from gan_lightning.core.seeding import derived_seed, seed_generators
from gan_lightning.distributed.collectives import synchronized_rng
from gan_lightning.distributed.strategy import AlternatingDDP
from gan_lightning.errors import UserError
from gan_lightning.gans.contract import GANContract, LossTerms
from gan_lightning.gans.monitoring import Monitor, show_samples
from gan_lightning.gans.plain_batches import MinibatchReader
from gan_lightning.gans.round import train_minibatch
from gan_lightning.types import Batch, Condition, DataSpec

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN

__all__ = ["PlainTraining"]

INAPPLICABLE_WARNINGS = (
    "You defined a `validation_step` but have no `val_dataloader`",
    "Using ModelCheckpoint with manual optimization and every_n_train_steps",
)
"""Beginnings of warnings of Lightning: validation is optional, checkpoints follow a step."""


class PlainTraining(GANContract):
    """What a GAN does in a Lightning script of a user, whose loader yields minibatches.

    A minibatch is one of the game: the discriminator steps on it, and on the last one of
    `discriminator_steps` the generator steps, too; with the relativistic objective and steps in
    turn it steps on the next one. `trainer.global_step` counts its steps.

    At the end of an epoch measures of generated samples are logged, see `Monitor`: against the
    validation data, or against the first training data of the epoch where there are none. A grid
    of samples goes to the loggers that take images.

    Attributes:
        monitor: how much is measured and shown; `Monitor(samples=0, images=0)` is nothing.
        minibatches: minibatches of the present round that have been trained on.
        reader: recognises, checks and scales the minibatches of a loader.
    """

    monitor: Monitor
    minibatches: int
    reader: MinibatchReader
    _is_plain: bool
    _has_order: bool
    _terms: LossTerms | None

    def __init__(self, data: DataSpec, seed: int) -> None:
        super().__init__(data, seed)
        self.monitor = Monitor()
        self.minibatches = 0
        self._is_plain = False
        self._has_order = False
        self._terms = None

    def forward(self, inputs: Tensor | Condition, labels: Tensor | None = None) -> Tensor:
        """Generate samples by the generator, not by its running average, with gradients.

        Args:
            inputs: noise (N, latent size), for a translator the sources (N, C, H, W), or a
                `Condition`. Inputs that are missing are drawn.
            labels: class of each sample, for a GAN that takes classes.

        Returns:
            Samples (N, *shape).
        """
        if isinstance(inputs, Tensor):
            inputs = Condition(**{self.condition_fields()[0]: inputs}, labels=labels)
        given = inputs.parts()
        if set(self.condition_fields()) <= set(given):
            return self.generate(inputs)
        count = len(next(iter(given.values())))
        return self.generate(self.prior(count).updated(inputs))

    def train_plain_minibatch(self, batch: Any) -> None:
        """Train a minibatch of the present round, and collect it for the measures of the epoch.

        Args:
            batch: what the loader yields, see `MinibatchReader`.

        Raises:
            UserError: it is no minibatch for this GAN.
        """
        self._is_plain = True
        real = self.reader.trim(self._read(batch), self)
        if real is None:
            return
        number, trainer = self.minibatches, self.trainer
        is_last = number + 1 >= self._round_length()
        self.minibatches = 0 if is_last else number + 1
        rank, world_size = self.global_rank, trainer.world_size
        with synchronized_rng(self.seed, self.updates, rank, world_size, self.device, number):
            self._terms = train_minibatch(cast("GAN", self), real, number, is_last, self._terms)
        if self.examples is None and real.source is not None:
            self.examples = real.source
        if not trainer.enable_validation:
            self.monitor.add(real)

    def _read(self, batch: Any) -> Batch:
        """Return a minibatch of a loader, in the type of the weights."""
        assert isinstance(self.dtype, torch.dtype)
        return self.reader.read(batch, self.dtype)

    def _round_length(self) -> int:
        """Return the minibatches of a round; `fast_dev_run` ends it with its last batch."""
        minibatches: int = self.config.minibatches_per_round
        batches = int(getattr(self.trainer, "fast_dev_run", False))
        return min(minibatches, batches) if batches else minibatches

    def configure_callbacks(self) -> Sequence[Callback] | Callback:
        """Add no callback; silence warnings that do not apply, before Lightning's checks."""
        for message in INAPPLICABLE_WARNINGS:
            warnings.filterwarnings("ignore", re.escape(message))
        return super().configure_callbacks()

    def setup(self, stage: str) -> None:
        """Check the strategy and the precision.

        Raises:
            UserError: they cannot train two players as the update rule steps them.
        """
        strategy = self.trainer.strategy
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if stage == "fit" and self.update_rule.is_joint and scaler is not None:
            raise UserError(
                f"the precision is 16-mixed, whose loss scale may change between the steps of both "
                f"players, and update_rule.name is {self.config.update_rule.name}; use bf16-mixed "
                f"or 32-true"
            )
        if (
            stage == "fit"
            and isinstance(strategy, ParallelStrategy)
            and not isinstance(strategy, AlternatingDDP)
        ):
            raise UserError(
                f"the strategy is {type(strategy).__name__}, which cannot train two players in "
                f'turn; use Trainer(strategy="alternating_ddp")'
            )

    def on_fit_start(self) -> None:
        """Seed the order of a loader that shuffles by the global random state, on resume."""
        if self.trainer.ckpt_path is not None:
            self._seed_order()
            self._has_order = True

    def on_train_epoch_start(self) -> None:
        """Seed the order of a loader, except in the first epoch, where the order is the user's."""
        if not self._has_order and (self.updates or self.minibatches):
            self._seed_order()
        self._has_order = False

    def _seed_order(self) -> None:
        """Make the global random state a function of the seed and of what has been trained."""
        progress = (self.updates, self.minibatches)
        seed_generators(derived_seed(self.seed, "loader", *progress), self.device)

    def on_train_epoch_end(self) -> None:
        """Log the losses, the measures and a grid of samples."""
        if not self._is_plain:
            return
        self.log_latest_losses()
        if not self.trainer.enable_validation:
            self._log_measures()
        if self.trainer.is_global_zero:
            show_samples(cast("GAN", self), self.monitor.images)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect validation data, with which generated samples are compared."""
        self.monitor.add(self._read(batch))

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect test data, with which generated samples are compared."""
        self.monitor.add(self._read(batch))

    def on_validation_epoch_start(self) -> None:
        """Forget earlier data."""
        self.monitor.reset()

    def on_test_epoch_start(self) -> None:
        """Forget earlier data."""
        self.monitor.reset()

    def on_validation_epoch_end(self) -> None:
        """Log the measures."""
        self._log_measures()

    def on_test_epoch_end(self) -> None:
        """Log the measures as `test/...`."""
        self._log_measures("test/")

    def _log_measures(self, prefix: str = "") -> None:
        """Measure generated samples, and log the result; in training at the present update."""
        trainer, measures = self.trainer, {}
        if trainer.is_global_zero:
            measures = self.monitor.measure(cast("GAN", self))
        measures = trainer.strategy.broadcast(measures)
        self.monitor.reset()
        named = {f"{prefix}{name}": value for name, value in measures.items()}
        fitting = trainer.state.fn == TrainerFn.FITTING
        # in training Lightning's own x-axis would count minibatches
        self.log_dict(named, prog_bar=True, logger=not fitting, sync_dist=True)
        if named and fitting and not trainer.sanity_checking:
            row = {**named, "epoch": float(self.current_epoch)}
            for logger in self.loggers:
                logger.log_metrics(row, step=self.updates)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters to a checkpoint, and the position in a round that is not at its end."""
        super().on_save_checkpoint(checkpoint)
        if self.minibatches:
            terms = {name: term.item() for name, term in (self._terms or {}).items()}
            checkpoint["progress"].update(minibatches=self.minibatches, terms=terms)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the counters from a checkpoint."""
        super().on_load_checkpoint(checkpoint)
        self.minibatches = checkpoint["progress"].get("minibatches", 0)
        terms = checkpoint["progress"].get("terms", {})
        self._terms = {name: torch.tensor(term, device=self.device) for name, term in terms.items()}
