"""Pictures decoded a block at a time, and the journal that says which blocks are there."""

from __future__ import annotations

import errno
import json
import os
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from gan_lightning.store.catalog import Listing
from gan_lightning.store.layout import BLOCK, SHARD, shard_file
from gan_lightning.store.sources import Source
from gan_lightning.store.transform import Recipe, Unusable

__all__ = ["Block", "Decoded", "blocks", "decode", "read_journal"]


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


def blocks(listing: Listing, known: dict[int, Decoded]) -> Iterator[Block]:
    """Yield the blocks, those that are there too: their bytes are checked."""
    pictures = chain.from_iterable(
        ((number, name) for name in names) for number, (_, names) in enumerate(listing.parts)
    )
    for number in range(-(-len(listing) // BLOCK)):
        some = [picture for _, picture in zip(range(BLOCK), pictures, strict=False)]
        yield Block(number, some, known.get(number))


def decode(sources: Sequence[Source], recipe: Recipe, unfinished: Path, block: Block) -> Decoded:
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata; what matters raises
        for row, (number, name) in enumerate(block.pictures):
            try:
                pixels[row], what = recipe.pixels(sources[number].read(name))
            except Unusable as error:
                skipped.append((first + row, name, str(error)))
                continue
            converted.update([what] if what else [])
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        written = file.write(pixels.data)
    if written != pixels.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return Decoded(block.number, zlib.crc32(pixels.data), skipped, dict(converted))


def read_journal(journal: Path) -> dict[int, Decoded]:
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
