"""What the diagnosis sees of a run of the corpus."""

from __future__ import annotations

from typing import Any

from diagnosis.training import BASE
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain
from gan_lightning.diagnosis import Signals, signals_from

__all__ = ["signals_of_record"]


def signals_of_record(record: dict[str, Any], without: tuple[str, ...] = ()) -> Signals:
    """Return the signals of a run.

    Args:
        record: of the corpus.
        without: beginnings of the names of what the run did not log.
    """
    rows: dict[int, dict[str, float]] = {update: {} for update in record["signals"]["updates"]}
    for name, values in record["signals"].items():
        if name == "updates" or name.startswith(without):
            continue
        for update, value in zip(record["signals"]["updates"], values, strict=True):
            if value is not None:
                rows[update][name] = value
    config = as_plain(load_config(BASE, record["overrides"]))
    return signals_from(rows, config, diverged=record["truth"]["diverged_at"] is not None)
