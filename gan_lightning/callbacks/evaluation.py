"""Measures during and at the end of training."""

from __future__ import annotations

from functools import partial
from typing import Any

from pytorch_lightning import LightningModule, Trainer

from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.callbacks.signals import raise_if_stopping
from gan_lightning.config.schema import EvaluationConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.errors import warn
from gan_lightning.evaluation import (
    Inception,
    InceptionNetwork,
    evaluate,
    inception_network,
    uses_inception,
)
from gan_lightning.evaluation.rank_correlation import CriticCorrelation

__all__ = ["Evaluation"]


class Evaluation(Periodic):
    """Measures the model and logs the figures; training goes on as if nothing had happened.

    Args:
        data: that the model is trained on.
        what: how often, and what is measured.

    Attributes:
        measures: of the latest evaluation, by name; the same on every process.
        measured: update of the latest evaluation in this process, or None.
    """

    def __init__(self, data: BaseDataModule, what: EvaluationConfig) -> None:
        super().__init__(what.every_n_updates)
        self.data = data
        self.what = what
        self._inception: Inception | None = None
        self.measures: dict[str, float] = {}
        self.measured: int | None = None
        self._estimates = CriticCorrelation()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the Inception weights, on every process or on none, or say what to fetch."""
        if not uses_inception(self.data):
            return
        network = inception_network(self.what.inception)
        found = isinstance(network, InceptionNetwork)
        if trainer.strategy.reduce_boolean_decision(found, all=True):
            assert isinstance(network, InceptionNetwork)
            self._inception = Inception(network, self.what.resizer)
        elif trainer.is_global_zero:
            warn(network if isinstance(network, str) else "another node lacks Inception's weights")

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Measure, on every process its share, and log; stop between two chunks if told to."""
        share = Shard(
            trainer.global_rank,
            trainer.world_size,
            pause=partial(raise_if_stopping, trainer),
            pause_apart=partial(raise_if_stopping, trainer, apart=True),
        )
        what = self.what
        self.measures = evaluate(
            learner, self.data, what.samples, share, what.pixels, self._inception
        )
        self.measures |= self._estimates.update(self.measures)
        self.measures = trainer.strategy.broadcast(self.measures)
        self.measured = learner.updates
        for logger in trainer.loggers:
            logger.log_metrics(self.measures, step=learner.updates)

    def state_dict(self) -> dict[str, Any]:
        """Keep the latest measures, what the critic said so far, and what was true."""
        kept = {"measures": self.measures, "estimates": self._estimates.pairs}
        return {**super().state_dict(), **kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with what was measured and said so far."""
        super().load_state_dict(state_dict)
        self.measures = state_dict.get("measures", {})
        self._estimates.pairs = [list(pair) for pair in state_dict["estimates"]]
