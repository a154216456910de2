"""Small copies of data sets in the exact formats in which they are distributed."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import lmdb
import numpy as np
from filelock import FileLock
from PIL import Image

from gan_lightning.cli.image_stores import PAIRED
from gan_lightning.store import (
    ImageTransform,
    catalog,
    default_store,
    folders,
    prepare,
)
from gan_lightning.store import celeba as celeba_catalog
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.faces import faces
from gan_lightning.store.openmoji import openmoji

COUNT = 24
TREES_FOLDER = "GAN_LIGHTNING_TEST_TREES"
ATTRIBUTES = ("5_o_Clock_Shadow", "Male", "Smiling", "Young")


def smooth_image(number: int, width: int = 178, height: int = 218) -> Image.Image:
    """Return a smooth random image, a function of its number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encode_image(image: Image.Image, kind: str = "JPEG", **settings: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **settings)
    return content.getvalue()


def celeba(root: Path, count: int = COUNT, *, zipped: bool = False, nested: bool = False) -> Path:
    """Write CelebA: JPEGs of 178x218 pixels in a folder or a zip archive, and its text files."""
    places = ("Img", "Anno", "Eval") if nested else ("", "", "")
    images, annotations, evaluation = (root / place for place in places)
    names = [f"{number:06d}.jpg" for number in range(1, count + 1)]
    for folder in (images, annotations, evaluation):
        folder.mkdir(parents=True, exist_ok=True)
    if zipped:
        with zipfile.ZipFile(images / "img_align_celeba.zip", "w") as archive:
            for number, name in enumerate(names):
                archive.writestr(
                    f"img_align_celeba/{name}", encode_image(smooth_image(number), quality=90)
                )
    else:
        (images / "img_align_celeba").mkdir()
        for number, name in enumerate(names):
            content = encode_image(smooth_image(number), quality=90)
            (images / "img_align_celeba" / name).write_bytes(content)
    rows = [" ".join(f"{2 * bit - 1:2d}" for bit in attributes(number)) for number in range(count)]
    lines = [str(count), " ".join(ATTRIBUTES) + " ", *map("  ".join, zip(names, rows, strict=True))]
    (annotations / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    splits = [0 if number < count * 2 // 3 else 1 + number % 2 for number in range(count)]
    lines = [f"{name} {split}" for name, split in zip(names, splits, strict=True)]
    (evaluation / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
    lines = [f"{name} {number % 7 + 1}" for number, name in enumerate(names)]
    (annotations / "identity_CelebA.txt").write_text("\n".join(lines) + "\n")
    return root


def attributes(number: int) -> list[int]:
    """Return the attributes of a face, such that all combinations occur."""
    return [number >> bit & 1 for bit in range(len(ATTRIBUTES))]


def lsun(root: Path, count: int = COUNT, category: str = "bedroom") -> Path:
    """Write LSUN: an LMDB for each part, with hashes as keys and JPEG or WebP images as values."""
    for part, size in (("train", count), ("val", 6)):
        path = root / f"{category}_{part}_lmdb"
        path.mkdir(parents=True)
        with lmdb.open(str(path), map_size=2**26) as database, database.begin(write=True) as write:
            for number in range(size):
                image = smooth_image(number + (part == "val") * 1000, 256 + 30 * (number % 3), 256)
                content = encode_image(image, ("WEBP", "JPEG")[number % 2])
                write.put(f"{number * 7919 % 65536:040x}".encode(), content)
    return root


def folder(root: Path, count: int = COUNT) -> Path:
    """Write images of three formats in two sub-folders."""
    for number in range(count):
        kind, suffix = (("JPEG", "jpg"), ("PNG", "PNG"), ("WEBP", "webp"))[number % 3]
        path = root / ("daisies", "tulips")[number % 2] / f"{number:03d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(smooth_image(number, 90 + number, 80), kind))
    return root


def pairs(root: Path, count: int = COUNT) -> Path:
    """Write pairs: an image on the left, its labels in three colours on the right."""
    for number in range(count):
        part = ("train", "train", "val", "test")[number % 4]
        left = smooth_image(number, 72, 72)
        right = left.quantize(3).convert("RGB")
        both = Image.new("RGB", (144, 72))
        both.paste(left, (0, 0))
        both.paste(right, (72, 0))
        path = root / part / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(both, quality=95))
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "celeba": celeba,
    "lsun": lsun,
    "folder": folder,
    "pairs": pairs,
}
"""Dataset -> function that writes a small copy below a root."""

STAND_INS: dict[str, Callable[[Path], Path]] = dict.fromkeys(("cifar10", "ffhq64"), folder)
"""Name of a folder -> function that writes what stands in for its images."""


def few_faces(size: int) -> Catalog:
    """Catalog as many cartoon faces as the other datasets have images."""
    return faces(size, training=COUNT, test=COUNT // 4)


def few_emojis(size: int) -> Catalog:
    """Catalog one in a hundred pairs of OpenMoji."""
    every = openmoji(size)
    ((source, names),) = every.sources
    return replace(every, sources=[(source, names[::100])], splits=every.splits[::100])


DRAWINGS: dict[str, Callable[[int], Catalog]] = {"faces": few_faces, "openmoji": few_emojis}
"""Dataset -> function that catalogs a few of its drawings, which need no files."""

SIZES = {"faces": (32, 64)}
"""Drawings -> sizes of the stores below their `prepared_root`, if there is more than one."""

ROOTS = (*TREES, *STAND_INS, *DRAWINGS)
"""Kinds of `prepared_root`."""


def make_store(kind: str, root: Path, size: int = 64) -> Path:
    """Make the store of a dataset; return the folder of the store."""
    part = "bedroom" if kind == "lsun" else ""
    if kind in DRAWINGS:
        images = DRAWINGS[kind](size)
    elif kind == "celeba":
        images = celeba_catalog.celeba(root)
    else:
        images = catalog.lsun(root, part) if part else getattr(folders, kind)(root)
    transform = ImageTransform(kind, size, paired=kind in PAIRED)
    store = default_store(root, size, part)
    prepare(images, transform, str(root), store, workers=1)
    return store


@cache
def prepared_root(kind: str) -> Path:
    """Return the root of a dataset with a store, made by the first call; do not change it.

    It lies in the folder that an environment variable names, which test workers share, or in a new
    one.
    """
    shared = Path(os.environ.get(TREES_FOLDER) or mkdtemp(prefix="gan-lightning-trees-"))
    shared.mkdir(exist_ok=True)
    root = shared / {"pairs": "facades"}.get(kind, kind)  # the name of a folder is in the title
    complete = shared / f"{kind}.complete"
    with FileLock(shared / f"{kind}.lock"):
        if not complete.exists():
            if kind in DRAWINGS:
                for size in SIZES.get(kind, (64,)):
                    make_store(kind, root, size)
            else:
                write = {**TREES, **STAND_INS}[kind]
                make_store(write.__name__, write(root))
            complete.touch()
    return root
