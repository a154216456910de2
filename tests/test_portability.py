"""The package imports where Unix-only parts of the standard library are missing, as on Windows."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
import signal
import sys
import pkgutil
from importlib import import_module

import gan_lightning
for name in ("torch", "pytorch_lightning", "torchmetrics", "torchvision", "wandb", "scipy.stats",
             "omegaconf", "PIL.Image", "matplotlib.figure", "jinja2", "tqdm", "click", "yaml",
             "filelock", "lmdb", "multiprocessing.reduction", "subprocess"):
    import_module(name)
for name in ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGHUP", "pthread_sigmask"):
    delattr(signal, name)
for name in ("sched_getaffinity", "fork", "killpg", "getuid", "geteuid"):
    delattr(os, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
sys.platform = "win32"
for module in pkgutil.walk_packages(gan_lightning.__path__, "gan_lightning."):
    if not module.name.endswith("__main__"):
        try:
            import_module(module.name)
        except ImportError as error:
            if (error.name or "").split(".")[0] in ("gan_lightning", "fcntl", "resource", "pwd"):
                raise
"""


def test_every_module_imports_without_unix() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-2000:]
