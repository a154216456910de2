"""The machine that a run trains on: in a few words, and set up for arithmetic."""

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
    "machine",
    "machine_in_words",
    "set_up_arithmetic",
    "without_tf32",
]

KEPT_MEBIBYTES = 32
"""Largest block that glibc takes from its own heap, by its own limit."""


def machine() -> dict[str, str | int | None]:
    """Name the processor, its cores that this process may use, torch's threads, and the GPU."""
    import torch

    return {
        "processor": _processor(),
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_in_words(parts: dict[str, str | int | None]) -> str:
    """Write what `machine` returns as a phrase."""
    words = [str(parts.get("processor"))]
    for name in ("cores", "threads"):
        words.append(f"{parts.get(name)} {name[:-1] if parts.get(name) == 1 else name}")
    return ", ".join([*words, *([str(gpu)] if (gpu := parts.get("gpu")) else [])])


def fast_precision(on_gpu: bool) -> str:
    """Choose the precision of image networks: bfloat16 autocast where it is computed in hardware.

    Args:
        on_gpu: whether the networks are on a CUDA device, which there then is.
    """
    import torch

    if on_gpu:
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if fast else "32-true"


def set_up_arithmetic() -> None:
    """Flush denormal numbers to zero, and keep freed memory for the next tensor.

    glibc hands freed blocks of some megabytes back to the kernel, and each page of the next one
    costs a fault: at infogan_mnist_paper's networks 18,000 an update, of casts and gradients.

    Every step of Adam asks whether there is a GPU. Lightning has PyTorch look for its driver's
    library each time, which on a machine that has none takes as long as the step.
    """
    import torch

    torch.set_flush_denormal(True)
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # malloc.h's M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
        mallopt(mmap_threshold, KEPT_MEBIBYTES << 20)
        mallopt(trim_threshold, (1 << 31) - 1)


def allow_tf32(allowed: bool) -> None:
    """Choose whether GPUs may take TF32 for products of float32 matrices and for convolutions."""
    import torch

    if torch.cuda.is_available():  # on processors the word chooses other formats
        torch.set_float32_matmul_precision("high" if allowed else "highest")
        torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def without_tf32() -> Iterator[None]:
    """Multiply float32 numbers with all their bits inside the block, and then as before it."""
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
    """Let the kernel kill this process when the one that started it has ended, however it ended.

    Only Linux can: elsewhere a process that waits for a dead one's data waits until it gives up.
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
