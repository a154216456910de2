"""What can be done with a finished run: measure it, sample it, draw its codes."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks.figures import image_grid, to_uint8
from gan_lightning.callbacks.scatter import draw_scatter
from gan_lightning.callbacks.traversal_grid import draw_traversals
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import EvaluationConfig, RunConfig
from gan_lightning.data import DATASETS, BaseDataModule
from gan_lightning.errors import UserError, nearest_first, warn
from gan_lightning.evaluation import (
    Inception,
    evaluate,
    evaluators_for,
    inception_network,
    looks_through_inception,
    measurable,
)
from gan_lightning.gans import GAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.utils.files import write_output

__all__ = ["evaluate_file", "evaluate_run", "write_samples", "write_traversal"]

CHUNK = 500


def evaluate_run(
    run: str, count: int | None, checkpoint: str = "latest", overrides: Sequence[str] = ()
) -> dict[str, float]:
    """Measure the model of a run's checkpoint, `latest` or `best`.

    Args:
        run: folder, or an experiment's name.
        count: data to generate; None for what the config says.
        checkpoint: which.
        overrides: `key=value`, of how the run is measured or where its data are.

    Raises:
        UserError: there is no such run, it has no checkpoint, or an override is of something else.
    """
    for word in overrides:
        if not word.startswith(("evaluation.", "data.root=", "data.store=")):
            raise UserError(
                f"{word} would be another run; `evaluate RUN` takes evaluation.KEY=VALUE, "
                f"data.root=DIR and data.store=DIR"
            )
    learner, data, config = load_model(RunDirectory.find(run), checkpoint, overrides)
    how = config.evaluation
    samples = how.samples if count is None else count
    return evaluate(learner, data, samples, pixels=how.pixels, inception=_inception(data, how))


def _inception(data: BaseDataModule, how: EvaluationConfig) -> Inception | None:
    """Find what colour pictures are looked at through, or say what to fetch."""
    if not looks_through_inception(data):
        return None
    network = inception_network(how.inception)
    if isinstance(network, str):
        warn(network)
        return None
    return Inception(network, how.resizer)


def evaluate_file(path: Path, name: str | None, overrides: Sequence[str] = ()) -> dict[str, float]:
    """Measure the samples of a file, `images` uint8 (N, H, W, C) or `points` (N, 2).

    Args:
        path: of the file.
        name: of the data set that they are held against.
        overrides: `key=value` of its config, and of how they are measured.

    Raises:
        UserError: the file or data set cannot be had, or do not fit each other.
    """
    if name is None or name not in DATASETS:
        said = "--data is missing" if name is None else f"--data is {name!r}"
        raise UserError(f"{said}; valid are {nearest_first(name or '', DATASETS)}")
    source = {"model": {"name": "gan"}, "network": {"name": "mlp"}, "data": {"name": name}}
    config = load_config(source, list(overrides))
    data = DATASETS[name](config.data)
    inception = _inception(data, config.evaluation)
    if not measurable(data, inception):
        raise UserError(
            f"--data is {name!r}, which has no measure of data alone; "
            f"valid are grid, mnist, ring, stacked_mnist, swissroll, and with Inception's weights "
            f"celeba, folder, lsun"
        )
    samples = _read_samples(path, data)
    judges = evaluators_for(data, torch.device("cpu"), inception=inception, samples=len(samples))
    for start in range(0, len(samples), CHUNK):
        for judge in judges:
            judge.update(samples[start : start + CHUNK], start)
    return {name: value for judge in judges for name, value in judge.compute().items()}


def write_samples(
    run: str, count: int, seed: int, output: Path, checkpoint: str = "latest"
) -> None:
    """Generate data with a run's model and write them as `.npz` or `.png`.

    Raises:
        UserError: there is no such run, it is no GAN, or the file cannot be written.
    """
    if count < 1:
        raise UserError(f"--count is {count}; it must be at least 1")
    _check_seed(seed)
    if output.suffix not in (".npz", ".png"):
        raise UserError(f"--output is {output}; its name must end in .npz or .png")
    gan, data, _ = _gan_of(run, checkpoint)
    if output.suffix == ".png" and data.spec.shape == (1,):
        raise UserError(f"run {run!r} makes numbers, which no picture shows; use --output x.npz")
    arrays = _generated(gan, count, seed)
    if output.suffix == ".npz":
        write_output(output, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
        return
    if "points" in arrays:
        points = torch.from_numpy(arrays["points"])
        picture = draw_scatter(data.test_data().data[:2500], points, f"{count} samples of {run}")
    else:
        images = torch.from_numpy(arrays["images"]).movedim(-1, 1)
        picture = image_grid(images.float().div(127.5).sub(1))
    write_output(output, lambda file: Image.fromarray(picture).save(file, "png"))


def write_traversal(
    run: str, rows: int, seed: int, output: Path, checkpoint: str = "latest"
) -> None:
    """Draw what each code of a run's model does.

    Raises:
        UserError: there is no such run, it does not make images, or the file cannot be written.
    """
    if rows < 1:
        raise UserError(f"--rows is {rows}; it must be at least 1")
    _check_seed(seed)
    if output.suffix != ".png":
        raise UserError(f"--output is {output}; its name must end in .png")
    gan, data, _ = _gan_of(run, checkpoint)
    if not data.spec.is_image:
        raise UserError(f"run {run!r} makes points, and traversals are for images; use `sample`")
    if gan.prior(1).latent is None:
        raise UserError(f"run {run!r} translates images, and has no codes to move; use `sample`")
    picture = draw_traversals(gan, seed, rows)
    write_output(output, lambda file: Image.fromarray(picture).save(file, "png"))


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed is {seed}; it must lie in 0 to {2**32 - 1}")


def _gan_of(run: str, checkpoint: str) -> tuple[GAN, BaseDataModule, RunConfig]:
    learner, data, config = load_model(RunDirectory.find(run), checkpoint)
    if not isinstance(learner, GAN):
        raise UserError(f"run {run!r} is of {config.model.name}, which generates nothing")
    return learner, data, config


def _generated(gan: GAN, count: int, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Generate in chunks; the first data of a seed are the same whatever the count."""
    samples = [gan.sample(CHUNK, seed=seed * 1_000_003 + start) for start in range(0, count, CHUNK)]
    data = torch.cat([sample.data for sample in samples])[:count]
    conditions = [sample.condition.parts() for sample in samples]
    parts = {
        name: torch.cat([condition[name] for condition in conditions])[:count]
        for name in conditions[0]
    }
    arrays: dict[str, np.ndarray[Any, Any]] = (
        {"images": to_uint8(data)} if data.ndim == 4 else {"points": data.float().cpu().numpy()}
    )
    if "source" in parts:
        arrays["sources"] = to_uint8(parts["source"])
    if "labels" in parts:
        arrays["labels"] = parts["labels"].cpu().numpy()
    codes = [parts[name].float() for name in ("categorical", "continuous") if name in parts]
    if codes:
        arrays["codes"] = torch.cat(codes, 1).cpu().numpy()
    return arrays


