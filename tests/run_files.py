"""What tests read in a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


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
    measures = json.loads((folder / "measures.json").read_text())
    return {name: float("nan") if value is None else value for name, value in measures.items()}
