"""The launcher and the rank of this process, read from environment variables.

It imports nothing heavy, since a command calls it before its other imports.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Launcher", "detect_launcher", "is_first_process"]

RANK_VARIABLES = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")
"""Ranks that are set by torchrun, by srun, and by Lightning or the user on several nodes."""

INTERACTIVE_JOBS = ("bash", "interactive")
"""Names of interactive SLURM jobs, by Lightning's rule; there srun has started no processes."""


class Launcher(NamedTuple):
    """A launcher that has started the processes of this run.

    Attributes:
        name: torchrun or srun.
        nodes: number of nodes.
        devices: number of processes per node; None where the nodes may have different numbers.
    """

    name: str
    nodes: int
    devices: int | None


def is_first_process() -> bool:
    """Tell whether this process has rank 0: it decides for the others, and writes and prints."""
    return all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES)


def detect_launcher() -> Launcher | None:
    """Return the launcher of this process, or None if Lightning is to start the processes."""
    variables = os.environ
    if "TORCHELASTIC_RUN_ID" in variables:
        devices = int(variables["LOCAL_WORLD_SIZE"])
        return Launcher("torchrun", int(variables["WORLD_SIZE"]) // devices, devices)
    if "SLURM_NTASKS" in variables and variables.get("SLURM_JOB_NAME") not in INTERACTIVE_JOBS:
        tasks = int(variables["SLURM_NTASKS"])
        nodes = int(variables.get("SLURM_NNODES", "1"))
        per_node = variables.get("SLURM_NTASKS_PER_NODE", "1" if tasks == 1 else None)
        return Launcher("srun", nodes, None if per_node is None else int(per_node))
    return None
