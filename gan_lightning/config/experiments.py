"""Where experiments lie, and how their YAML is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan_lightning.errors import UserError, nearest_first

__all__ = ["experiment_names", "experiment_path", "plain_mapping", "read_yaml"]

PACKAGE = Path(__file__).parents[1]


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
        return plain_mapping(content) if isinstance(content, DictConfig) else _no_mapping(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
        raise UserError(f"{path} is not valid YAML: {one_line(error)}") from error


def _no_mapping(path: Path) -> NoReturn:
    raise UserError(f"{path} must hold `key: value` lines, as experiments/ shows")


def plain_mapping(config: Any) -> dict[str, Any]:
    """Turn an OmegaConf mapping into plain types, its interpolations resolved.

    Raises:
        UserError: a key is no word.
    """
    plain = OmegaConf.to_container(config, resolve=True)
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise UserError("keys of a config must be words")
    return {str(key): value for key, value in plain.items()}


def one_line(error: BaseException) -> str:
    """Shorten what OmegaConf or YAML says to one line."""
    return " ".join(str(error).split("full_key:")[0].split())
