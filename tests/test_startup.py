"""What a command does before its first update, and beside it."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import wandb
from bad_inputs import SHORT, damage
from factories import make_config

from gan_lightning.assets import loader
from gan_lightning.cli import prefetch
from gan_lightning.loggers import WandbRun
from gan_lightning.utils import imports


@pytest.mark.parametrize(
    ("source", "overrides", "reads"),
    [
        ({"data": {"name": "mnist"}}, [], True),
        ({"data": {"name": "ring"}}, [], False),
        ({"data": {"name": "mnist"}}, ["data.name=ring"], False),
        ({"data": {"name": "ring"}}, ["seed=1", "data.name=ring", "data.name=mnist"], True),
        ({"data": "mnist"}, [], False),
        ({"data": None}, [], False),
        ({}, [], False),
    ],
)
def test_only_what_seems_to_want_the_digits_reads_them_ahead(
    source: dict[str, Any], overrides: list[str], reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Thread] = []
    monkeypatch.setattr(Thread, "start", lambda thread: started.append(thread))
    prefetch.prefetch_digits(source, overrides)
    assert len(started) == reads


def test_who_asks_for_what_is_being_read_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "t10k-labels-idx1-ubyte"
    (tmp_path / f"{name}.xz").symlink_to(loader.FOLDER / f"{name}.xz")
    monkeypatch.setattr(loader, "FOLDER", tmp_path)
    decompress, begun, go_on, calls = loader.lzma.decompress, Event(), Event(), []

    def slow(content: bytes) -> bytes:
        calls.append(len(content))
        begun.set()
        assert go_on.wait(10)
        return decompress(content)

    monkeypatch.setattr(loader.lzma, "decompress", slow)
    ahead = Thread(target=loader.read_idx, args=(name,))
    ahead.start()
    assert begun.wait(10)
    Thread(target=go_on.set).start()
    assert len(loader.read_idx(name)) == 10_000
    ahead.join()
    assert len(calls) == 1


def in_a_process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_corrupt_file_that_is_read_ahead_costs_one_line(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mnist")
    with pytest.MonkeyPatch.context() as patch:
        broken = damage("train-images-idx3-ubyte", "truncated", folder, patch)
    code = (
        "from pathlib import Path; from gan_lightning.assets import loader; from gan_lightning.cli import main as cli\n"
        f"loader.FOLDER = Path({str(folder)!r})\n"
        f"cli.main(['train', 'gan_mnist', *{SHORT!r}])"
    )
    process = in_a_process(code, tmp_path)
    assert (process.returncode, process.stdout) == (2, "")
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"gan-lightning: {broken} is damaged")
    assert not list(tmp_path.iterdir())


def test_the_collector_leaves_alone_what_was_imported_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import gc; from gan_lightning.utils.imports import gc_paused_imports\n"
        "with gc_paused_imports(): import torch; assert not gc.isenabled()\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    )
    process = in_a_process(code, tmp_path)
    assert process.stdout == "True True\n", process.stderr
    frozen = gc.get_freeze_count()
    with imports.gc_paused_imports():
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


# --- Weights & Biases


class SlowClient:
    """A W&B run that begins when it is let, and notes what it is called for."""

    url = ""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: Callable[[Any], object]) -> None:
        self.let, self.calls, self.summary = Event(), [], {}
        self.log = log
        monkeypatch.setattr(wandb, "init", self.init)

    def init(self, **settings: Any) -> SlowClient:
        assert self.let.wait(10)
        self.calls.append("init")
        return self

    def define_metric(self, *args: Any, **settings: Any) -> None:
        """Accept everything."""

    def finish(self, exit_code: int) -> None:
        self.calls.append(f"finish {exit_code}")


def full_disk(row: Any, step: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def begun(tmp_path: Path) -> WandbRun:
    run = WandbRun(make_config("gan").log, "offline", "test", tmp_path, "identity")
    run.start({})
    return run


def test_nothing_waits_for_wandb_but_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient(monkeypatch, lambda row, step: client.calls.append(row))
    run = begun(tmp_path)
    figures = {"loss": 1.0}
    run.log_metrics(figures, step=2)
    figures["loss"] = 2.0
    run.log_metrics(figures, step=4)
    run.write_summary({"distance": 3.0})
    assert client.calls == []
    client.let.set()
    run.finish(failed=False)
    rows = [{"loss": 1.0, "updates": 2}, {"loss": 2.0, "updates": 4}]
    assert client.calls == ["init", *rows, "finish 0"]
    assert client.summary == {"distance": 3.0}


def test_a_stopped_run_leaves_a_server_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient(monkeypatch, full_disk)
    run = begun(tmp_path)
    run.log_metrics({"loss": 1.0}, step=2)
    run.finish(failed=False, timeout=0.01)
    assert client.calls == []
    client.let.set()


def test_an_error_of_the_client_reaches_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient(monkeypatch, full_disk)
    client.let.set()
    run = begun(tmp_path)
    run.log_metrics({"loss": 1.0}, step=2)
    with pytest.raises(OSError, match="No space left"):
        run.finish(failed=False)
    with pytest.raises(OSError, match="No space left"):
        run.log_metrics({"loss": 1.0}, step=4)
