"""A sweep without a server: its runs one after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gan_lightning.config.load import load_config
from gan_lightning.errors import Diverged, UserError, nearest_first
from gan_lightning.sweeps.space import Sweep, Values, candidates, words
from gan_lightning.sweeps.trials import Trial
from gan_lightning.verification.runs import Interrupted, seed_run

__all__ = ["run_here"]

Say = Callable[[str], None]


def run_here(
    sweep: Sweep,
    source: dict[str, Any],
    overrides: Sequence[str],
    experiment: str,
    seed: int,
    runs: Path,
    say: Say,
) -> tuple[list[Trial], int]:
    """Train every candidate; a finished run of the same config is taken as it is.

    A run that fails is a row of the table, and the next is tried.

    Args:
        sweep: what is searched.
        source: the experiment's YAML.
        overrides: `key=value` that all runs share.
        experiment: its name; runs are looked up and made in RUNS/EXPERIMENT.
        seed: of the draws, and of each run unless the space has seeds.
        runs: folder of the sweep's runs.
        say: takes each line for the user.

    Returns:
        What came out, and the number of the signal that ended it early, or 0.
    """
    tried: list[Trial] = []
    every = list(candidates(sweep, seed))
    for place, values in enumerate(every, 1):
        say(f"{place}/{len(every)}  {' '.join(words(values))}")
        try:
            tried.append(_trial(sweep, source, overrides, values, experiment, seed, runs, say))
        except Interrupted as stopped:
            return tried, stopped.signal
        except KeyboardInterrupt as stopped:
            return tried, stopped.args[0] if stopped.args else 2
    return tried, 0


def _trial(
    sweep: Sweep,
    source: dict[str, Any],
    overrides: Sequence[str],
    values: Values,
    experiment: str,
    seed: int,
    runs: Path,
    say: Say,
) -> Trial:
    try:
        config = load_config(source, [f"seed={seed}", *overrides, *words(values)])
        run = seed_run(config, experiment, runs, say)
    except Diverged as error:
        return _failed(values, f"diverged at {error}", say)
    except UserError as error:
        return _failed(values, str(error), say)
    if sweep.metric not in run.measures:  # which may be undefined for a bad run
        there = nearest_first(sweep.metric, run.measures)
        return _failed(values, f"no {sweep.metric} in {run.run}; it has {there}", say)
    return Trial(values, run.measures[sweep.metric], run.run)


def _failed(values: Values, why: str, say: Say) -> Trial:
    say(f"failed: {why}")
    return Trial(values, None, f"failed: {why.partition(';')[0]}")
