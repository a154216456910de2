"""Schedules: values of training as functions of the generator update, without state.

A resumed run computes the same values as an uninterrupted one, since nothing but the number of the
update enters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from gan_lightning.utils.settings import setting

__all__ = ["BaseSchedule", "BetasScheduleConfig", "ScheduleConfig", "set_open_lengths"]

KINDS = ("constant", "linear", "cosine")


@dataclass
class BaseSchedule:
    """The course of a value: a linear warm-up, then no change, a line or half a cosine."""

    kind: str = setting(
        "constant",
        "Course after the warm-up: no change, or a line or half a cosine to `final`.",
        choices=KINDS,
    )
    warmup: int = setting(
        0, "Generator updates in which the value moves linearly from `start`.", minimum=0
    )
    updates: int | None = setting(
        None,
        "Generator updates after which the value is `final`, warm-up included; null is "
        "trainer.max_updates of the run as it is started.",
        minimum=1,
    )

    def validate(self) -> None:
        """Check that a schedule that ends has a length, and that it is longer than its warm-up.

        Raises:
            ValueError: it has none, or a shorter one.
        """
        if self.kind == "constant":
            return
        if self.updates is None:
            raise ValueError(
                f"updates is null, and kind is {self.kind!r}: set it to the number of generator "
                f"updates of the training"
            )
        if self.updates <= self.warmup:
            raise ValueError(
                f"updates is {self.updates}; it must be above warmup = {self.warmup}, which it "
                f"includes"
            )

    def interpolate(self, update: int, start: float, value: float, final: float) -> float:
        """Return the value in an update, exactly `start`, `value` or `final` at those points.

        Args:
            update: number of generator updates made so far.
            start: value at the beginning of the warm-up.
            value: value at the end of the warm-up.
            final: value at the end of a schedule that is not constant.
        """
        if update < self.warmup:
            return _mix(start, value, update / self.warmup)
        if self.kind == "constant" or self.updates is None:
            return value
        progress = min(1.0, (update - self.warmup) / (self.updates - self.warmup))
        if self.kind == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return _mix(value, final, progress)


@dataclass
class ScheduleConfig(BaseSchedule):
    """A schedule of a number: a factor that the key's value is multiplied by, 1 after the warm-up.

    With w warm-up updates of T in all, p = (n - w) / (T - w) after n updates, and the factor is
    1 + (final - 1) p for `linear`, and 1 + (final - 1) (1 - cos(pi p)) / 2 for `cosine`.
    """

    start: float = setting(0.0, "Factor at the beginning of the warm-up.", minimum=0)
    final: float = setting(0.0, "Factor at the end, for linear and cosine.", minimum=0)

    def factor(self, update: int) -> float:
        """Return the factor in an update.

        Args:
            update: number of generator updates made so far.
        """
        return self.interpolate(update, self.start, 1.0, self.final)


@dataclass
class BetasScheduleConfig(BaseSchedule):
    """A schedule of Adam's two betas, by their values at the beginning and at the end."""

    start: list[float] = setting(
        [0.0, 0.0], "Betas at the beginning of the warm-up.", length=2, minimum=0, below=1
    )
    final: list[float] | None = setting(
        None,
        "Betas at the end, required for linear and cosine.",
        length=2,
        minimum=0,
        below=1,
    )

    def validate(self) -> None:
        """Check the length, and that there are betas to end at.

        Raises:
            ValueError: a schedule that is not constant has none.
        """
        super().validate()
        if self.kind != "constant" and self.final is None:
            raise ValueError(
                f"final is null, and kind is {self.kind!r}: set it to two numbers, for example "
                f"[0.0, 0.99]"
            )

    def betas(self, betas: list[float], update: int) -> tuple[float, float]:
        """Return the betas in an update.

        Args:
            betas: those of the optimizer's config, which hold after the warm-up.
            update: number of generator updates made so far.
        """
        first, second = (
            self.interpolate(update, start, value, final)
            for start, value, final in zip(self.start, betas, self.final or betas, strict=True)
        )
        return first, second


def set_open_lengths(config: Any, updates: int) -> None:
    """Set the length of all schedules in a config that leave it open.

    The length becomes a part of the run's config, so that a run that is resumed with more updates
    keeps its course.

    Args:
        config: a dataclass, nested configs included.
        updates: generator updates of the run.
    """
    for schedule in _schedules(config):
        if schedule.kind != "constant" and schedule.updates is None:
            schedule.updates = updates


def _schedules(config: Any) -> Iterator[BaseSchedule]:
    for value in (getattr(config, entry.name) for entry in fields(config)):
        if isinstance(value, BaseSchedule):
            yield value
        elif is_dataclass(value):
            yield from _schedules(value)


def _mix(first: float, second: float, share: float) -> float:
    """Return a weighted mean, exactly `first` for share 0 and `second` for share 1."""
    return first * (1 - share) + second * share
