"""A run of several processes is one run, whoever starts them, and however one of them ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_inputs import mistake
from conftest import CHECKOUT, run_cli
from launchers import (
    LOOPBACK,
    TWO_HOSTS,
    Started,
    environment,
    on_loopback,
    on_two_hosts,
    pid_of_rank,
    updates_of,
    without_bars,
    words,
)
from process_pool import TIMEOUT, ForkedProcess, free_port
from run_files import final_measures, load_last_checkpoint, read_metrics_csv

from gan_lightning.cli.main import main
from gan_lightning.core.module import BaseModule
from gan_lightning.distributed.environment import detect_launcher, is_first_process

linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

END = 60
"""Updates of a run."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that one process makes without being disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    outcome = run_cli(*words(END), "--output", str(folder))
    assert outcome.code == 0, outcome.err
    return folder


def assert_same_run(run: Path, whole: Path) -> None:
    """Check that a run ended as one process would have ended it, up to the order of sums."""
    weights, expected = (load_last_checkpoint(folder)["state_dict"] for folder in (run, whole))
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5)
    for row, other in zip(read_metrics_csv(run), read_metrics_csv(whole), strict=True):
        assert row.keys() == other.keys()
        figures = [[float(value or "nan") for value in part.values()] for part in (row, other)]
        assert figures[0] == pytest.approx(figures[1], rel=1e-3, abs=1e-3, nan_ok=True)
    assert final_measures(run) == pytest.approx(
        final_measures(whole), rel=1e-3, abs=1e-3, nan_ok=True
    )


def folders_of(runs: Path) -> list[Path]:
    return sorted(path for path in runs.glob("runs/gan_ring/*"))


@linux
def test_two_nodes_train_one_run_are_killed_and_go_on(tmp_path: Path, whole: Path) -> None:
    """On two hosts that this machine pretends to be, or, where it cannot, on one."""
    alone = subprocess.run([TWO_HOSTS, "true"]).returncode
    place = on_loopback if alone else on_two_hosts

    def start(updates: int, *more: str) -> Started:
        line = words(updates, "--devices=1", "--nodes=2", *more)
        return Started.of(place(line, free_port()), tmp_path, environment())

    begun = start(10**6)
    deadline = time.monotonic() + TIMEOUT
    while not (found := folders_of(tmp_path)):
        assert time.monotonic() < deadline, begun.said()
        time.sleep(0.05)
    (run,) = found
    begun.wait_for(run, 12)
    os.kill(pid_of_rank(1, tmp_path), signal.SIGKILL)
    assert 0 not in begun.wait()
    assert begun.said().count("another process of the run has ended") == 1
    assert "Connection closed" not in begun.said()  # what the other one saw of it
    assert folders_of(tmp_path) == [run]

    reached = updates_of(run)
    assert reached < END
    again = start(END, "--resume", str(run))
    assert not any(again.wait()), again.said()
    assert_same_run(run, whole)


