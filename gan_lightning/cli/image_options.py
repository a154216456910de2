"""Options of commands that read a folder of images, and the bar of their progress."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import fast_imports

if TYPE_CHECKING:
    from tqdm import tqdm

    from gan_lightning.runs.directory import RunDirectory

__all__ = [
    "DEFAULT_SIZE",
    "ImageOptions",
    "check_needs_images",
    "fit_option",
    "images_options",
    "labels_option",
    "progress_bar",
]

DEFAULT_SIZE = 64

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


@dataclass(frozen=True)
class ImageOptions:
    """The options of `images_options`; None where an option is not given."""

    images: Path | None = None
    size: int | None = None
    fit: str | None = None
    channels: str | None = None
    labels: Path | None = None
    store: Path | None = None

    def check(self) -> None:
        """Check that the other options are not given without a folder.

        Raises:
            UserError: naming the option and the config key that has its meaning.
        """
        for name in ("size", "fit", "channels", "labels", "store"):
            value = getattr(self, name)
            if self.images is None and value is not None:
                raise UserError(
                    f"--{name} is for the images of a folder; add --images DIR, or override "
                    f"data.{name}={value}"
                )

    def run_name(self, experiment: str) -> str:
        """Return the name of the runs on the folder, for example `dcgan-my_photos`."""
        from gan_lightning.config.folder_experiment import folder_run_name

        assert self.images is not None
        return folder_run_name(experiment, self.images)

    def source(self, experiment: str, overrides: Sequence[str]) -> dict[str, Any]:
        """Prepare the folder, print a summary, and return the experiment that it makes.

        Raises:
            UserError: the folder or an option is not valid.
        """
        with fast_imports():
            from gan_lightning.config.folder_experiment import (
                adapt_to_images,
                check_size,
                folder_experiment,
            )
            from gan_lightning.store import FolderImages

        assert self.images is not None
        size = DEFAULT_SIZE if self.size is None else self.size
        check_size(size)
        images = FolderImages(self.images, size, self.fit or "crop", self.labels, self.store)
        source = folder_experiment(experiment, images, self.channels or "auto", overrides)
        say = click.echo if is_first_process() else lambda line: None
        try:
            with progress_bar() as progress:
                manifest = images.prepare(say, progress)
        except KeyboardInterrupt as interrupt:
            click.echo(
                "gan-lightning: interrupted; run the same command again to continue", err=True
            )
            sys.exit(128 + (interrupt.args or (signal.SIGINT,))[0])
        for line in adapt_to_images(source, experiment, manifest, overrides):
            say(f"  {line}")
        return source

    def overrides(self, run: RunDirectory) -> list[str]:
        """Return the options as overrides of a run that is resumed."""
        from gan_lightning.config.python import override_words

        given = {key: getattr(self, key) for key in ("size", "fit", "channels", "labels", "store")}
        data = run.raw_config().get("data", {})
        if (
            self.images is not None
            and Path(data.get("root", "")).resolve() != self.images.resolve()
        ):
            given["root"] = self.images
        if given["channels"] == "auto":
            given["channels"] = None
        return override_words([{f"data.{k}": v for k, v in given.items() if v is not None}])

    def words(self, experiment: str) -> list[str]:
        """Return the words that name the experiment on a command line."""
        if self.images is None:
            return [experiment]
        return [experiment, "--images", str(self.images)]


def check_needs_images(experiment: str) -> None:
    """Raise a UserError if a word is the name of a GAN, which is an experiment with images only."""
    from gan_lightning.config.experiments import experiment_names
    from gan_lightning.config.folder_experiment import PRESETS

    if experiment in PRESETS and experiment not in experiment_names():
        raise UserError(
            f"{experiment!r} is a GAN without data; add --images DIR to train it on a folder of "
            f"images, or name an experiment of `gan-lightning list`"
        )


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr; the block gets a function of the finished and of all images."""
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(total=total, unit=" images", leave=False, file=sys.stderr))
        bars[0].update(done - bars[0].n)
        if done == total:
            bars[0].close()

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()
