"""Verify all experiments: train missing seeds in child processes, and store each result at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.data.image_store import ImageStoreConfig
from gan_lightning.errors import UserError
from gan_lightning.results.aggregate import mean
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import Results, results_folder
from gan_lightning.runs.environment import git_revision
from gan_lightning.verification.child import Child, QueueOptions, start_child
from gan_lightning.verification.plan import Candidate, QueuedRun, next_run, plan
from gan_lightning.verification.verify import VerifyOptions, verify

__all__ = ["QueueOptions", "verify_all"]

SECONDS_BETWEEN_POLLS = 0.2


@dataclass
class Queue:
    """The runs that wait and that are trained."""

    options: QueueOptions
    echo: Callable[[str], None]
    waiting: list[QueuedRun]
    start: float = field(default_factory=time.monotonic)
    children: list[Child] = field(default_factory=list)
    failed: int = 0

    def run(self) -> int:
        """Train until the plan or the budget ends; return the exit code."""
        try:
            while self._fill() or self.children:
                for child in [c for c in self.children if c.process.poll() is not None]:
                    self.children.remove(child)
                    self._finish(child)
                time.sleep(SECONDS_BETWEEN_POLLS if self.children else 0)
        finally:
            self._stop_children()
        if self.waiting:
            self.echo(f"runs left for another time: {len(self.waiting)}; repeat the command")
        return int(self.failed > 0)

    def _fill(self) -> bool:
        """Start runs in the free places; return whether one was started."""
        elapsed = (time.monotonic() - self.start) / 60
        started = False
        while len(self.children) < self.options.jobs:
            run = next_run(self.waiting, elapsed, self.options.budget)
            if run is None:
                break
            self.waiting.remove(run)
            expected = "" if run.minutes is None else f", about {run.minutes:.1f} minutes"
            self.echo(f"{run.experiment}, seed {run.seed}: starts{expected}")
            self.children.append(start_child(run, self.options))
            started = True
        return started

    def _finish(self, child: Child) -> None:
        """Store the result of a finished run; leave out an experiment whose run failed."""
        run = child.run
        name = f"{run.experiment}, seed {run.seed}"
        try:
            if not child.has_results():
                raise UserError(child.last_line().removeprefix("gan-lightning: "))
            _store(run, self.options)
        except UserError as error:
            self.failed += 1
            self.waiting = [w for w in self.waiting if w.experiment != run.experiment]
            self.echo(f"{name}: failed, the experiment is left out: {error}")
        else:
            self.echo(f"{name}: stored")
        finally:
            child.close()

    def _stop_children(self) -> None:
        """Send SIGTERM to the children, which save a checkpoint, and wait for them."""
        for child in self.children:
            child.process.send_signal(signal.SIGTERM)
        for child in self.children:
            child.process.wait()
            child.close()


def verify_all(options: QueueOptions, echo: Callable[[str], None]) -> int:
    """Train the seeds that the experiments lack, the shortest runs first.

    Each run is trained by a process of its own; this process alone writes results, as soon as a
    seed is finished. After an interruption the same command continues: finished runs are found, and
    interrupted ones resumed.

    Args:
        options: budget, processes and folders.
        echo: prints a line for the user.

    Returns:
        Exit code: 0, or 1 where a run failed.

    Raises:
        UserError: the code differs from its commit, or stored results are damaged.
    """
    if not options.allow_dirty and (git_revision() or "").endswith("-dirty"):
        raise UserError(
            "runs of a changed tree decide no claim; commit the changes in gan_lightning, or add "
            "--allow-dirty"
        )
    candidates, left_out = _candidates(options)
    if left_out:
        echo(f"left out, data or devices are missing: {', '.join(left_out)}")
    if changed := [c.experiment for c in candidates if c.minutes is not None and not c.seeds]:
        echo(f"measured again, their config or code has changed: {', '.join(changed)}")
    queue = Queue(options, echo, plan(candidates))
    known = sum(run.minutes or 0.0 for run in queue.waiting)
    echo(f"{len(queue.waiting)} runs, about {known / 60:.1f} hours of training")
    return queue.run()


def _candidates(options: QueueOptions) -> tuple[list[Candidate], list[str]]:
    """Return the experiments with claims or compared by claims, and those that cannot run here."""
    stored = {results.name: results for results in read_known_results(_folder(options))}
    configs = {
        name: load_config(read_yaml(path), ["seed=0"]) for name, path in experiment_names().items()
    }
    claims = [claim for config in configs.values() for claim in config.claims]
    compared = {claim.above or claim.below for claim in claims}
    wanted = {name: c for name, c in configs.items() if c.claims or name in compared}
    left_out = [name for name, config in wanted.items() if not _can_run(config)]
    candidates = [
        _candidate(name, stored.get(name), options.allow_dirty)
        for name in wanted
        if name not in left_out
    ]
    return candidates, left_out


def _candidate(name: str, stored: Results | None, allow_dirty: bool) -> Candidate:
    """Describe what an experiment has; outdated results give its minutes only."""
    if stored is None:
        return Candidate(name)
    minutes = mean([run.minutes for run in stored.runs])
    if stored.is_outdated:
        return Candidate(name, minutes)
    counted = [run for run in stored.runs if allow_dirty or not run.is_dirty]
    return Candidate(name, minutes, tuple(run.seed for run in stored.runs), len(counted))


def _can_run(config: RunConfig) -> bool:
    """Tell whether this machine has the data, and a run needs one device."""
    if config.trainer.devices * config.trainer.nodes > 1:
        return False
    data = config.data
    if not isinstance(data, ImageStoreConfig):
        return True
    return data.folder.is_dir() or (data.root != "" and Path(data.root).exists())


def _folder(options: QueueOptions) -> Path:
    return options.output or results_folder()


def _store(run: QueuedRun, options: QueueOptions) -> None:
    """Write the results of a finished run, which `verify` finds in its run directory."""
    stored = [r for r in read_known_results(_folder(options)) if r.name == run.experiment]
    same = bool(stored) and not stored[0].is_outdated
    options_of_run = VerifyOptions(
        run.experiment, [run.seed], runs=options.runs, output=options.output, add=same
    )
    verify(options_of_run, lambda _: None)
