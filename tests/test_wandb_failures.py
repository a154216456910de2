"""Failures of W&B's client never end a training, and its figures are sent later."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from gan_lightning.config.schema import LogConfig
from gan_lightning.loggers import WandbRun

UPDATES = range(50, 501, 50)


class ClientError(Exception):
    """Base of the errors of the fake client."""


class FakeRun:
    """A W&B run that keeps its rows, and fails at some steps."""

    url = "https://example.org/run"
    starting_step = 0

    def __init__(self, client: FakeClient, mode: str, folder: Path) -> None:
        self.client, self.mode = client, mode
        self.rows: list[dict[str, Any]] = []
        self.settings = types.SimpleNamespace(sync_file=str(folder / f"{mode}.wandb"))
        self.summary: dict[str, Any] = {}

    def define_metric(self, *names: str, **settings: Any) -> None:
        pass

    def log(self, row: dict[str, Any], step: int) -> None:
        if self.client.fails(self, row):
            raise ConnectionResetError("Connection lost")
        self.rows.append(row)

    def alert(self, **words: Any) -> None:
        raise ConnectionResetError("Connection lost")

    def finish(self, exit_code: int) -> None:
        pass


class FakeClient(types.ModuleType):
    """A module `wandb` whose runs fail as a test wants it."""

    errors = types.SimpleNamespace(Error=ClientError)
    Table = staticmethod(lambda **content: content)

    def __init__(self) -> None:
        super().__init__("wandb")
        self.runs: list[FakeRun] = []
        self.broken_rows = 0
        self.broken_starts: set[int] = set()
        self.starts = 0

    def init(self, **settings: Any) -> FakeRun:
        self.starts += 1
        if self.starts in self.broken_starts:
            raise ValueError("no room for a run")
        self.runs.append(FakeRun(self, settings["mode"], Path(settings["dir"])))
        return self.runs[-1]

    def teardown(self, *_: Any) -> None:
        pass

    def fails(self, run: FakeRun, row: dict[str, Any]) -> bool:
        if run.mode == "online":
            return row["updates"] > 200
        if "bad" in row:
            self.broken_rows += 1
            return True
        return False

    def sent(self) -> list[tuple[int, str]]:
        return [
            (row["updates"], name)
            for run in self.runs
            for row in run.rows
            for name in row
            if name != "updates"
        ]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def log_a_run(folder: Path, *, alert: bool = False, bad: bool = False) -> WandbRun:
    logger = WandbRun(LogConfig(), "online", "experiment", folder, "id")
    logger.start({})
    for updates in UPDATES:
        logger.log_metrics({"loss": 1.0}, step=updates)
        if bad and updates in (300, 400):
            logger.log_table("bad", ["a"], [[1]], updates)
    if alert:
        logger.alert("title", "text", 500)
    logger.write_summary({"measure": 1.0})
    logger.finish(failed=False)
    return logger


def test_a_lost_client_continues_offline_with_every_row_once(
    client: FakeClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = log_a_run(tmp_path)
    assert [run.mode for run in client.runs] == ["online", "offline"]
    assert sorted(client.sent()) == [(updates, "loss") for updates in UPDATES]
    assert client.runs[-1].summary == {"measure": 1.0}
    assert len(capsys.readouterr().err.splitlines()) <= 1  # none where the client fails at once
    assert "wandb sync" in logger.location_message()


def test_a_call_that_always_fails_costs_nothing_else(
    client: FakeClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_a_run(tmp_path, alert=True, bad=True)
    assert client.broken_rows == 2
    losses = [pair for pair in client.sent() if pair[1] == "loss"]
    assert sorted(losses) == [(updates, "loss") for updates in UPDATES]
    assert "W&B cannot log a row (Connection lost)" in capsys.readouterr().err.splitlines()[-1]


def test_a_client_that_fails_as_its_offline_session_starts_gets_another_one(
    client: FakeClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.broken_starts = {2}
    logger = log_a_run(tmp_path)
    assert [run.mode for run in client.runs] == ["online", "offline"]
    assert sorted(client.sent()) == [(updates, "loss") for updates in UPDATES]
    assert len(capsys.readouterr().err.splitlines()) <= 1
    assert "wandb sync" in logger.location_message()


def test_a_client_that_cannot_start_is_one_line(
    client: FakeClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.broken_starts = {1, 2, 3}
    logger = log_a_run(tmp_path)
    text = capsys.readouterr().err
    assert text.count("W&B failed (no room for a run); metrics.csv has all figures") == 1
    assert len(text.splitlines()) == 1
    assert "metrics.csv in the run directory has all figures" in logger.location_message()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"project": "team/gans"}, "log.entity"),
        ({"project": "p" * 200}, "128"),
        ({"tags": ["t" * 140]}, "64"),
        ({"tags": [""]}, "64"),
    ],
)
def test_names_that_wandb_refuses_are_refused_before(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        LogConfig(**changes).validate()
