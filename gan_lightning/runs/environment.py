"""The environment of a run: command, machine, versions and revision."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gan_lightning.utils.hardware import available_cores, machine_info

__all__ = ["describe_environment", "git_revision"]

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
        "git_revision": git_revision(),
    }


def git_revision() -> str | None:
    """Return the commit of the checkout that contains the package; None outside a checkout.

    It ends with `-dirty` where a tracked file of the package differs from the commit. Other files,
    such as results that `verify` has written, do not affect what is trained; experiments are
    compared by their config.
    """
    package = Path(__file__).parents[1]
    if not (package.parent / ".git").exists():
        return None
    git = ["git", "-C", str(package)]
    try:
        described = subprocess.run(
            [*git, "describe", "--always", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
        )
        changed = subprocess.run(
            [*git, "diff", "--quiet", "HEAD", "--", "."], capture_output=True, check=False
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip() + ("-dirty" if changed.returncode else "")
