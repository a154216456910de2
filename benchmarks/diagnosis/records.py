"""The file of the corpus: one compressed line of JSON for each run, written run by run."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from gan_lightning.utils.files import atomic_write

__all__ = ["append_record", "read_records", "write_records"]

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """Return the records of a file, without a last one that was not written to its end.

    Args:
        path: the file; a missing one has no records.
    """
    if not path.exists():
        return []
    text = b""
    try:
        with gzip.open(path) as file:
            for line in file:
                text += line
    except (EOFError, gzip.BadGzipFile, zlib.error):
        pass
    complete = text[: text.rfind(b"\n") + 1]
    return [json.loads(line) for line in complete.splitlines()]


def append_record(path: Path, record: Record) -> None:
    """Append a record to a file, which need not exist."""
    with path.open("ab") as file:
        file.write(_compressed([record]))


def write_records(path: Path, records: list[Record]) -> None:
    """Write a file anew, as one compressed stream, which is smaller than its parts."""
    atomic_write(path, _compressed(records))


def _compressed(records: list[Record]) -> bytes:
    lines = [json.dumps(record, separators=(",", ":"), allow_nan=False) for record in records]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
