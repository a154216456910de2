"""The start of a command: prefetched digits, fast imports, W&B in a thread."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
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
def test_digits_are_prefetched_only_for_a_config_that_seems_to_use_them(
    source: dict[str, Any], overrides: list[str], reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Thread] = []
    monkeypatch.setattr(Thread, "start", lambda thread: started.append(thread))
    prefetch.prefetch_digits(source, overrides)
    assert len(started) == reads


def test_a_second_reader_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "t10k-labels-idx1-ubyte"
    (tmp_path / f"{name}.xz").symlink_to(loader.FOLDER / f"{name}.xz")
    monkeypatch.setattr(loader, "FOLDER", tmp_path)
    decompress, started, proceed, calls = loader.lzma.decompress, Event(), Event(), []

    def slow(content: bytes) -> bytes:
        calls.append(len(content))
        started.set()
        assert proceed.wait(10)
        return decompress(content)

    monkeypatch.setattr(loader.lzma, "decompress", slow)
    ahead = Thread(target=loader.read_idx, args=(name,))
    ahead.start()
    assert started.wait(10)
    Thread(target=proceed.set).start()
    assert len(loader.read_idx(name)) == 10_000
    ahead.join()
    assert len(calls) == 1


def run_code(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_prefetched_file_that_is_damaged_gives_one_line(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mnist")
    with pytest.MonkeyPatch.context() as patch:
        broken = damage("train-images-idx3-ubyte", "truncated", folder, patch)
    code = (
        "from pathlib import Path\n"
        "from gan_lightning.assets import loader\n"
        "from gan_lightning.cli import main as cli\n"
        f"loader.FOLDER = Path({str(folder)!r})\n"
        f"cli.main(['train', 'gan_mnist', *{SHORT!r}])"
    )
    process = run_code(code, tmp_path)
    assert (process.returncode, process.stdout) == (2, "")
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"gan-lightning: {broken} is damaged")
    assert not list(tmp_path.iterdir())


def test_garbage_collection_exempts_only_what_was_imported(tmp_path: Path) -> None:
    code = (
        "import gc; from gan_lightning.utils.imports import fast_imports\n"
        "with fast_imports(): import torch; assert not gc.isenabled()\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    )
    process = run_code(code, tmp_path)
    assert process.stdout == "True True\n", process.stderr
    frozen = gc.get_freeze_count()
    with imports.fast_imports():
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_samples_of_a_shipped_model_need_no_metrics_of_torchmetrics(tmp_path: Path) -> None:
    code = (
        "import sys, gan_lightning\n"
        "gan_lightning.sample('infogan_mnist', 4, output='samples.png')\n"
        "print(sorted({'scipy.signal', 'torchmetrics.functional', 'torchvision'} & {*sys.modules}))"
    )
    assert run_code(code, tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    "version", ["the installed one", "one whose base class needs all of the package"]
)
def test_torchmetrics_is_whole_after_the_fast_imports(version: str, tmp_path: Path) -> None:
    needs_all = "del vars(imports.sys.modules['torchmetrics'])['_logger']"
    code = (
        "from gan_lightning.utils import imports\n"
        "with imports.fast_imports():\n"
        f"    {needs_all if version.startswith('one') else 'pass'}\n"
        "    import pytorch_lightning\n"
        "import torchmetrics, torchmetrics.metric\n"
        "from pytorch_lightning.core import module\n"
        "from torchmetrics.classification import Accuracy\n"
        "print(torchmetrics.Accuracy is Accuracy, 'image' in dir(torchmetrics),\n"
        "      torchmetrics.Metric is module.Metric is torchmetrics.metric.Metric,\n"
        "      issubclass(Accuracy, module.Metric), type(torchmetrics).__name__)"
    )
    process = run_code(code, tmp_path)
    assert process.stdout == "True True True True module\n", process.stderr


# --- Weights & Biases


class SlowClient:
    """A W&B run whose start blocks until `proceed` is set; it records the calls."""

    url = ""
    step = 0
    settings = SimpleNamespace(sync_file="run.wandb")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: Callable[[Any], object]) -> None:
        self.proceed, self.calls, self.summary = Event(), [], {}
        self.log = log
        monkeypatch.setattr(wandb, "init", self.init)

    def init(self, **settings: Any) -> SlowClient:
        assert self.proceed.wait(10)
        self.calls.append("init")
        return self

    def define_metric(self, *args: Any, **settings: Any) -> None:
        """Accept everything."""

    def finish(self, exit_code: int) -> None:
        self.calls.append(f"finish {exit_code}")


def full_disk(row: Any, step: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def started_run(tmp_path: Path) -> WandbRun:
    run = WandbRun(make_config("gan").log, "offline", "test", tmp_path, "identity")
    run.start({})
    return run


def test_only_the_end_of_a_run_waits_for_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient(monkeypatch, lambda row, step: client.calls.append(row))
    run = started_run(tmp_path)
    figures = {"loss": 1.0}
    run.log_metrics(figures, step=2)
    figures["loss"] = 2.0
    run.log_metrics(figures, step=4)
    run.write_summary({"distance": 3.0})
    assert client.calls == []
    client.proceed.set()
    run.finish(failed=False)
    rows = [{"loss": 1.0, "updates": 2}, {"loss": 2.0, "updates": 4}]
    assert client.calls == ["init", *rows, "finish 0"]
    assert client.summary == {"distance": 3.0}


def test_a_stopped_run_does_not_wait_for_a_server_that_does_not_respond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient(monkeypatch, full_disk)
    run = started_run(tmp_path)
    run.log_metrics({"loss": 1.0}, step=2)
    run.finish(failed=False, timeout=0.01)
    assert client.calls == []
    client.proceed.set()
    run._thread.join(10)  # its warning belongs to this test, not to the next one
    assert not run._thread.is_alive()


def test_an_error_of_the_client_is_one_line_and_reaches_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = SlowClient(monkeypatch, full_disk)
    client.proceed.set()
    run = started_run(tmp_path)
    run.log_metrics({"loss": 1.0}, step=2)
    run.log_metrics({"loss": 1.0}, step=4)
    run.finish(failed=False)
    text = capsys.readouterr().err
    assert "No space left" in text
    assert "Traceback" not in text
    assert len(text.splitlines()) == 1
