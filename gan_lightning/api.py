"""Python functions for notebooks and scripts, for example `gan_lightning.train("gan_ring")`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from gan_lightning.config.load import load_config
from gan_lightning.config.python import Overrides, override_words, request
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.export.card import Exported
from gan_lightning.inference.evaluate import evaluate_run
from gan_lightning.inference.measures import Measures
from gan_lightning.inference.pretrained import (
    AnyRun,
    from_pretrained,
    load,
    push_to_hub,
    run_name,
    save_pretrained,
)
from gan_lightning.inference.sample import Samples, generate_samples
from gan_lightning.inference.traverse import Traversal, draw_traversal
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.training.restore import GIVEN_DATA
from gan_lightning.training.resume import check_unchanged
from gan_lightning.training.train import TrainingResult
from gan_lightning.training.train import train as train_run
from gan_lightning.utils.optional import require

if TYPE_CHECKING:
    from gan_lightning.inference.image_evaluation import ImageEvaluation

__all__ = [
    "evaluate",
    "evaluate_images",
    "export",
    "from_pretrained",
    "load",
    "push_to_hub",
    "report",
    "sample",
    "save_pretrained",
    "train",
    "traverse",
]


def train(
    experiment: str | Path | RunConfig | None = None,
    *words: Overrides,
    model: Any = None,
    network: Any = None,
    data: Any = None,
    overrides: Overrides | Sequence[Overrides] = (),
    seed: int | None = None,
    resume: bool | AnyRun = False,
    allow_changes: bool = False,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    output: Path | str | None = None,
    runs: Path | str | None = None,
    name: str | None = None,
) -> TrainingResult:
    """Train a model and evaluate it, like `gan-lightning train`.

    Args:
        experiment: name of an experiment, path of its YAML file, or a complete config; None for the
            defaults, which take a model.
        words: overrides, as `overrides`.
        model: a GAN: its class, its name, a mapping with `name`, or an object of its `Config`.
        network: the network family, in the same ways; by default mlp.
        data: the dataset, in the same ways, or the data: a DataModule, a Dataset, a DataLoader, or
            images as a tensor. By default ring, eight Gaussians.
        overrides: `"key=value"`, or a mapping of keys, with dots or nested, to values; or several
            of them.
        seed: seed of initial weights, order of the data and all random draws.
        resume: True for the latest run of the experiment, or a run, to continue it from its latest
            checkpoint.
        allow_changes: resume with other values than those that the run was started with.
        callbacks: callbacks of Lightning, for example `EarlyStopping("modes/covered")`. Each
            evaluation of the run is a validation to them.
        loggers: loggers of Lightning, for example `TensorBoardLogger`, in addition to metrics.csv
            and W&B.
        output: run directory; by default RUNS/NAME/<time>.
        runs: parent of all run directories; by default runs.
        name: name of the experiment; by default that of the file, or of model and data.

    Returns:
        The run directory, the number of updates, the training time and the metrics of the final
        model.

    Raises:
        UserError: an argument or the config is invalid, the run directory cannot be written, or a
            callback has failed.
        Diverged: a loss or a weight is not finite.
    """
    changes = [overrides] if isinstance(overrides, str | Mapping) else [*overrides]
    changes = [*words, *changes, *([{"seed": seed}] if seed is not None else [])]
    parts = {"model": model, "network": network, "data": data, "name": name}
    if resume is False:
        wanted, run = request(experiment, changes, **parts), None
        config, name = wanted.with_title(load_config(wanted.source, wanted.overrides))
    else:
        if output is not None or runs is not None:
            raise UserError("output and runs are for new runs; a run that is resumed stays there")
        if resume is True:
            wanted = request(experiment, changes, **parts)
            resume = wanted.with_title(load_config(wanted.source, wanted.overrides))[1]
        run = RunDirectory.find(run_name(resume))
        wanted = request(experiment, changes, **parts, source=run.raw_config())
        config = load_config(wanted.source, wanted.overrides)
        name = name or run.path.resolve().parent.name
    if config.trainer.devices > 1 and not hasattr(sys.modules["__main__"], "__file__"):
        raise UserError(
            f"trainer.devices is {config.trainer.devices}, and the processes would start a script "
            f"again, which a notebook is not; write a script, or use one device"
        )
    module = wanted.data
    if run is not None:
        module = module or GIVEN_DATA.get(run.path.resolve())
        if not allow_changes:
            check_unchanged(run, config)
    result = train_run(
        config,
        name,
        None if output is None else Path(output),
        run,
        RUNS if runs is None else Path(runs),
        callbacks=callbacks,
        loggers=loggers,
        data=module,
    )
    if module is not None:
        GIVEN_DATA[result.run_directory.path.resolve()] = module
    return result


def evaluate(
    run: AnyRun, *words: Overrides, count: int | None = None, checkpoint: str = "latest"
) -> Measures:
    """Evaluate a checkpoint of a run, like `gan-lightning evaluate`.

    Args:
        run: a run.
        words: overrides of keys of `evaluation`, `data.root` or `data.store`.
        count: number of samples to generate; None for `evaluation.samples` of the run.
        checkpoint: `latest` or `best`.

    Returns:
        A dictionary of metric name -> value.

    Raises:
        UserError: there is no such run or checkpoint, or an override has another key.
    """
    return Measures(evaluate_run(run_name(run), count, checkpoint, override_words(words)))


def evaluate_images(
    samples: Path | str, reference: Path | str, *, page: Path | str | None = None, **options: Any
) -> ImageEvaluation:
    """Compare images of any source with real ones, like `gan-lightning evaluate --reference`.

    Args:
        samples: an `.npz` file, a folder, a run, a saved model, the name of a data set, or
            `torchvision:NAME`.
        reference: real images, in the same forms.
        page: HTML file to write, which needs the extra `report`; None writes none.
        options: further fields of `ImageOptions`, for example `extractor="lite0", count=2_000`.

    Returns:
        The measures with their intervals, and what was compared.

    Raises:
        UserError: an option is wrong, or something cannot be read or written.
    """
    from gan_lightning.inference.evaluate_images import evaluate_images as run_evaluation
    from gan_lightning.inference.image_evaluation import ImageOptions

    valid = [entry.name for entry in fields(ImageOptions)]
    for name in options:
        if name not in valid:
            raise UserError(f"{name} is no option; valid are {nearest_first(name, valid)}")
    if page is not None:
        require("report")
    evaluation = run_evaluation(ImageOptions(str(samples), str(reference), **options))
    if page is not None:
        from gan_lightning.inference.evaluation_page import write_page

        write_page(evaluation, Path(page))
    return evaluation


def sample(
    run: AnyRun,
    count: int = 64,
    *,
    seed: int = 0,
    output: Path | str | None = None,
    checkpoint: str = "latest",
) -> Samples:
    """Generate samples with the model of a run, like `gan-lightning sample`.

    Args:
        run: a run.
        count: number of samples.
        seed: of the samples.
        output: file to write, `.npz` or `.png`; None writes none.
        checkpoint: `latest` or `best`.

    Returns:
        Arrays `images` or `points`, `labels`, `codes` and `sources`; a notebook shows the picture.

    Raises:
        UserError: an argument is out of range, there is no such run or checkpoint, or the file
            cannot be written.
    """
    samples = generate_samples(run_name(run), count, seed, checkpoint)
    if output is not None:
        samples.save(output)
    return samples


def traverse(
    run: AnyRun,
    rows: int = 8,
    *,
    seed: int = 0,
    output: Path | str | None = None,
    checkpoint: str = "latest",
) -> Traversal:
    """Draw how generated images change with each input, like `gan-lightning traverse`.

    Args:
        run: a run of a GAN that generates images.
        rows: rows of each panel.
        seed: of the inputs that stay fixed.
        output: file to write, `.png`; None writes none.
        checkpoint: `latest` or `best`.

    Returns:
        The picture, which a notebook shows.

    Raises:
        UserError: the run does not generate images, or the file cannot be written.
    """
    traversal = draw_traversal(run_name(run), rows, seed, checkpoint)
    if output is not None:
        traversal.save(output)
    return traversal


def report(*runs: AnyRun, output: Path | str = "report.html") -> Path:
    """Write an HTML report about runs, like `gan-lightning report`.

    Args:
        runs: one run or several.
        output: the file; an existing one is replaced.

    Returns:
        The path of the file.

    Raises:
        UserError: a run does not exist or is damaged, the extra `report` is not installed, or the
            file cannot be written.
    """
    require("report")
    from gan_lightning.report.page import write_report

    if not runs:
        raise UserError("report needs at least one run")
    write_report([run_name(run) for run in runs], Path(output))
    return Path(output)


def export(
    run: AnyRun,
    format: str = "torch",  # noqa: A002 - the name of the command's option
    *,
    output: Path | str | None = None,
    checkpoint: str = "latest",
    licence: str | None = None,
) -> Exported:
    """Export the generator of a run as one file with a model card, like `gan-lightning export`.

    Args:
        run: a run of a GAN.
        format: torch, onnx or safetensors.
        output: folder to create; by default RUN/export/FORMAT.
        checkpoint: `latest` or `best`.
        licence: identifier of the model's licence; by default one that that of the data allows.

    Returns:
        The folder, the differences from the model, and what the card says.

    Raises:
        UserError: there is no such run or format, or the file differs from the model.
    """
    from gan_lightning.export import export_run

    target = None if output is None else Path(output)
    return export_run(run_name(run), format, target, checkpoint, licence)
