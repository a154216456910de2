"""Preparation of an image store: decode all images in several processes, resume after a kill."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError, storage_error, storage_fix
from gan_lightning.store.blocks import DecodedBlock, decode_block, iterate_blocks, read_journal
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.layout import BLOCK, INDEX, MANIFEST, shard_file, shard_sizes
from gan_lightning.store.manifest import FileChecksum, Manifest, read_manifest
from gan_lightning.store.transform import ImageTransform
from gan_lightning.store.workers import parallel_map
from gan_lightning.utils.files import exclusive_lock

__all__ = ["prepare"]

JOURNAL, INPUTS, LOCK = "journal.jsonl", "begun.json", "lock"
"""Files of an unfinished store: decoded blocks, the transform and the images, the lock."""

RESERVE = 2**24
"""Bytes that stay free on the disk."""


def prepare(
    catalog: Catalog,
    transform: ImageTransform,
    source: str,
    output: Path,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Manifest:
    """Make an image store, or resume making it.

    Pixels are written to `OUTPUT.partial`, which is renamed when it is complete. A journal lists
    the decoded blocks with their CRC-32, which a later run checks.

    Args:
        catalog: the images.
        transform: how image files become pixels.
        source: folder of the images, for the manifest and for messages.
        output: folder of the store.
        workers: number of processes.
        progress: called with the number of finished images and the number of all images.

    Returns:
        The manifest of the store, which may have existed before.

    Raises:
        UserError: a store of other images or settings exists, another process is making it, the
            disk is too small, or no image is usable.
    """
    if not len(catalog):
        raise UserError(f"{source} contains no images; set --root DIR to the folder of the dataset")
    if (output / MANIFEST).exists():
        return _check_existing(catalog, transform, output)
    unfinished = output.with_name(f"{output.name}.partial")
    _check_space(catalog, transform, unfinished)
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(unfinished / LOCK, f"the store {unfinished} is being prepared"):
            _check_or_write_inputs(catalog, transform, unfinished)
            blocks = _decode_all(catalog, transform, unfinished, workers, progress)
            if sum(len(block.skipped) for block in blocks) == len(catalog):
                _, name, problem = blocks[0].skipped[0]
                shutil.rmtree(unfinished)
                raise UserError(
                    f"{source} contains no usable image: the first one, {name}, {problem}"
                )
            manifest = _build_manifest(catalog, transform, source, unfinished, blocks, workers)
            manifest.write(unfinished)
            _sync_to_disk(unfinished)
            unfinished.rename(output)
            for name in (JOURNAL, INPUTS, LOCK):
                (output / name).unlink()
            return manifest
    except OSError as error:
        if (cause := storage_error(error)) is None:
            raise
        raise UserError(
            f"cannot write {unfinished}: {cause.strerror}; {storage_fix(cause)} and run the same "
            f"command again to resume, or choose another folder by --output DIR"
        ) from error


def _check_existing(catalog: Catalog, transform: ImageTransform, output: Path) -> Manifest:
    """Check that a complete store has the same images and settings."""
    manifest = read_manifest(output)
    changes = manifest.transform.differences(transform)
    if manifest.catalog_fingerprint != catalog.fingerprint():
        changes.append("other images or labels")
    if changes:
        raise UserError(
            f"the store {output} was made with other settings ({', '.join(changes)}); delete it, "
            f"or choose another folder by --output DIR"
        )
    return manifest


def _check_or_write_inputs(catalog: Catalog, transform: ImageTransform, unfinished: Path) -> None:
    """Check that an unfinished store has the same images and settings, or write these to a file."""
    path = unfinished / INPUTS
    fingerprint = catalog.fingerprint()
    try:
        previous = json.loads(path.read_text())
        changes = ImageTransform(**previous["recipe"]).differences(transform)
        if previous["listing"] != fingerprint:
            changes.append("other images or labels")
    except (OSError, ValueError, KeyError, TypeError):  # killed before the first block
        (unfinished / JOURNAL).unlink(missing_ok=True)
        path.write_text(json.dumps({"recipe": asdict(transform), "listing": fingerprint}))
        return
    if changes:
        raise UserError(
            f"the unfinished store {unfinished} has other settings ({', '.join(changes)}); delete "
            f"it to start again, or choose another folder by --output DIR"
        )


def _check_space(catalog: Catalog, transform: ImageTransform, unfinished: Path) -> None:
    # shards are sparse files; Windows does not tell how much of them is on the disk
    written = sum(getattr(path.stat(), "st_blocks", 0) * 512 for path in unfinished.glob("*.u8"))
    needed = len(catalog) * transform.image_bytes - written + RESERVE
    parent = next(path for path in unfinished.absolute().parents if path.exists())
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise UserError(
            f"{parent} has {free / 1e9:.1f} GB free, but the store needs {needed / 1e9:.1f} GB; "
            f"free some space, or choose a folder on another disk by --output DIR"
        )


def _decode_all(
    catalog: Catalog,
    transform: ImageTransform,
    unfinished: Path,
    workers: int,
    progress: Callable[[int, int], None],
) -> list[DecodedBlock]:
    """Decode the blocks that are not on the disk; return the results of all blocks, in order."""
    for shard, images in enumerate(shard_sizes(len(catalog))):
        with shard_file(unfinished, shard).open("ab") as file:
            file.truncate(images * transform.image_bytes)
    journal = unfinished / JOURNAL
    previous = read_journal(journal)
    sources = [source for source, _ in catalog.sources]
    decode = partial(decode_block, sources, transform, unfinished)
    results: dict[int, DecodedBlock] = {}
    done = 0
    with (
        journal.open("a") as lines,
        closing(parallel_map(decode, iterate_blocks(catalog, previous), workers)) as decoded,
    ):
        for block in decoded:
            results[block.number] = block
            if previous.get(block.number) != block:
                lines.write(json.dumps(asdict(block)) + "\n")
                lines.flush()
            done += min(BLOCK, len(catalog) - block.number * BLOCK)
            progress(done, len(catalog))
    return [results[number] for number in sorted(results)]


def _build_manifest(
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
    index: dict[str, Any] = {"rows": rows, "splits": catalog.splits[rows]}
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
        skipped=[[name, problem] for _, name, problem in skipped],
        converted=dict(sum((Counter(block.converted) for block in blocks), Counter())),
        remarks=list(catalog.remarks),
        made_with={name: version(name) for name in ("gan-lightning", "pillow", "numpy")},
    )


def _sync_to_disk(folder: Path) -> None:
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
