"""The `sweep:` block of an experiment: a metric, its goal, and the values to try."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from gan_lightning.config.load import load_config
from gan_lightning.config.merge import Content
from gan_lightning.config.schema import as_plain
from gan_lightning.dashboard.panels import all_panels
from gan_lightning.errors import UserError, check_choice, nearest_first
from gan_lightning.utils.yaml_text import Words

__all__ = ["Parameter", "Sweep", "Values", "read_sweep", "to_overrides"]

Values = dict[str, Any]
"""Config key -> value in one run."""

Direction = Literal["maximize", "minimize"]

GOALS: dict[str, Direction] = {"maximise": "maximize", "minimise": "minimize"}
"""Valid goals, and their names in Optuna and W&B."""

METHODS = ("grid", "random", "bayes")
KEYS = ("metric", "goal", "method", "count", "space")
PARAMETER_KEYS = ("values", "min", "max", "log")
EXAMPLE = "{values: [0.5, 1]} or {min: 1e-4, max: 1e-2, log: true}"
DEFAULT_COUNT = 10


@dataclass(frozen=True)
class Parameter:
    """A config key and its possible values: a list of choices, or a range of numbers.

    Attributes:
        key: key with dots, for example model.information_weight.
        values: choices; empty for a range.
        low: lower end of the range.
        high: upper end of the range, above `low`.
        log: whether the logarithm is uniform instead of the number.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether a range has whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def choices(self) -> list[str]:
        """The different choices as JSON, since a choice may be a list; empty for a range."""
        return list(dict.fromkeys(json.dumps(value) for value in self.values))

    @property
    def size(self) -> float:
        """Number of different values; infinite for a range of floating-point numbers."""
        if self.values:
            return len(self.choices)
        return self.high - self.low + 1 if self.is_integer else math.inf

    def extremes(self) -> tuple[Any, ...]:
        """Return the values whose validity implies that of all others."""
        return self.values or (self.low, self.high)


@dataclass(frozen=True)
class Sweep:
    """The content of a `sweep:` block.

    Attributes:
        metric: metric of finished runs.
        goal: maximise or minimise.
        method: grid, random, or bayes, which uses the metrics of the runs so far.
        count: largest number of runs; None for all of a grid.
        space: the searched parameters.
    """

    metric: str
    goal: str
    method: str
    count: int | None
    space: tuple[Parameter, ...]

    @property
    def keys(self) -> list[str]:
        """Keys of the searched parameters."""
        return [parameter.key for parameter in self.space]

    @property
    def direction(self) -> Direction:
        """The goal as Optuna and W&B spell it."""
        return GOALS[self.goal]

    @property
    def total(self) -> int:
        """Number of runs: the count, or the number of different values where that is smaller."""
        size = math.prod(parameter.size for parameter in self.space)
        return int(min(size, math.inf if self.count is None else self.count))


def read_sweep(source: dict[str, Any], overrides: Sequence[str], count: int | None) -> Sweep:
    """Read the `sweep:` block, and check each key and value against the config.

    Args:
        source: content of an experiment's YAML file.
        overrides: `key=value` that all runs share.
        count: largest number of runs; None for the block's.

    Raises:
        UserError: there is no block, or a key or value is invalid; the message names valid ones.
    """
    load_config(source, overrides)
    block = source.get("sweep")
    if not isinstance(block, dict):
        raise UserError(
            "the experiment has no `sweep:` block; write one, for example sweep: {metric: "
            "samples/duplicates, goal: minimise, method: random, space: {model."
            "generator_optimizer.learning_rate: {min: 1e-4, max: 1e-2, log: true}}}"
        )
    _check_keys("sweep", block, KEYS)
    space = block.get("space")
    if not isinstance(space, dict) or not space:
        raise UserError(f"sweep.space is {space!r}; it must be `key: {EXAMPLE}` pairs")
    method = block.get("method", "random")
    parameters = tuple(_parameter(str(key), content, method) for key, content in space.items())
    words = source.words if isinstance(source, Content) else Words()
    parameters = tuple(_as_written(parameter, words, source, overrides) for parameter in parameters)
    count = block.get("count") if count is None else count
    if count is None and method != "grid":
        count = DEFAULT_COUNT
    if count is not None and (not isinstance(count, int) or count < 1):
        raise UserError(f"sweep.count is {count!r}; it must be a whole number, at least 1")
    sweep = Sweep(str(block.get("metric", "")), block.get("goal", ""), method, count, parameters)
    _check_choices(sweep)
    _check_metric(sweep.metric, [claim["metric"] for claim in source.get("claims") or []])
    _check_values(sweep, source, overrides)
    return sweep


