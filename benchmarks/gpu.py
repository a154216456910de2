"""Prove on a GPU, in nine minutes, what holds of this package there; write JSON and docs/gpu.md.

`python benchmarks/gpu.py [--minutes M] [--accelerator cuda|cpu] [--quick] [--peer CHECKOUT]`

What is measured and why is in `gpu_proof`. Results are stored after each item in gpu.json, in the
folder of the page; a second start at the same revision on the same machine continues. The exit code
is 1 where an item is wrong.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic matrix products

import torch
from gpu_proof import equality, measures, processes, speed, waiting
from gpu_proof.page import page
from gpu_proof.record import WRONG, Item, Record, Settings, run_items
from timing import machine

from gan_lightning.core.fast_paths import set_up_process
from gan_lightning.runs.environment import git_revision
from gan_lightning.utils.files import atomic_write

__all__ = ["about", "main"]

DOCS = Path(__file__).parent.parent / "docs"
FIRST_SPEEDS = 4
"""Measurements of speed that come before the measures: the bare loop, and CUDA graphs of points."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and write the page after each item."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="no item is begun after them")
    parser.add_argument("--accelerator", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="a few small items, as a trial")
    parser.add_argument("--peer", type=Path, help="checkout of PyTorch-GAN", metavar="CHECKOUT")
    parser.add_argument("--output", type=Path, default=DOCS, help="directory of the page")
    options = parser.parse_args(arguments)
    if options.accelerator == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU; --accelerator cpu --quick tries the program without")
    if options.accelerator == "cpu" and options.output.resolve() == DOCS.resolve():
        parser.error("docs/gpu.md is the page of a GPU; name another folder by --output FOLDER")
    set_up_process()
    options.output.mkdir(parents=True, exist_ok=True)
    settings = Settings(options.accelerator, options.quick, options.peer)
    record = Record.open(options.output / "gpu.json", about(settings))
    for key, row in run_items(_ordered(settings), record, 60 * options.minutes):
        atomic_write(options.output / "gpu.md", page(record))
        print(f"{row['verdict']:<8}{key}: {row['text']} ({row['seconds']} s)", flush=True)
    left = sum(item.key not in record.rows for item in _ordered(settings))
    if left:
        print(f"{left} items are left; the same command continues with them")
    atomic_write(options.output / "gpu.md", page(record))
    sys.exit(int(any(row["verdict"] == WRONG for row in record.rows.values())))


def _ordered(settings: Settings) -> list[Item]:
    """List all items, the most important first."""
    speeds = speed.items(settings)
    return [
        *waiting.items(settings),
        *equality.items(settings),
        *speeds[:FIRST_SPEEDS],
        *measures.items(settings),
        *processes.items(settings),
        *speeds[FIRST_SPEEDS:],
    ]


def about(settings: Settings) -> dict[str, str]:
    """Name revision, device, driver and versions."""
    found = {"revision": git_revision() or "unknown", "torch": version("torch")}
    if settings.quick:
        found["extent"] = "quick"
    if not settings.on_cuda:
        return {**found, "processor": machine(torch.get_num_threads())}
    count = torch.cuda.device_count()
    return {
        **found,
        "GPU": f"{torch.cuda.get_device_name()}{f' and {count - 1} more' * (count > 1)}",
        "driver": _driver(),
        "CUDA": torch.version.cuda or "none",
        "cuDNN": str(torch.backends.cudnn.version()),
        "host": machine(torch.get_num_threads()),
    }


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


if __name__ == "__main__":
    main()
