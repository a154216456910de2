"""The line with which a command says what one would do next."""

from __future__ import annotations

import click

from gan_lightning.utils.commands import command_line

__all__ = ["FIRST_STEPS", "suggest"]

FIRST_STEPS = (
    ("gan-lightning demo", "watch a small GAN learn, in 20 seconds"),
    ("gan-lightning gallery", "see what trained models generate, in a minute"),
    ("gan-lightning train infogan_mnist", "train InfoGAN on digits, in some minutes"),
)
"""What the program prints where it is called without a command, and what each line does."""


def suggest(*words: object) -> None:
    """Print the command that comes next."""
    click.echo(f"next: {command_line('gan-lightning', *words)}")
