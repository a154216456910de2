"""Local sweeps: the trials run one after another in this process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_lightning.config.load import load_config
from gan_lightning.errors import Diverged, UserError, nearest_first
from gan_lightning.sweeps.search import search
from gan_lightning.sweeps.space import Sweep, Values, to_overrides
from gan_lightning.sweeps.trials import Trial
from gan_lightning.verification.runs import RunInterrupted, reuse_or_train

__all__ = ["LocalSweep"]


@dataclass(frozen=True)
class LocalSweep:
    """A sweep on this machine; finished runs are reused, interrupted runs resumed.

    Attributes:
        sweep: the space, the metric and its goal.
        source: content of the experiment's YAML file.
        overrides: `key=value` that all runs share.
        experiment: name of the experiment; its runs are in RUNS/EXPERIMENT.
        seed: seed of the search, and of every run unless the space has seeds.
        runs: folder of the sweep's runs.
        echo: prints a line for the user.
    """

    sweep: Sweep
    source: dict[str, Any]
    overrides: Sequence[str]
    experiment: str
    seed: int
    runs: Path
    echo: Callable[[str], None]

    def run(self) -> tuple[list[Trial], int]:
        """Run all trials; a run that fails is a failed trial, and the sweep continues.

        Returns:
            The trials, and the number of the signal that ended the sweep early, or 0.
        """
        trials: list[Trial] = []

        def evaluate(values: Values) -> float | None:
            number = f"{len(trials) + 1}/{self.sweep.total}"
            self.echo(f"{number}  {' '.join(to_overrides(values))}")
            trials.append(self._trial(values))
            return trials[-1].metric

        try:
            search(self.sweep, self.seed, evaluate)
        except RunInterrupted as interruption:
            return trials, interruption.signal
        except KeyboardInterrupt as interruption:
            return trials, interruption.args[0] if interruption.args else signal.SIGINT
        return trials, 0

    def _trial(self, values: Values) -> Trial:
        try:
            overrides = [f"seed={self.seed}", *self.overrides, *to_overrides(values)]
            config = load_config(self.source, overrides)
            run = reuse_or_train(config, self.experiment, self.runs, self.echo)
        except Diverged as error:
            return self._failed(values, f"diverged at {error}")
        except UserError as error:
            return self._failed(values, str(error))
        if self.sweep.metric not in run.measures:  # it may be undefined for a bad generator
            available = nearest_first(self.sweep.metric, run.measures)
            return self._failed(
                values, f"{run.run} has no {self.sweep.metric}; it measures {available}"
            )
        return Trial(values, run.measures[self.sweep.metric], run.run)

    def _failed(self, values: Values, reason: str) -> Trial:
        self.echo(f"failed: {reason}")
        return Trial(values, None, f"failed: {reason.partition(';')[0]}")
