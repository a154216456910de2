"""Find experiments by name or path, and read their YAML files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yaml import YAMLError

from gan_lightning.config.merge import Content, interpolated, one_line
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.import_path import add_search_folder, announce_import, is_import_path
from gan_lightning.utils.yaml_text import read_text

__all__ = ["experiment_names", "experiment_path", "parse_yaml", "read_yaml"]

PACKAGE = Path(__file__).parents[1]


def experiment_folders() -> list[Path]:
    """List the folders of experiments: `./experiments`, the checkout's, the installed package's."""
    candidates = [Path("experiments"), PACKAGE.parent / "experiments", PACKAGE / "experiments"]
    return [folder for folder in candidates if folder.is_dir()]


def experiment_names() -> dict[str, Path]:
    """Return name -> file of every experiment; a name of an earlier folder hides later ones."""
    paths: dict[str, Path] = {}
    for folder in reversed(experiment_folders()):
        paths.update({path.stem: path for path in folder.glob("*.yaml")})
    return dict(sorted(paths.items()))


def experiment_path(experiment: str) -> Path:
    """Return the YAML file of an experiment.

    Args:
        experiment: name of an experiment, or path of a YAML file.

    Raises:
        UserError: there is no such experiment; the message lists the valid names, nearest first.
    """
    names = experiment_names()
    if experiment in names:
        return names[experiment]
    path = Path(experiment)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise UserError(f"file {path} does not exist; pass the path of an experiment's YAML file")
    raise UserError(
        f"experiment {experiment!r} is unknown; valid are {nearest_first(experiment, names)}, "
        f"or the path of a .yaml file"
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that contains a mapping of plain types.

    Modules of import paths that it names are searched in its folder from now on.

    Returns:
        The mapping, a `Content`, which knows how its values are written: a text key keeps that.

    Raises:
        UserError: the file cannot be read or parsed, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid YAML: {one_line(error)}") from error
    return _with_own_classes(parse_yaml(text, path), path)


def parse_yaml(text: str, path: Path) -> Content:
    """Parse a YAML text that contains a mapping of plain types.

    Args:
        text: the text.
        path: the file that it is from, for errors.

    Raises:
        UserError: the text cannot be parsed, or is not a mapping.
    """
    try:
        value, words = read_text(text)
    except (YAMLError, ValueError) as error:
        raise UserError(f"{path} is not valid YAML: {one_line(error)}") from error
    if not isinstance(value, dict | None):
        raise UserError(f"{path} must contain `key: value` lines, as the files of experiments/ do")
    try:
        content = Content(interpolated(value or {}))
    except UserError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    content.words = words
    return content


def _with_own_classes(content: Content, path: Path) -> Content:
    """Note where a file is that names import paths, and return its content.

    Those of a file outside the current folder, of another project, are announced when imported.
    """
    names = list(_import_paths(content))
    if names:
        add_search_folder(path.parent)
    if not path.resolve().is_relative_to(Path.cwd().resolve()) and is_first_process():
        for name in names:
            announce_import(name, path)
    return content


def _import_paths(value: Any) -> Iterator[str]:
    """Yield the texts of nested mappings and lists that are import paths."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _import_paths(part)
    elif is_import_path(value):
        yield value
