"""The config of a run: its keys with their types, defaults and ranges.

The keys of `model`, `network` and `data` are declared next to the classes that they configure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gan_lightning.config.claim import Claim
from gan_lightning.utils.settings import REQUIRED, setting

__all__ = [
    "DEFAULT_PROJECT",
    "GAME_MEASURES",
    "OPTIONAL_MEASURES",
    "CheckpointsConfig",
    "EvaluationConfig",
    "GameConfig",
    "LogConfig",
    "PicturesConfig",
    "RunConfig",
    "TrainerConfig",
    "as_plain",
]

OPTIONAL_MEASURES = ("discriminator_features", "reconstruction")
"""Evaluators of a GAN that take long, and are used where `evaluation.measures` names them."""

CALLBACK_KEYS = ("class", "init")
CALLBACK_FORM = '{class: "module:Class", init: {…}}'


@dataclass
class TrainerConfig:
    """Length of training, devices and precision."""

    max_updates: int = setting(5000, "Generator updates of the run.", minimum=1)
    start_from: str | None = setting(
        None,
        "Run of a GAN with the same networks, or its .ckpt or generator.safetensors, whose weights "
        "training starts from, at update 0; null means the initial weights of the seed.",
        initial=True,
    )
    precision: str = setting(
        "auto",
        "Floating-point precision; auto is bf16-mixed for images where the hardware computes it, "
        "else 32-true.",
        choices=("auto", "32-true", "bf16-mixed", "16-mixed"),
    )
    accelerator: str = setting(
        "auto", "Kind of device.", choices=("auto", "cpu", "gpu", "cuda", "mps")
    )
    devices: int = setting(1, "Processes per node, each with its own device.", minimum=1)
    nodes: int = setting(1, "Machines that train together.", minimum=1)
    sync_batch_norm: bool = setting(
        False, "Compute batch norm statistics over all processes; needs GPUs."
    )
    threads: int = setting(
        0,
        "CPU threads; 0 means 1 for points and PyTorch's default for images.",
        minimum=0,
        maximum=4096,
    )
    rounds_per_batch: int = setting(
        0, "Rounds in one Lightning batch; 0 means 1 for images and up to 20 for points.", minimum=0
    )
    tf32: bool = setting(
        True, "Allow TF32 in float32 matrix products on NVIDIA GPUs; evaluation never uses it."
    )
    compile: bool = setting(
        False, "Compile both players and their losses by torch.compile, which takes minutes."
    )
    cuda_graphs: bool = setting(
        False,
        "Capture the rounds of a GAN as CUDA graphs, which saves the time of launches with small "
        "networks; the log says why where they cannot be.",
    )
    channels_last: bool = setting(True, "Use the channels_last memory format for convolutions.")


@dataclass
class EvaluationConfig:
    """What is measured, and how often."""

    every_n_updates: int = setting(
        1000, "Generator updates between evaluations; 0 evaluates at the end only.", minimum=0
    )
    samples: int = setting(10_000, "Generated samples of an evaluation.", minimum=2)
    precision: str = setting(
        "32-true",
        "Floating-point precision in which samples are generated; bf16-mixed is faster on GPUs. "
        "Features and statistics stay in float32 and float64.",
        choices=("32-true", "bf16-mixed"),
    )
    pixels: bool = setting(
        False,
        "Measure digits in pixel space too: Parzen log-likelihood, nearest neighbours by class.",
    )
    inception: str | None = setting(
        None, "File of the Inception weights for colour images; null means torch.hub's folder."
    )
    resizer: str = setting(
        "tf_bilinear",
        "How images are resized to the 299 pixels of Inception; papers use tf_bilinear.",
        choices=("tf_bilinear", "antialias"),
    )
    features: str | None = setting(
        None,
        "Features of image measures that need no download: random, pixels, or module:Class of your "
        "own torch.nn.Module; null means random, and only for data without measures of their own.",
    )
    measures: list[str] = setting(
        [],
        "Further measures of a GAN, which take long: discriminator_features classifies real images "
        "by the discriminator's features; reconstruction is the distance of training data from the "
        "nearest sample that gradient descent finds.",
        choices=OPTIONAL_MEASURES,
    )


GAME_MEASURES = ("accuracy", "gradients", "spectrum", "path_angle", "duality_gap")


@dataclass
class GameConfig:
    """What is measured of the game between the players, and how often."""

    enabled: bool = setting(False, "Whether the game of a GAN is measured.")
    every_n_updates: int = setting(
        4000, "Generator updates between measurements; 0 measures at the end only.", minimum=0
    )
    measures: list[str] = setting(
        ["accuracy", "gradients", "spectrum"],
        "What is measured: accuracy of the discriminator on training and on test data; gradients "
        "and the angle of successive steps; spectrum of the Jacobian; path_angle from the initial "
        "weights; duality_gap, which takes long.",
        choices=GAME_MEASURES,
    )
    samples: int = setting(16, "Samples of the minibatch whose gradients are measured.", minimum=2)
    eigenvalues: int = setting(4, "Eigenvalues of the spectrum, the largest ones.", minimum=1)
    search_steps: int = setting(
        100, "Steps of the search for the worst opponents of a duality gap.", minimum=1
    )


@dataclass
class PicturesConfig:
    """What is drawn, and how often."""

    every_n_updates: int = setting(
        500, "Generator updates between pictures; 0 draws at the end only.", minimum=0
    )
    samples: int = setting(64, "Images in the sample grid.", minimum=1)


@dataclass
class CheckpointsConfig:
    """What is saved, and how often."""

    every_n_updates: int = setting(
        500, "Generator updates between checkpoints; 0 saves at the end only.", minimum=0
    )
    keep: int = setting(2, "Latest checkpoints that are kept.", minimum=1)


DEFAULT_PROJECT = "gan-lightning"

MAX_NAME = 128
MAX_TAG = 64
"""Lengths that W&B accepts."""


@dataclass
class LogConfig:
    """Where losses and metrics are logged."""

    every_n_updates: int = setting(50, "Generator updates between logged losses.", minimum=1)
    wandb: str = setting(
        "auto",
        "Mode of Weights & Biases; auto is online with a login, else offline.",
        choices=("auto", "online", "offline", "disabled"),
    )
    project: str | None = setting(
        None, "W&B project; null means WANDB_PROJECT, else gan-lightning."
    )
    entity: str | None = setting(
        None, "W&B user or team; null means WANDB_ENTITY, else the login's default."
    )
    name: str | None = setting(
        None,
        "Name of the run at W&B; null means WANDB_NAME, else experiment, run directory and seed.",
    )
    group: str | None = setting(
        None, "W&B group of the run; null means WANDB_RUN_GROUP, else the experiment."
    )
    job_type: str | None = setting(
        None, "W&B job type of the run, for example baseline; null means WANDB_JOB_TYPE, else none."
    )
    notes: str | None = setting(None, "Notes on the run at W&B; null means WANDB_NOTES, else none.")
    tags: list[str] = setting([], "W&B tags of the run; empty means those of WANDB_TAGS.")

    def validate(self) -> None:
        """Check the names that W&B would refuse when the run has begun.

        Raises:
            ValueError: naming the key, the value and the valid ones.
        """
        project = self.project or DEFAULT_PROJECT
        if {*project} & {*"/\\#?%:"} or len(project) > MAX_NAME:
            raise ValueError(
                f"project is {self.project!r}; a project of W&B has at most {MAX_NAME} "
                f"characters and none of / \\ # ? % :, and a team is log.entity"
            )
        for key in ("name", "group", "job_type"):
            if len(value := getattr(self, key) or "") > MAX_NAME:
                raise ValueError(f"{key} is {value!r}; at W&B it has at most {MAX_NAME} characters")
        for tag in self.tags:
            if not 1 <= len(tag) <= MAX_TAG:
                raise ValueError(f"tags has {tag!r}; a tag of W&B has 1 to {MAX_TAG} characters")


@dataclass
class RunConfig:
    """The complete config of a run; nothing outside it affects what is trained."""

    title: str = setting("", "Title of the experiment, one sentence.")
    paper: str = setting("", "Authors, year and arXiv number of the paper.")
    seed: int = setting(
        0, "Seed of initial weights, order of the data and all random draws.", minimum=0
    )
    model: Any = setting(REQUIRED, "GAN or classifier: its name and its keys.")
    network: Any = setting(REQUIRED, "Network family: its name and its keys.")
    data: Any = setting(REQUIRED, "Dataset: its name and its keys.")
    trainer: TrainerConfig = setting(TrainerConfig(), "Length of training, devices, precision.")
    evaluation: EvaluationConfig = setting(EvaluationConfig(), "What is measured, and how often.")
    game: GameConfig = setting(GameConfig(), "What is measured of the game, and how often.")
    pictures: PicturesConfig = setting(PicturesConfig(), "What is drawn, and how often.")
    checkpoints: CheckpointsConfig = setting(CheckpointsConfig(), "What is saved, and how often.")
    log: LogConfig = setting(LogConfig(), "Where losses and metrics are logged.")
    callbacks: Any = setting(
        [],
        'Lightning callbacks of your own: a list of `{class: "module:Class", init: {…}}`, where '
        "`init` has the arguments of the class.",
    )
    claims: list[Claim] = setting([], "The paper's claims that the results are checked against.")
    overridden: dict[str, Any] = setting(
        {},
        "Values of the experiment that overrides have changed, written by `train`; with any, the "
        "claims have no verdict.",
    )

    def validate(self) -> None:
        """Check the form of `callbacks`; their classes are imported when training starts.

        Raises:
            ValueError: naming the entry and the fix.
        """
        if not isinstance(self.callbacks, list):
            raise ValueError(f"callbacks is {self.callbacks!r}; write a list of {CALLBACK_FORM}")
        for index, entry in enumerate(self.callbacks):
            _check_callback(f"callbacks[{index}]", entry)


def _check_callback(key: str, entry: Any) -> None:
    """Check one entry of `callbacks`: a class, and arguments by name or none."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class"), str):
        raise ValueError(f"{key} is {entry!r}; write {CALLBACK_FORM}")
    for name in entry:
        if name not in CALLBACK_KEYS:
            raise ValueError(f"key {name!r} in {key} is unknown; valid are class, init")
    if not isinstance(entry.get("init", {}), dict):
        raise ValueError(f"{key}.init is {entry['init']!r}; it must be `key: value` pairs")


def as_plain(config: RunConfig) -> dict[str, Any]:
    """Convert a config to nested dictionaries, lists, strings and numbers, for YAML and W&B."""
    return asdict(config)
