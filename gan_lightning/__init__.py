"""gan_lightning: train, compare and understand generative adversarial networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.api import evaluate, load, train

    __version__: str

__all__ = ["__version__", "evaluate", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, since the functions import torch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("gan-lightning")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gan_lightning import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet too."""
    return sorted({*globals(), *__all__})
