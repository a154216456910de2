"""The package imports where Unix-only parts of the standard library are missing, as on Windows."""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
from importlib import import_module
from typing import Any

from process_pool import ForkedProcess, forget_package

MISSING_NAMES: dict[Any, tuple[str, ...]] = {
    signal: ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGHUP", "pthread_sigmask"),
    os: ("sched_getaffinity", "fork", "killpg", "getuid", "geteuid"),
}
MISSING_MODULES = ("fcntl", "resource", "pwd", "grp", "termios")
DEPENDENCIES = (
    *("scipy.stats", "matplotlib.figure", "jinja2", "tqdm", "yaml", "filelock", "lmdb"),
    *("multiprocessing.reduction", "subprocess"),
)
"""Modules that use Unix where they find it, in addition to those that forked processes have."""


def import_without_unix() -> None:
    """Import every module of the package again, without the parts that Windows does not have."""
    for name in DEPENDENCIES:
        import_module(name)
    forget_package()
    for module, names in MISSING_NAMES.items():
        for name in names:
            delattr(module, name)
    sys.modules.update(dict.fromkeys(MISSING_MODULES))  # type: ignore[arg-type]  # no such modules
    sys.platform = "win32"
    import gan_lightning

    for module in pkgutil.walk_packages(gan_lightning.__path__, "gan_lightning."):
        if not module.name.endswith("__main__"):
            try:
                import_module(module.name)
            except ImportError as error:  # a module of an extra that is not installed
                if (error.name or "").split(".")[0] in ("gan_lightning", *MISSING_MODULES):
                    raise
    print("imported", flush=True)


def test_every_module_imports_without_unix() -> None:
    process = ForkedProcess.start(import_without_unix)
    assert process.wait() == 0, process.err[-2000:]
    assert process.out == "imported\n"
