"""Which process of a run this is, and what started it, as the environment says.

Nothing is imported: a command asks before it has read anything else.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Started", "is_first_process", "started"]

RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")
"""Set by torchrun, by srun, and by Lightning's launcher or who starts it on several nodes."""

AT_A_PROMPT = ("bash", "interactive")
"""Names of SLURM jobs in which a person types, by Lightning's rule: nothing is started by srun."""


class Started(NamedTuple):
    """What a launcher has started.

    Args:
        by: its name.
        nodes: machines.
        devices: processes on each; None where the launcher does not say that they are equally many.
    """

    by: str
    nodes: int
    devices: int | None


def is_first_process() -> bool:
    """Tell whether this is the process of a run that decides, writes and speaks."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def started() -> Started | None:
    """Return what torchrun or srun has started, or None where Lightning is to do so itself."""
    said = os.environ
    if "TORCHELASTIC_RUN_ID" in said:
        devices = int(said["LOCAL_WORLD_SIZE"])
        return Started("torchrun", int(said["WORLD_SIZE"]) // devices, devices)
    if "SLURM_NTASKS" in said and said.get("SLURM_JOB_NAME") not in AT_A_PROMPT:
        tasks, nodes = int(said["SLURM_NTASKS"]), int(said.get("SLURM_NNODES", "1"))
        each = said.get("SLURM_NTASKS_PER_NODE", "1" if tasks == 1 else None)
        return Started("srun", nodes, None if each is None else int(each))
    return None
