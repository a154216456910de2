"""A training outlives W&B's real client, its server and its folders, and no figure is lost."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import tiny_overrides
from process_pool import ForkedProcess
from pytorch_lightning import Callback, Trainer
from test_wandb_resume import logged_values
from wandb_offline import read_offline_run
from wandb_server import WandbServer, wandb_environment
from wandb_service_processes import service_processes

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.cli.main import main
from gan_lightning.loggers import WandbRun
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.training import train as training

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

FINISH_TIMEOUT = 4.0
"""Instead of a minute, so that the tests need not wait."""

PAUSE = 120.0
"""Longest seconds of a pause."""

BOUND = 90.0
"""Seconds after which a training counts as waiting for W&B, less than the server's delay."""


class PauseAt(Callback):
    """Wait at some updates until the test has broken something; send an alert at some of them."""

    def __init__(self, updates: Sequence[int], alerts: Sequence[int] = ()) -> None:
        self.updates, self.alerts = updates, alerts

    def on_train_batch_end(self, trainer: Trainer, model: Any, *_: Any) -> None:
        if model.updates in self.updates:
            Path(f"reached_{model.updates}").touch()
            end = time.monotonic() + PAUSE  # after a failed test nothing may be left behind
            while not Path(f"continue_{model.updates}").exists() and time.monotonic() < end:
                time.sleep(0.02)
        if model.updates in self.alerts:
            (logger,) = (each for each in trainer.loggers if isinstance(each, WandbRun))
            logger.alert("title", f"update {model.updates}", model.updates)


def main_with_exit_functions(words: Sequence[str]) -> None:
    """Run a command, and what W&B's client does at the end of a process."""
    atexit._clear()
    vars(training)["FINISH_TIMEOUT"] = FINISH_TIMEOUT
    try:
        main(words)
    finally:
        atexit._run_exitfuncs()


class Training:
    """A tiny training in a forked process that stops at some updates.

    Args:
        folder: the working directory, in which the run directory is `run`.
        environment: environment variables of the process.
        words: of the command line.
    """

    def __init__(self, folder: Path, environment: dict[str, str], *words: str) -> None:
        self.folder, self.run = folder, folder / "run"
        words = ("train", "gan_ring", *words)
        self.process = ForkedProcess.start(
            main_with_exit_functions, words, cwd=folder, env=environment
        )

    def wait_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PAUSE
        while not condition():
            assert self.process.process.is_alive(), self.process.err
            assert time.monotonic() < end, self.process.err
            time.sleep(0.05)

    def pause(self, update: int, condition: Callable[[], object] = lambda: True) -> None:
        """Wait until the training waits at an update, and a condition holds."""
        self.wait_until(lambda: (self.folder / f"reached_{update}").exists() and condition())

    def resume(self, update: int) -> None:
        (self.folder / f"continue_{update}").touch()

    def services(self) -> list[int]:
        """Return the numbers of the processes `wandb-core` that belong to the training."""
        return service_processes(self.process.process.pid)

    def kill_service(self) -> None:
        (service,) = self.services()
        os.kill(service, signal.SIGKILL)

    def sent(self) -> int:
        """Return the number of rows that the client has got."""
        journal = self.run / "wandb_sent.jsonl"
        return journal.read_text().count("updates") if journal.exists() else 0

    def assert_ends_well(self, lines: str | tuple[str, ...], update: int) -> None:
        """Check exit code, one of the lines, last checkpoint, and that W&B has no process."""
        try:
            assert self.process.wait(BOUND) == 0, self.process.err
            assert not self.services()
        finally:
            for service in self.services():
                os.kill(service, signal.SIGKILL)
        output = self.process.out + self.process.err
        assert "Traceback" not in output
        lines = (lines,) if isinstance(lines, str) else lines
        assert sum(map(output.count, lines)) == 1, output
        ours = [text for text in self.process.err.splitlines() if "gan-lightning: W&B" in text]
        assert len(ours) <= 1
        assert list_checkpoints(self.run / "checkpoints")[-1].stem == f"update_{update:07d}"

    def figures(self) -> set[tuple[int, str]]:
        rows = read_metrics(self.run / "metrics.csv")
        return {(updates, name) for updates, row in rows.items() for name in row}

    def assert_figures_once(self, histories: Sequence[list[dict[str, Any]]]) -> None:
        sent = Counter(value for history in histories for value in logged_values(history))
        assert self.figures() <= {*sent}, self.figures() - {*sent}
        assert {*sent.values()} == {1}

    def files(self) -> list[list[dict[str, Any]]]:
        """Return the rows of each session's file."""
        folders = [path.parent for path in self.run.glob("wandb/*run-*/*.wandb")]
        return [read_offline_run(folder).history for folder in folders]


