"""Figures and pictures at Weights & Biases."""

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
from gan_lightning.runs.directory import STEP

__all__ = ["WandbRun"]

Array = np.ndarray[Any, np.dtype[np.uint8]]

PATIENCE = 60.0
"""Seconds that a finished run waits for a server that does not answer."""


class WandbRun(Logger):
    """A Weights & Biases run whose x-axis is the generator update.

    One thread of its own makes all calls to the client, in order: to import it, to reach its server
    and to encode a picture take time that training need not wait for.

    Args:
        config: project, entity and tags.
        mode: `online`, `offline` or what else WANDB_MODE can be.
        experiment: that groups its runs.
        folder: of the run, which holds W&B's files too.
        identity: by which a resumed run goes on.

    Attributes:
        refusal: why the server did not take the run; empty where it did.
        address: of the run's page; empty offline.
    """

    def __init__(
        self, config: LogConfig, mode: str, experiment: str, folder: Path, identity: str
    ) -> None:
        super().__init__()
        self.refusal = ""
        self.address = ""
        self._folder = folder
        self._sent = SentRows(folder / "wandb_sent.json")
        self._settings: dict[str, Any] = {
            "name": f"{experiment}/{folder.name}",
            "id": identity,
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
        self._thread = Thread(target=self._work, name="wandb", daemon=True)
        self._error: BaseException | None = None
        self._late = False
        self._alerts: list[tuple[int, str, str]] = []

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """Identity of the run."""
        return str(self._settings["id"])

    @rank_zero_only
    def start(self, config: Mapping[str, Any]) -> None:
        """Start the run, with its resolved config, and make updates the x-axis of everything.

        A server that refuses the run, or does not answer in time, costs no run: it goes on offline.
        """
        self._settings["config"] = dict(config)
        self._thread.start()

    def _work(self) -> None:
        try:
            run = self._started()
            while (call := self._calls.get()) is not None:
                call(run)
        except BaseException as error:
            self._error = error

    def _started(self) -> Any:
        import wandb

        try:
            run = wandb.init(**self._settings)
        except wandb.errors.Error as error:
            self.refusal = str(error).splitlines()[0]
            wandb.teardown()
            self._settings["mode"] = "offline"
            run = wandb.init(**self._settings)
        if self._settings["mode"] != "offline":
            self.address = run.url or ""
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        return run

    def _call(self, call: Callable[[Any], object]) -> None:
        """Queue a call; an error of an earlier one is raised here."""
        if self._error is not None:
            raise self._error
        self._calls.put(call)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Ignore them: the run began with its config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log figures at update `step`."""
        row = dict(metrics)
        self._call(lambda run: self._log(run, row, step))

    @rank_zero_only
    def log_picture(self, name: str, picture: Array, caption: str, step: int) -> None:
        """Log an image, uint8 (H, W, 3), at update `step`."""

        def log(run: Any) -> None:
            from wandb import Image

            self._log(run, {name: Image(picture, caption=caption)}, step)

        self._call(log)

    def _log(self, run: Any, row: Mapping[str, Any], updates: int | None) -> None:
        """Send a row, unless the run had sent it before it was killed."""
        updates = updates or 0
        if not self._sent.contains(updates, row):
            run.log({**row, STEP: updates}, step=self._sent.next_step)
            self._sent.record(updates, row)

    @rank_zero_only
    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Log a table of words and numbers at update `step`; a later one of the name replaces it.

        Args:
            name: of the table.
            columns: their names.
            rows: of one length, that of the columns.
            step: generator update.
        """
        table = [list(row) for row in rows]

        def log(run: Any) -> None:
            from wandb import Table

            logged = Table(columns=list(columns), data=table, allow_mixed_types=True)
            self._log(run, {name: logged}, step)

        self._call(log)

    @rank_zero_only
    def log_claims(self, rows: Sequence[ClaimRow], step: int) -> None:
        """Log the table `claims` of the claims whose metric was measured.

        Args:
            rows: claims of the run, evaluated on it alone.
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
        """Send an alert, which W&B passes on as its user wishes, and add it to the run's table."""
        self._call(lambda run: run.alert(title=title, text=text, level="WARN"))
        self._alerts.append((step, title, text))
        self.log_table("alerts", ("updates", "alert", "what to try"), list(self._alerts), step)

    @rank_zero_only
    def write_summary(self, measures: Mapping[str, float]) -> None:
        """Write the final measures into the run's summary."""
        figures = dict(measures)
        self._call(lambda run: run.summary.update(figures))

    def status_message(self) -> str:
        """Say in one line where the run is."""
        if self._late:
            return f"its server does not answer; `wandb sync {self._folder}/wandb/run-*` sends it"
        if self._settings["mode"] != "offline":
            copy = f"a copy is in {self._folder}/wandb"
            return (
                f"logged at {self.address}; {copy}" if self.address else "its server did not answer"
            )
        why = f"W&B refused ({self.refusal}); " if self.refusal else ""
        return f"{why}logged offline; `wandb sync {self._folder}/wandb/offline-run-*` sends it"

    @rank_zero_only
    def finish(self, failed: bool, patience: float = PATIENCE) -> None:
        """Close the run, so that the next one in this process is another.

        Args:
            failed: whether the run did.
            patience: seconds to wait for a server that does not answer; what it has not taken is
                in the run's folder.
        """
        self._calls.put(lambda run: run.finish(exit_code=int(failed)))
        self._calls.put(None)
        self._thread.join(patience)
        self._late = self._thread.is_alive()
        if self._error is not None and not failed:
            raise self._error
