"""Find W&B's processes, `wandb-core`, which run in sessions of their own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["service_processes"]


def service_processes(parent: int) -> list[int]:
    """Return the numbers of the processes `wandb-core` that a process started; Linux only."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"wandb-core") and str(parent).encode() in words:
            found.append(int(path.parent.name))
    return found
