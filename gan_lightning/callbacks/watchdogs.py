"""Detect failed training: losses or weights that are not finite, a won game, a mode collapse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks.checkpoints import list_checkpoints
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.core.module import BaseModule, NonFiniteReport
from gan_lightning.errors import Diverged, warn
from gan_lightning.gans import GAN
from gan_lightning.loggers import WandbRun

__all__ = ["StopOnNonFinite", "WarnOnCollapse"]

DISCRIMINATOR_LOSS = "loss/discriminator/adversarial"
GENERATOR_LOSS = "loss/generator/adversarial"
"""Missing if the generator matches features instead; 0 if its adversarial loss has no weight."""

WON_BELOW = 0.05
"""Adversarial loss below which the discriminator separates real and generated samples."""

WON_FOR = 500
"""Updates for which the loss stays below `WON_BELOW` before the discriminator has won."""

COLLAPSE_AFTER = 1000
"""Updates before which a generator that has never been diverse is still learning."""

MIN_DUPLICATES = 0.5
MIN_HIGH_QUALITY = 0.5
MAX_COVERED = 0.5


LESS_TO_DISCRIMINATE = ("model.regularisation.r1=1", "network.spectral_norm=true")
MORE_DIVERSITY = (
    "network.packing=2",
    "network.minibatch_kernels=50",
    "model.regularisation.r1=1",
    "model.name=unrolled",
    "model.name=wgan_gp",
)
MORE_STABILITY = ("trainer.precision=32-true", "model.regularisation.r1=1")
"""What the warnings recommend, of which a run is shown what it accepts."""

Accepts = Callable[[str], bool]
"""Whether a run would accept an override `key=value`, and it would change something."""


def accept_all(override: str) -> bool:
    """Accept any override."""
    return True


class StopOnNonFinite(Callback):
    """Stop a run, on all processes, when a loss or a weight is not finite.

    Losses are checked after every update (on a GPU whenever they are logged, without waiting for
    them in between), weights before a checkpoint is written.

    Args:
        folder: folder of the checkpoints.
        accepts: whether the run accepts an override that the message would recommend.
    """

    def __init__(self, folder: Path, accepts: Accepts = accept_all) -> None:
        self._folder = folder
        self._accepts = accepts

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the losses.

        Raises:
            Diverged: a loss is not finite on any process.
        """
        assert isinstance(pl_module, BaseModule)
        report = pl_module.non_finite
        stop = report is not None
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self._stop(trainer, pl_module, report)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Check the weights, which are the same on every process.

        Raises:
            Diverged: a weight is not finite.
        """
        assert isinstance(pl_module, BaseModule)
        names = [
            name
            for name, value in pl_module.state_dict().items()
            if value.is_floating_point() and not value.isfinite().all()
        ]
        if names:
            self._stop(trainer, pl_module, NonFiniteReport(pl_module.updates, {}, tuple(names)))

    def _stop(self, trainer: Trainer, model: BaseModule, report: NonFiniteReport | None) -> None:
        report = report or NonFiniteReport(model.updates, {}, ())
        previous = list_checkpoints(self._folder)
        last = (
            f"the last good checkpoint is {previous[-1]}" if previous else "there is no checkpoint"
        )
        advice = _advice("a smaller learning rate", MORE_STABILITY, self._accepts)
        message = f"update {report.update:,}: {report.describe()}; {last}. {advice}"
        _send_alert(trainer, "training diverged", message, model.updates)
        raise Diverged(message)


class WarnOnCollapse(Callback):
    """Warn once when the discriminator has won the game, and once when the generator collapses.

    The discriminator has won when its adversarial loss stays below 0.05 for 500 updates while the
    generator has an adversarial loss. The loss of a critic has no such meaning. The generator has
    collapsed when at least half of its samples are near-copies of others, or when its samples cover
    at most half of the modes or classes, and either an earlier evaluation found neither or it has
    made 1,000 updates: an untrained generator has no diversity yet.

    Args:
        evaluation: evaluation whose metrics are checked.
        num_modes: modes or classes of the data; None if they have none.
        accepts: whether the run accepts an override that a warning would recommend.
    """

    def __init__(
        self, evaluation: Evaluation, num_modes: int | None, accepts: Accepts = accept_all
    ) -> None:
        self._evaluation = evaluation
        self._num_modes = num_modes
        self._accepts = accepts
        self._won_since: int | None = None
        self._checked: int | None = None
        self._was_diverse = False
        self._warned: set[str] = set()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the latest losses and the latest metrics."""
        assert isinstance(pl_module, BaseModule)
        self._check_discriminator(trainer, pl_module)
        self._check_generator(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the last metrics."""
        assert isinstance(pl_module, BaseModule)
        self._check_generator(trainer, pl_module)

    def _check_discriminator(self, trainer: Trainer, model: BaseModule) -> None:
        game = isinstance(model, GAN) and model.objective.zero_when_separated
        game = game and model.losses.get(GENERATOR_LOSS, 0.0) != 0
        if not game or model.losses.get(DISCRIMINATOR_LOSS, WON_BELOW) >= WON_BELOW:
            self._won_since = None
            return
        self._won_since = model.updates if self._won_since is None else self._won_since
        if model.updates - self._won_since >= WON_FOR:
            self._warn(
                trainer,
                "the discriminator has won",
                f"its loss has been below {WON_BELOW} since update {self._won_since:,}: it "
                f"separates real and generated samples, and the generator learns little from it",
                "a smaller model.discriminator_optimizer.learning_rate",
                LESS_TO_DISCRIMINATE,
                model.updates,
            )

    def _check_generator(self, trainer: Trainer, model: BaseModule) -> None:
        evaluated_at = self._evaluation.evaluated_at
        if evaluated_at is None or evaluated_at == self._checked:
            return
        losses = [value for name, value in model.losses.items() if "/generator/" in name]
        if losses and not any(losses):  # the generator is not trained
            return
        self._checked = evaluated_at
        collapse = describe_collapse(self._evaluation.measures, self._num_modes)
        self._was_diverse |= not collapse
        if collapse and (self._was_diverse or evaluated_at >= COLLAPSE_AFTER):
            self._warn(
                trainer,
                "the generator has collapsed",
                f"at update {evaluated_at:,} {collapse}",
                "",
                MORE_DIVERSITY,
                model.updates,
            )

    def _warn(
        self,
        trainer: Trainer,
        title: str,
        reason: str,
        first: str,
        overrides: Sequence[str],
        update: int,
    ) -> None:
        if title in self._warned:
            return
        self._warned.add(title)
        if trainer.is_global_zero:
            text = f"{reason}. {_advice(first, overrides, self._accepts)}".removesuffix(" ")
            warn(f"{title}: {text}")
            _send_alert(trainer, title, text, update)


def _advice(first: str, overrides: Sequence[str], accepts: Accepts) -> str:
    """Return `Try A, B or C` of a first piece of advice and the overrides that a run accepts."""
    options = [first] if first else []
    options += [override for override in overrides if accepts(override)]
    if not options:
        return ""
    *others, last = options
    return f"Try {', '.join(others)} or {last}" if others else f"Try {last}"


def describe_collapse(measures: Mapping[str, float], num_modes: int | None) -> str:
    """Describe how a generator has collapsed; empty if it has not.

    Args:
        measures: metrics of an evaluation, by name.
        num_modes: modes or classes of the data; None if they have none.
    """
    duplicates = measures.get("samples/duplicates", 0.0)
    if duplicates >= MIN_DUPLICATES:
        return f"{duplicates:.0%} of its samples are near-copies of others"
    covered = measures.get("modes/covered", measures.get("classes/covered"))
    on_modes = measures.get("modes/high_quality", 1.0) >= MIN_HIGH_QUALITY
    if (
        num_modes is not None
        and covered is not None
        and on_modes
        and covered <= MAX_COVERED * num_modes
    ):
        return f"its samples cover {covered:.0f} of {num_modes:,} modes"
    return ""


def _send_alert(trainer: Trainer, title: str, text: str, update: int) -> None:
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.alert(title, text, update)
