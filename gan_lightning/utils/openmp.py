"""How the threads of PyTorch's operations on CPUs wait for each other.

OpenMP's threads spin at the end of each parallel loop, which costs nothing where every thread has a
core of its own. Where other processes hold cores, a spinning thread takes the time that the thread
it waits for needs, and training becomes slower than its share of the machine. Threads that sleep
instead lose time when they wake up. The choice must be made before torch is imported.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from gan_lightning.utils.hardware import available_cores

__all__ = ["ProcessorTime", "processor_time", "sleep_at_barriers_if_busy"]

STAT = Path("/proc/stat")

SECONDS = 0.1
"""Shortest time over which the idle cores are measured."""

TOLERANCE = 0.5
"""Cores of which other processes may take less without effect."""

CHOSEN_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@dataclass(frozen=True)
class ProcessorTime:
    """Seconds since some time in the past.

    Attributes:
        elapsed: seconds that have passed.
        idle: seconds that the cores of the machine were idle, summed over the cores.
        own: seconds that this process used cores.
    """

    elapsed: float
    idle: float
    own: float

    def free_cores(self, since: ProcessorTime) -> float:
        """Return the number of cores that were idle, or used by this process, since a time."""
        elapsed = max(self.elapsed - since.elapsed, 1e-9)
        return (self.idle - since.idle + self.own - since.own) / elapsed


def processor_time() -> ProcessorTime | None:
    """Read the time now; None where the system does not tell it, as outside of Linux."""
    try:
        fields = STAT.read_text().split("\n", 1)[0].split()
        idle = (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    return ProcessorTime(time.monotonic(), idle, time.process_time())


def sleep_at_barriers_if_busy(start: ProcessorTime | None) -> None:
    """Let OpenMP's threads sleep while they wait, if other processes need the cores.

    Sets OMP_WAIT_POLICY, which child processes inherit, unless torch has been imported already. A
    variable that the user has set decides.

    Args:
        start: when the measurement began; it ends now, or a tenth of a second after its start.
    """
    if start is None or "torch" in sys.modules or any(map(os.environ.get, CHOSEN_BY_USER)):
        return
    time.sleep(max(0.0, start.elapsed + SECONDS - time.monotonic()))
    now = processor_time()
    if now is not None and now.free_cores(start) < available_cores() - TOLERANCE:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
