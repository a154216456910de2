"""Points as a picture of characters, drawn in a terminal while a GAN trains."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, TextIO

import numpy as np
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from torch import Tensor

from gan_lightning.callbacks.scatter import axis_limit
from gan_lightning.gans import GAN

__all__ = ["LivePoints", "points_as_text"]

COLUMNS, ROWS = 64, 30
"""Size of the picture in characters; each is two points high."""

POINTS = 1_000

GREY, RED, RESET = "\x1b[38;5;245m", "\x1b[38;5;203m", "\x1b[0m"
PLAIN = {"": " ", GREY: ".", RED: "o"}

PAUSE = 0.5
"""Seconds between two pictures in a terminal."""


def points_as_text(real: Tensor, generated: Tensor, *, colour: bool = True) -> list[str]:
    """Draw generated points over real ones with characters.

    Args:
        real: points (N, 2); they determine the axes.
        generated: points (M, 2); those outside of the axes are left out.
        colour: real points in grey and generated ones in red, as dots of half a character;
            otherwise as `.` and `o`.

    Returns:
        Lines of the picture.
    """
    height = 2 * ROWS if colour else ROWS
    limit = axis_limit(real)
    dots = np.full((height, COLUMNS), "", dtype=object)
    for points, kind in ((real, GREY), (generated, RED)):
        inside = points[(points.abs() < limit).all(1)].double().cpu().numpy()
        columns = ((inside[:, 0] / limit + 1) / 2 * COLUMNS).astype(int)
        rows = ((1 - inside[:, 1] / limit) / 2 * height).astype(int)
        dots[np.minimum(rows, height - 1), columns] = kind
    if not colour:
        return ["".join(PLAIN[kind] for kind in row).rstrip() for row in dots]
    return [
        "".join(map(_half_blocks, upper, lower)).rstrip() + RESET
        for upper, lower in zip(dots[::2], dots[1::2], strict=True)
    ]


def _half_blocks(upper: str, lower: str) -> str:
    """Return a character whose upper and lower half have the colours of two dots."""
    if not upper and not lower:
        return " "
    if upper and lower:
        background = lower.replace("[38;", "[48;")
        return f"{upper}{background}▀{RESET}"
    return f"{upper}▀{RESET}" if upper else f"{lower}▄{RESET}"


class LivePoints(ProgressBar):
    """Draw the points of a GAN in the terminal in place of a progress bar, for a limited time.

    Where the output is no terminal, the first and the last picture are drawn.

    Args:
        real: points (N, 2) of the data.
        seconds: after which training is stopped.
        stream: that is written to; None for standard error.
    """

    def __init__(self, real: Tensor, seconds: float, stream: TextIO | None = None) -> None:
        super().__init__()
        self._real, self._seconds = real[:POINTS], seconds
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._colour = self._is_terminal and "NO_COLOR" not in os.environ
        self._start = self._drawn = 0.0
        self._lines = 0

    def disable(self) -> None:
        """Do nothing; only the first process has this callback."""

    def enable(self) -> None:
        """Do nothing, like `disable`."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the points of the untrained generator."""
        self._start = time.perf_counter()
        self._draw(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw the points of now and then, and stop at the end of the time."""
        now = time.perf_counter()
        if self._is_terminal and now - self._drawn >= PAUSE:
            self._draw(pl_module)
        if now - self._start >= self._seconds:
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the points of the trained generator."""
        self._draw(pl_module)

    def _draw(self, model: LightningModule) -> None:
        assert isinstance(model, GAN)
        points = model.sample(POINTS, seed=0).data
        picture = points_as_text(self._real, points, colour=self._colour)
        self._drawn = time.perf_counter()
        seconds = self._drawn - self._start
        status = f"update {model.updates:,}, {seconds:.0f} s: grey is real, red is generated"
        if not self._colour:
            status = status.replace("grey is real, red is", ". is real, o is")
        if self._is_terminal and self._lines:
            self._stream.write(f"\x1b[{self._lines}A")  # up to the first line of the last picture
        clear = "\x1b[K" if self._is_terminal else ""
        lines = [*picture, status]
        self._stream.write("".join(f"{line}{clear}\n" for line in lines))
        self._stream.flush()
        self._lines = len(lines)
