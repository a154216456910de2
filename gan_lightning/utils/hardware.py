"""Describe the machine, choose its precision, and set floating-point modes of this process."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "allow_tf32",
    "available_cores",
    "end_with_parent",
    "fast_precision",
    "flush_denormals",
    "format_machine",
    "machine_info",
    "without_tf32",
]


def machine_info() -> dict[str, str | int | None]:
    """Return the names of processor and GPU, the available cores and the threads of PyTorch.

    Returns:
        `processor`, `cores`, `threads` and `gpu`, which is None without a CUDA GPU.
    """
    import torch

    return {
        "processor": _processor(),
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on a Mac, nor on Windows
    return os.cpu_count() or 1 if affinity is None else len(affinity(0))


def format_machine(parts: dict[str, str | int | None]) -> str:
    """Format the result of `machine_info` as one line."""
    words = [str(parts.get("processor"))]
    for name in ("cores", "threads"):
        words.append(f"{parts.get(name)} {name[:-1] if parts.get(name) == 1 else name}")
    return ", ".join([*words, *([str(gpu)] if (gpu := parts.get("gpu")) else [])])


def fast_precision(on_gpu: bool) -> str:
    """Return `bf16-mixed` if the hardware computes bfloat16, else `32-true`.

    Args:
        on_gpu: whether the networks are on a CUDA device, which must exist.
    """
    import torch

    if on_gpu:
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if fast else "32-true"


def flush_denormals() -> None:
    """Flush denormal numbers to zero in this process, since they slow down many processors."""
    import torch

    torch.set_flush_denormal(True)


def allow_tf32(allowed: bool) -> None:
    """Allow or forbid TF32 on CUDA GPUs for float32 matrix products and convolutions."""
    import torch

    if torch.cuda.is_available():  # on CPUs "high" selects other formats
        torch.set_float32_matmul_precision("high" if allowed else "highest")
        torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def without_tf32() -> Iterator[None]:
    """Disable TF32 inside a `with` block or a decorated function."""
    import torch

    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]


def end_with_parent() -> None:
    """Make the kernel kill this process when its parent ends, even if the parent is killed.

    Linux only. On other systems this process waits for messages of the dead parent until a timeout.
    """
    if sys.platform == "linux":
        set_death_signal = 1  # prctl.h's PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
