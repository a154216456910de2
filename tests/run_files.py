"""Read files of a run directory, and make result records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from gan_lightning.config.claim import Claim
from gan_lightning.results.records import Results, SeedRun


def read_metrics_csv(folder: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv as strings."""
    header, *lines = (folder / "metrics.csv").read_text().splitlines()
    names = header.split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines]


def load_last_checkpoint(folder: Path) -> dict[str, Any]:
    """Return the content of the checkpoint with the most updates."""
    last = max((folder / "checkpoints").glob("update_*.ckpt"))
    content: dict[str, Any] = torch.load(last, weights_only=True)
    return content


def final_measures(folder: Path) -> dict[str, float]:
    """Return the final metrics of outcome.json; NaN for null."""
    measures = json.loads((folder / "outcome.json").read_text())["measures"]
    return {name: float("nan") if value is None else value for name, value in measures.items()}


def make_results(name: str, values: list[float | None], *claims: Claim, **parts: Any) -> Results:
    """Return results with one run for each value of the metric `m`."""
    runs = [
        SeedRun(seed, f"runs/{seed}", parts.get("updates", 4), 1.5, {"m": value}, {}, {})
        for seed, value in enumerate(values)
    ]
    parts = {"experiment": name, "config": {}, "command": "verify", "date": "2026-11-23", **parts}
    parts.pop("updates", None)
    return Results(name=name, claims=list(claims), runs=runs, **parts)
