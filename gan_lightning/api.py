"""The commands as functions, for notebooks and scripts: `gan_lightning.train("gan_ring")`."""

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
    """Train an experiment, as `gan-lightning train EXP key=value …` does.

    Args:
        experiment: its name, or the path of its YAML.
        overrides: `key=value`, as `trainer.max_updates=500`.
        output: folder of the run; by default runs/EXPERIMENT/<time>.

    Returns:
        The run's folder, its updates and seconds, and what was measured at its end.

    Raises:
        UserError: a mistake, said in one line.
    """
    path = experiment_path(experiment)
    config = load_config(read_yaml(path), overrides)
    return train_run(config, path.stem, None if output is None else Path(output))


def load(run: Path | str, checkpoint: str = "latest") -> tuple[BaseModule, BaseDataModule, RunConfig]:
    """Load a run's model, in evaluation mode, with its data and its config.

    Args:
        run: its folder, or an experiment's name for its latest run.
        checkpoint: `latest`, or `best`.

    Raises:
        UserError: there is no such run, or it has no such checkpoint.
    """
    return load_model(RunDirectory.find(str(run)), checkpoint)


def evaluate(
    run: Path | str, *overrides: str, count: int | None = None, checkpoint: str = "latest"
) -> dict[str, float]:
    """Measure a run's model again, as `gan-lightning evaluate RUN` does.

    Args:
        run: its folder, or an experiment's name for its latest run.
        overrides: `key=value`, of how it is measured or where its data are.
        count: data to generate; None for what the run's config says.
        checkpoint: `latest`, or `best`.

    Returns:
        Measures by name.

    Raises:
        UserError: there is no such run, or an override is of something else.
    """
    return evaluate_run(str(run), count, checkpoint, overrides)
