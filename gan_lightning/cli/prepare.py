"""Command `prepare`: decode a dataset once, into an image store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.image_options import fit_option, labels_option
from gan_lightning.cli.image_stores import (
    DEFAULT_CATEGORY,
    TRAINING_WORDS,
    draw_store,
    drawing_options,
    make_store,
    root_option,
    store_options,
)
from gan_lightning.utils.commands import command_line

__all__ = ["prepare"]


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
      gan-lightning prepare faces
      gan-lightning prepare openmoji
    """


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

    make_store("celeba", root, lambda: catalog.celeba(root), "", **settings)


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

    make_store("lsun", root, lambda: catalog.lsun(root, category), category, **settings)


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

    make_store("folder", root, lambda: folders.folder(root, labels), "", **settings)


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

    make_store("pairs", root, lambda: folders.pairs(root), "", **settings)


@prepare.command()
@drawing_options("data/faces")
@handle_errors
def faces(**options: Any) -> None:
    """Draw 20,000 cartoon faces for training and 2,000 for tests, with eleven known attributes.

    They are drawn from Avataaars by Pablo Stanley, free for personal and commercial use, in about
    3 minutes on two processor cores, and are the same for everyone.

    \b
    Example:
      gan-lightning prepare faces --size 64
    """
    from gan_lightning.store import faces as catalog

    draw_store("faces", catalog.faces, catalog.SHA256, catalog.PACKAGES, **options)


@prepare.command()
@drawing_options("data/openmoji")
@handle_errors
def openmoji(**options: Any) -> None:
    """Draw 4,495 pairs, the line art of an emoji and the coloured emoji, for pix2pix.

    They are drawn from OpenMoji, CC BY-SA 4.0, in half a minute on two processor cores, and are the
    same for everyone. The variants of an emoji are all for training or all for tests.

    \b
    Example:
      gan-lightning prepare openmoji
    """
    from gan_lightning.store import openmoji as catalog

    draw_store("openmoji", catalog.openmoji, catalog.SHA256, catalog.PACKAGES, **options)


download_option = click.option(
    "--download", is_flag=True, help="Download what is missing, by torchvision."
)


@prepare.command("fashion_mnist")
@root_option("data/fashion_mnist")
@download_option
@handle_errors
def fashion_mnist(root: Path, download: bool) -> None:
    """Verify Fashion-MNIST, which is read as published; with --download, download it first.

    \b
    Example:
      gan-lightning prepare fashion_mnist --download
    """
    _verify_files("fashion_mnist", root, download)


@prepare.command("cifar10")
@root_option("data/cifar10")
@download_option
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
    words = ["train", *TRAINING_WORDS[dataset].split(), f"data.root={root}"]
    click.echo(f"train on it: {command_line('gan-lightning', *words)}")
