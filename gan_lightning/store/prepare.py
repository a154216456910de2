"""A user's copy of a data set becomes a store, by several processes, killed or not."""

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
from gan_lightning.store.blocks import Decoded, blocks, decode, read_journal
from gan_lightning.store.catalog import Listing
from gan_lightning.store.layout import BLOCK, INDEX, MANIFEST, shard_file, shards_of
from gan_lightning.store.manifest import FileSum, Manifest, read_manifest
from gan_lightning.store.transform import Recipe
from gan_lightning.store.workers import shared_out
from gan_lightning.utils.files import exclusive_lock

__all__ = ["prepare"]

JOURNAL, BEGUN, LOCK = "journal.jsonl", "begun.json", "lock"
"""Files of a store that is not finished: what is decoded, of what it is made, who is at it."""

SPARE = 2**24
"""Bytes that stay free on the disk."""


def prepare(
    listing: Listing,
    recipe: Recipe,
    source: str,
    output: Path,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Manifest:
    """Make a store, or go on with one that was begun.

    Pixels go to OUTPUT.partial, which is renamed when all is there. A journal says which blocks are
    there, with their checksums, which are looked at again when a later attempt goes on.

    Args:
        listing: the pictures.
        recipe: how they become pixels.
        source: where they are, for the manifest.
        output: folder of the store.
        workers: processes.
        progress: told how many pictures are done, of how many.

    Returns:
        The manifest of the store, new or already there.

    Raises:
        UserError: a store with other settings or pictures is there, another process makes it, the
            disk is too small, or no picture is usable.
    """
    if not len(listing):
        raise UserError(f"{source} holds no pictures")
    if (output / MANIFEST).exists():
        return _already_there(listing, recipe, output)
    unfinished = output.with_name(f"{output.name}.partial")
    _check_space(listing, recipe, unfinished)
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(unfinished / LOCK, f"the store {unfinished} is being prepared"):
            return _prepare(listing, recipe, source, output, unfinished, workers, progress)
    except OSError as error:
        if (cause := storage_error(error)) is None:
            raise
        raise UserError(
            f"cannot write {unfinished}: {cause.strerror}; {storage_fix(cause)}, and the same "
            f"command goes on, or give another folder by --output DIR"
        ) from error


def _prepare(
    listing: Listing,
    recipe: Recipe,
    source: str,
    output: Path,
    unfinished: Path,
    workers: int,
    progress: Callable[[int, int], None],
) -> Manifest:
    _begin(listing, recipe, unfinished)
    decoded = _decode_all(listing, recipe, unfinished, workers, progress)
    if sum(len(block.skipped) for block in decoded) == len(listing):
        _, name, why = decoded[0].skipped[0]
        shutil.rmtree(unfinished)
        raise UserError(f"{source} has no usable picture: {name}, the first, {why}")
    manifest = _describe(listing, recipe, source, unfinished, decoded, workers)
    manifest.write(unfinished)
    _flush(unfinished)
    unfinished.rename(output)
    for leftover in (JOURNAL, BEGUN, LOCK):
        (output / leftover).unlink()
    return manifest


def _already_there(listing: Listing, recipe: Recipe, output: Path) -> Manifest:
    manifest = read_manifest(output)
    changed = manifest.recipe.differences(recipe)
    if manifest.listing != listing.fingerprint():
        changed.append("other pictures or labels")
    if changed:
        raise UserError(
            f"{output} is a store made with other settings ({', '.join(changed)}); delete it, or "
            f"give another folder by --output DIR"
        )
    return manifest


def _check_space(listing: Listing, recipe: Recipe, unfinished: Path) -> None:
    there = sum(path.stat().st_blocks * 512 for path in unfinished.glob("*.u8"))
    needed = len(listing) * recipe.bytes_each - there + SPARE
    parent = next(path for path in unfinished.absolute().parents if path.exists())
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise UserError(
            f"{parent} has {free / 1e9:.1f} GB free, and the store needs {needed / 1e9:.1f} GB; "
            f"make room, or give a folder on another disk by --output DIR"
        )


def _begin(listing: Listing, recipe: Recipe, unfinished: Path) -> None:
    """Note what the store is made of, or check that it is what the store was begun with."""
    path = unfinished / BEGUN
    now = {"recipe": asdict(recipe), "listing": listing.fingerprint()}
    try:
        then = json.loads(path.read_text())
        changed = Recipe(**then["recipe"]).differences(recipe)
        same_listing = then["listing"] == now["listing"]
    except (OSError, ValueError, KeyError, TypeError):  # a kill before anything was decoded
        (unfinished / JOURNAL).unlink(missing_ok=True)
        path.write_text(json.dumps(now))
        return
    if not same_listing:
        changed.append("other pictures or labels")
    if changed:
        raise UserError(
            f"{unfinished} was begun with other settings ({', '.join(changed)}); delete it to "
            f"begin anew, or give another folder by --output DIR"
        )


def _decode_all(
    listing: Listing,
    recipe: Recipe,
    unfinished: Path,
    workers: int,
    progress: Callable[[int, int], None],
) -> list[Decoded]:
    """Decode what is not there yet; return what became of every block, in order."""
    for shard, places in enumerate(shards_of(len(listing))):
        with shard_file(unfinished, shard).open("ab") as file:
            file.truncate(places * recipe.bytes_each)
    journal = unfinished / JOURNAL
    known = read_journal(journal)
    sources = [source for source, _ in listing.parts]
    work = partial(decode, sources, recipe, unfinished)
    done: dict[int, Decoded] = {}
    pictures = 0
    with (
        journal.open("a") as written,
        closing(shared_out(work, blocks(listing, known), workers)) as decoded,
    ):
        for block in decoded:
            done[block.number] = block
            if known.get(block.number) != block:
                written.write(json.dumps(asdict(block)) + "\n")
                written.flush()
            pictures += min(BLOCK, len(listing) - block.number * BLOCK)
            progress(pictures, len(listing))
    return [done[number] for number in sorted(done)]


def _describe(
    listing: Listing,
    recipe: Recipe,
    source: str,
    unfinished: Path,
    decoded: list[Decoded],
    workers: int,
) -> Manifest:
    """Write the index of usable pictures, and take all sums."""
    skipped = [picture for block in decoded for picture in block.skipped]
    usable = np.ones(len(listing), bool)
    usable[[number for number, _, _ in skipped]] = False
    rows = np.flatnonzero(usable)
    known: dict[str, Any] = {"rows": rows, "splits": listing.splits[rows]}
    if listing.labels is not None:
        known["labels"] = listing.labels[rows]
    if listing.attributes is not None:
        known["attributes"] = listing.attributes[rows]
    np.savez(unfinished / INDEX, **known)
    files = [shard_file(unfinished, shard) for shard in range(len(shards_of(len(listing))))]
    with ThreadPoolExecutor(workers) as threads:  # hashing leaves the interpreter's lock alone
        sums = list(threads.map(FileSum.of, files))
    return Manifest(
        recipe=recipe,
        source=source,
        listing=listing.fingerprint(),
        images=len(rows),
        shards=sums,
        index=FileSum.of(unfinished / INDEX),
        classes=list(listing.classes),
        attribute_names=list(listing.attribute_names),
        skipped=[[name, why] for _, name, why in skipped],
        converted=dict(sum((Counter(block.converted) for block in decoded), Counter())),
        remarks=list(listing.remarks),
        made_with={name: version(name) for name in ("gan-lightning", "pillow", "numpy")},
    )


def _flush(folder: Path) -> None:
    """Bring all files to the disk, so that a store which is there is whole after a power cut."""
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
