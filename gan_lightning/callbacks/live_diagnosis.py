"""Diagnose a run at each of its evaluations, and warn where something should be changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks.advice import Advice, no_advice, send_alert
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.core.module import BaseModule
from gan_lightning.diagnosis import STATES, Diagnosis, diagnose, signals_from
from gan_lightning.errors import warn
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.utils.commands import command_line

__all__ = ["LiveDiagnosis"]

ALARM = 0.85
"""Probability of sickness from which on a run is warned about, at two evaluations in turn."""

FIRST = 5
"""Evaluations before which there is no warning: the first part of any run looks unhealthy."""

QUIET = ("under_trained",)
"""States that every run goes through, of which there is no warning."""


class LiveDiagnosis(Callback):
    """Diagnose the run at each evaluation, and warn once about each state in which it is sick.

    It warns where the probability of sickness is at least 0.85 at two evaluations in turn, from the
    fifth on. The state is that of `gan-lightning diagnose`, from the same signals.

    Args:
        metrics: the run's metrics.csv.
        config: the run's config as plain values.
        evaluation: evaluation after which the run is diagnosed.
        advice: what to change, by state.

    Attributes:
        latest: the latest diagnosis in this process; None before the first one.
    """

    def __init__(
        self,
        metrics: Path,
        config: Mapping[str, Any],
        evaluation: Evaluation,
        advice: Advice = no_advice,
    ) -> None:
        self._metrics, self._config = metrics, config
        self._evaluation, self._advice = evaluation, advice
        self._diagnosed: int | None = None
        self._suspected = False
        self._warned: set[str] = set()
        self.latest: Diagnosis | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Diagnose after an evaluation."""
        self._after_evaluation(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Diagnose after the last evaluation."""
        self._after_evaluation(trainer, pl_module)

    def _after_evaluation(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, BaseModule)
        update = self._evaluation.evaluated_at
        if update is None or update == self._diagnosed or not trainer.is_global_zero:
            return
        self._diagnosed = update
        if _generator_is_fixed(module):
            return
        rows = read_metrics(self._metrics)
        rows[update] = {**rows.get(update, {}), **self._evaluation.measures}
        count = RunDirectory(self._metrics.parent).environment().get("training_data")
        self.latest = diagnose(signals_from(rows, self._config, training_data=count))
        evaluations = sum(1 for row in rows.values() if row.keys() & self._evaluation.measures)
        self._judge(trainer, self.latest, evaluations, update)

    def _judge(self, trainer: Trainer, found: Diagnosis, evaluations: int, update: int) -> None:
        sick = found.probability_of_sickness >= ALARM and found.state not in QUIET
        alarm, self._suspected = sick and self._suspected, sick
        if not alarm or evaluations < FIRST or found.state is None or found.state in self._warned:
            return
        self._warned.add(found.state)
        title = STATES[found.state].title
        text = "; ".join(found.evidence) or STATES[found.state].meaning
        advice = self._advice(found.state)
        if advice:
            words = command_line("gan-lightning", "diagnose", self._metrics.parent)
            text += f". Try {'; or '.join(advice)}: `{words}` has the commands"
        warn(f"diagnosis at update {update:,}: {found.verdict}: {text}")
        send_alert(trainer, title, text, update)


def _generator_is_fixed(model: BaseModule) -> bool:
    """Tell whether no loss of the generator has a weight, as where only domains are compared."""
    losses = [value for name, value in model.losses.items() if "/generator/" in name]
    return bool(losses) and not any(losses)
