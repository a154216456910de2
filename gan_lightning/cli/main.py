"""The command line `gan-lightning`, a group of the commands in `cli/`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

import click

from gan_lightning.cli import COMMANDS
from gan_lightning.cli.completion import COMPLETION_VARIABLE, set_up_completion
from gan_lightning.cli.errors import CommandError
from gan_lightning.cli.next_step import FIRST_STEPS
from gan_lightning.errors import nearest_first

__all__ = ["main"]

EPILOG = """\b
Examples:
  gan-lightning demo
  gan-lightning gallery
  gan-lightning list
  gan-lightning train infogan_mnist
  gan-lightning train infogan_mnist --seed 1 model.information_weight=0.5 trainer.max_updates=2000
  gan-lightning sample infogan_mnist --count 100 --output digits.png
  gan-lightning evaluate runs/infogan_mnist/2026-11-23_10-00-00
"""


class CommandLine(click.Group):
    """A group of commands that reports a usage error in one line."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments before the command."""
        with _one_line_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Parse the arguments after the command, and run it."""
        with _one_line_usage_errors():
            return super().invoke(ctx)


@contextmanager
def _one_line_usage_errors() -> Iterator[None]:
    """Replace click's usage errors, of several lines, by one line that names the help."""
    try:
        yield
    except click.UsageError as error:
        message = " ".join(error.format_message().split()).removesuffix(".")
        command = error.ctx.command_path if error.ctx else "gan-lightning"
        if isinstance(error, click.exceptions.NoSuchCommand):
            names = nearest_first(error.command_name, cli.commands)
            message = f"command {error.command_name!r} is unknown; valid are {names}"
        raise CommandError(f"{message}; `{command} --help` shows examples") from error


@click.group(
    cls=CommandLine,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(package_name="gan-lightning")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train, evaluate and compare GANs; every experiment is one command.

    EXP is the name of an experiment, as `gan-lightning list` prints them, or the path of a YAML
    file. RUN is a run directory, or the name of an experiment for its latest run. KEY=VALUE
    overrides a config key and may stand anywhere on the line; `gan-lightning show EXP` prints the
    keys of an experiment.
    """
    if context.invoked_subcommand is None:
        for line, purpose in FIRST_STEPS:
            click.echo(f"{line:<36} {purpose}")


for command in COMMANDS:
    cli.add_command(command)


def _print_any_name() -> None:
    """Make the output escape what its encoding lacks, such as file names that are not UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit.

    The exit code is 0, 2 for an error that the user can fix, or 128 + signal for an interrupt;
    further codes are those of the command.

    Args:
        arguments: words after the program's name; None for those of `sys.argv`.
    """
    _print_any_name()
    if COMPLETION_VARIABLE in os.environ:
        set_up_completion()
    cli.main(None if arguments is None else list(arguments), prog_name="gan-lightning")
