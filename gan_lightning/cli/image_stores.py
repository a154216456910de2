"""Options of the commands that make an image store, the making of it, and what they print."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gan_lightning.cli.image_options import DEFAULT_SIZE, progress_bar
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.hardware import available_cores
from gan_lightning.utils.names import printable

if TYPE_CHECKING:
    from gan_lightning.store import Manifest
    from gan_lightning.store.catalog import Catalog

__all__ = [
    "DEFAULT_CATEGORY",
    "PAIRED",
    "TRAINING_WORDS",
    "draw_store",
    "drawing_options",
    "make_store",
    "root_option",
    "store_options",
]

Command = TypeVar("Command", bound=Callable[..., Any])

TRAINING_WORDS = {
    "celeba": "dcgan_celeba",
    "lsun": "dcgan_lsun_bedroom",
    "pairs": "pix2pix_facades",
    "fashion_mnist": "dcgan_mnist data.name=fashion_mnist",
    "cifar10": "dcgan_mnist data.name=cifar10",
    "faces": "dcgan_celeba data.name=faces",
    "openmoji": "pix2pix_facades data.name=openmoji",
}
"""Dataset -> words that train on it, all with the default size and category."""

PAIRED = ("pairs", "openmoji")
"""Datasets whose files hold a pair of images."""

DEFAULT_CATEGORY = "bedroom"

MAX_PRINTED = 20
"""Skipped images that are printed; the manifest lists all of them."""


def root_option(default: str | None = None) -> Callable[[Command], Command]:
    """Return the option of the folder of a dataset, which is required without a default."""
    # a default of None would count as a value
    given: dict[str, Any] = {"default": default, "show_default": True} if default else {}
    return click.option(
        "--root",
        required=default is None,
        **given,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of the dataset.",
    )


output_option = click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the store; by default next to the root, where experiments find it.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes; by default one for each processor core.",
)


def store_options(command: Command) -> Command:
    """Add the options of datasets that are decoded."""
    options = [
        root_option(),
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
        output_option,
        workers_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def make_store(
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
) -> Manifest:
    """Make the store with a progress bar, print a summary of it, and return its manifest."""
    from gan_lightning.store import ImageTransform, default_store, prepare

    fit = fit or "crop"
    transform = ImageTransform(dataset, size, crop, background, dataset in PAIRED, fit)
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
    return manifest


def _next_command(
    dataset: str, root: Path, size: int, part: str, output: Path | None, fit: str
) -> str:
    """Return the command line that trains on a store."""
    if dataset == "folder":
        words = ["dcgan", "--images", str(root), "--size", str(size)]
        words += [] if output is None else ["--store", str(output)]
        words += [] if fit == "crop" else ["--fit", fit]
    else:
        words = [*TRAINING_WORDS[dataset].split(), f"data.root={root}"]
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


def drawing_options(default_root: str) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of datasets that are drawn."""

    def add(command: Command) -> Command:
        size = click.option(
            "--size",
            type=click.Choice(["32", "64", "128"]),
            default=str(DEFAULT_SIZE),
            show_default=True,
            help="Height and width of the images, in pixels.",
        )
        return root_option(default_root)(size(output_option(workers_option(command))))

    return add


def draw_store(
    dataset: str,
    make_catalog: Callable[[int], Catalog],
    sha256: Mapping[int, str],
    packages: Sequence[str],
    *,
    root: Path,
    size: str,
    output: Path | None,
    workers: int | None,
) -> None:
    """Make a store of drawings, print its SHA-256, and warn if that is not everyone's.

    Args:
        dataset: name of the dataset.
        make_catalog: catalogs its drawings of a size in pixels.
        sha256: size in pixels -> SHA-256 of the images and their attributes, where it is known.
        packages: packages on which the pixels depend.
        root: folder next to which the store is made; it need not exist.
        size: one of the sizes.
        output: folder of the store, or None.
        workers: number of processes, or None.

    Raises:
        UserError: a package is missing, or the store cannot be made.
    """
    pixels = int(size)
    manifest = make_store(
        dataset,
        root,
        lambda: make_catalog(pixels),
        "",
        size=pixels,
        crop=0,
        background="white",
        output=output,
        workers=workers,
    )
    click.echo(f"SHA-256 of the images and attributes: {manifest.fingerprint}")
    if manifest.fingerprint != sha256.get(pixels, manifest.fingerprint):
        from gan_lightning.errors import warn
        from gan_lightning.store.svg import package_versions

        warn(
            f"these images differ from those of others, whose SHA-256 is {sha256[pixels]}: "
            f"another version of {package_versions(*packages)}, or another kind of processor"
        )
