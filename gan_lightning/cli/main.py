"""The command line `gan-lightning`; its commands are in `commands/`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from gan_lightning.cli import COMMANDS
from gan_lightning.cli.completion import VARIABLE, set_up_completion
from gan_lightning.cli.errors import Failure
from gan_lightning.errors import nearest_first

__all__ = ["main"]

EPILOG = """\b
Examples:
  gan-lightning list
  gan-lightning train infogan_mnist
  gan-lightning train infogan_mnist --seed 1 model.information_weight=0.5 trainer.max_updates=2000
  gan-lightning sample infogan_mnist --count 100 --output digits.png
  gan-lightning evaluate runs/infogan_mnist/2026-11-23_10-00-00
"""


class CommandLine(click.Group):
    """Says in one line what is wrong with the words of a command line."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the words before the command."""
        with _usage_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Parse the words after the command, and run it."""
        with _usage_in_one_line():
            return super().invoke(ctx)


@contextmanager
def _usage_in_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        said = " ".join(error.format_message().split()).removesuffix(".")
        command = error.ctx.command_path if error.ctx else "gan-lightning"
        if isinstance(error, click.exceptions.NoSuchCommand):
            there = nearest_first(error.command_name, cli.commands)
            said = f"command {error.command_name!r} is unknown; valid are {there}"
        raise Failure(f"{said}; `{command} --help` shows examples") from error


@click.group(
    cls=CommandLine, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="gan-lightning")
def cli() -> None:
    """Train, compare and understand GANs: every experiment is one command.

    EXP is a name that `gan-lightning list` shows, or the path of a YAML file. RUN is a run folder,
    or an experiment's name for its latest run. Overrides are `key=value`, anywhere on the line;
    `gan-lightning show EXP` lists the keys.
    """


for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; exit code 2 is a user's mistake, 128 + signal an interrupted run."""
    words = sys.argv[1:] if arguments is None else arguments
    if VARIABLE in os.environ:
        set_up_completion()
    cli.main(args=list(words), prog_name="gan-lightning")
