"""An experiment's YAML and a command line's overrides become one validated object."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
)
from yaml import YAMLError

from gan_lightning.errors import UserError, nearest_first

__all__ = [
    "Claim",
    "RunConfig",
    "as_plain",
    "experiment_names",
    "experiment_path",
    "load_config",
    "read_yaml",
    "to_yaml",
]

PACKAGE = Path(__file__).parent
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
WANDB_MODES = ("auto", "online", "offline", "disabled")


@dataclass
class Claim:
    """A paper's number, and what a run must measure to agree."""

    # key of an evaluated metric
    metric: str = MISSING
    at_least: float | None = None
    at_most: float | None = None
    # section, table or figure
    source: str = ""


@dataclass
class TrainerConfig:
    """How long and on what a run trains."""

    # generator updates
    max_steps: int = 5000
    # auto, 32-true, bf16-mixed or 16-mixed; auto is bf16-mixed for images where it is fast
    precision: str = "auto"
    # auto, cpu, gpu, cuda or mps
    accelerator: str = "auto"
    # processes a node, each with a device of its own
    devices: int = 1
    nodes: int = 1
    # rounds of the game in one Lightning batch; 0 chooses: 1 for images, up to 20 for points
    rounds_per_batch: int = 0
    # memory layout of the networks' convolutions: channels last
    channels_last: bool = True


@dataclass
class EvaluationConfig:
    """What is measured, and how often."""

    # generator updates between evaluations; 0 evaluates at the end only
    every: int = 1000
    # generated data to measure
    samples: int = 10_000


@dataclass
class PicturesConfig:
    """What is drawn, and how often."""

    # generator updates between pictures; 0 draws at the end only
    every: int = 500
    # images in the sample grid; points in the scatter plot are 2500
    samples: int = 64


@dataclass
class CheckpointsConfig:
    """What is saved."""

    # generator updates between checkpoints; one is always saved at the end
    every: int = 500
    # how many are kept
    keep: int = 2


@dataclass
class LogConfig:
    """Where losses and metrics go."""

    # generator updates between logged losses
    every: int = 50
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


def experiment_folders() -> list[Path]:
    """Folders that hold experiments: the current one's, the checkout's, the installed package's."""
    candidates = [Path("experiments"), PACKAGE.parent / "experiments", PACKAGE / "experiments"]
    return [folder for folder in candidates if folder.is_dir()]


def experiment_names() -> dict[str, Path]:
    """Every experiment by its name; the nearest folder wins."""
    found: dict[str, Path] = {}
    for folder in reversed(experiment_folders()):
        found.update({path.stem: path for path in folder.glob("*.yaml")})
    return dict(sorted(found.items()))


