"""`prepare`: a user's copy of a data set is decoded once, into an image store."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gan_lightning.cli.errors import handle_errors

if TYPE_CHECKING:
    from gan_lightning.store import Manifest
    from gan_lightning.store.catalog import Listing

__all__ = ["prepare"]

Command = TypeVar("Command", bound=Callable[..., Any])

NAMED = 20
"""Skipped pictures that are named on the screen; the manifest names all."""


@click.group()
def prepare() -> None:
    """Decode a copy of a data set once, into a store that experiments read.

    The centre square of each picture is cut out (--crop pixels of it), resized by Pillow's bicubic
    filter, which antialiases, and written as uint8. Killed and started again, the same command goes
    on. What is no whole picture is counted, named and left out.

    \b
    Examples:
      gan-lightning prepare celeba --root data/celeba
      gan-lightning prepare lsun --root data/lsun --category bedroom --size 128
      gan-lightning prepare folder --root data/flowers
      gan-lightning prepare pairs --root data/facades --size 256
    """


def options(command: Command) -> Command:
    """Take what every data set has."""
    taken = [
        click.option(
            "--root",
            required=True,
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="The copy of the data set.",
        ),
        click.option(
            "--size",
            default=64,
            show_default=True,
            metavar="N",
            help="Height and width in the store, in pixels.",
        ),
        click.option(
            "--crop",
            default=0,
            metavar="N",
            help="Side of the centre square that is cut out, in pixels; by default the largest.",
        ),
        click.option(
            "--background",
            default="white",
            show_default=True,
            metavar="COLOUR",
            help="What shows through transparent pixels.",
        ),
        click.option(
            "--output",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder of the store; by default beside the root, where experiments look.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            metavar="N",
            help="Processes; by default one a core.",
        ),
    ]
    for option in reversed(taken):
        command = option(command)
    return command


@prepare.command()
@options
@handle_errors
def celeba(root: Path, **settings: Any) -> None:
    """Prepare CelebA: img_align_celeba as a folder or zip, and its two lists, in --root.

    The literature's crops are 178 (by default: the largest), 160, 148, 140 and 108 pixels.

    \b
    Example:
      gan-lightning prepare celeba --root data/celeba --size 64
    """
    from gan_lightning.store import catalog

    _prepared("celeba", root, lambda: catalog.celeba(root), "", **settings)


@prepare.command()
@click.option("--category", default="bedroom", show_default=True, help="Of the scenes.")
@options
@handle_errors
def lsun(root: Path, category: str, **settings: Any) -> None:
    """Prepare a category of LSUN: CATEGORY_train_lmdb and CATEGORY_val_lmdb in --root.

    \b
    Example:
      gan-lightning prepare lsun --root data/lsun --category bedroom
    """
    from gan_lightning.store import catalog

    _prepared("lsun", root, lambda: catalog.lsun(root, category), category, **settings)


@prepare.command()
@options
@handle_errors
def folder(root: Path, **settings: Any) -> None:
    """Prepare any tree of JPEG, PNG and WebP pictures; its sub-folders are classes.

    \b
    Example:
      gan-lightning prepare folder --root data/flowers
    """
    from gan_lightning.store import catalog

    _prepared("folder", root, lambda: catalog.folder(root), "", **settings)


@prepare.command()
@options
@handle_errors
def pairs(root: Path, **settings: Any) -> None:
    """Prepare pictures of two side by side, as pix2pix's data sets have them: train/, val/, test/.

    \b
    Example:
      gan-lightning prepare pairs --root data/facades --size 256
    """
    from gan_lightning.store import catalog

    _prepared("pairs", root, lambda: catalog.pairs(root), "", **settings)


def _prepared(
    dataset: str,
    root: Path,
    listing: Callable[[], Listing],
    part: str,
    *,
    size: int,
    crop: int,
    background: str,
    output: Path | None,
    workers: int | None,
) -> None:
    """Make the store with a progress bar, and say what is in it."""
    from tqdm import tqdm

    from gan_lightning.store import Recipe, default_store, prepare

    recipe = Recipe(dataset, size, crop, background, paired=dataset == "pairs")
    store = output or default_store(root, size, part)
    processes = workers or len(os.sched_getaffinity(0))
    bars: list[tqdm[Any]] = []

    def show(done: int, of: int) -> None:
        if not bars:
            bars.append(tqdm(total=of, unit=" pictures", leave=False, file=sys.stderr))
        bars[0].update(done - bars[0].n)

    try:
        manifest = prepare(listing(), recipe, str(root), store, processes, show)
    except KeyboardInterrupt as interrupt:
        click.echo("gan-lightning: stopped; the same command goes on", err=True)
        sys.exit(128 + (interrupt.args or (2,))[0])
    finally:
        for bar in bars:
            bar.close()
    _tell(manifest, store)


def _tell(manifest: Manifest, store: Path) -> None:
    for remark in manifest.remarks:
        click.echo(remark)
    for what, count in sorted(manifest.converted.items()):
        click.echo(f"converted to 8-bit RGB: {count:,} {what}")
    for name, why in manifest.skipped[:NAMED]:
        click.echo(f"skipped {name}: it {why}")
    if len(manifest.skipped) > NAMED:
        reasons = Counter(why.split(" (")[0] for _, why in manifest.skipped)
        said = ", ".join(f"{count:,} {why}" for why, count in reasons.most_common(5))
        click.echo(f"skipped {len(manifest.skipped):,} in all ({said}): see manifest.json")
    size = sum(file.size for file in manifest.shards)
    click.echo(f"{manifest.images:,} pictures, {size / 1e6:,.0f} MB, in {store}")
