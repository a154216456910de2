"""Logger of losses, metrics, pictures and tables to Weights & Biases."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.config.schema import DEFAULT_PROJECT, LogConfig
from gan_lightning.config.wandb_mode import server_url
from gan_lightning.errors import warn
from gan_lightning.loggers.sent_rows import SentRows
from gan_lightning.loggers.wandb_files import last_step
from gan_lightning.loggers.wandb_service import (
    end_service,
    keep_files_in,
    kill_service,
    service_has_ended,
)
from gan_lightning.results.claims import ClaimRow
from gan_lightning.runs.directory import UPDATES_KEY
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.utils.commands import command_line

__all__ = ["WandbRun"]

Array = np.ndarray[Any, np.dtype[np.uint8]]

METRICS_FILE = "metrics.csv"

MAX_ERRORS = 10
"""Failed calls after which a run is no longer logged to W&B."""

SILENT_WAIT = 3.0
"""Seconds after which a finished run says what it waits for."""

CLIENT_ERRORS = (Exception, SystemExit)
"""W&B's errors have no common class, and its client exits where its process was killed."""

FINISH_TIMEOUT = 60.0
"""Seconds that a finished run waits for the server to take its data."""

OFFLINE_TIMEOUT = 15.0
"""Seconds that a run waits until the data that the server has not taken are in a file."""

NO_ANSWER = "the server does not answer"


