"""Shorten the start of a command, most of which is the import of torch and Lightning."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from logging import getLogger
from types import ModuleType
from typing import Any

__all__ = ["fast_imports"]

LIGHTNING_USES = {"Metric": "torchmetrics.metric", "MetricCollection": "torchmetrics.collections"}
"""What Lightning takes from torchmetrics, and the module that defines it."""


@contextmanager
def fast_imports() -> Iterator[None]:
    """Import torch and Lightning faster inside the block; it does nothing once torch is imported.

    Garbage collection is paused, and never looks at the imported objects: they are about a million,
    and live as long as the process. Collections would take a fifth of the import time, and another
    second when the process exits.

    `import torchmetrics` of Lightning, which uses none of its metrics, does not yet import them:
    those of sound and images need scipy.signal and torchvision, a sixth of the time until samples
    of a model in the package are drawn. Any later use of torchmetrics finds all of it, as always.
    """
    if "torch" in sys.modules:
        yield
        return
    if "torchmetrics" not in sys.modules:
        _defer_torchmetrics()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _defer_torchmetrics() -> None:
    """Put the package torchmetrics into `sys.modules` before its `__init__` is executed."""
    spec = find_spec("torchmetrics")
    assert spec is not None, "a required package"
    package = module_from_spec(spec)
    # what Lightning and the base class of metrics read
    vars(package).update(__version__=version("torchmetrics"), _logger=getLogger("torchmetrics"))
    package.__class__ = _DeferredPackage
    sys.modules["torchmetrics"] = package


class _DeferredPackage(ModuleType):
    """torchmetrics until somebody uses more than what Lightning does; then the usual package."""

    def __getattr__(self, name: str) -> Any:
        if name in LIGHTNING_USES:
            try:
                # in this order, since metric and utilities import each other
                import_module("torchmetrics.utilities")
                return getattr(import_module(LIGHTNING_USES[name]), name)
            except ImportError:  # a version of torchmetrics whose modules need more of the package
                for module in [key for key in sys.modules if key.startswith("torchmetrics.")]:
                    del sys.modules[module]
        _execute(self)
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        _execute(self)
        return dir(self)


def _execute(package: ModuleType) -> None:
    package.__class__ = ModuleType  # no deferred attributes from here
    spec = package.__spec__
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(package)
