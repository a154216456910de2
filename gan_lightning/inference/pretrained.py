"""Load the models of runs, and save, load and share models that need no run directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.data.adapter import as_data_module
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.models import find_model
from gan_lightning.training.restore import GIVEN_DATA, load_model
from gan_lightning.training.train import TrainingResult

__all__ = [
    "AnyRun",
    "LoadedRun",
    "from_pretrained",
    "load",
    "push_to_hub",
    "run_name",
    "save_pretrained",
]

AnyRun = str | Path | RunDirectory | TrainingResult
"""A run: its directory, the name of an experiment for its latest run, or what `train` returned."""


def run_name(run: AnyRun) -> str:
    """Return the directory of a run, or the name of its experiment.

    Raises:
        UserError: it is neither.
    """
    if isinstance(run, TrainingResult):
        run = run.run_directory
    if isinstance(run, RunDirectory):
        run = run.path
    if not isinstance(run, str | Path):
        raise UserError(f"{run!r} is no run; pass its directory, or the name of an experiment")
    return str(run)


class LoadedRun(NamedTuple):
    """What `load` returns; it unpacks as `gan, data, config`.

    Attributes:
        model: the model in evaluation mode.
        data: its data.
        config: config of the run.
    """

    model: BaseModule
    data: BaseDataModule
    config: RunConfig

    def __repr__(self) -> str:
        """Return the classes and the number of updates."""
        model, data = type(self.model).__name__, type(self.data).__name__
        return f"{model} of {self.model.updates:,} updates on {data}"


def load(run: AnyRun, checkpoint: str = "latest", data: Any = None) -> LoadedRun:
    """Load the model of a run in evaluation mode, its data and its config.

    Where the data of a run are not on this machine, and for a saved model, `data` is a
    `DescribedData`: it has shape, classes and names, and raises a MissingDataError for the rest.

    Args:
        run: a run or a saved model. The name of an experiment stands for its latest run, or for
            the trained model in the package where it has no run.
        checkpoint: `latest` or `best`.
        data: data of a run that was trained in another process on data given as an object; the
            other functions of this process then use them, too.

    Raises:
        UserError: there is no such run, or it has no such checkpoint.
    """
    directory = find_model(run_name(run))
    if data is not None:
        GIVEN_DATA[directory.path.resolve()] = as_data_module(data)
    return LoadedRun(*load_model(directory, checkpoint, needs_data=False))


def save_pretrained(model: AnyRun | GAN, folder: Path | str, *, precision: str = "float32") -> Path:
    """Save a generator with its config, metrics and model card in a folder, and return its path.

    The other functions and commands take the folder as they take a run; it needs no data.

    Args:
        model: a run, or a GAN, which may have been trained by a Trainer of your own.
        folder: folder to create.
        precision: of the weights in the file: float32, float16 or int8.

    Raises:
        UserError: there is no such run, or the folder has other content or cannot be written.
    """
    from gan_lightning.export import export_run

    with _as_run(model) as run:
        return export_run(run, "safetensors", Path(folder), precision=precision).target


def from_pretrained(name: Path | str, *, revision: str | None = None) -> LoadedRun:
    """Load a model that `save_pretrained` saved, from a folder or from Hugging Face's hub.

    No code of a repository is executed: one that names classes which are not of gan_lightning is
    refused.

    Args:
        name: a folder, or `USER/NAME` of a repository, which needs the extra `hub`.
        revision: branch, tag or commit of the repository; None for the newest.

    Raises:
        UserError: there is no such model, or a repository needs code that is not of gan_lightning.
    """
    if Path(name).is_dir():
        return load(name)
    from gan_lightning.export.hub import download

    return load(download(str(name), revision))


def push_to_hub(
    model: AnyRun | GAN, repository: str, *, private: bool = False, precision: str = "float32"
) -> str:
    """Push a model to Hugging Face's hub, as `save_pretrained` saves it; return the commit's URL.

    Args:
        model: a run or a GAN.
        repository: `USER/NAME`; it is created where it does not exist.
        private: whether a new repository is private.
        precision: of the weights in the file: float32, float16 or int8.

    Raises:
        UserError: the extra `hub` is missing, there is no such run, nobody is logged in, or the hub
            cannot be reached.
    """
    from gan_lightning.export.hub import push

    with _as_run(model) as run:
        return push(run, repository, private=private, precision=precision)


@contextmanager
def _as_run(model: AnyRun | GAN) -> Iterator[str]:
    """Yield the name of a run, for a GAN that of a temporary one."""
    if not isinstance(model, GAN):
        yield run_name(model)
        return
    from gan_lightning.export.model_run import write_model_run

    with TemporaryDirectory() as folder:
        yield str(write_model_run(model, Path(folder)).path)
