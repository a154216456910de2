"""Preparation of an image store: decode all images in several processes, resume after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gan_lightning.errors import UserError, storage_error, storage_fix, warn
from gan_lightning.store.blocks import DecodedBlock, decode_block, iterate_blocks, read_journal
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.completion import (
    build_manifest,
    check_replaceable,
    delete_if_empty,
    existing_store,
    put_in_place,
    sync_to_disk,
)
from gan_lightning.store.layout import (
    ATTRIBUTION,
    BLOCK,
    INPUTS,
    JOURNAL,
    LOCK,
    shard_file,
    shard_sizes,
)
from gan_lightning.store.manifest import Manifest
from gan_lightning.store.transform import ImageTransform
from gan_lightning.store.workers import parallel_map
from gan_lightning.utils.files import exclusive_lock
from gan_lightning.utils.names import printable

__all__ = ["prepare"]

RESERVE = 2**24
"""Bytes that stay free on the disk."""


def prepare(
    catalog: Catalog,
    transform: ImageTransform,
    source: str,
    output: Path,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_change: Callable[[str], object] | None = None,
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
        on_change: called with a line before a store of the same folder, whose images have changed
            since, is made again, and before waiting for another process that makes the store; None
            raises an error instead.

    Returns:
        The manifest of the store, which may have existed before.

    Raises:
        UserError: a store of other images or settings exists, or a folder of other files;
            another process is making the store; the disk is too small; or no image is usable.
    """
    if not len(catalog):
        raise UserError(f"{source} contains no images; set --root DIR to the folder of the dataset")
    output = output.resolve() if output.name in ("", "..") else output
    if existing := existing_store(catalog, transform, source, output, on_change):
        return existing
    option = "--output" if on_change is None else "--store"
    check_replaceable(output, option)
    unfinished = output.with_name(f"{output.name}.partial")
    check_replaceable(unfinished, option)
    _check_space(catalog, transform, unfinished)
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        activity = f"the store {unfinished} is being prepared"
        with exclusive_lock(unfinished / LOCK, activity, on_change):
            if existing := existing_store(catalog, transform, source, output, on_change):
                delete_if_empty(unfinished)  # another process has just made the store
                return existing
            if on_change is not None and output.exists():
                on_change("  files have changed since the images were prepared: preparing again")
            _check_or_write_inputs(catalog, transform, unfinished, restart=on_change is not None)
            blocks = _decode_all(catalog, transform, unfinished, workers, progress)
            if sum(len(block.skipped) for block in blocks) == len(catalog):
                _, name, problem = blocks[0].skipped[0]
                shutil.rmtree(unfinished)
                raise UserError(
                    f"{source} contains no usable image: the first one, {printable(name)}, "
                    f"{problem}"
                )
            if max(block.brightest for block in blocks) == 1:
                warn(
                    f"the pixels of {source} are 0 and 1 of 255, all of them black to the eye; if "
                    f"1 means white, multiply the images by 255"
                )
            manifest = build_manifest(catalog, transform, source, unfinished, blocks, workers)
            manifest.write(unfinished)
            if catalog.attribution:
                (unfinished / ATTRIBUTION).write_text(catalog.attribution, encoding="utf-8")
            sync_to_disk(unfinished)
            put_in_place(unfinished, output, option)
            for name in (JOURNAL, INPUTS, LOCK):
                (output / name).unlink()
            return manifest
    except OSError as error:
        if isinstance(error, FileNotFoundError) and (
            existing := existing_store(catalog, transform, source, output, on_change)
        ):
            return existing  # another process has renamed the folder right before the lock
        if (cause := storage_error(error)) is None:
            raise
        raise UserError(
            f"cannot write {unfinished}: {cause.strerror}; {storage_fix(cause)} and run the same "
            f"command again to resume, or choose another folder by {option} DIR"
        ) from error


def _check_or_write_inputs(
    catalog: Catalog, transform: ImageTransform, unfinished: Path, restart: bool
) -> None:
    """Check that an unfinished store has the same images and settings, or write these to a file.

    Args:
        catalog: the images.
        transform: how image files become pixels.
        unfinished: folder of the unfinished store.
        restart: start again where they differ, rather than raise an error.
    """
    path = unfinished / INPUTS
    fingerprint = catalog.fingerprint()
    try:
        previous = json.loads(path.read_text())
        changes = ImageTransform(**previous["recipe"]).differences(transform)
        if previous["listing"] != fingerprint:
            changes.append("other images or labels")
    except (OSError, ValueError, KeyError, TypeError):  # killed before the first block
        changes, restart = ["no list of images"], True
    if changes and not restart:
        raise UserError(
            f"the unfinished store {unfinished} has other settings ({', '.join(changes)}); delete "
            f"it to start again, or choose another folder by --output DIR"
        )
    if changes:
        for old in (unfinished / JOURNAL, *unfinished.glob("*.u8")):
            old.unlink(missing_ok=True)
        path.write_text(json.dumps({"recipe": asdict(transform), "listing": fingerprint}))


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
