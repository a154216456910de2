"""Cost of measuring the game in training, as a share of training at the default interval.

`python benchmarks/game_measures.py gan_ring dcgan_mnist` trains 500 updates of each experiment and
measures its game after every 100, so that both are timed in turn.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks import GameMeasures
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import GameConfig, RunConfig
from gan_lightning.training.build import build
from gan_lightning.utils.tables import markdown_table

UPDATES, PARTS = 100, 5
"""Updates of a part of training before a measurement, and the number of parts."""


class TimedGame(GameMeasures):
    """Times the updates between two measurements, and each measurement with its picture.

    Attributes:
        updates: seconds of an update, one of each part.
        measurements: seconds of a measurement, one of each part.
    """

    def __init__(self, folder: Path, data: Any, config: GameConfig) -> None:
        super().__init__(folder, data, config)
        self.updates: list[float] = []
        self.measurements: list[float] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._begin = time.perf_counter()

    def on_interval(self, trainer: Trainer, model: Any) -> None:
        """Stop the clock of the updates, and time a measurement."""
        begin = time.perf_counter()
        super().on_interval(trainer, model)
        end = time.perf_counter()
        self.updates.append((begin - self._begin) / self.config.every_n_updates)
        self.measurements.append(end - begin)
        self._begin = end


def cost(experiment: str) -> tuple[str, ...]:
    """Return the row of an experiment: seconds of an update and of a measurement, and the share."""
    words = [f"trainer.max_updates={UPDATES * PARTS}", "trainer.rounds_per_batch=20"]
    config: RunConfig = load_config(read_yaml(experiment_path(experiment)), words)
    model, data = build(config)
    with TemporaryDirectory() as folder:
        timed = TimedGame(Path(folder), data, GameConfig(True, UPDATES))
        callbacks: list[Callback] = [timed]
        Trainer(
            accelerator="cpu",
            precision="bf16-mixed" if data.spec.is_image else "32-true",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=callbacks,
        ).fit(model, datamodule=data)
    update, measurement = median(timed.updates), median(timed.measurements)
    share = measurement / (GameConfig().every_n_updates * update)
    return experiment, f"{1000 * update:.1f}", f"{measurement:.2f}", f"{100 * share:.1f} %"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+")
    torch.set_num_threads(1)
    header = ("experiment", "update, ms", "measurement, s", "share of training")
    print(markdown_table([header, *map(cost, parser.parse_args().experiments)]))


if __name__ == "__main__":
    main()
