"""gan_lightning: train, compare and understand generative adversarial networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.api import evaluate, load, train

__all__ = ["evaluate", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, torch with it, when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gan_lightning import api

    return getattr(api, name)
