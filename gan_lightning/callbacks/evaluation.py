"""Evaluate the model during and at the end of training."""

from __future__ import annotations

from functools import partial
from typing import Any

from pytorch_lightning import LightningModule, Trainer

from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.callbacks.signals import raise_if_stopping
from gan_lightning.config.schema import EvaluationConfig
from gan_lightning.core.module import BaseModule, as_tensors
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
from gan_lightning.evaluation.points import wasserstein_of_real_points
from gan_lightning.evaluation.rank_correlation import CriticCorrelation

__all__ = ["Evaluation"]


class Evaluation(Periodic):
    """Evaluate the model and log the metrics, without any effect on training.

    Args:
        data: data module of the run.
        config: interval, number of samples and options of the metrics.

    Attributes:
        measures: metrics of the latest evaluation, by name; the same on every process.
        evaluated_at: update of the latest evaluation in this process, or None.
    """

    def __init__(self, data: BaseDataModule, config: EvaluationConfig) -> None:
        super().__init__(config.every_n_updates)
        self.data = data
        self.config = config
        self._inception: Inception | None = None
        self.measures: dict[str, float] = {}
        self.evaluated_at: int | None = None
        self._critic_correlation = CriticCorrelation(
            partial(wasserstein_of_real_points, data, config.samples)
        )

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Load the Inception network; warn if a process has no weights, and use it on none."""
        if not uses_inception(self.data):
            return
        network = inception_network(self.config.inception)
        loaded = isinstance(network, InceptionNetwork)
        if trainer.strategy.reduce_boolean_decision(loaded, all=True):
            assert isinstance(network, InceptionNetwork)
            self._inception = Inception(network, self.config.resizer)
        elif trainer.is_global_zero:
            warn(
                network
                if isinstance(network, str)
                else "another node has no weights of the Inception network, so FID is not measured"
            )

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Evaluate on all processes and log the metrics; a signal stops it between two chunks.

        To other callbacks, such as EarlyStopping and ModelCheckpoint, it is a validation: they find
        the metrics in `trainer.callback_metrics`, and their `on_validation_end` is called.
        """
        shard = Shard(
            trainer.global_rank,
            trainer.world_size,
            before_chunk=partial(raise_if_stopping, trainer),
            before_local_chunk=partial(raise_if_stopping, trainer, apart=True),
        )
        config = self.config
        self.measures = evaluate(
            model,
            self.data,
            config.samples,
            shard,
            config.pixels,
            self._inception,
            config.features,
            config.measures,
            config.precision,
        )
        self.measures |= self._critic_correlation.update(self.measures)
        self.measures = trainer.strategy.broadcast(self.measures)
        self.evaluated_at = model.updates
        for logger in trainer.loggers:
            logger.log_metrics(self.measures, step=model.updates)
        trainer.callback_metrics.update(as_tensors(self.measures))
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set outside of __init__
            callback.on_validation_end(trainer, model)

    def state_dict(self) -> dict[str, Any]:
        """Return the latest metrics, and the pairs of estimated and reference distances."""
        state = {"measures": self.measures, "estimates": self._critic_correlation.pairs}
        return {**super().state_dict(), **state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        super().load_state_dict(state_dict)
        self.measures = state_dict.get("measures", {})
        self._critic_correlation.pairs = [list(pair) for pair in state_dict["estimates"]]
