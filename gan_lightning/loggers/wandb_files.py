"""Read W&B's transaction logs, `*.wandb`, which hold what a run has logged.

A log is one of LevelDB's: a 7-byte file header, then blocks of 32 KiB (the file header counts into
the first) of chunks. A chunk has a 7-byte header `<IHB` (checksum, length, kind), never crosses a
block, and is a complete record, or the first, a middle or the last part of one. The rest of a block
that is too short for a header is padding. A record is W&B's protobuf `Record`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["last_step", "read_records"]

BLOCK = 32 * 1024
FILE_HEADER = b":W&B\xe1\xbe\x00"
CHUNK_HEADER = struct.Struct("<IHB")
COMPLETE, FIRST, LAST = 1, 2, 4


def last_step(path: Path) -> int | None:
    """Return the step of the last row in a log; -1 without rows, None if the file is missing.

    Raises:
        ValueError: the file is not a log of the known version.
    """
    if not path.is_file():
        return None
    last = -1
    for record in read_records(path):
        if record.WhichOneof("record_type") == "history":
            for item in record.history.item:
                if "_step" in (item.key, *item.nested_key):
                    last = max(last, int(json.loads(item.value_json)))
    return last


def read_records(path: Path) -> Iterator[Any]:
    """Yield the protobuf records of a log, up to the first that was not written completely.

    Raises:
        ValueError: the file is not a log of the known version.
    """
    from wandb.proto import wandb_internal_pb2

    for content in _contents(path.read_bytes()):
        yield wandb_internal_pb2.Record.FromString(content)  # type: ignore[attr-defined]  # made as it is imported


def _contents(log: bytes) -> Iterator[bytes]:
    if not log.startswith(FILE_HEADER):
        raise ValueError(f"not a W&B log of the known version: begins with {log[:7]!r}")
    place, parts = len(FILE_HEADER), b""
    while place + CHUNK_HEADER.size <= len(log):
        left_in_block = BLOCK - place % BLOCK
        if left_in_block < CHUNK_HEADER.size:
            place += left_in_block
            continue
        _, length, kind = CHUNK_HEADER.unpack_from(log, place)
        place += CHUNK_HEADER.size
        if not COMPLETE <= kind <= LAST or place + length > len(log):
            return
        chunk = log[place : place + length]
        place += length
        parts = chunk if kind in (COMPLETE, FIRST) else parts + chunk
        if kind in (COMPLETE, LAST):
            yield parts
