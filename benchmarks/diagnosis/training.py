"""Train a run of the corpus: its signals as a user's run logs them, and its truth beside them."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from diagnosis.configurations import Configuration
from diagnosis.quantities import truth_from
from diagnosis.states import state_of
from diagnosis.truth import Point, Truth, World, measure, world_of
from gan_lightning.callbacks import Evaluation, GameMeasures, StopOnNonFinite
from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.fast_paths import set_up_process
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import Diverged
from gan_lightning.gans import GAN
from gan_lightning.loggers import MetricsFile
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.testing.training import quiet, quiet_trainer
from gan_lightning.training.build import build

__all__ = ["BASE", "run_config", "train_run"]

BASE: dict[str, Any] = {
    "model": {"name": "gan", "latent_size": 2, "latent_prior": "normal"},
    "network": {"name": "mlp"},
    "data": {"name": "ring"},
    "trainer": {"precision": "32-true", "accelerator": "cpu", "rounds_per_batch": 5},
    "evaluation": {"samples": 500},
    "game": {"enabled": True, "measures": ["accuracy", "gradients"]},
    "log": {"wandb": "disabled"},
}
"""What all configurations have; their overrides are on top of it."""

PARTS = 6
"""Parts of a run after each of which the truth is measured."""

EVALUATIONS = {True: 6, False: 12}
"""Evaluations of a run on digits (True), which take long, and on points."""

LOGGED_ROWS = 60
DIGITS = 5
"""Significant digits of the logged values that are kept."""


def run_config(configuration: Configuration, seed: int) -> RunConfig:
    """Return the config of a run, which is trained for half as long again as it is seen."""
    updates = configuration.updates
    interval = updates // EVALUATIONS[configuration.shows_digits]
    length = [
        f"seed={seed}",
        f"trainer.max_updates={updates * 3 // 2}",
        f"evaluation.every_n_updates={interval}",
        f"game.every_n_updates={interval}",
        f"log.every_n_updates={max(1, updates // LOGGED_ROWS)}",
    ]
    return load_config(BASE, [*configuration.overrides, *length])


class Observer(Periodic):
    """Measures the truth before the first update, at equal parts of a run, and after its end.

    Args:
        world: the data of the run.
        end: update at which the run ends, as the diagnosis sees it.
        logging: callbacks that measure what the run logs, which stop there.
    """

    def __init__(self, world: World, end: int, logging: list[Periodic]) -> None:
        super().__init__(end // PARTS)
        self.world, self.end, self.logging = world, end, logging
        self.points: list[Point] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the initial weights."""
        assert isinstance(pl_module, GAN)
        self.points.append(measure(pl_module, self.world))
        super().on_train_start(trainer, pl_module)

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Measure the present weights, and let the run log nothing after its end."""
        assert isinstance(model, GAN)
        if model.updates >= self.end:
            for callback in self.logging:
                callback.every_n_updates = 0
        self.points.append(measure(model, self.world))

    def truth(self, diverged_at: int | None) -> Truth:
        """Return what was measured, of a run that diverged in an update or did not."""
        initial, *points = self.points
        seen = [point for point in points if point.update <= self.end]
        later = [point for point in points if point.update > self.end]
        if diverged_at is not None and diverged_at > self.end:
            diverged_at = None
        return Truth(self.world.floor, initial, seen, later, diverged_at, self.world.shows_digits)


def train_run(configuration: Configuration, seed: int) -> dict[str, Any]:
    """Train a run, and return its record: configuration, seed, signals, truth and state.

    Args:
        configuration: what is trained.
        seed: of the run, at least `FIRST_SEED`, which no experiment of the package uses.
    """
    set_up_process()
    config = run_config(configuration, seed)
    gan, data = build(config)
    with TemporaryDirectory() as folder:
        path = Path(folder)
        logging: list[Periodic] = [
            Evaluation(data, config.evaluation),
            GameMeasures(path, data, config.game),
        ]
        observer = Observer(world_of(data), configuration.updates, logging)
        callbacks: list[Callback] = [StopOnNonFinite(path), *logging, observer]
        logger = MetricsFile(path / "metrics.csv")
        diverged_at = None
        with quiet():
            trainer = quiet_trainer(callbacks=callbacks, logger=[logger])
            try:
                trainer.fit(gan, datamodule=data)
            except Diverged:
                diverged_at = gan.updates
        logger.save()
        rows = read_metrics(logger.path)
    truth = rounded(asdict(observer.truth(diverged_at)))
    return {
        "configuration": configuration.name,
        "overrides": list(configuration.overrides),
        "updates": configuration.updates,
        "seed": seed,
        "signals": as_columns(rows, configuration.updates),
        "truth": truth,
        "state": state_of(truth_from(truth)),
    }


def as_columns(rows: dict[int, dict[str, float]], end: int) -> dict[str, list[float | None]]:
    """Return the rows up to the end of a run as columns, None where a row has no value."""
    seen = {update: row for update, row in rows.items() if update <= end}
    names = dict.fromkeys(name for row in seen.values() for name in row)
    columns: dict[str, list[float | None]] = {"updates": list(seen)}
    for name in names:
        columns[name] = [rounded(row.get(name)) for row in seen.values()]
    return columns


def rounded(value: Any) -> Any:
    """Round all floats in lists and dictionaries; values that are not finite become None."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
    return value
