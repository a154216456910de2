"""Options of commands that read a folder of images, and the bar of their progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["fit_option", "images_options", "labels_option", "progress_bar"]

Command = TypeVar("Command", bound=Callable[..., Any])

fit_option = click.option(
    "--fit",
    type=click.Choice(["crop", "pad", "stretch"]),
    help="How images become square: crop to the centre (default), pad with white, or stretch.",
)
labels_option = click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV file with the columns file and label; by default sub-folders are classes.",
)


def images_options(command: Command) -> Command:
    """Add the options that make an experiment of a folder of images."""
    options = [
        click.option(
            "--images",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Train on the images of a folder, which is prepared when it is first used; EXP "
            "may also be dcgan, cgan or another GAN.",
        ),
        click.option(
            "--size",
            type=int,
            metavar="N",
            help="Height and width of the images, a multiple of 4 from 16 to 256; by default 64.",
        ),
        fit_option,
        click.option(
            "--channels",
            type=click.Choice(["auto", "1", "3"]),
            help="1 for grey, 3 for colour; auto (default) is grey if all images are.",
        ),
        labels_option,
        click.option(
            "--store",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder for the prepared images; by default next to the folder.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr; the block gets a function of the finished and of all images."""
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(total=total, unit=" images", leave=False, file=sys.stderr))
        bars[0].update(done - bars[0].n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()
