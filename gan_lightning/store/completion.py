"""Completion of an image store: index, manifest, flush to the disk; stores that exist already."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.blocks import DecodedBlock, is_usable
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.layout import (
    INDEX,
    LOCK,
    MANIFEST,
    STORE_FILES,
    TEST,
    default_store,
    shard_file,
    shard_sizes,
)
from gan_lightning.store.manifest import FileChecksum, Manifest, read_manifest
from gan_lightning.store.transform import ImageTransform
from gan_lightning.utils.names import printable

__all__ = [
    "build_manifest",
    "check_replaceable",
    "delete_if_empty",
    "existing_store",
    "held_out_images",
    "put_in_place",
    "sync_to_disk",
]

MAX_RETRIED = 100
"""Skipped images of a store that are read again to see whether they have been repaired."""

MAX_HELD_OUT = 1_000
"""Largest number of images that are held out of training where a folder has no test split."""


def existing_store(
    catalog: Catalog,
    transform: ImageTransform,
    source: str,
    output: Path,
    on_change: Callable[[str], object] | None,
) -> Manifest | None:
    """Return the manifest of a complete store of the same images and settings.

    Returns:
        None where there is no store, or one that is to be made again.

    Raises:
        UserError: the store has other settings, or other images and must not be made again.
    """
    if not (output / MANIFEST).exists():
        return None
    manifest = read_manifest(output)
    changes = manifest.transform.differences(transform)
    known = (catalog.fingerprint(), catalog.fingerprint_without_stamps())
    if manifest.catalog_fingerprint not in known:
        if not changes and on_change is not None and _is_own(output, manifest, source):
            return None
        changes.append("other images or labels")
    elif on_change is None and (name := _repaired_image(catalog, transform, manifest)):
        changes.append(f"{printable(name)}, which it lacks, can be read now")
    if changes:
        option = "--output" if on_change is None else "--store"
        raise UserError(
            f"the store {output} was made with other settings ({', '.join(changes)}); delete it, "
            f"or choose another folder by {option} DIR"
        )
    return manifest


def _repaired_image(catalog: Catalog, transform: ImageTransform, manifest: Manifest) -> str | None:
    """Return a skipped image that is usable now, though the stamps of its source are the same.

    The CRC-32 in an archive, for example, stays when a damaged archive is downloaded again.
    """
    skipped = {name for name, _ in manifest.skipped[:MAX_RETRIED]}
    images = ((source, name) for source, names in catalog.sources for name in names)
    return next(
        (name for source, name in images if name in skipped and is_usable(source, name, transform)),
        None,
    )


def _is_own(output: Path, manifest: Manifest, source: str) -> bool:
    """Tell whether a store was made of a folder: it is its default store, or names the folder."""
    transform = manifest.transform
    own = default_store(Path(source), transform.size, fit=transform.fit)
    return own.resolve() == output.resolve() or (
        Path(manifest.source).resolve() == Path(source).resolve()
    )


def delete_if_empty(unfinished: Path) -> None:
    """Delete a folder that has nothing but a lock file."""
    if [path.name for path in unfinished.glob("*")] == [LOCK]:
        shutil.rmtree(unfinished, ignore_errors=True)


def check_replaceable(folder: Path, option: str) -> None:
    """Check that a folder, which a store will replace, has no files but those of a store.

    Args:
        folder: the folder, which need not exist.
        option: option that names another folder.

    Raises:
        UserError: it cannot be read, or has another file, which would be deleted.
    """
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"cannot read the folder {folder}: {error.strerror}; choose another one by {option} DIR"
        ) from error
    for path in paths:
        if path.is_dir() or not any(fnmatchcase(path.name, pattern) for pattern in STORE_FILES):
            raise UserError(
                f"{folder} is no image store, since it contains {printable(path.name)}; choose "
                f"another folder by {option} DIR"
            )


def put_in_place(unfinished: Path, output: Path, option: str) -> None:
    """Put a complete store in its place; an older one of changed images is deleted.

    Raises:
        UserError: the folder has got other files in the meantime; see `check_replaceable`.
    """
    replaced = output.with_name(f"{output.name}.replaced")
    check_replaceable(output, option)
    check_replaceable(replaced, option)
    shutil.rmtree(replaced, ignore_errors=True)  # of a process that was killed here
    if output.exists():
        output.rename(replaced)
    unfinished.rename(output)
    shutil.rmtree(replaced, ignore_errors=True)


def build_manifest(
    catalog: Catalog,
    transform: ImageTransform,
    source: str,
    unfinished: Path,
    blocks: list[DecodedBlock],
    workers: int,
) -> Manifest:
    """Write the index of usable images, compute the checksums of all files, and describe them."""
    skipped = [image for block in blocks for image in block.skipped]
    usable = np.ones(len(catalog), bool)
    usable[[number for number, _, _ in skipped]] = False
    rows = np.flatnonzero(usable)
    splits = catalog.splits[rows].copy()
    if catalog.holds_out:
        splits[held_out_images(len(rows))] = TEST
    index: dict[str, Any] = {"rows": rows, "splits": splits}
    if catalog.labels is not None:
        index["labels"] = catalog.labels[rows]
    if catalog.attributes is not None:
        index["attributes"] = catalog.attributes[rows]
    np.savez(unfinished / INDEX, **index)
    shards = [shard_file(unfinished, shard) for shard in range(len(shard_sizes(len(catalog))))]
    with ThreadPoolExecutor(workers) as threads:  # hashing releases the interpreter lock
        checksums = list(threads.map(FileChecksum.of_file, shards))
    return Manifest(
        transform=transform,
        source=source,
        catalog_fingerprint=catalog.fingerprint(),
        images=len(rows),
        shards=checksums,
        index=FileChecksum.of_file(unfinished / INDEX),
        classes=list(catalog.classes),
        attribute_names=list(catalog.attribute_names),
        attribute_values=[list(values) for values in catalog.attribute_values],
        skipped=[[name, problem] for _, name, problem in skipped],
        converted=dict(sum((Counter(block.converted) for block in blocks), Counter())),
        not_square=sum(block.not_square for block in blocks),
        grey=sum(block.grey for block in blocks),
        parts=np.bincount(splits, minlength=3).tolist(),
        remarks=list(catalog.remarks),
        made_with={name: version(name) for name in ("gan-lightning", "pillow", "numpy")},
    )


def held_out_images(images: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the rows of the images that are held out for tests where a folder has no test split.

    They are a tenth of the images, evenly spread, at least 2 and at most `MAX_HELD_OUT`, but never
    more than half of the images.
    """
    count = min(max(2, images // 10), MAX_HELD_OUT, images // 2)
    return (np.arange(count) * 2 + 1) * images // (2 * max(count, 1))


def sync_to_disk(folder: Path) -> None:
    """Flush all files of a folder, so that a renamed store is complete after a power failure."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    if os.name == "posix":  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
