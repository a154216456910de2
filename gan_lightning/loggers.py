"""Where figures and pictures go: a CSV file beside the run, and Weights & Biases."""

from __future__ import annotations

import csv
import netrc
import os
from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from gan_lightning.schema import LogConfig

__all__ = ["MetricsFile", "WandbRun", "wandb_mode"]

Array = np.ndarray[Any, np.dtype[np.uint8]]
STEP = "updates"


class MetricsFile(Logger):
    """Rows of figures in `metrics.csv`, one an update at which anything was logged.

    A column that comes up later is added to the header, the file being replaced as a whole.

    Args:
        path: of the CSV file; rows that are there already stay, up to the resumed update.
        first_update: rows after it are dropped, since the run goes on from it.
    """

    def __init__(self, path: Path, first_update: int = 0) -> None:
        super().__init__()
        self.path = path
        self._columns: list[str] = [STEP]
        self._open_row: dict[str, Any] = {}
        if path.exists():
            self._keep_rows_up_to(first_update)

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """Version of the log; there is one."""
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Ignore them: the run folder has its config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add figures to the row of update `step`, and write the row before it."""
        if self._open_row and self._open_row[STEP] != step:
            self._write_row()
        self._open_row = {STEP: step, **{k: v for k, v in self._open_row.items() if k != STEP}}
        self._open_row.update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Write the row in progress."""
        if self._open_row:
            self._write_row()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last row."""
        self.save()

    def _write_row(self) -> None:
        row, self._open_row = self._open_row, {}
        new = [name for name in row if name not in self._columns]
        if new or not self.path.exists():
            rows = self._rows()
            self._columns += new
            self._replace([*rows, row])
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _keep_rows_up_to(self, update: int) -> None:
        rows = self._rows()
        self._columns = list(rows[0]) if rows else self._columns
        self._replace([row for row in rows if int(row[STEP]) <= update])

    def _replace(self, rows: list[dict[str, Any]]) -> None:
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self.path)


class WandbRun(Logger):
    """A Weights & Biases run whose x-axis is the generator update.

    It begins in a thread of its own: to import the client and to reach its server takes seconds,
    which the first updates need not wait for. The first call that needs the run waits.

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
        self._begun: Future[Any] = Future()

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """Identity of the run."""
        return str(self._settings["id"])

    @rank_zero_only
    def begin(self, config: Mapping[str, Any]) -> None:
        """Start the run, with its resolved config, and make updates the x-axis of everything.

        A server that refuses the run, or does not answer in time, costs no run: it goes on offline.
        """
        self._begun = ThreadPoolExecutor(1, "wandb").submit(self._begin, dict(config))

    def _begin(self, config: dict[str, Any]) -> Any:
        import wandb

        try:
            run = wandb.init(**self._settings, config=config)
        except wandb.errors.Error as error:
            self.refusal = str(error).splitlines()[0]
            wandb.teardown()
            self._settings["mode"] = "offline"
            run = wandb.init(**self._settings, config=config)
        if self._settings["mode"] != "offline":
            self.address = run.url or ""
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        return run

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kw: Any) -> None:
        """Ignore them: the run began with its config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log figures at update `step`."""
        self._begun.result().log({**metrics, STEP: step})

    @rank_zero_only
    def log_picture(self, name: str, picture: Array, caption: str, step: int) -> None:
        """Log an image, uint8 (H, W, 3), at update `step`."""
        run = self._begun.result()
        from wandb import Image

        run.log({name: Image(picture, caption=caption), STEP: step})

    @rank_zero_only
    def summarise(self, measures: Mapping[str, float]) -> None:
        """Write the final measures into the run's summary."""
        self._begun.result().summary.update(dict(measures))

    def what_to_tell(self) -> str:
        """Say in one line where the run is."""
        if self._settings["mode"] != "offline":
            return f"logged at {self.address}"
        why = f"W&B refused ({self.refusal}); " if self.refusal else ""
        return f"{why}logged offline; `wandb sync {self._folder}/wandb/offline-run-*` sends it"

    @rank_zero_only
    def end(self, failed: bool) -> None:
        """Close the run, so that the next one in this process is another."""
        self._begun.result().finish(exit_code=int(failed))


def wandb_mode(config: LogConfig) -> str:
    """Resolve `auto`: WANDB_MODE where it is set, online with a login, else offline."""
    if config.wandb != "auto":
        return config.wandb
    if mode := os.environ.get("WANDB_MODE"):
        return mode
    return "online" if os.environ.get("WANDB_API_KEY") or _has_netrc_login() else "offline"


def _has_netrc_login() -> bool:
    """Tell whether ~/.netrc knows the W&B server in use."""
    hosts = ["api.wandb.ai", "wandb.ai"]
    if url := os.environ.get("WANDB_BASE_URL"):
        hosts = [urlparse(url).hostname or ""]
    try:
        logins = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(host in logins.hosts for host in hosts)
