"""The machine that a run trains on, in a few words."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

__all__ = ["machine", "machine_in_words"]


def machine() -> dict[str, str | int | None]:
    """Name the processor, its cores that this process may use, torch's threads, and the GPU."""
    import torch

    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def machine_in_words(parts: dict[str, str | int | None]) -> str:
    """Write what `machine` returns as a phrase."""
    words = [f"{parts.get('processor')}", f"{parts.get('cores')} cores"]
    words += [f"{parts.get('threads')} threads", *([str(gpu)] if (gpu := parts.get("gpu")) else [])]
    return ", ".join(words)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
