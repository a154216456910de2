"""Command `prepare`: decode a dataset once, into an image store."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.image_options import (
    DEFAULT_SIZE,
    fit_option,
    labels_option,
    progress_bar,
)
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.hardware import available_cores
from gan_lightning.utils.names import printable

if TYPE_CHECKING:
    from gan_lightning.store import Manifest
    from gan_lightning.store.catalog import Catalog

__all__ = ["prepare"]

Command = TypeVar("Command", bound=Callable[..., Any])

EXPERIMENTS = {
    "celeba": "dcgan_celeba",
    "lsun": "dcgan_lsun_bedroom",
    "pairs": "pix2pix_facades",
    "fashion_mnist": "dcgan_mnist",
    "cifar10": "dcgan_mnist",
}
"""Dataset -> experiment that trains on it, all with the default size and category."""

DEFAULT_CATEGORY = "bedroom"

MAX_PRINTED = 20
"""Skipped images that are printed; the manifest lists all of them."""


@click.group()
def prepare() -> None:
    """Decode the images of a dataset once, into an image store that experiments read.

    The centre square of each image (--crop pixels) is cropped, resized by Pillow's bicubic filter,
    which antialiases, and written as uint8. If the command is killed, the same command resumes.
    Images that are damaged or too small are skipped, counted and listed. A folder of images needs
    no preparation: `gan-lightning train dcgan --images DIR` prepares it. Fashion-MNIST and CIFAR-10
    are downloaded if asked, verified, and read as they are published.

    \b
    Examples:
      gan-lightning prepare celeba --root data/celeba
      gan-lightning prepare lsun --root data/lsun --category bedroom --size 128
      gan-lightning prepare folder --root data/flowers
      gan-lightning prepare pairs --root data/facades --size 256
      gan-lightning prepare fashion_mnist --download
    """


def store_options(command: Command) -> Command:
    """Add the options that all datasets have."""
    options = [
        click.option(
            "--root",
            required=True,
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder of the dataset.",
        ),
        click.option(
            "--size",
            default=DEFAULT_SIZE,
            show_default=True,
            metavar="N",
            help="Height and width of the images in the store, in pixels, 8 to 1024.",
        ),
        click.option(
            "--crop",
            default=0,
            metavar="N",
            help="Side of the centre square, in pixels; by default the largest square.",
        ),
        click.option(
            "--background",
            default="white",
            show_default=True,
            metavar="COLOUR",
            help="Colour behind transparent pixels.",
        ),
        click.option(
            "--output",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder of the store; by default next to the root, where experiments find it.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            metavar="N",
            help="Number of processes; by default one for each processor core.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@prepare.command()
@store_options
@handle_errors
def celeba(root: Path, **settings: Any) -> None:
    """Prepare CelebA: img_align_celeba as a folder or zip, and its two lists, below --root.

    Crops in the literature are 178 (the largest square, the default), 160, 148, 140 and 108 pixels.

    \b
    Example:
      gan-lightning prepare celeba --root data/celeba --size 64
    """
    from gan_lightning.store import celeba as catalog

    _make_store("celeba", root, lambda: catalog.celeba(root), "", **settings)


@prepare.command()
@click.option(
    "--category", default=DEFAULT_CATEGORY, show_default=True, help="Category of the scenes."
)
@store_options
@handle_errors
def lsun(root: Path, category: str, **settings: Any) -> None:
    """Prepare a category of LSUN: CATEGORY_train_lmdb and CATEGORY_val_lmdb in --root.

    \b
    Example:
      gan-lightning prepare lsun --root data/lsun --category bedroom
    """
    from gan_lightning.store import catalog

    _make_store("lsun", root, lambda: catalog.lsun(root, category), category, **settings)


@prepare.command()
@store_options
@fit_option
@labels_option
@handle_errors
def folder(root: Path, labels: Path | None, **settings: Any) -> None:
    """Prepare a folder of images; its sub-folders, or a CSV file, name the classes.

    \b
    Example:
      gan-lightning prepare folder --root data/flowers
    """
    from gan_lightning.store import folders

    _make_store("folder", root, lambda: folders.folder(root, labels), "", **settings)


@prepare.command()
@store_options
@handle_errors
def pairs(root: Path, **settings: Any) -> None:
    """Prepare pairs of images, the two of a pair next to each other in one file, for pix2pix.

    \b
    Example:
      gan-lightning prepare pairs --root data/facades --size 256
    """
    from gan_lightning.store import folders

    _make_store("pairs", root, lambda: folders.pairs(root), "", **settings)


def files_options(default: str) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of datasets that are read as they are published."""

    def add(command: Command) -> Command:
        root = click.option(
            "--root",
            default=default,
            show_default=True,
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder of the dataset.",
        )
        download = click.option(
            "--download", is_flag=True, help="Download what is missing, by torchvision."
        )
        return root(download(command))

    return add