@linux
def test_a_job_of_slurm_is_requeued_and_goes_on(tmp_path: Path, whole: Path) -> None:
    """The script of docs/several-gpus.md, with stand-ins for the commands of SLURM."""
    page = (CHECKOUT / "docs" / "several-gpus.md").read_text()
    (script,) = re.findall(r"^```bash slurm.sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "slurm.sh").write_text(script)
    path = os.pathsep.join([str(CHECKOUT / "tests" / "slurm"), os.environ["PATH"]])
    job = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1"}
    job |= {"SLURM_NNODES": "2", "SLURM_NODELIST": "localhost", "MASTER_PORT": str(free_port())}
    env = environment(PATH=path, PYTHON=sys.executable, MASTER_ADDR=LOOPBACK, **job)
    run = tmp_path / "runs" / "gan_ring" / "job-4711"

    def start(updates: int) -> Started:
        return Started.of([["bash", "slurm.sh", *words(updates)[1:]]], tmp_path, env)

    stopped = start(10**6)
    stopped.wait_for(run, 12)
    for pid in [pid_of_rank(rank, tmp_path) for rank in (1, 0)]:
        with suppress(ProcessLookupError):  # agreed to stop, and ended, before its own signal came
            os.kill(pid, signal.SIGUSR1)
        time.sleep(0.2)
    assert stopped.wait() == [138], stopped.said()
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"
    assert load_last_checkpoint(run)["progress"]["updates"] == updates_of(run) < END
    assert "Error" not in stopped.said()

    env["SLURM_RESTART_COUNT"] = "1"
    again = start(END)
    assert again.wait() == [0], again.said()
    assert_same_run(run, whole)
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"TORCHELASTIC_RUN_ID": "1", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "6"},
            "torchrun has started 3 nodes with 2 processes each, … add --devices 2 --nodes 3",
        ),
        (
            {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"},
            "srun has started 1 node with 4 processes each, … add --devices 4 --nodes 1",
        ),
        ({"SLURM_NTASKS": "4"}, "SLURM_NTASKS_PER_NODE is not … --ntasks-per-node instead of"),
    ],
    ids=["torchrun", "srun", "tasks"],
)
@pytest.mark.usefixtures("empty_folder")
def test_other_numbers_than_what_was_started_are_refused(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    mistake(words(4), *said.split(" … "))


def test_an_interactive_job_of_slurm_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert detect_launcher() is None


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_one_process_is_the_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rank in range(3):
        monkeypatch.setenv(name, str(rank))
        assert is_first_process() == (rank == 0)


def disturbed(what: str, words: Sequence[str]) -> None:
    """Run a command line; "raise" or "kill" is done in the second process's tenth update."""
    finish = BaseModule.log_update

    def wrong(self: BaseModule, *args: Any, **given: Any) -> None:
        finish(self, *args, **given)
        if self.updates == 10 and os.environ.get("LOCAL_RANK") == "1":
            if what == "raise":
                raise ZeroDivisionError("on purpose")
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)

    pytest.MonkeyPatch().setattr(BaseModule, "log_update", wrong)
    main(words)


@linux
def test_a_process_ends_with_the_one_that_started_it() -> None:
    child = (
        "import time; from gan_lightning.utils.hardware import end_with_parent; end_with_parent(); "
        "print(flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys, time; process = subprocess.Popen([sys.executable, '-c', "
        f"{child!r}], stdout=subprocess.PIPE); process.stdout.readline(); "
        "print(process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        other = Path(f"/proc/{int(process.stdout.readline())}")
        assert other.exists()
        process.kill()
    deadline = time.monotonic() + TIMEOUT
    while other.exists() and "State:\tZ" not in (other / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@linux
def test_an_error_of_one_process_is_shown_once_and_ends_all(tmp_path: Path, whole: Path) -> None:
    """Under Lightning's launcher: an exception in the second process, then its kill."""
    run = tmp_path / "run"

    def ended(what: str, *line: str) -> tuple[int, str]:
        itself = [__file__, what, *line]  # by which Lightning starts the second process
        first = ForkedProcess.start(disturbed, what, line, env=environment(), argv=itself)
        return first.wait(), without_bars(first.out + first.err)

    code, said = ended("raise", *words(END, "--devices=2", "--output", str(run)))
    assert code == 1, said
    assert said.count("ZeroDivisionError: on purpose") == 1, said
    assert said.count("another process of the run has ended") == 1, said

    resume = ["train", "gan_ring", "--resume", str(run)]
    code, said = ended("kill", *resume)
    assert code == 1, said
    assert said.count("another process of the run has ended") == 1, said
    assert "Error" not in said

    code, said = ended("nothing", *resume, f"trainer.max_updates={END}")
    assert code == 0, said
    assert_same_run(run, whole)


if __name__ == "__main__":
    disturbed(sys.argv[1], sys.argv[2:])
