"""Inputs of a generator that a person can set: classes, categorical and continuous codes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Choice", "Control", "Slider"]


@dataclass(frozen=True)
class Slider:
    """A continuous input, initially 0.

    Args:
        part: field of `Condition` that it changes: `continuous`, or `latent` for a direction.
        index: of the code or direction.
        label: text on the page.
        limit: its values lie in [-limit, limit].
    """

    part: str
    index: int
    label: str
    limit: float


@dataclass(frozen=True)
class Choice:
    """A categorical input; its value is the index of an option, initially 0.

    Args:
        part: field of `Condition` that it changes: `labels` or `categorical`.
        index: of the code; 0 for the class.
        label: text on the page.
        options: names of the categories.
    """

    part: str
    index: int
    label: str
    options: tuple[str, ...]


Control = Slider | Choice
