"""What callbacks that watch a run tell people."""

from __future__ import annotations

from collections.abc import Callable

from pytorch_lightning import Trainer

from gan_lightning.loggers import WandbRun

__all__ = ["Advice", "no_advice", "send_alert"]

Advice = Callable[[str], list[str]]
"""Maps the state of a run to phrases that say what to change, which the run would accept."""


def no_advice(state: str) -> list[str]:
    """Recommend nothing."""
    return []


def send_alert(trainer: Trainer, title: str, text: str, update: int) -> None:
    """Send an alert to the W&B runs of a trainer."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.alert(title, text, update)
