"""The keys of a run, with their defaults, units and ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from omegaconf import MISSING

from gan_lightning.errors import UserError, check_choice

__all__ = [
    "CLAIM_BOUNDS",
    "Claim",
    "EvaluationConfig",
    "LogConfig",
    "RunConfig",
    "as_plain",
    "check_ranges",
]

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
RESIZERS = ("tf_bilinear", "antialias")
WANDB_MODES = ("auto", "online", "offline", "disabled")


CLAIM_BOUNDS = ("at_least", "at_most", "above", "below")
CLAIM_AGGREGATES = ("mean", "all", "any")


@dataclass
class Claim:
    """What a paper claims, and what must be measured to agree: one of four bounds."""

    # key of an evaluated metric
    metric: str = MISSING
    at_least: float | None = None
    at_most: float | None = None
    # an experiment whose mean over seeds, measured under the same budget, must be passed
    above: str | None = None
    # an experiment whose mean must be stayed under
    below: str | None = None
    # what must keep the bound: the mean over seeds, every seed, or the best seed
    aggregate: str = "mean"
    # the claim in words, on one line
    statement: str = ""
    # the paper's number as printed, as "6.3 ± 0.5"
    paper: str = ""
    # section, table or figure
    source: str = ""

    def validate(self) -> None:
        """Check that there is one bound, and that words fit on their line.

        Raises:
            ValueError: naming the metric and the fix.
        """
        what = f"claim on {self.metric!r}"
        if sum(getattr(self, bound) is not None for bound in CLAIM_BOUNDS) != 1:
            raise ValueError(f"{what} needs one of {', '.join(CLAIM_BOUNDS)}, and one only")
        check_choice(f"{what}: aggregate", self.aggregate, CLAIM_AGGREGATES)
        for key in ("statement", "paper", "source"):
            if "\n" in getattr(self, key).strip():
                raise ValueError(f"{what}: {key} has several lines; it must be one")


@dataclass
class TrainerConfig:
    """How long and on what a run trains."""

    # generator updates
    max_updates: int = 5000
    # auto, 32-true, bf16-mixed or 16-mixed; auto is bf16-mixed for images where it is fast
    precision: str = "auto"
    # auto, cpu, gpu, cuda or mps
    accelerator: str = "auto"
    # processes a node, each with a device of its own
    devices: int = 1
    nodes: int = 1
    # normalise by the global minibatch, not by each process's part of it; on GPUs only
    sync_batch_norm: bool = False
    # processor threads; 0 chooses: one for points, as many as PyTorch takes for images
    threads: int = 0
    # rounds of the game in one Lightning batch; 0 chooses: 1 for images, up to 20 for points
    rounds_per_batch: int = 0
    # let NVIDIA GPUs multiply float32 numbers in TF32, with 10 of their 23 bits; never in a measure
    tf32: bool = True
    # torch.compile the players: worth its minute on GPUs, seldom on processors
    compile: bool = False
    # memory layout of the networks' convolutions: channels last
    channels_last: bool = True


@dataclass
class EvaluationConfig:
    """What is measured, and how often."""

    # generator updates between evaluations; 0 evaluates at the end only
    every_n_updates: int = 1000
    # generated data to measure
    samples: int = 10_000
    # measure digits in pixels too: Parzen likelihood, nearest neighbours of asked-for classes
    pixels: bool = False
    # file of the Inception weights, for colour pictures; null for where torch keeps downloads
    inception: str | None = None
    # how pictures become the network's 299 pixels: tf_bilinear (the papers') or antialias
    resizer: str = "tf_bilinear"


@dataclass
class PicturesConfig:
    """What is drawn, and how often."""

    # generator updates between pictures; 0 draws at the end only
    every_n_updates: int = 500
    # images in the sample grid; points in the scatter plot are 2500
    samples: int = 64


@dataclass
class CheckpointsConfig:
    """What is saved."""

    # generator updates between checkpoints; one is always saved at the end
    every_n_updates: int = 500
    # how many are kept
    keep: int = 2


@dataclass
class LogConfig:
    """Where losses and metrics go."""

    # generator updates between logged losses
    every_n_updates: int = 50
    # Weights & Biases: online, offline, disabled; auto is online with a login, else offline
    wandb: str = "auto"
    project: str = "gan-lightning"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class RunConfig:
    """A run, whole: nothing outside it decides what is trained."""

    title: str = ""
    # authors, year, arXiv number
    paper: str = ""
    # of weights, order of the data and all random draws
    seed: int = 0
    model: Any = MISSING
    network: Any = MISSING
    data: Any = MISSING
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    checkpoints: CheckpointsConfig = field(default_factory=CheckpointsConfig)
    log: LogConfig = field(default_factory=LogConfig)
    claims: list[Claim] = field(default_factory=list)


def check_ranges(config: RunConfig) -> None:
    """Check ranges; networks and data check theirs when they are built.

    Raises:
        UserError: the first value out of range.
    """
    trainer = config.trainer
    at_least_one = {
        "trainer.max_updates": trainer.max_updates,
        "trainer.devices": trainer.devices,
        "trainer.nodes": trainer.nodes,
        "pictures.samples": config.pictures.samples,
        "checkpoints.keep": config.checkpoints.keep,
        "log.every_n_updates": config.log.every_n_updates,
    }
    at_least_zero = {
        "seed": config.seed,
        "trainer.threads": trainer.threads,
        "trainer.rounds_per_batch": trainer.rounds_per_batch,
        "evaluation.every_n_updates": config.evaluation.every_n_updates,
        "pictures.every_n_updates": config.pictures.every_n_updates,
        "checkpoints.every_n_updates": config.checkpoints.every_n_updates,
    }
    for key, number in _numbers(as_plain(config)):
        if not math.isfinite(number):
            raise UserError(f"{key} is {number}; it must be finite")
    if config.evaluation.samples < 2:
        raise UserError(f"evaluation.samples is {config.evaluation.samples}; it must be at least 2")
    for key, value in at_least_one.items():
        if value < 1:
            raise UserError(f"{key} is {value}; it must be at least 1")
    for key, value in at_least_zero.items():
        if value < 0:
            raise UserError(f"{key} is {value}; it must be at least 0")
    try:
        check_choice("trainer.precision", trainer.precision, PRECISIONS)
        check_choice("trainer.accelerator", trainer.accelerator, ACCELERATORS)
        check_choice("evaluation.resizer", config.evaluation.resizer, RESIZERS)
        check_choice("log.wandb", config.log.wandb, WANDB_MODES)
        for claim in config.claims:
            claim.validate()
    except ValueError as error:
        raise UserError(str(error)) from error
    _validate_parts(config)


def _validate_parts(part: Any, key: str = "") -> None:
    """Let every section check its own ranges, and put its key before what it says."""
    for name in (entry.name for entry in fields(part)):
        value = getattr(part, name)
        if is_dataclass(value):
            path = f"{key}{name}."
            if hasattr(value, "validate"):
                try:
                    value.validate()
                except ValueError as error:
                    raise UserError(f"{path}{error}") from error
            _validate_parts(value, path)


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of nested plain values, with its key."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _numbers(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _numbers(part, f"{key}[{index}]")
    elif isinstance(value, int | float):
        yield key, value


def as_plain(config: RunConfig) -> dict[str, Any]:
    """Turn a config into plain dictionaries, lists, words and numbers, for YAML and W&B."""
    return asdict(config)
