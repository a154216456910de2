"""What notices that training has gone wrong: numbers that are none, a player that has given up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks.checkpoints import list_checkpoints
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.core.module import BaseModule, NonFiniteReport
from gan_lightning.errors import Diverged, warn
from gan_lightning.loggers import WandbRun

__all__ = ["StopOnNonFinite", "WarnOnCollapse"]

WON = "loss/discriminator/adversarial"
OPPONENT = "loss/generator/adversarial"
"""Of a generator that plays: not of one that matches features, nor of a game without weight."""
WON_BELOW = 0.05
WON_FOR = 500

DUPLICATES = 0.5
ON_MODES = 0.5


class StopOnNonFinite(Callback):
    """Ends a run whose loss or weights are no longer finite, on all processes together.

    Losses are looked at after every update (on a GPU whenever they are logged, without waiting for
    them in between), weights before a checkpoint is written.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop on the first loss that is not finite.

        Raises:
            Diverged: there is one, on any process.
        """
        assert isinstance(pl_module, BaseModule)
        broken = pl_module.non_finite
        stop = broken is not None
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self._stop(trainer, pl_module, broken)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep weights that are not finite out of the checkpoints.

        Raises:
            Diverged: there are some, which are the same on every process.
        """
        assert isinstance(pl_module, BaseModule)
        wrong = [
            name
            for name, value in pl_module.state_dict().items()
            if value.is_floating_point() and not value.isfinite().all()
        ]
        if wrong:
            self._stop(trainer, pl_module, NonFiniteReport(pl_module.updates, {}, tuple(wrong)))

    def _stop(self, trainer: Trainer, learner: BaseModule, broken: NonFiniteReport | None) -> None:
        where = broken or NonFiniteReport(learner.updates, {}, ())
        before = list_checkpoints(self._folder)
        last = f"the last good checkpoint is {before[-1]}" if before else "no checkpoint is there"
        said = (
            f"update {where.update:,}: {where.describe()}; {last}. Try a smaller learning rate, "
            f"trainer.precision=32-true, or model.regularisation.r1"
        )
        _alert(trainer, "training diverged", said, learner.updates)
        raise Diverged(said)


class WarnOnCollapse(Callback):
    """Warns once when the discriminator has won, or the generator makes few different data.

    The discriminator has won where its adversarial loss stays below 0.05 for 500 updates, and the
    generator plays against it. A generator has collapsed where half of its samples are near-copies
    of others, or where they lie on the modes, or in the classes, of half of the data at most.

    Args:
        evaluation: whose measures tell; looked at after each of its acts.
        kinds: modes or classes of the data, or None where they have none.
    """

    def __init__(self, evaluation: Evaluation, num_modes: int | None) -> None:
        self._evaluation = evaluation
        self._kinds = num_modes
        self._won_since: int | None = None
        self._seen: int | None = None
        self._told: set[str] = set()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the latest losses, and at the latest measures."""
        assert isinstance(pl_module, BaseModule)
        self._watch_discriminator(trainer, pl_module)
        self._watch_generator(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the last measures."""
        assert isinstance(pl_module, BaseModule)
        self._watch_generator(trainer, pl_module)

    def _watch_discriminator(self, trainer: Trainer, learner: BaseModule) -> None:
        plays = learner.losses.get(OPPONENT, 0.0) != 0
        if not plays or learner.losses.get(WON, WON_BELOW) >= WON_BELOW:
            self._won_since = None
            return
        self._won_since = learner.updates if self._won_since is None else self._won_since
        if learner.updates - self._won_since >= WON_FOR:
            self._tell(
                trainer,
                "the discriminator has won",
                f"its loss is below {WON_BELOW} since update {self._won_since:,}, and the "
                f"generator gets hardly a gradient. Try a smaller "
                f"model.discriminator_optimizer.learning_rate, model.regularisation.r1=1 or "
                f"network.spectral_norm=true",
                learner.updates,
            )

    def _watch_generator(self, trainer: Trainer, learner: BaseModule) -> None:
        if self._evaluation.measured in (None, self._seen):
            return
        losses = [value for name, value in learner.losses.items() if "/generator/" in name]
        if losses and not any(losses):  # it is not trained
            return
        self._seen = self._evaluation.measured
        if found := describe_collapse(self._evaluation.measures, self._kinds):
            self._tell(
                trainer,
                "the generator has collapsed",
                f"at update {self._seen:,} {found}. Try network.packing=2, "
                f"network.minibatch_kernels=50, model.regularisation.r1=1, or another GAN "
                f"(unrolled, wgan_gp)",
                learner.updates,
            )

    def _tell(self, trainer: Trainer, what: str, said: str, update: int) -> None:
        if what not in self._told:
            self._told.add(what)
            if trainer.is_global_zero:
                warn(f"{what}: {said}")
            _alert(trainer, what, said, update)


def describe_collapse(measures: Mapping[str, float], num_modes: int | None) -> str:
    """Say how a generator has collapsed by what was measured, or nothing.

    Args:
        measures: of an evaluation, by name.
        kinds: modes or classes of the data, or None.
    """
    duplicates = measures.get("samples/duplicates", 0.0)
    if duplicates >= DUPLICATES:
        return f"{duplicates:.0%} of its samples are near-copies of others"
    covered = measures.get("modes/covered", measures.get("classes/covered"))
    on_modes = measures.get("modes/high_quality", 1.0) >= ON_MODES
    if num_modes is not None and covered is not None and on_modes and covered <= num_modes / 2:
        return f"its samples cover {covered:.0f} of {num_modes:,} modes"
    return ""


def _alert(trainer: Trainer, title: str, text: str, update: int) -> None:
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.alert(title, text, update)
