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
from gan_lightning.loggers.wandb_service import end_service, kill_service
from gan_lightning.loggers.wandb_session import WandbSession
from gan_lightning.results.claims import ClaimRow

__all__ = ["WandbRun"]

Array = np.ndarray[Any, np.dtype[np.uint8]]

SILENT_WAIT = 3.0
"""Seconds after which a finished run says what it waits for."""

FINISH_TIMEOUT = 60.0
"""Seconds that a finished run waits for the server to take its data."""

OFFLINE_TIMEOUT = 15.0
"""Seconds that a run waits until the data that the server has not taken are in a file."""


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
    """

    def __init__(
        self, config: LogConfig, mode: str, experiment: str, folder: Path, run_id: str
    ) -> None:
        super().__init__()
        self._experiment, self._folder = experiment, folder
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
        self._session = WandbSession(folder, self._settings)
        self._calls: SimpleQueue[Callable[[Any], object] | None] = SimpleQueue()
        self._thread = Thread(target=self._process_calls, name="wandb", daemon=True)
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
        self._session.start()
        while (call := self._calls.get()) is not None:
            self._session.make(call)

    def _call(self, call: Callable[[Any], object]) -> None:
        """Queue a call for the thread."""
        self._calls.put(call)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Do nothing: the run was started with its config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values at generator update `step`."""
        row = dict(metrics)
        self._session.rows.setdefault(step or 0, {}).update(row)
        self._call(lambda run: self._session.log(run, row, step))

    @rank_zero_only
    def log_picture(self, name: str, picture: Array, caption: str, step: int) -> None:
        """Log a picture, uint8 (H, W, 3), at generator update `step`."""

        def log(run: Any) -> None:
            from wandb import Image

            self._session.log(run, {name: Image(picture, caption=caption)}, step)

        self._call(log)

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
            self._session.log(run, {name: content}, step)

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
        return self._session.location_message()

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
            if not self._session.is_offline:
                warn(
                    f"waiting up to {timeout:.0f} s for the W&B server {server_url()}; Ctrl-C "
                    f"stops waiting, and the data stay in the run directory"
                )
            with suppress(KeyboardInterrupt):
                self._thread.join(timeout - SILENT_WAIT)
        if self._thread.is_alive():
            self._session.timed_out = True
            kill_service()  # the pending call fails, and the thread writes the rest offline
            with suppress(KeyboardInterrupt):
                self._thread.join(OFFLINE_TIMEOUT)
        if self._thread.is_alive():
            end_service()
