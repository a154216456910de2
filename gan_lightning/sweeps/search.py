"""Choice of hyperparameters for local sweeps, by Optuna."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any

from gan_lightning.sweeps.space import Parameter, Sweep, Values

if TYPE_CHECKING:
    import optuna

__all__ = ["search"]

ATTEMPTS = 100
"""Draws per trial, after which a sweep ends: a small space may have no values left to try."""


def search(sweep: Sweep, seed: int, evaluate: Callable[[Values], float | None]) -> None:
    """Evaluate values of the space until `sweep.total` trials are done.

    A grid is evaluated in order; `random` draws values independently; `bayes` draws them by
    Optuna's tree-structured Parzen estimator, given the trials so far. No values are evaluated
    twice. The same seed and the same metrics give the same values, so that a sweep that was
    interrupted continues by being repeated with the results of its finished runs.

    Args:
        sweep: the space, the metric and its goal.
        seed: seed of the sampler.
        evaluate: trains with the given values and returns the metric; None for a failed trial.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it logs every trial
    study = optuna.create_study(direction=sweep.direction, sampler=_sampler(sweep, seed))
    if sweep.method == "grid":
        grid = itertools.product(*(parameter.choices for parameter in sweep.space))
        for point in itertools.islice(grid, sweep.total):
            study.enqueue_trial(dict(zip(sweep.keys, point, strict=True)))
    metrics: dict[str, float | None] = {}

    def objective(trial: optuna.Trial) -> float:
        values = {parameter.key: _suggest(trial, parameter) for parameter in sweep.space}
        point = json.dumps(values)
        if point not in metrics:
            metrics[point] = evaluate(values)
        metric = metrics[point]
        if metric is None or not isfinite(metric):
            raise optuna.TrialPruned  # ranked below all others by the estimator
        return metric

    for _ in range(ATTEMPTS * sweep.total):
        if len(metrics) == sweep.total:
            return
        study.optimize(objective, n_trials=1)


def _sampler(sweep: Sweep, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    if sweep.method == "bayes":
        # the default of 10 random trials would leave short sweeps without an informed one
        startup = min(10, max(1, sweep.total // 4))
        return optuna.samplers.TPESampler(n_startup_trials=startup, seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    """Let Optuna choose a value; a number from a range is rounded to four significant digits."""
    if parameter.values:
        return json.loads(trial.suggest_categorical(parameter.key, parameter.choices))
    low, high = parameter.low, parameter.high
    if parameter.is_integer:
        return trial.suggest_int(parameter.key, int(low), int(high), log=parameter.log)
    value = trial.suggest_float(parameter.key, low, high, log=parameter.log)
    return min(max(float(f"{value:.4g}"), low), high)