def _read_samples(path: Path, data: BaseDataModule) -> Tensor:
    """Read samples as the networks see them."""
    key = "images" if data.spec.is_image else "points"
    array = _read_array(path, key)
    if key == "points":
        if (
            array.dtype.kind not in "fiu"
            or array.ndim != 2
            or array.shape[1] != 2
            or not len(array)
        ):
            raise UserError(
                f"points in {path} are {array.dtype} {array.shape}; "
                f"they must be float32 (N, 2), N of 1 or more"
            )
        points = torch.from_numpy(array.astype(np.float32))
        if not points.isfinite().all():
            raise UserError(f"points in {path} are not all finite; leave out those that are not")
        return points
    channels, height, width = data.spec.shape
    if array.dtype != np.uint8 or array.shape[1:] != (height, width, channels) or len(array) < 2:
        raise UserError(
            f"images in {path} are {array.dtype} {array.shape}; "
            f"they must be uint8 (N, {height}, {width}, {channels}), N of 2 or more"
        )
    return torch.from_numpy(array).movedim(-1, 1).float().div(127.5).sub(1)


def _read_array(path: Path, key: str) -> np.ndarray[Any, Any]:
    """Read one array of an `.npz` file; nothing is unpickled."""
    fix = f"write it by numpy.savez(FILE, {key}=…)"
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UserError(f"{path} is a single array, not an .npz file; {fix}")
        with file:
            if key not in file:
                there = ", ".join(file.files) or "nothing"
                raise UserError(f"{path} has no array {key!r}; it has {there}: {fix}")
            array = file[key]
    except OSError as error:
        raise UserError(f"cannot read samples from {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged or not an .npz file of plain arrays; {fix}") from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} is damaged or not an .npz file of plain arrays; {fix}")
    return array
