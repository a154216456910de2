"""Read the files of a W&B run: its `.wandb` transaction log and its media."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lightning.loggers.wandb_files import read_records

__all__ = ["OfflineRun", "read_offline_run"]


@dataclass
class OfflineRun:
    """The data of a run; nested keys are nested dicts, as on the server."""

    config: dict[str, Any] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)
    """Name or glob of a metric -> metric of its x-axis (`define_metric`)."""
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    media: list[Path] = field(default_factory=list)
    """Files below files/media/images, sorted."""
    exit_code: int | None = None
    """None if the run was killed; its log then ends at the last flush."""


def read_offline_run(folder: Path) -> OfflineRun:
    """Read the only run in a folder: its own folder (offline-run-…) or one above it.

    Raises:
        FileNotFoundError: there is not exactly one `.wandb` file.
        ValueError: the file is not a W&B transaction log of the known version.
    """
    logs = sorted(folder.rglob("*.wandb"))
    if len(logs) != 1:
        raise FileNotFoundError(f"expected one .wandb file in {folder}, found {logs or 'none'}")
    run = OfflineRun()
    for record in read_records(logs[0]):
        _apply(run, record)
    last = {key: value for row in run.history for key, value in row.items()}
    run.summary = last | run.summary
    images = logs[0].parent / "files" / "media" / "images"
    run.media = sorted(path for path in images.rglob("*") if path.is_file())
    return run


def _apply(run: OfflineRun, record: Any) -> None:
    match record.WhichOneof("record_type"):
        case "run":
            _update(run.config, record.run.config)
            _update(run.summary, record.run.summary)
        case "config":
            _update(run.config, record.config)
        case "summary":
            _update(run.summary, record.summary)
        case "history":
            row: dict[str, Any] = {}
            _assign(row, record.history.item)
            run.history.append(row)
        case "metric" if record.metric.step_metric:
            name = record.metric.name or record.metric.glob_name
            run.step_metrics[name] = record.metric.step_metric
        case "exit":
            run.exit_code = record.exit.exit_code
    run.config.pop("_wandb", None)


def _update(values: dict[str, Any], record: Any) -> None:
    """Apply a config or summary record: set values, then remove values."""
    _assign(values, record.update)
    for item in record.remove:
        *parents, name = _path(item)
        level = values
        for parent in parents:
            level = level.get(parent, {})
        level.pop(name, None)


def _assign(values: dict[str, Any], items: Iterable[Any]) -> None:
    for item in items:
        *parents, name = _path(item)
        level = values
        for parent in parents:
            below = level.get(parent)
            level[parent] = level = below if isinstance(below, dict) else {}
        level[name] = json.loads(item.value_json)


def _path(item: Any) -> list[str]:
    return list(item.nested_key) or [item.key]
