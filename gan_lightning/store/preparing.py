"""A user's copy of a data set becomes a store, by several processes, killed or not."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.errors import UserError, storage_error, storage_fix
from gan_lightning.store.layout import BLOCK, INDEX, MANIFEST, SHARD, shard_file, shards_of
from gan_lightning.store.listings import Listing
from gan_lightning.store.manifest import FileSum, Manifest, read_manifest
from gan_lightning.store.recipe import Recipe, Unusable
from gan_lightning.store.sources import Source
from gan_lightning.store.workers import shared_out

__all__ = ["prepare"]

JOURNAL, BEGUN, LOCK = "journal.jsonl", "begun.json", "lock"
"""Files of a store that is not finished: what is decoded, of what it is made, who is at it."""

SPARE = 2**24
"""Bytes that stay free on the disk."""


@dataclass(frozen=True)
class Block:
    """Pictures to decode.

    Args:
        number: of the block.
        pictures: (number of their source, name).
        known: CRC-32 of the bytes that an earlier attempt wrote, if it did.
    """

    number: int
    pictures: Sequence[tuple[int, str]]
    known: Decoded | None = None


@dataclass(frozen=True)
class Decoded:
    """What became of a block.

    Args:
        number: of the block.
        crc: CRC-32 of its bytes.
        skipped: [number of the picture, its name, why] of those that have none.
        converted: pictures by what they were converted from.
    """

    number: int
    crc: int
    skipped: list[tuple[int, str, str]]
    converted: dict[str, int]


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
        with _held(unfinished):
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


@contextmanager
def _held(unfinished: Path) -> Iterator[None]:
    """Keep other processes from making the same store."""
    with (unfinished / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"another process is preparing {unfinished}; wait for it") from error
        yield


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
    known = _read_journal(journal)
    sources = [source for source, _ in listing.parts]
    work = partial(_decode, sources, recipe, unfinished)
    done: dict[int, Decoded] = {}
    pictures = 0
    with (
        journal.open("a") as written,
        closing(shared_out(work, _blocks(listing, known), workers)) as blocks,
    ):
        for block in blocks:
            done[block.number] = block
            if known.get(block.number) != block:
                written.write(json.dumps(asdict(block)) + "\n")
                written.flush()
            pictures += min(BLOCK, len(listing) - block.number * BLOCK)
            progress(pictures, len(listing))
    return [done[number] for number in sorted(done)]


def _read_journal(journal: Path) -> dict[int, Decoded]:
    """Read what earlier attempts did, up to a line that a kill cut short, which is taken away."""
    found: dict[int, Decoded] = {}
    whole = 0
    try:
        lines = journal.read_bytes()
    except OSError:
        return found
    for line in lines.splitlines(keepends=True):
        try:
            content = json.loads(line)
            content["skipped"] = [tuple(picture) for picture in content["skipped"]]
            block = Decoded(**content)
        except (ValueError, KeyError, TypeError):
            break
        if not line.endswith(b"\n"):
            break
        whole += len(line)
        found[block.number] = block
    os.truncate(journal, whole)
    return found


def _blocks(listing: Listing, known: dict[int, Decoded]) -> Iterator[Block]:
    """Yield the blocks, those that are there too: their bytes are checked."""
    pictures = chain.from_iterable(
        ((number, name) for name in names) for number, (_, names) in enumerate(listing.parts)
    )
    for number in range(-(-len(listing) // BLOCK)):
        some = [picture for _, picture in zip(range(BLOCK), pictures, strict=False)]
        yield Block(number, some, known.get(number))


def _decode(sources: Sequence[Source], recipe: Recipe, unfinished: Path, block: Block) -> Decoded:
    """Write the pixels of a block, unless they are there; those of a skipped picture are zeros."""
    first = block.number * BLOCK
    path = shard_file(unfinished, first // SHARD)
    place = (first % SHARD) * recipe.bytes_each
    if block.known is not None:
        with path.open("rb") as file:
            file.seek(place)
            there = file.read(len(block.pictures) * recipe.bytes_each)
        if zlib.crc32(there) == block.known.crc:
            return block.known
    pixels = np.zeros((len(block.pictures), *recipe.shape), np.uint8)
    skipped: list[tuple[int, str, str]] = []
    converted: Counter[str] = Counter()
    for row, (number, name) in enumerate(block.pictures):
        try:
            pixels[row], what = recipe.pixels(sources[number].read(name))
        except Unusable as error:
            skipped.append((first + row, name, str(error)))
            continue
        converted.update([what] if what else [])
    content = pixels.tobytes()
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)
    return Decoded(block.number, zlib.crc32(content), skipped, dict(converted))


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
