"""The line with which a command says what one would do next."""

from __future__ import annotations

import sys

import click

from gan_lightning.utils.commands import command_line
from gan_lightning.utils.optional import install_command, missing_modules

__all__ = ["FIRST_STEPS", "is_terminal", "suggest", "suggest_at_terminal"]

FIRST_STEPS = (
    ("gan-lightning demo", "watch a small GAN learn, in 20 seconds"),
    ("gan-lightning gallery", "see what trained models generate, in a minute"),
    ("gan-lightning train infogan_mnist", "train InfoGAN on digits, in some minutes"),
)
"""What the program prints where it is called without a command, and what each line does."""


NEEDED_EXTRAS = {"play": "play", "report": "report"}
"""Command -> extra that it needs."""


def suggest(command: str, *words: object) -> None:
    """Print the command that comes next, after the one that installs what it needs."""
    line = command_line("gan-lightning", command, *words)
    extra = NEEDED_EXTRAS.get(command)
    if extra is not None and missing_modules(extra):
        line = f"{install_command(extra)}; {line}"
    click.echo(f"next: {line}")


def is_terminal() -> bool:
    """Tell whether the output goes to a terminal."""
    return sys.stdout.isatty()


def suggest_at_terminal(command: str, *words: object) -> None:
    """Do as `suggest` where the output is a terminal; a file or a pipe gets the result alone."""
    if is_terminal():
        suggest(command, *words)
