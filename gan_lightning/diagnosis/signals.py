"""What a run has logged, as a diagnosis reads it: losses and metrics over its updates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

__all__ = ["KNOWN_OBJECTIVES", "OBJECTIVES_OF_GANS", "UNDECIDED_LOSS", "Series", "Signals"]

UNDECIDED_LOSS = {
    "minimax": 2 * math.log(2),
    "non_saturating": 2 * math.log(2),
    "hinge": 2.0,
    "least_squares": 0.25,
    "relativistic": math.log(2),
}
"""Objective -> loss of a discriminator that cannot tell generated samples from real ones.

0 is the loss of one that separates them. Other objectives have no such scale.
"""

KNOWN_OBJECTIVES = (*UNDECIDED_LOSS, "wasserstein")

OBJECTIVES_OF_GANS = {"wgan": "wasserstein", "wgan_gp": "wasserstein"}
"""GAN -> objective, where its config has no key `objective`."""

DISTANCES = (
    "wasserstein/exact",
    "fd_digits",
    "fd_clothes",
    "fd_faces",
    "fid/",
    "fd/",
    "sliced_wasserstein",
    "translation/l1",
)
"""Metrics that fall when samples improve, the first one of a run first; `/` ends a prefix."""

REAL = "/real"
"""End of the name of a metric of real samples, beside that of generated ones."""


@dataclass(frozen=True)
class Series:
    """Values of one quantity over the updates of a run.

    Args:
        updates: strictly increasing.
        values: as many; none is NaN.
    """

    updates: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is a value."""
        return bool(self.values)

    def between(self, start: float, end: float) -> list[float]:
        """Return the values of updates in (start, end]."""
        pairs = zip(self.updates, self.values, strict=True)
        return [value for update, value in pairs if start < update <= end]


@dataclass(frozen=True)
class Signals:
    """What a run has logged.

    Args:
        rows: update -> values by name, as in metrics.csv.
        objective: name of the adversarial losses; None where it is unknown or an own one.
        diverged: whether the run was stopped because a loss or a weight was not finite.
        training_data: number of training data; None where it is unknown.
    """

    rows: Mapping[int, Mapping[str, float]]
    objective: str | None = None
    diverged: bool = False
    training_data: int | None = None
    _cache: dict[str, Series] = field(default_factory=dict, repr=False, compare=False)

    @property
    def end(self) -> int:
        """The last update with a value, 0 without any."""
        return max(self.rows, default=0)

    @cached_property
    def names(self) -> list[str]:
        """Names of everything that was logged, in the order of its first value."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    def series(self, name: str) -> Series:
        """Return the finite values of a name."""
        if name not in self._cache:
            pairs = [
                (update, row[name])
                for update, row in sorted(self.rows.items())
                if name in row and math.isfinite(row[name])
            ]
            self._cache[name] = Series(*zip(*pairs, strict=True)) if pairs else Series()
        return self._cache[name]

    def loss(self, player: str) -> Series:
        """Return the adversarial loss of a player, or the sum of its terms where none is named so.

        Args:
            player: `discriminator` or `generator`.
        """
        prefix = f"loss/{player}/"
        adversarial = self.series(f"{prefix}adversarial")
        terms = [self.series(name) for name in self.names if name.startswith(prefix)]
        if adversarial or not terms:
            return adversarial
        values = [dict(zip(term.updates, term.values, strict=True)) for term in terms]
        updates = tuple(each for each in terms[0].updates if all(each in term for term in values))
        return Series(updates, tuple(sum(term[each] for term in values) for each in updates))

    def first(self, names: Iterable[str]) -> tuple[str, Series]:
        """Return the name and the values of the first of several names that was logged.

        Args:
            names: names, or prefixes that end in `/`; metrics of real samples do not count.

        Returns:
            An empty name and no values where none was logged.
        """
        for wanted in names:
            for name in self.names:
                found = name == wanted or (wanted.endswith("/") and name.startswith(wanted))
                if found and not name.endswith(REAL) and self.series(name):
                    return name, self.series(name)
        return "", Series()

    def distance(self) -> tuple[str, Series]:
        """Return the name and the values of the distance of samples to data."""
        return self.first(DISTANCES)

    def real(self, name: str) -> float:
        """Return the metric of real samples beside one of generated ones; NaN without it."""
        series = self.series(name + REAL)
        return series.values[-1] if series else math.nan

    def share(self, measure: str) -> Series:
        """Return a share in [0, 1], such as `coverage`, over that of real samples if it is logged.

        Args:
            measure: the part before `/` of the names `measure/FEATURES`.
        """
        name, series = self.first([f"{measure}/"])
        ceiling = self.real(name)
        if not ceiling > 0:
            return series
        return Series(series.updates, tuple(min(1.0, value / ceiling) for value in series.values))

    @property
    def has_invalid_loss(self) -> bool:
        """Whether a logged loss is not finite."""
        return any(
            not math.isfinite(value)
            for row in self.rows.values()
            for name, value in row.items()
            if name.startswith("loss/")
        )