class WandbRun(Logger):
    """Log to a Weights & Biases run whose x-axis is the generator update.

    A thread makes all calls to the client, in order, so that training does not wait for its import,
    for the server, or for the encoding of pictures.

    Args:
        config: project, entity, names and tags of the run.
        mode: `online`, `offline` or another value of WANDB_MODE.
        experiment: name of the experiment, by which W&B groups the runs.
        folder: the run directory, in which W&B's files are written, too.
        run_id: id of the run at W&B, by which a resumed run is found.

    Attributes:
        init_error: why the server did not accept the run; empty if it did.
        failure: why W&B could not log at all; empty if it could.
        url: address of the run's page; empty offline.
    """

    def __init__(
        self, config: LogConfig, mode: str, experiment: str, folder: Path, run_id: str
    ) -> None:
        super().__init__()
        self.init_error = ""
        self.failure = ""
        self.url = ""
        self._experiment, self._folder = experiment, folder
        self._sent = SentRows(folder.resolve())
        self._settings: dict[str, Any] = {
            "name": config.name,
            "id": run_id,
            "dir": folder,
            "project": config.project or DEFAULT_PROJECT,
            "entity": config.entity,
            "group": config.group or experiment,
            "job_type": config.job_type,
            "notes": config.notes,
            "tags": list(config.tags),
            "mode": mode,
            "resume": "allow",
            "settings": {"x_save_requirements": False, "silent": True, "init_timeout": 30},
        }
        self._calls: SimpleQueue[Callable[[Any], object] | None] = SimpleQueue()
        self._thread = Thread(target=self._process_calls, name="wandb", daemon=True)
        self._rows: dict[int, dict[str, float]] = {}
        self._errors = 0
        self._lost = ""
        self._row_failed = False
        self._timed_out = False
        self._alerts: list[tuple[int, str, str]] = []

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """Id of the run."""
        return str(self._settings["id"])

    @rank_zero_only
    def start(self, config: Mapping[str, Any]) -> None:
        """Start the run; it continues offline if the server refuses it or does not answer.

        Args:
            config: resolved config of the run, as plain values.
        """
        self._settings["config"] = dict(config)
        if self._settings["name"] is None:
            name = f"{self._experiment}/{self._folder.name}"
            self._settings["name"] = f"{name} seed {config['seed']}" if "seed" in config else name
        self._thread.start()

    def _process_calls(self) -> None:
        """Start the run and make the queued calls; no error of W&B reaches the training."""
        run = self._start_run()
        while (call := self._calls.get()) is not None:
            if run is None:
                continue
            try:
                call(run)
            except CLIENT_ERRORS as error:
                run = self._recover(run, call, error)

    def _start_run(self) -> Any:
        """Start a session of the run, offline where W&B fails online; None if that fails, too."""
        try:
            return self._init_run()
        except CLIENT_ERRORS as error:
            reason = _one_line(error)
        if self._settings["mode"] == "offline":
            self.failure = reason
            warn(f"W&B failed ({reason}); {METRICS_FILE} has all figures")
            return None
        self.init_error = self.init_error or reason
        self._settings["mode"] = "offline"
        end_service()
        return self._start_run()

    def _recover(self, run: Any, call: Callable[[Any], object], error: BaseException) -> Any:
        """Continue after a failed call: offline in a new session, or without this call."""
        self._errors += 1
        reason = NO_ANSWER if self._timed_out else _one_line(error)
        if self._settings["mode"] != "offline" or service_has_ended():
            if not self._lost:
                self._lost = reason
                warn(f"W&B failed ({reason}); the run is logged offline from here on")
            self._settings["mode"] = "offline"
            end_service()
            run = self._start_run()
            if run is not None:
                with suppress(*CLIENT_ERRORS):
                    call(run)
        elif not self._row_failed:
            self._row_failed = True
            warn(f"W&B cannot log a row ({reason}); {METRICS_FILE} has all figures")
        if self._errors > MAX_ERRORS:
            self.failure = reason
            return None
        return run

    def _init_run(self) -> Any:
        keep_files_in(self._folder / "wandb")
        import wandb

        run = wandb.init(**self._settings)
        if self._settings["mode"] != "offline":
            self.url = run.url or ""
        run.define_metric(UPDATES_KEY)
        run.define_metric("*", step_metric=UPDATES_KEY)
        self._sent.start_session(Path(run.settings.sync_file).resolve(), self._last_step(run))
        self._send_missing(run)
        return run

    def _last_step(self, run: Any) -> int | None:
        """Return the step of the last row that W&B has: at the server, or else in its latest file.

        The rows that a file has and the server has not, since it failed or the run was killed, are
        sent again online. None if there was no session, or offline if its file is gone: a user
        deletes it after a sync.
        """
        log_file = self._sent.log_file
        if log_file is None:
            return None
        if self._settings["mode"] != "offline":
            return int(run.starting_step) - 1
        last = last_step(log_file)
        return None if last is None else max(last, self._sent.first_step - 1)

    def _send_missing(self, run: Any) -> None:
        """Send the values that metrics.csv, or this session, has and W&B has not."""
        rows = read_metrics(self._folder / METRICS_FILE)
        for updates, row in [*rows.items(), *self._rows.items()]:
            names = [name for name in [*row] if not self._sent.contains(updates, [name])]
            if missing := {name: row[name] for name in names}:
                self._log(run, missing, updates)

    def _call(self, call: Callable[[Any], object]) -> None:
        """Queue a call for the thread."""
        self._calls.put(call)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Do nothing: the run was started with its config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values at generator update `step`."""
        row = dict(metrics)
        self._rows.setdefault(step or 0, {}).update(row)
        self._call(lambda run: self._log(run, row, step))

    @rank_zero_only
    def log_picture(self, name: str, picture: Array, caption: str, step: int) -> None:
        """Log a picture, uint8 (H, W, 3), at generator update `step`."""

        def log(run: Any) -> None:
            from wandb import Image

            self._log(run, {name: Image(picture, caption=caption)}, step)

        self._call(log)

    def _log(self, run: Any, row: Mapping[str, Any], updates: int | None) -> None:
        """Send a row, unless the run sent it before it was killed."""
        updates = updates or 0
        if not self._sent.contains(updates, row):
            run.log({**row, UPDATES_KEY: updates}, step=self._sent.next_step)
            self._sent.record(updates, row)

    @rank_zero_only
    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Log a table of text and numbers; a later table with the same name replaces it.

        Args:
            name: name of the table.
            columns: names of the columns.
            rows: rows, each with one value per column.
            step: generator update.
        """
        table = [list(row) for row in rows]

        def log(run: Any) -> None:
            from wandb import Table

            content = Table(columns=list(columns), data=table, allow_mixed_types=True)
            self._log(run, {name: content}, step)

        self._call(log)

    @rank_zero_only
    def log_claims(self, rows: Sequence[ClaimRow], step: int) -> None:
        """Log the table `claims`, with a row for each claim whose metric was measured.

        Args:
            rows: claims of the experiment, compared with this run alone.
            step: generator update.
        """
        columns = ("measure", "claim", "bound", "measured", "verdict", "paper", "source")
        table = [
            (
                row.measure,
                row.statement,
                row.bound,
                row.values[0],
                row.verdict.text,
                row.paper,
                row.source,
            )
            for row in rows
            if row.values
        ]
        if table:
            self.log_table("claims", columns, table, step)

    @rank_zero_only
    def alert(self, title: str, text: str, step: int) -> None:
        """Send an alert to the user of W&B and add it to the table `alerts`."""
        self._call(lambda run: run.alert(title=title, text=text, level="WARN"))
        self._alerts.append((step, title, text))
        self.log_table("alerts", ("updates", "alert", "what to try"), list(self._alerts), step)

    @rank_zero_only
    def write_summary(self, measures: Mapping[str, float]) -> None:
        """Write the final metrics into the summary of the run."""
        summary = dict(measures)
        self._call(lambda run: run.summary.update(summary))

    def location_message(self) -> str:
        """Return one line that says where the logged data are."""
        files = self._folder / "wandb"
        sync = command_line("wandb", "sync", files)
        if self.failure:
            return f"failed ({self.failure}); {METRICS_FILE} in the run directory has all figures"
        sync_all = command_line("wandb", "sync", "--include-online", files)
        if self._timed_out and not self._lost:
            return f"{NO_ANSWER}; upload the run by `{sync_all}/*run-*`"
        if self._settings["mode"] != "offline":
            if not self.url:
                return "the server did not answer"
            return f"logged at {self.url}; a copy is in {files}"
        if self._lost:
            lost = f"W&B failed ({self._lost}); logged offline from then on"
            return f"{lost}; upload the run by `{sync_all}/*run-*`"
        reason = f"W&B refused the run ({self.init_error}); " if self.init_error else ""
        return f"{reason}logged offline; upload the run by `{sync}/offline-run-*`"

    @rank_zero_only
    def finish(self, failed: bool, timeout: float = FINISH_TIMEOUT) -> None:
        """Finish the run, so that this process can start another one.

        Args:
            failed: whether the run failed.
            timeout: seconds to wait for the server to take all data. Data that it has not taken by
                then are in the run directory only, in the file of an offline session.
        """
        self._calls.put(lambda run: run.finish(exit_code=int(failed)))
        self._calls.put(None)
        self._thread.join(min(timeout, SILENT_WAIT))
        if self._thread.is_alive() and timeout > SILENT_WAIT:
            if self._settings["mode"] != "offline":
                warn(
                    f"waiting up to {timeout:.0f} s for the W&B server {server_url()}; Ctrl-C "
                    f"stops waiting, and the data stay in the run directory"
                )
            with suppress(KeyboardInterrupt):
                self._thread.join(timeout - SILENT_WAIT)
        if self._thread.is_alive():
            self._timed_out = True
            kill_service()  # the pending call fails, and the thread writes the rest offline
            with suppress(KeyboardInterrupt):
                self._thread.join(OFFLINE_TIMEOUT)
        if self._thread.is_alive():
            end_service()


def _one_line(error: BaseException) -> str:
    """Return the first line of an error, or its type where it has no text."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
