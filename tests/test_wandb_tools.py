"""The stub server and the offline reader agree on the data of the real W&B client."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from conftest import Once, Outcome
from PIL import Image
from process_pool import ForkedProcess
from wandb_offline import read_offline_run
from wandb_server import WandbServer, wandb_environment

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
CONFIG = {"learning_rate": 2e-4, "data": {"name": "mnist", "shape": [1, 28, 28]}, "later": "x"}
HISTORY = [
    {"updates": 0, "loss/generator": 1, "modes": {"covered": 3}},
    {"updates": 10, "loss/generator": 0.5, "note": "n" * 70_000},
    {"updates": 20},
    {},
]
MEDIA = {"samples", "codes"}


def client(init_timeout: float, resume: str | None) -> None:
    """Log the data that the tests check."""
    settings = wandb.Settings(init_timeout=init_timeout)
    resumed: dict[str, Any] = {} if resume is None else {"id": resume, "resume": "must"}
    config = {"learning_rate": 2e-4, "data": {"name": "mnist", "shape": [1, 28, 28]}}
    run = wandb.init(project="tools", config=config, settings=settings, **resumed)
    run.config.update({"later": "x"})
    run.define_metric("updates")
    run.define_metric("loss/*", step_metric="updates")
    run.log({"updates": 0, "loss/generator": 1.0, "modes": {"covered": 3}})
    run.log({"updates": 10, "loss/generator": 0.5, "note": "n" * 70_000})
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    run.log({"updates": 20, "samples": wandb.Image(pixels, caption="grid")})
    run.log({"codes": wandb.Table(columns=["code", "digit"], data=[[0, 7]])})
    run.summary["best"] = 3
    run.finish()


def run_client(
    folder: Path,
    server: WandbServer | None = None,
    init_timeout: float = 30.0,
    resume: str | None = None,
) -> Outcome:
    environment = wandb_environment(folder, server)
    process = ForkedProcess.start(client, init_timeout, resume, cwd=folder, env=environment)
    return Outcome(process.wait(), process.out, process.err)


def logged(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Remove the client's own values, such as time and step, and media."""
    return [
        {key: value for key, value in row.items() if key[0] != "_" and key not in MEDIA}
        for row in history
    ]


def assert_pixels(png: bytes) -> None:
    with Image.open(io.BytesIO(png)) as image:
        np.testing.assert_array_equal(np.asarray(image), PIXELS)


@pytest.fixture
def offline(once: Once) -> Path:
    """Return the directory of an offline run, made once; do not change it."""

    def make(folder: Path) -> Path:
        client = run_client(folder)
        assert client.code == 0, client.err
        return folder

    return once("wandb_tools/offline", make)


def test_offline_file_has_the_logged_data(offline: Path) -> None:
    run = read_offline_run(offline)
    assert run.config == CONFIG
    assert run.step_metrics == {"loss/*": "updates"}
    assert logged(run.history) == HISTORY
    assert run.summary["best"] == 3
    assert run.summary["loss/generator"] == 0.5
    assert run.summary["modes"] == {"covered": 3}
    assert run.exit_code == 0
    assert run.history[2]["samples"]["_type"] == "image-file"
    assert [path.relative_to(path.parents[2]).as_posix() for path in run.media] == [
        run.history[2]["samples"]["path"]
    ]
    assert_pixels(run.media[0].read_bytes())


def test_server_receives_the_data_of_the_offline_file(tmp_path: Path) -> None:
    with WandbServer() as server:
        client = run_client(tmp_path, server)
    assert client.code == 0, client.err
    assert server.config == CONFIG
    assert server.run.step_metrics == {"loss/*": "updates"}
    assert logged(server.history) == HISTORY
    assert server.run.exit_code == 0
    assert not server.unknown
    image = server.history[2]["samples"]
    assert image["caption"] == "grid"
    assert_pixels(server.files[image["path"]])
    table = f"artifacts/run-{server.run.name}-codes/codes.table.json"
    assert json.loads(server.files[table])["data"] == [[0, 7]]
    assert ("POST", "/graphql", "UpsertBucket") in server.requests

    written = read_offline_run(tmp_path)
    assert server.history == written.history
    assert server.summary == written.summary


def test_resumed_run_continues_on_the_server(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    with WandbServer() as server:
        for folder in folders:
            folder.mkdir()
            name = server.run.name if server.runs else None
            client = run_client(folder, server, resume=name)
            assert client.code == 0, client.err
    assert logged(server.history) == HISTORY * 2
    assert [row["_step"] for row in server.history] == list(range(8))


def test_reader_stops_at_the_end_of_a_killed_run(offline: Path, tmp_path: Path) -> None:
    (log,) = offline.rglob("*.wandb")
    # inside the second row, which spans blocks
    (tmp_path / log.name).write_bytes(log.read_bytes()[:40_000])
    run = read_offline_run(tmp_path)
    assert logged(run.history) == HISTORY[:1]
    assert run.exit_code is None


def test_reader_rejects_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="found none"):
        read_offline_run(tmp_path)
    (tmp_path / "run.wandb").write_bytes(b"something else")
    with pytest.raises(ValueError, match="not a W&B log"):
        read_offline_run(tmp_path)


@pytest.mark.parametrize("status", [401, 500])
def test_client_ends_in_bounded_time_if_the_server_fails(tmp_path: Path, status: int) -> None:
    started = time.monotonic()
    with WandbServer(fail_with=status) as server:
        client = run_client(tmp_path, server, init_timeout=1.0)
    assert time.monotonic() - started < 30
    assert client.code != 0
    assert str(status) in client.err
    assert ("POST", "/graphql", "UpsertBucket") in server.requests
    assert not server.runs
