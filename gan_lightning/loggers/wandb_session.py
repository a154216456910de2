"""A run at Weights & Biases that goes on where its client, its process or its server fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gan_lightning.errors import warn
from gan_lightning.loggers.sent_rows import SentRows
from gan_lightning.loggers.wandb_files import last_step
from gan_lightning.loggers.wandb_service import end_service, keep_files_in, service_has_ended
from gan_lightning.runs.directory import UPDATES_KEY
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.utils.commands import command_line

__all__ = ["WandbSession"]

METRICS_FILE = "metrics.csv"

MAX_ERRORS = 10
"""Failed calls after which a run is no longer logged to W&B."""

CLIENT_ERRORS = (Exception, SystemExit)
"""W&B's errors have no common class, and its client exits where its process was killed."""

NO_ANSWER = "the server does not answer"


class WandbSession:
    """Make the calls of a run to W&B's client; after a failure a new, offline session goes on.

    One thread starts it and makes all calls.

    Args:
        folder: the run directory, in which W&B's files are written, too.
        settings: arguments of `wandb.init`.

    Attributes:
        rows: values by update that this process has logged, which a new session sends if W&B lacks
            them.
        timed_out: whether the time to wait for the server is over; another thread sets it.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.rows: dict[int, dict[str, float]] = {}
        self.timed_out = False
        self._folder, self._settings = folder, settings
        self._sent = SentRows(folder.resolve())
        self._run: Any = None
        self._url = ""
        self._refused = ""  # why the server did not accept the run
        self._failed = ""  # why W&B cannot log at all
        self._lost = ""  # why an accepted run goes on offline
        self._errors = 0
        self._row_failed = False

    @property
    def is_offline(self) -> bool:
        """Whether nothing is sent to a server."""
        return bool(self._settings["mode"] == "offline")

    def start(self) -> None:
        """Start the run, offline where W&B fails online."""
        self._run = self._start_run()

    def make(self, call: Callable[[Any], object]) -> None:
        """Make a call with the client's run; no error of W&B is raised."""
        if self._run is None:
            return
        try:
            call(self._run)
        except CLIENT_ERRORS as error:
            self._run = self._recover(self._run, call, error)

    def log(self, run: Any, row: Mapping[str, Any], updates: int | None) -> None:
        """Send a row, unless the run sent it before it was killed."""
        updates = updates or 0
        if not self._sent.contains(updates, row):
            run.log({**row, UPDATES_KEY: updates}, step=self._sent.next_step)
            self._sent.record(updates, row)

    def _start_run(self) -> Any:
        """Start a session of the run, offline where W&B fails online; None if that fails, too.

        It is tried twice offline, since a process that is killed as it starts says nothing about
        the next one.
        """
        modes = ["offline", "offline"] if self.is_offline else ["online", "offline", "offline"]
        reason = ""
        for mode in modes:
            self._settings["mode"] = mode
            try:
                return self._init_run()
            except CLIENT_ERRORS as error:
                reason = _one_line(error)
            if mode == "online":
                self._refused = self._refused or reason
            end_service()
        self._failed = reason
        warn(f"W&B failed ({reason}); {METRICS_FILE} has all figures")
        return None

    def _recover(self, run: Any, call: Callable[[Any], object], error: BaseException) -> Any:
        """Continue after a failed call: offline in a new session, or without this call."""
        self._errors += 1
        reason = NO_ANSWER if self.timed_out else _one_line(error)
        if not self.is_offline or service_has_ended():
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
            self._failed = reason
            return None
        return run

    def _init_run(self) -> Any:
        keep_files_in(self._folder / "wandb")
        import wandb

        run = wandb.init(**self._settings)
        if not self.is_offline:
            self._url = run.url or ""
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
        if not self.is_offline:
            return int(run.starting_step) - 1
        last = last_step(log_file)
        return None if last is None else max(last, self._sent.first_step - 1)

    def _send_missing(self, run: Any) -> None:
        """Send the values that metrics.csv, or this session, has and W&B has not."""
        rows = read_metrics(self._folder / METRICS_FILE)
        for updates, row in [*rows.items(), *self.rows.items()]:
            names = [name for name in [*row] if not self._sent.contains(updates, [name])]
            if missing := {name: row[name] for name in names}:
                self.log(run, missing, updates)

    def location_message(self) -> str:
        """Return one line that says where the logged data are."""
        files = self._folder / "wandb"
        sync = command_line("wandb", "sync", files)
        if self._failed:
            return f"failed ({self._failed}); {METRICS_FILE} in the run directory has all figures"
        sync_all = command_line("wandb", "sync", "--include-online", files)
        if self.timed_out and not self._lost:
            return f"{NO_ANSWER}; upload the run by `{sync_all}/*run-*`"
        if not self.is_offline:
            if not self._url:
                return "the server did not answer"
            return f"logged at {self._url}; a copy is in {files}"
        if self._lost:
            lost = f"W&B failed ({self._lost}); logged offline from then on"
            return f"{lost}; upload the run by `{sync_all}/*run-*`"
        reason = f"W&B refused the run ({self._refused}); " if self._refused else ""
        return f"{reason}logged offline; upload the run by `{sync}/offline-run-*`"


def _one_line(error: BaseException) -> str:
    """Return the first line of an error, or its type where it has no text."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
