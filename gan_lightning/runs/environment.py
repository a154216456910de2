"""The environment of a run: command, machine, versions and revision."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gan_lightning.utils.hardware import available_cores, machine_info

__all__ = ["describe_environment"]

PACKAGES = ("gan-lightning", "torch", "pytorch-lightning", "torchmetrics", "wandb", "omegaconf")


def describe_environment() -> dict[str, Any]:
    """Describe the environment of this process, as environment.json has it."""
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": available_cores(),
        "machine": machine_info(),
        "packages": {name: version(name) for name in PACKAGES},
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """Return the commit of the checkout that contains the package; None outside a checkout."""
    package = Path(__file__).parents[1]
    if not (package.parent / ".git").exists():
        return None
    command = ["git", "-C", str(package), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