def _as_written(
    parameter: Parameter, words: Words, source: dict[str, Any], overrides: Sequence[str]
) -> Parameter:
    """Return a parameter whose values are the words of the file where its key is a text."""
    values = []
    for index, value in enumerate(parameter.values):
        text = words.text(("sweep", "space", parameter.key, "values", index), value)
        if text is not None:
            with suppress(UserError):  # reported when all values are checked
                config: Any = as_plain(load_config(source, [*overrides, f"{parameter.key}={text}"]))
                for name in parameter.key.split("."):
                    config = config[name]
                value = config if isinstance(config, str) else value
        values.append(value)
    return replace(parameter, values=tuple(values))


def to_overrides(values: Values) -> list[str]:
    """Write values as overrides `key=value` of a command line."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def _parameter(key: str, content: Any, method: Any) -> Parameter:
    where = f"sweep.space: {key}"
    if not isinstance(content, dict):
        raise UserError(f"{where} is {content!r}; write {EXAMPLE}")
    _check_keys(where, content, PARAMETER_KEYS)
    if "values" in content:
        values = content["values"]
        if len(content) > 1 or not isinstance(values, list) or not values:
            raise UserError(f"{where} is {content!r}; write {EXAMPLE}")
        return Parameter(key, tuple(values))
    log, low, high = content.get("log", False), _number(content, "min"), _number(content, "max")
    if not isinstance(log, bool) or not low < high or (log and low <= 0):
        raise UserError(
            f"{where} is {content!r}; min must be below max, and above 0 where log is true"
        )
    if method == "grid":
        raise UserError(f"{where} is a range, which method grid does not support; write values")
    return Parameter(key, low=low, high=high, log=log)


def _number(content: dict[str, Any], key: str) -> float:
    """Return a finite number; NaN, which no comparison accepts, for anything else."""
    value = content.get(key)
    return value if isinstance(value, int | float) and math.isfinite(value) else math.nan


def _check_keys(where: str, content: dict[str, Any], valid: Sequence[str]) -> None:
    for key in content:
        if key not in valid:
            raise UserError(
                f"key {key!r} in {where} is unknown; valid are {nearest_first(str(key), valid)}"
            )


def _check_choices(sweep: Sweep) -> None:
    try:
        check_choice("sweep.goal", sweep.goal, GOALS)
        check_choice("sweep.method", sweep.method, METHODS)
    except ValueError as error:
        raise UserError(str(error)) from error


def _check_metric(metric: str, claimed: Sequence[str]) -> None:
    """Check that runs can measure a metric: that a panel other than those of losses shows it."""
    panels = [panel for panel in all_panels() if not panel.shows("loss/generator/adversarial")]
    if not any(panel.shows(metric) for panel in panels):
        known = {*claimed, *(key for panel in panels for key in panel.keys)}
        raise UserError(
            f"sweep.metric is {metric!r}, which no run measures; metrics are "
            f"{nearest_first(metric, known)} and others that `gan-lightning evaluate` prints"
        )


def _check_values(sweep: Sweep, source: dict[str, Any], overrides: Sequence[str]) -> None:
    for override in overrides:
        if (key := override.partition("=")[0]) in sweep.keys:
            raise UserError(
                f"{override} sets a key of sweep.space; remove the override, or {key} from the "
                f"block"
            )
    for parameter in sweep.space:
        for value in parameter.extremes():
            try:
                load_config(source, [*overrides, *to_overrides({parameter.key: value})])
            except UserError as error:
                raise UserError(f"sweep.space: {error}") from error
