"""The `sweep:` block of an experiment: a metric, and the values that are to be tried."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lightning.config.load import load_config
from gan_lightning.dashboard.panels import all_panels
from gan_lightning.errors import UserError, check_choice, nearest_first

__all__ = ["Parameter", "Sweep", "Values", "candidates", "read_sweep", "words"]

Values = dict[str, Any]
"""From a config's key to what it is in one run."""

GOALS = ("maximise", "minimise")
METHODS = ("grid", "random", "bayes")
KEYS = ("metric", "goal", "method", "count", "space")
PARAMETER_KEYS = ("values", "min", "max", "log")
EXAMPLE = "{values: [0.5, 1]} or {min: 1e-4, max: 1e-2, log: true}"
DRAWS = 10


@dataclass(frozen=True)
class Parameter:
    """A key of the config and what it may be: one of several values, or a number of a range.

    Args:
        key: with dots, as model.information_weight.
        values: to choose from; empty for a range.
        low: end of the range.
        high: its other end, above `low`.
        log: whether the logarithm is uniform, not the number.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether a range is of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def extremes(self) -> tuple[Any, ...]:
        """List the values that must be valid for all to be."""
        return self.values or (self.low, self.high)

    def draw(self, source: random.Random) -> Any:
        """Draw a value; a number of a range has four digits."""
        if self.values:
            return source.choice(self.values)
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        number = source.uniform(low, high)
        number = math.exp(number) if self.log else number
        number = round(number) if self.whole else float(f"{number:.4g}")
        return min(max(number, self.low), self.high)


@dataclass(frozen=True)
class Sweep:
    """What is searched.

    Args:
        metric: a measure of finished runs.
        goal: maximise or minimise.
        method: grid tries all, random draws, bayes (W&B's) draws by what came out so far.
        count: runs, at most; None for all of a grid.
        space: what is tried.
    """

    metric: str
    goal: str
    method: str
    count: int | None
    space: tuple[Parameter, ...]

    @property
    def keys(self) -> list[str]:
        """Keys that differ between runs."""
        return [parameter.key for parameter in self.space]


def read_sweep(source: dict[str, Any], overrides: Sequence[str], count: int | None) -> Sweep:
    """Read and check the block; every key and value is held against the config before any run.

    Args:
        source: an experiment's YAML, the block among it.
        overrides: `key=value` that all runs share.
        count: of runs; None for what the block says.

    Raises:
        UserError: there is no block, or it names what is not there; the message names what is.
    """
    load_config(source, overrides)
    block = source.get("sweep")
    if not isinstance(block, dict):
        raise UserError(
            "the experiment has no `sweep:` block; write one, as sweep: {metric: fd_digits, goal: "
            f"minimise, method: random, space: {{model.latent_size: {EXAMPLE}}}}}"
        )
    _check_keys("sweep", block, KEYS)
    space = block.get("space")
    if not isinstance(space, dict) or not space:
        raise UserError(f"sweep.space is {space!r}; it must be `key: {EXAMPLE}` pairs")
    method = block.get("method", "random")
    parameters = tuple(_parameter(str(key), given, method) for key, given in space.items())
    count = block.get("count") if count is None else count
    if count is None and method != "grid":
        count = DRAWS
    if count is not None and (not isinstance(count, int) or count < 1):
        raise UserError(f"sweep.count is {count!r}; it must be a whole number, at least 1")
    sweep = Sweep(str(block.get("metric", "")), block.get("goal", ""), method, count, parameters)
    _check_words(sweep, [claim["metric"] for claim in source.get("claims") or []])
    _check_values(sweep, source, overrides)
    return sweep


def candidates(sweep: Sweep, seed: int) -> Iterator[Values]:
    """Yield the values of each run: a grid in order, else draws, which are the same for a seed."""
    if sweep.method == "grid":
        grid = itertools.product(*(parameter.values for parameter in sweep.space))
        for chosen in itertools.islice(grid, sweep.count):
            yield dict(zip(sweep.keys, chosen, strict=True))
        return
    source, seen = random.Random(seed), set()
    for _ in range(100 * (sweep.count or DRAWS)):  # a small space may have fewer than are asked
        values = {parameter.key: parameter.draw(source) for parameter in sweep.space}
        if (said := json.dumps(values)) not in seen:
            seen.add(said)
            yield values
        if len(seen) == sweep.count:
            return


def words(values: Values) -> list[str]:
    """Write values as `key=value`, as a command line has them."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def _parameter(key: str, given: Any, method: Any) -> Parameter:
    where = f"sweep.space: {key}"
    if not isinstance(given, dict):
        raise UserError(f"{where} is {given!r}; write {EXAMPLE}")
    _check_keys(where, given, PARAMETER_KEYS)
    if "values" in given:
        if len(given) > 1 or not isinstance(given["values"], list) or not given["values"]:
            raise UserError(f"{where} is {given!r}; write {EXAMPLE}")
        return Parameter(key, tuple(given["values"]))
    log, ends = given.get("log", False), [given.get("min"), given.get("max")]
    low, high = (e if isinstance(e, int | float) and math.isfinite(e) else math.nan for e in ends)
    if not isinstance(log, bool) or not low < high or (log and low <= 0):
        raise UserError(
            f"{where} is {given!r}; min must be below max, and above 0 where log is true"
        )
    if method == "grid":
        raise UserError(f"{where} is a range, of which method grid has no list; give it values")
    return Parameter(key, low=low, high=high, log=log)


def _check_keys(where: str, given: dict[str, Any], valid: Sequence[str]) -> None:
    for key in given:
        if key not in valid:
            raise UserError(
                f"key {key!r} in {where} is unknown; valid are {nearest_first(str(key), valid)}"
            )


def _check_words(sweep: Sweep, claimed: Sequence[str]) -> None:
    try:
        check_choice("sweep.goal", sweep.goal, GOALS)
        check_choice("sweep.method", sweep.method, METHODS)
    except ValueError as error:
        raise UserError(str(error)) from error
    measured = [panel for panel in all_panels() if not panel.shows("loss/generator/adversarial")]
    if not any(panel.shows(sweep.metric) for panel in measured):
        known = {*claimed, *(key for panel in measured for key in panel.keys)}
        raise UserError(
            f"sweep.metric is {sweep.metric!r}, which no run measures; measures are "
            f"{nearest_first(sweep.metric, known)} and others that `evaluate` prints"
        )


def _check_values(sweep: Sweep, source: dict[str, Any], overrides: Sequence[str]) -> None:
    for override in overrides:
        if (key := override.partition("=")[0]) in sweep.keys:
            raise UserError(f"{override} is of the sweep's space; take {key} out of the one")
    for parameter in sweep.space:
        for value in parameter.extremes():
            try:
                load_config(source, [*overrides, *words({parameter.key: value})])
            except UserError as error:
                raise UserError(f"sweep.space: {error}") from error
