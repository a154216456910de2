"""A topic of the lecture."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Topic"]


@dataclass(frozen=True)
class Topic:
    """One topic of the lecture.

    Attributes:
        slug: short name for files and addresses.
        title: heading of its page.
        idea: one or two sentences.
        equations: LaTeX in display mode without delimiters, for KaTeX and MathJax.
        gans: names in `GANS` that the topic introduces; no two topics introduce the same GAN.
        experiments: names of experiments; each experiment belongs to one topic.
    """

    slug: str
    title: str
    idea: str
    equations: str
    gans: tuple[str, ...]
    experiments: tuple[str, ...]
