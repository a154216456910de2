"""Logger of losses, metrics, pictures and tables to Weights & Biases."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.config.schema import LogConfig
from gan_lightning.loggers.sent_rows import SentRows
from gan_lightning.results.claims import ClaimRow
from gan_lightning.runs.directory import UPDATES_KEY

__all__ = ["WandbRun"]

Array = np.ndarray[Any, np.dtype[np.uint8]]

FINISH_TIMEOUT = 60.0
"""Seconds that a finished run waits for the server to take its data."""


class WandbRun(Logger):
    """Log to a Weights & Biases run whose x-axis is the generator update.

    A thread makes all calls to the client, in order, so that training does not wait for its import,
    for the server, or for the encoding of pictures.

    Args:
        config: project, entity and tags of the run.
        mode: `online`, `offline` or another value of WANDB_MODE.
        experiment: name of the experiment, by which W&B groups the runs.
        folder: the run directory, in which W&B's files are written, too.
        run_id: id of the run at W&B, by which a resumed run is found.

    Attributes:
        init_error: why the server did not accept the run; empty if it did.
        url: address of the run's page; empty offline.
    """

    def __init__(
        self, config: LogConfig, mode: str, experiment: str, folder: Path, run_id: str
    ) -> None:
        super().__init__()
        self.init_error = ""
        self.url = ""
        self._folder = folder
        self._sent = SentRows(folder / "wandb_sent.json")
        self._settings: dict[str, Any] = {
            "name": f"{experiment}/{folder.name}",
            "id": run_id,
            "dir": folder,
            "project": config.project,
            "entity": config.entity,
            "group": experiment,
            "tags": list(config.tags),
            "mode": mode,
            "resume": "allow",
            "settings": {"x_save_requirements": False, "silent": True, "init_timeout": 30},
        }
        self._calls: SimpleQueue[Callable[[Any], object] | None] = SimpleQueue()
        self._thread = Thread(target=self._process_calls, name="wandb", daemon=True)
        self._error: BaseException | None = None
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
        self._thread.start()

    def _process_calls(self) -> None:
        try:
            run = self._init_run()
            while (call := self._calls.get()) is not None:
                call(run)
        except BaseException as error:
            self._error = error

    def _init_run(self) -> Any:
        import wandb

        try:
            run = wandb.init(**self._settings)
        except wandb.errors.Error as error:
            self.init_error = str(error).splitlines()[0]
            wandb.teardown()
            self._settings["mode"] = "offline"
            run = wandb.init(**self._settings)
        if self._settings["mode"] != "offline":
            self.url = run.url or ""
        run.define_metric(UPDATES_KEY)
        run.define_metric("*", step_metric=UPDATES_KEY)
        return run

    def _call(self, call: Callable[[Any], object]) -> None:
        """Queue a call for the thread; raise the error of an earlier call, if there was one."""
        if self._error is not None:
            raise self._error
        self._calls.put(call)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Do nothing: the run was started with its config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values at generator update `step`."""
        row = dict(metrics)
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
            rows: claims of the experiment, evaluated on this run alone.
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
        if self._timed_out:
            return f"the server does not answer; upload the run by `wandb sync {files}/run-*`"
        if self._settings["mode"] != "offline":
            if not self.url:
                return "the server did not answer"
            return f"logged at {self.url}; a copy is in {files}"
        reason = f"W&B refused the run ({self.init_error}); " if self.init_error else ""
        return f"{reason}logged offline; upload the run by `wandb sync {files}/offline-run-*`"

    @rank_zero_only
    def finish(self, failed: bool, timeout: float = FINISH_TIMEOUT) -> None:
        """Finish the run, so that this process can start another one.

        Args:
            failed: whether the run failed.
            timeout: seconds to wait for the server to take all data. Data that it has not taken by
                then are in the run directory only.
        """
        self._calls.put(lambda run: run.finish(exit_code=int(failed)))
        self._calls.put(None)
        self._thread.join(timeout)
        self._timed_out = self._thread.is_alive()
        if self._error is not None and not failed:
            raise self._error
