"""gan_lightning: train, compare and understand generative adversarial networks."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.api import (
        evaluate,
        evaluate_images,
        export,
        from_pretrained,
        load,
        push_to_hub,
        report,
        sample,
        save_pretrained,
        train,
        traverse,
    )

    __version__: str

__all__ = [
    "__version__",
    "evaluate",
    "evaluate_images",
    "export",
    "from_pretrained",
    "load",
    "push_to_hub",
    "report",
    "sample",
    "save_pretrained",
    "train",
    "traverse",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, since the functions import torch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("gan-lightning")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gan_lightning.utils.imports import fast_imports

    with fast_imports():
        from gan_lightning import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet too."""
    return sorted(__all__)


class _CallablePackage(ModuleType):
    """A subpackage with the name of a public function, `export` or `report`, which it calls."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from gan_lightning import api

        return getattr(api, self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    """This package; Python sets an attribute of it when a subpackage is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
