"""Blocks of images that workers decode, and the journal of the blocks that are on the disk."""

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

from gan_lightning.store.catalog import Catalog
from gan_lightning.store.layout import BLOCK, SHARD, shard_file
from gan_lightning.store.sources import Source
from gan_lightning.store.transform import ImageTransform, InvalidImageError

__all__ = ["Block", "DecodedBlock", "decode_block", "is_usable", "iterate_blocks", "read_journal"]


@dataclass(frozen=True)
class Block:
    """Consecutive images of a catalog, to be decoded together.

    Args:
        number: number of the block.
        images: number of the source and name of each image.
        previous: result of an earlier run of `prepare`, or None.
    """

    number: int
    images: Sequence[tuple[int, str]]
    previous: DecodedBlock | None = None


@dataclass(frozen=True)
class DecodedBlock:
    """Result of decoding a block; the journal stores one as JSON per line.

    Args:
        number: number of the block.
        crc: CRC-32 of its bytes.
        skipped: number, name and problem of each image without pixels.
        converted: number of images by the kind that they were converted from.
        not_square: number of images that were cropped, padded or stretched.
        grey: number of images without a colour.
        brightest: largest value of all pixels, 0 to 255.
    """

    number: int
    crc: int
    skipped: list[tuple[int, str, str]]
    converted: dict[str, int]
    not_square: int = 0
    grey: int = 0
    brightest: int = 255


def iterate_blocks(catalog: Catalog, previous: dict[int, DecodedBlock]) -> Iterator[Block]:
    """Yield all blocks of a catalog, including decoded ones, whose bytes are to be checked.

    Args:
        catalog: the images.
        previous: number of a block -> result of an earlier run.
    """
    images = chain.from_iterable(
        ((number, name) for name in names) for number, (_, names) in enumerate(catalog.sources)
    )
    for number in range(-(-len(catalog) // BLOCK)):
        block = [image for _, image in zip(range(BLOCK), images, strict=False)]
        yield Block(number, block, previous.get(number))


def decode_block(
    sources: Sequence[Source], transform: ImageTransform, folder: Path, block: Block
) -> DecodedBlock:
    """Write the pixels of a block to its shard, zeros for skipped images.

    A block that an earlier run wrote is not decoded again if its bytes have their CRC-32, and none
    of its skipped images has been repaired.

    Args:
        sources: sources of the catalog.
        transform: how image files become pixels.
        folder: folder of the shards, which have their final size.
        block: the images.

    Raises:
        OSError: the shard cannot be written.
    """
    first = block.number * BLOCK
    path = shard_file(folder, first // SHARD)
    offset = (first % SHARD) * transform.image_bytes
    if block.previous is not None:
        with path.open("rb") as file:
            file.seek(offset)
            written = file.read(len(block.images) * transform.image_bytes)
        skipped_before = [block.images[number - first] for number, *_ in block.previous.skipped]
        if zlib.crc32(written) == block.previous.crc and not any(
            is_usable(sources[number], name, transform) for number, name in skipped_before
        ):
            return block.previous
    pixels = np.zeros((len(block.images), *transform.shape), np.uint8)
    skipped: list[tuple[int, str, str]] = []
    converted: Counter[str] = Counter()
    not_square = grey = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unusual metadata; unusable images raise
        for row, (number, name) in enumerate(block.images):
            try:
                image = transform.decode(sources[number].read(name))
            except InvalidImageError as error:
                skipped.append((first + row, name, str(error)))
                continue
            pixels[row] = image.pixels
            converted.update([image.converted_from] if image.converted_from else [])
            not_square += not image.is_square
            grey += image.is_grey
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        count = file.write(pixels.data)
    if count != pixels.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    crc = zlib.crc32(pixels.data)
    brightest = int(pixels.max(initial=0))
    return DecodedBlock(block.number, crc, skipped, dict(converted), not_square, grey, brightest)


def is_usable(source: Source, name: str, transform: ImageTransform) -> bool:
    """Tell whether an image can be read and decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            transform.decode(source.read(name))
        except InvalidImageError:
            return False
    return True


def read_journal(journal: Path) -> dict[int, DecodedBlock]:
    """Read the results of earlier runs, and truncate the journal after its last valid line.

    Returns:
        Number of a block -> its result; empty where there is no journal.
    """
    results: dict[int, DecodedBlock] = {}
    valid_bytes = 0
    try:
        content = journal.read_bytes()
    except OSError:
        return results
    for line in content.splitlines(keepends=True):
        try:
            fields = json.loads(line)
            fields["skipped"] = [tuple(image) for image in fields["skipped"]]
            block = DecodedBlock(**fields)
        except (ValueError, KeyError, TypeError):
            break
        if not line.endswith(b"\n"):
            break
        valid_bytes += len(line)
        results[block.number] = block
    os.truncate(journal, valid_bytes)
    return results