def experiment_path(experiment: str) -> Path:
    """Find an experiment by its name or by the path of its YAML.

    Raises:
        UserError: there is none; the message lists the valid names, the nearest first.
    """
    names = experiment_names()
    if experiment in names:
        return names[experiment]
    path = Path(experiment)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise UserError(f"there is no file {path}; give the path of an experiment's YAML")
    raise UserError(
        f"experiment {experiment!r} is unknown; valid are {nearest_first(experiment, names)}, "
        f"or the path of a .yaml file"
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping, with nothing but plain types.

    Raises:
        UserError: the file cannot be read or parsed, or is no mapping.
    """
    try:
        content = OmegaConf.load(path)
        return _plain(content) if isinstance(content, DictConfig) else _no_mapping(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
        raise UserError(f"{path} is not valid YAML: {_one_line(error)}") from error


def _no_mapping(path: Path) -> NoReturn:
    raise UserError(f"{path} must hold `key: value` lines, as experiments/ shows")


def load_config(source: dict[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """Merge dataclasses <- experiment <- command line, and check every key and type.

    Args:
        source: an experiment's YAML as `read_yaml` gives it.
        overrides: `key=value`, keys with dots.

    Returns:
        RunConfig whose `model`, `network` and `data` are instances of the classes that their names
        choose, with a field `name`.

    Raises:
        UserError: unknown key or name, wrong type, value out of range; names the valid ones.
    """
    tables = _tables()
    merged = _merge_overrides(_without_strangers(source, overrides, tables), overrides)
    base = OmegaConf.structured(RunConfig)
    for section, table in tables.items():
        given = merged.get(section, {})
        if not isinstance(given, dict):
            raise UserError(f"{section} is {given!r}; write {section}: {{name: …}}")
        name = given.get("name", DEFAULT_NAMES.get(section))
        if not isinstance(name, str):
            raise UserError(f"{section}.name is missing; valid are {', '.join(sorted(table))}")
        if name not in table:
            raise UserError(f"{section}.name is {name!r}; valid are {nearest_first(name, table)}")
        base[section] = OmegaConf.structured(table[name])
        merged[section] = {key: value for key, value in given.items() if key != "name"}
        merged[section]["name"] = name
    config = _checked_merge(base, merged)
    _validate(config)
    return config


DEFAULT_NAMES = {"network": "mlp"}
"""What an experiment need not say."""


def _tables() -> dict[str, dict[str, Any]]:
    """For each section that a name chooses: name -> structured config, `name` included."""
    from gan_lightning.classifiers import CLASSIFIERS
    from gan_lightning.data import DATASETS
    from gan_lightning.gans import GANS
    from gan_lightning.networks import NETWORKS

    sections: dict[str, dict[str, Any]] = {
        "model": {**GANS, **CLASSIFIERS},
        "network": {**NETWORKS},
        "data": {**DATASETS},
    }
    return {
        section: {name: _named(owner.Config, name) for name, owner in table.items()}
        for section, table in sections.items()
    }


def _named(config: type[Any], name: str) -> type[Any]:
    """Add the field `name`, so that a section says which class it configures."""
    return make_dataclass(config.__name__, [("name", str, field(default=name))], bases=(config,))


def _without_strangers(
    source: dict[str, Any], overrides: Sequence[str], tables: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Where an override renames a section, leave out the keys that the new class does not have."""
    kept = dict(source)
    for override in overrides:
        key, _, name = override.partition("=")
        section = key.removesuffix(".name")
        old = source.get(section)
        if section != key and isinstance(old, dict) and name in tables.get(section, {}):
            known = {entry.name for entry in fields(tables[section][name])}
            kept[section] = {key: value for key, value in old.items() if key in known}
    return kept


def _merge_overrides(source: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*=.*", override, re.DOTALL):
            raise UserError(f"override {override!r} is not key=value, as in trainer.max_steps=2000")
    try:
        merged = OmegaConf.merge(source, OmegaConf.from_dotlist(list(overrides)))
        return _plain(merged)
    except (OmegaConfBaseException, YAMLError, ValueError, TypeError) as error:
        raise UserError(f"cannot read {' '.join(overrides)}: {_one_line(error)}") from error


def _plain(config: Any) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=True)
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise UserError("keys of a config must be words")
    return {str(key): value for key, value in plain.items()}


def _checked_merge(base: DictConfig, given: dict[str, Any]) -> RunConfig:
    """Merge, with OmegaConf's errors rewritten for people."""
    for name, value in given.items():
        if isinstance(base.get(name), DictConfig) and not isinstance(value, dict):
            raise UserError(f"{name} is {value!r}; it must be `key: value` pairs")
    if not isinstance(given.get("claims", []), list):
        raise UserError("claims must be a list of {metric: …, at_least: … or at_most: …}")
    try:
        config = OmegaConf.to_object(OmegaConf.merge(base, given))
    except (ConfigKeyError, ConfigAttributeError) as error:
        *parents, wrong = str(error.full_key).split(".")
        section = OmegaConf.select(base, ".".join(parents)) if parents else base
        if error.object_type is Claim:
            parents, section = ["claims"], OmegaConf.structured(Claim)
        valid = nearest_first(wrong, [str(key) for key in section or {}])
        where = f" in {'.'.join(parents)}" if parents else ""
        raise UserError(f"key {wrong!r}{where} is unknown; valid are {valid}") from error
    except OmegaConfBaseException as error:
        raise UserError(_wrong_type(base, given, error)) from error
    assert isinstance(config, RunConfig)
    return config


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _wrong_type(base: DictConfig, given: dict[str, Any], error: OmegaConfBaseException) -> str:
    """Say which value has which type instead of which."""
    key = str(error.full_key or "").partition("[")[0]
    default = OmegaConf.select(base, key) if key else None
    value = OmegaConf.select(OmegaConf.create(given), key) if key else None
    word = WORDS.get(type(default), "")
    if isinstance(default, ListConfig):
        each = WORDS.get(type(default[0]), "a value") if default else "text"
        word = f"a list, each of it {each}, as {list(default) or ['a', 'b']}"
    if not word or key == "claims":
        return f"{error.full_key or 'a value'}: {_one_line(error)}"
    shown = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return f"{key} is {shown!r}; it must be {word}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split("full_key:")[0].split())


def _validate(config: RunConfig) -> None:
    """Check ranges; networks and data check theirs when they are built.

    Raises:
        UserError: the first value out of range.
    """
    trainer = config.trainer
    at_least_one = {
        "trainer.max_steps": trainer.max_steps,
        "trainer.devices": trainer.devices,
        "trainer.nodes": trainer.nodes,
        "pictures.samples": config.pictures.samples,
        "checkpoints.keep": config.checkpoints.keep,
        "log.every": config.log.every,
    }
    at_least_zero = {
        "seed": config.seed,
        "trainer.rounds_per_batch": trainer.rounds_per_batch,
        "evaluation.every": config.evaluation.every,
        "pictures.every": config.pictures.every,
        "checkpoints.every": config.checkpoints.every,
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
    for key, word, valid in (
        ("trainer.precision", trainer.precision, PRECISIONS),
        ("trainer.accelerator", trainer.accelerator, ACCELERATORS),
        ("log.wandb", config.log.wandb, WANDB_MODES),
    ):
        if word not in valid:
            raise UserError(f"{key} is {word!r}; valid are {nearest_first(word, valid)}")
    for claim in config.claims:
        if (claim.at_least is None) == (claim.at_most is None):
            raise UserError(f"claim on {claim.metric!r} needs at_least or at_most, and one only")
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
    plain = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def to_yaml(config: RunConfig) -> str:
    """Write a config as the YAML that `load_config` reads back."""
    return OmegaConf.to_yaml(OmegaConf.create(as_plain(config)))
