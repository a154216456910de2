"""Command `new`: write a small project with a GAN of one's own."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

import click

from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.identifiers import camel_case, snake_case

__all__ = ["new"]

FILES = {
    "gan.py.template": "{module}.py",
    "experiment.yaml.template": "{module}.yaml",
    "test_gan.py.template": "test_{module}.py",
    "README.md.template": "README.md",
}
"""Template in the folder `project` -> file of the new project."""

VALID_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@click.command()
@click.argument("name", metavar="NAME")
@handle_errors
def new(name: str) -> None:
    """Write a project of one GAN, one experiment, a test and a README into the new folder NAME.

    \b
    Examples:
      gan-lightning new my-gan
      cd my-gan
      gan-lightning train my_gan.yaml
    """
    module = snake_case(name)
    _check_name(name, module)
    folder = Path(name)
    if folder.exists():
        raise UserError(f"{folder} exists; choose another name, or delete it first")
    texts = _project(name, module)
    try:
        folder.mkdir()
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror}; change to a folder that can be written"
        ) from error
    click.echo(f"wrote {', '.join(str(folder / file) for file in texts)}")
    click.echo(f"next: {command_line('cd', name)}; gan-lightning train {module}.yaml")


def _check_name(name: str, module: str) -> None:
    """Check that a name gives a module that Python can import.

    Raises:
        UserError: it does not, or such a module exists.
    """
    if not VALID_NAME.fullmatch(name) or not module:
        raise UserError(
            f"NAME is {name!r}; it must be letters, digits, - and _, and begin with a letter, for "
            f"example my-gan"
        )
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise UserError(f"NAME is {name!r}, a word of Python; choose another, for example my-gan")
    if module in sys.stdlib_module_names or find_spec(module) is not None:
        raise UserError(
            f"NAME is {name!r}, and Python has a module {module} already, which would hide yours; "
            f"choose another, for example my-gan"
        )


def _project(name: str, module: str) -> dict[str, str]:
    """Return file name -> text of a project."""
    folder = files("gan_lightning.cli") / "project"
    words = {"name": name, "module": module, "class_name": class_name(module)}
    return {
        file.format(**words): Template((folder / template).read_text("utf-8")).substitute(words)
        for template, file in FILES.items()
    }


def class_name(module: str) -> str:
    """Return the name of a project's class: DemoGAN for demo, MyGAN for my_gan."""
    return camel_case(module.removesuffix("_gan")) + "GAN" if module != "gan" else "OwnGAN"