def new_run(pauses: str) -> list[str]:
    """Return the words of a run of 8 updates that pauses."""
    callback = f"callbacks=[{{class: 'test_wandb_outages:PauseAt', init: {{{pauses}}}}}]"
    words = [*tiny_overrides("gan_ring"), "trainer.max_updates=8", "log.every_n_updates=1"]
    return [*words, callback, "--output", "run"]


def test_a_killed_online_run_and_a_failing_server(tmp_path: Path) -> None:
    """SIGKILL, then a server that answers 500; the next resume sends what the server lacks."""
    with WandbServer() as server:
        environment = wandb_environment(tmp_path, server)
        killed = Training(tmp_path, environment, *new_run("updates: [4, 6]"))
        killed.pause(4, lambda: server.runs and server.history)
        services = killed.services()
        killed.process.process.kill()
        assert killed.process.wait() == -signal.SIGKILL
        for service in services:
            os.kill(service, signal.SIGKILL)
        (tmp_path / "continue_4").touch()

        failing = Training(tmp_path, environment, "--resume", "run")
        failing.pause(6, lambda: any(row.get("updates") == 4 for row in server.history))
        server.fail_with = 500
        failing.resume(6)
        # noticed in training, or at the end of one that is over before the client gives up
        noticed = (
            "(the server does not answer); logged offline",
            "does not answer; upload the run",
        )
        failing.assert_ends_well(noticed, 8)
        # a row of the killed run that the server has not is in two files
        sent = {value for history in failing.files() for value in logged_values(history)}
        assert failing.figures() <= sent

        server.fail_with = None
        healthy = Training(tmp_path, environment, "--resume", "run", "trainer.max_updates=10")
        healthy.assert_ends_well("logged at http://127.0.0.1", 10)
        healthy.assert_figures_once([server.history])


def test_a_killed_service_online_and_offline(tmp_path: Path) -> None:
    with WandbServer() as server:
        environment = wandb_environment(tmp_path, server)
        run = Training(tmp_path, environment, *new_run("updates: [4, 6]"))
        run.pause(4, lambda: run.sent() >= 3)
        run.kill_service()
        run.resume(4)
        run.pause(6, lambda: run.sent() >= 5 and [*run.run.glob("wandb/offline-run-*")])
        run.kill_service()
        run.resume(6)
        # the reason is a lost or a reset connection, as the system closes the socket
        run.assert_ends_well("the run is logged offline from here on", 8)
        run.assert_figures_once(run.files())


def test_no_home_and_a_server_that_hangs_at_an_alert(tmp_path: Path) -> None:
    with WandbServer() as server:
        environment = wandb_environment(tmp_path, server)
        (tmp_path / "file").touch()
        environment["HOME"] = str(tmp_path / "file")
        for kind in ("CACHE", "CONFIG", "DATA"):
            del environment[f"WANDB_{kind}_DIR"]
        run = Training(tmp_path, environment, *new_run("updates: [6], alerts: [4, 6]"))
        table = "alerts.table.json"
        run.pause(6, lambda: server.alerts and any(name.endswith(table) for name in server.files))
        server.delay = 120
        run.resume(6)
        run.assert_ends_well("the run is logged offline from here on", 8)
        assert server.alerts == [("title", "update 4")]
        run.assert_figures_once(run.files())


def test_a_server_that_answers_nothing(tmp_path: Path) -> None:
    with WandbServer() as server:
        server.empty_after = "UpsertBucket"
        environment = wandb_environment(tmp_path, server)
        run = Training(tmp_path, environment, *new_run("updates: [], alerts: [4]"))
        run.assert_ends_well("the run is logged offline from here on", 8)
        run.assert_figures_once(run.files())
