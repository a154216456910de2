"""Evaluate the model of a run, or samples from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import EvaluationConfig
from gan_lightning.config.sections import selected_class
from gan_lightning.data import DATASETS, BaseDataModule
from gan_lightning.data.reading import only_zero_and_one
from gan_lightning.errors import UserError, nearest_first, warn, warn_once
from gan_lightning.evaluation import (
    EvaluationContext,
    Inception,
    evaluate,
    evaluators_for,
    has_evaluator,
    inception_network,
    uses_inception,
)
from gan_lightning.runs.models import find_model, is_shipped
from gan_lightning.runs.state import RunEvaluation, write_evaluation
from gan_lightning.training.restore import load_model
from gan_lightning.utils.import_path import is_import_path

__all__ = ["evaluate_file", "evaluate_run"]

LOCATIONS = ("data.root=", "data.store=", "data.init.root=", "data.path=")
"""Overrides that name the place of the same data."""

CHUNK = 500
"""Samples of a file that are evaluated at a time."""


def evaluate_run(
    run: str, count: int | None, checkpoint: str = "latest", overrides: Sequence[str] = ()
) -> dict[str, float]:
    """Evaluate the model of a run, and write the metrics into evaluation.json of its directory.

    Args:
        run: run directory, or an experiment's name for its latest run.
        count: number of samples to generate; None for `evaluation.samples` of the config.
        checkpoint: `latest` or `best`.
        overrides: `key=value`; only keys that change the evaluation or the location of the data.

    Returns:
        Metrics by name.

    Raises:
        UserError: the run or the checkpoint does not exist, or an override has another key.
    """
    for override in overrides:
        if not override.startswith(("evaluation.", *LOCATIONS)):
            key = override.partition("=")[0]
            raise UserError(
                f"evaluate cannot change {key}, which was fixed by training; it accepts "
                f"evaluation.KEY=VALUE, data.root=DIR and data.store=DIR, or data.init.root=DIR "
                f"and data.path=DIR"
            )
    directory = find_model(run)
    model, data, config = load_model(directory, checkpoint, overrides)
    settings = config.evaluation
    samples = settings.samples if count is None else count
    inception = _load_inception(data, settings)
    measures = evaluate(
        model,
        data,
        samples,
        pixels=settings.pixels,
        inception=inception,
        features=settings.features,
        measures=settings.measures,
        precision=settings.precision,
    )
    record = RunEvaluation(model.updates, samples, measures, tuple(overrides))
    if is_shipped(directory):
        return measures
    try:
        write_evaluation(directory.path, record)
    except OSError as error:
        warn(f"the metrics are not kept: cannot write to {directory.path}: {error.strerror}")
    return measures


def evaluate_file(path: Path, name: str | None, overrides: Sequence[str] = ()) -> dict[str, float]:
    """Evaluate the samples of an `.npz` file against a dataset.

    Args:
        path: of the file, with an array `images`, uint8 (N, H, W, C), or `points`, (N, 2).
        name: of the dataset.
        overrides: `key=value` of the `data` and `evaluation` sections.

    Returns:
        Metrics by name.

    Raises:
        UserError: the file or the dataset cannot be read, or their shapes differ.
    """
    if name is None or (name not in DATASETS and not is_import_path(name)):
        problem = "--data is missing" if name is None else f"--data is {name!r}"
        raise UserError(f"{problem}; valid are {nearest_first(name or '', DATASETS)}")
    source = {"model": {"name": "gan"}, "network": {"name": "mlp"}, "data": {"name": name}}
    config = load_config(source, list(overrides))
    data: BaseDataModule = selected_class("data", config.data)(config.data)
    inception = _load_inception(data, config.evaluation)
    if not has_evaluator(data, inception):
        raise UserError(
            f"--data is {name!r}, for which there is no metric of samples alone; "
            f"valid are grid, mnist, ring, stacked_mnist, swissroll, fashion_mnist, cifar10, "
            f"celeba, lsun, and data of your own: folder, torch, huggingface"
        )
    samples = _read_samples(path, data)
    evaluators = evaluators_for(
        EvaluationContext(
            data,
            torch.device("cpu"),
            inception=inception,
            samples=len(samples),
            features=config.evaluation.features,
        )
    )
    for start in range(0, len(samples), CHUNK):
        for evaluator in evaluators:
            evaluator.update(samples[start : start + CHUNK], start)
    return {
        metric: value for evaluator in evaluators for metric, value in evaluator.compute().items()
    }


def _load_inception(data: BaseDataModule, settings: EvaluationConfig) -> Inception | None:
    """Load Inception for datasets that need it; warn and return None if its weights are missing."""
    if not uses_inception(data):
        return None
    network = inception_network(settings.inception)
    if isinstance(network, str):
        warn_once(network)
        return None
    return Inception(network, settings.resizer)


def _read_samples(path: Path, data: BaseDataModule) -> Tensor:
    """Read images (N, C, H, W) in [-1, 1] or points (N, 2), float32."""
    key = "images" if data.spec.is_image else "points"
    array = _read_array(path, key)
    if key == "points":
        is_numeric = array.dtype.kind in "fiu"
        if not is_numeric or array.ndim != 2 or array.shape[1] != 2 or not len(array):
            raise UserError(
                f"points in {path} are {array.dtype} {array.shape}; "
                f"they must be float32 (N, 2) with N at least 1"
            )
        points = torch.from_numpy(array.astype(np.float32))
        if not points.isfinite().all():
            raise UserError(f"points in {path} contain NaN or infinity; remove those rows")
        return points
    channels, height, width = data.spec.shape
    if array.dtype != np.uint8 or array.shape[1:] != (height, width, channels) or len(array) < 2:
        raise UserError(
            f"images in {path} are {array.dtype} {array.shape}; "
            f"they must be uint8 (N, {height}, {width}, {channels}) with N at least 2"
        )
    white = 255
    if only_zero_and_one(array):
        white = 1
        warn(f"images in {path} are 0 and 1, read as black and white; in uint8, white is 255")
    return torch.from_numpy(array).movedim(-1, 1).float().div(white / 2).sub(1)


def _read_array(path: Path, key: str) -> np.ndarray[Any, Any]:
    """Read one array of an `.npz` file, without unpickling."""
    fix = f"write it by numpy.savez(FILE, {key}=…)"
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UserError(f"{path} is a single array, not an .npz file; {fix}")
        with file:
            if key not in file:
                keys = ", ".join(file.files) or "none"
                raise UserError(f"{path} has no array {key!r}; its arrays: {keys}; {fix}")
            array = file[key]
    except OSError as error:
        raise UserError(f"cannot read samples from {path}: {error.strerror or error}") from error
    except UserError:
        raise
    except Exception as error:  # damaged archives raise errors of many classes
        raise UserError(f"{path} is damaged or not an .npz file of plain arrays; {fix}") from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} is damaged or not an .npz file of plain arrays; {fix}")
    return array