@prepare.command("fashion_mnist")
@files_options("data/fashion_mnist")
@handle_errors
def fashion_mnist(root: Path, download: bool) -> None:
    """Verify Fashion-MNIST, which is read as published; with --download, download it first.

    \b
    Example:
      gan-lightning prepare fashion_mnist --download
    """
    _verify_files("fashion_mnist", root, download)


@prepare.command("cifar10")
@files_options("data/cifar10")
@handle_errors
def cifar10(root: Path, download: bool) -> None:
    """Verify CIFAR-10, which is read as published; with --download, download it first.

    \b
    Example:
      gan-lightning prepare cifar10 --download
    """
    _verify_files("cifar10", root, download)


def _verify_files(dataset: str, root: Path, download: bool) -> None:
    """Download the files of a dataset if asked to, verify all of them, and print what they are."""
    from gan_lightning.store.published_files import PUBLISHED_FILES

    files = PUBLISHED_FILES[dataset]
    if download:
        files.download(root)
    folder = files.find(root)
    for name in files.md5:
        files.read(folder, name)
    click.echo(f"{files.title}: {len(files.md5)} files in {folder} with the published MD5 sums")
    words = ["train", EXPERIMENTS[dataset], f"data.name={dataset}", f"data.root={root}"]
    click.echo(f"train on it: {command_line('gan-lightning', *words)}")


def _make_store(
    dataset: str,
    root: Path,
    make_catalog: Callable[[], Catalog],
    part: str,
    *,
    size: int,
    crop: int,
    background: str,
    output: Path | None,
    workers: int | None,
    fit: str | None = None,
) -> None:
    """Make the store with a progress bar, and print a summary of it."""
    from gan_lightning.store import ImageTransform, default_store, prepare

    fit = fit or "crop"
    transform = ImageTransform(dataset, size, crop, background, dataset == "pairs", fit)
    store = output or default_store(root, size, part, fit)
    try:
        with progress_bar() as progress:
            manifest = prepare(
                make_catalog(), transform, str(root), store, workers or available_cores(), progress
            )
    except KeyboardInterrupt as interrupt:
        click.echo("gan-lightning: interrupted; run the same command again to resume", err=True)
        sys.exit(128 + (interrupt.args or (signal.SIGINT,))[0])
    _print_summary(manifest, store)
    click.echo(f"train on it: {_next_command(dataset, root, size, part, output, fit)}")


def _next_command(
    dataset: str, root: Path, size: int, part: str, output: Path | None, fit: str
) -> str:
    """Return the command line that trains on a store."""
    if dataset == "folder":
        words = ["dcgan", "--images", str(root), "--size", str(size)]
        words += [] if output is None else ["--store", str(output)]
        words += [] if fit == "crop" else ["--fit", fit]
    else:
        words = [EXPERIMENTS[dataset], f"data.root={root}"]
        words += [] if size == DEFAULT_SIZE else [f"data.size={size}"]
        words += [] if part in ("", DEFAULT_CATEGORY) else [f"data.category={part}"]
        words += [] if output is None else [f"data.store={output}"]
    return command_line("gan-lightning", "train", *words)


def _print_summary(manifest: Manifest, store: Path) -> None:
    for remark in manifest.remarks:
        click.echo(remark)
    for kind, count in sorted(manifest.converted.items()):
        click.echo(f"converted to 8-bit RGB: {count:,} {kind}")
    for name, problem in manifest.skipped[:MAX_PRINTED]:
        click.echo(f"skipped {printable(name)}: it {problem}")
    if len(manifest.skipped) > MAX_PRINTED:
        problems = Counter(problem.split(" (")[0] for _, problem in manifest.skipped)
        counts = ", ".join(f"{count:,} {problem}" for problem, count in problems.most_common(5))
        click.echo(f"skipped {len(manifest.skipped):,} in all ({counts}): see manifest.json")
    size = sum(file.size for file in manifest.shards)
    click.echo(f"{manifest.images:,} images, {size / 1e6:,.0f} MB, in {store}")
