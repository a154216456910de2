"""Python functions for notebooks and scripts, for example `gan_lightning.train("gan_ring")`."""

from __future__ import annotations

from pathlib import Path

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.inference.evaluate import evaluate_run
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.training.train import TrainingResult
from gan_lightning.training.train import train as train_run

__all__ = ["evaluate", "load", "train"]


def train(experiment: str, *overrides: str, output: Path | str | None = None) -> TrainingResult:
    """Train an experiment and evaluate the final model, like `gan-lightning train`.

    Args:
        experiment: name of an experiment, or path of its YAML file.
        overrides: `key=value`, for example `trainer.max_updates=500`.
        output: run directory; by default runs/EXPERIMENT/<time>.

    Returns:
        The run directory, the number of updates, the training time and the metrics of the final
        model.

    Raises:
        UserError: the config is invalid, or the run directory cannot be written.
    """
    path = experiment_path(experiment)
    config = load_config(read_yaml(path), overrides)
    return train_run(config, path.stem, None if output is None else Path(output))


def load(
    run: Path | str, checkpoint: str = "latest"
) -> tuple[BaseModule, BaseDataModule, RunConfig]:
    """Load the model of a run in evaluation mode, its data and its config.

    Args:
        run: run directory, or the name of an experiment for its latest run.
        checkpoint: `latest` or `best`.

    Raises:
        UserError: there is no such run, or it has no such checkpoint.
    """
    return load_model(RunDirectory.find(str(run)), checkpoint)


def evaluate(
    run: Path | str, *overrides: str, count: int | None = None, checkpoint: str = "latest"
) -> dict[str, float]:
    """Evaluate a checkpoint of a run, like `gan-lightning evaluate`.

    Args:
        run: run directory, or the name of an experiment for its latest run.
        overrides: `key=value` with keys of `evaluation`, `data.root` or `data.store`.
        count: number of samples to generate; None for `evaluation.samples` of the run.
        checkpoint: `latest` or `best`.

    Returns:
        Metric name -> value.

    Raises:
        UserError: there is no such run or checkpoint, or an override has another key.
    """
    return evaluate_run(str(run), count, checkpoint, overrides)
