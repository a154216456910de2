"""What tests read in a run folder, and results that they make up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from gan_lightning.config.schema import Claim
from gan_lightning.results.records import Results, SeedRun


def rows(folder: Path) -> list[dict[str, str]]:
    header, *lines = (folder / "metrics.csv").read_text().splitlines()
    names = header.split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines]


def checkpoint(folder: Path) -> dict[str, Any]:
    last = max((folder / "checkpoints").glob("update_*.ckpt"))
    content: dict[str, Any] = torch.load(last, weights_only=True)
    return content


def measures_of(folder: Path) -> dict[str, float]:
    """Read the final measures, null being no number."""
    measures = json.loads((folder / "outcome.json").read_text())["measures"]
    return {name: float("nan") if value is None else value for name, value in measures.items()}


def made_up(name: str, values: list[float | None], *claims: Claim, **parts: Any) -> Results:
    runs = [
        SeedRun(seed, f"runs/{seed}", parts.get("updates", 4), 1.5, {"m": value}, {}, {})
        for seed, value in enumerate(values)
    ]
    parts = {"experiment": name, "config": {}, "command": "verify", "date": "2026-11-23", **parts}
    parts.pop("updates", None)
    return Results(name=name, claims=list(claims), runs=runs, **parts)
