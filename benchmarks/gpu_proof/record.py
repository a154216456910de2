"""Items of the proof, and the file that keeps the result of each, so that it can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lightning.utils.files import atomic_write

__all__ = ["HOLDS", "SKIPPED", "WRONG", "Item", "Record", "Row", "Settings", "run_items", "verdict"]

Row = dict[str, Any]
"""Result of an item: `verdict`, `text`, and numbers."""

HOLDS, WRONG, SKIPPED = "holds", "WRONG", "skipped"


@dataclass(frozen=True)
class Settings:
    """What is measured, and where.

    Attributes:
        accelerator: "cuda" or "cpu".
        quick: whether only a few small items are measured, to try the program.
        peer: checkout of PyTorch-GAN, or None.
    """

    accelerator: str
    quick: bool = False
    peer: Path | None = None

    @property
    def on_cuda(self) -> bool:
        """Whether a CUDA GPU is measured."""
        return self.accelerator == "cuda"


@dataclass(frozen=True)
class Item:
    """One measurement.

    Attributes:
        part: letter of the part.
        name: name of the item in its part.
        measure: returns the result.
    """

    part: str
    name: str
    measure: Callable[[], Row]

    @property
    def key(self) -> str:
        """Name in the file."""
        return f"{self.part} {self.name}"


@dataclass
class Record:
    """Results by key, of one revision on one machine; those of others are dropped.

    Attributes:
        path: the JSON file, which is written after each item.
        about: revision, device, driver and versions.
        rows: results by key.
    """

    path: Path
    about: dict[str, str]
    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, about: dict[str, str]) -> Record:
        """Read the results of an earlier start of the same revision on the same machine."""
        stored = json.loads(path.read_text()) if path.exists() else {}
        return cls(path, about, stored.get("rows", {}) if stored.get("about") == about else {})

    def add(self, key: str, row: Row) -> None:
        """Store a result."""
        self.rows[key] = row
        content = {"about": self.about, "rows": self.rows}
        atomic_write(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def verdict(holds: bool, text: str, **numbers: Any) -> Row:
    """Return the result of an item that can fail."""
    return {"verdict": HOLDS if holds else WRONG, "text": text, **numbers}


def run_items(items: Iterable[Item], record: Record, seconds: float) -> Iterator[tuple[str, Row]]:
    """Measure the items that have no result yet, until the time is over; yield each.

    An item that raises an error is stored with it, and does not end the proof.

    Args:
        items: in the order of their importance.
        record: where results are stored.
        seconds: no item is begun after this time.
    """
    start = time.monotonic()
    for item in items:
        if item.key in record.rows:
            continue
        began = time.monotonic()
        if began - start > seconds:
            return
        try:
            row = item.measure()
        except (Exception, SystemExit) as error:  # the benchmarks end with SystemExit
            reason = " ".join(str(error).split())[:300]
            row = {"verdict": WRONG, "text": f"{type(error).__name__}: {reason}"}
        record.add(item.key, row | {"seconds": round(time.monotonic() - began, 1)})
        yield item.key, record.rows[item.key]
