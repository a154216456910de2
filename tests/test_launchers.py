"""Runs of several processes: their launchers, and the end of one of the processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import failing_rank
import pytest
import torch
from bad_inputs import mistake
from conftest import CHECKOUT, run_cli
from launchers import (
    LOOPBACK,
    TWO_HOSTS,
    ProcessGroup,
    environment,
    on_loopback,
    on_two_hosts,
    pid_of_rank,
    updates_of,
    without_bars,
    words,
)
from process_pool import TIMEOUT, ForkedProcess, free_port, start_two_ranks, wait_for_success
from run_files import final_measures, load_last_checkpoint, read_metrics_csv

from gan_lightning.cli.main import main
from gan_lightning.distributed.environment import detect_launcher, is_first_process

linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

END = 60
"""Updates of a run."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of one process."""
    folder = tmp_path_factory.mktemp("reference") / "run"
    outcome = run_cli(*words(END), "--output", str(folder))
    assert outcome.code == 0, outcome.err
    return folder


def assert_same_run(run: Path, reference: Path) -> None:
    """Check that a run equals the reference up to rounding, from the order of sums."""
    weights, expected = (load_last_checkpoint(folder)["state_dict"] for folder in (run, reference))
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5)
    for row, other in zip(read_metrics_csv(run), read_metrics_csv(reference), strict=True):
        assert row.keys() == other.keys()
        values = [[float(value or "nan") for value in part.values()] for part in (row, other)]
        assert values[0] == pytest.approx(values[1], rel=1e-3, abs=1e-3, nan_ok=True)
    assert final_measures(run) == pytest.approx(
        final_measures(reference), rel=1e-3, abs=1e-3, nan_ok=True
    )


def folders_of(runs: Path) -> list[Path]:
    return sorted(path for path in runs.glob("runs/gan_ring/*"))


@linux
def test_run_on_two_nodes_resumes_after_one_is_killed(tmp_path: Path, reference: Path) -> None:
    """On two network namespaces where this is permitted, else on one host."""
    no_namespaces = subprocess.run([TWO_HOSTS, "true"]).returncode
    commands = on_loopback if no_namespaces else on_two_hosts

    nodes = ("--devices=1", "--nodes=2")
    torchrun = commands(words(10**6, *nodes), free_port())
    first = ProcessGroup.start(torchrun, tmp_path, environment())
    deadline = time.monotonic() + TIMEOUT
    while not (runs := folders_of(tmp_path)):
        assert time.monotonic() < deadline, first.output()
        time.sleep(0.05)
    (run,) = runs
    first.wait_for(run, 12)
    os.kill(pid_of_rank(1, tmp_path), signal.SIGKILL)
    assert 0 not in first.wait()
    assert first.output().count("another process of the run has ended") == 1
    assert "Connection closed" not in first.output()  # the error of the other process
    assert folders_of(tmp_path) == [run]

    reached = updates_of(run)
    assert reached < END
    # without torchrun, whose processes take seconds to start
    wait_for_success(start_two_ranks(main, words(END, *nodes, "--resume", str(run)), nodes=2))
    assert_same_run(run, reference)


@linux
def test_slurm_job_is_requeued_and_resumes(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the job script of docs/several-gpus.md and fakes of the SLURM commands."""
    page = (CHECKOUT / "docs" / "several-gpus.md").read_text()
    (script,) = re.findall(r"^```bash slurm.sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "slurm.sh").write_text(script)
    path = os.pathsep.join([str(CHECKOUT / "tests" / "slurm"), os.environ["PATH"]])
    job = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1"}
    job |= {"SLURM_NNODES": "2", "SLURM_NODELIST": "localhost", "MASTER_PORT": str(free_port())}
    env = environment(PATH=path, PYTHON=sys.executable, MASTER_ADDR=LOOPBACK, **job)
    run = tmp_path / "runs" / "gan_ring" / "job-4711"

    def start(updates: int) -> ProcessGroup:
        return ProcessGroup.start([["bash", "slurm.sh", *words(updates)[1:]]], tmp_path, env)

    stopped = start(10**6)
    stopped.wait_for(run, 12)
    for pid in [pid_of_rank(rank, tmp_path) for rank in (1, 0)]:
        with suppress(ProcessLookupError):  # it may have stopped with the other one already
            os.kill(pid, signal.SIGUSR1)
        time.sleep(0.2)
    assert stopped.wait() == [138], stopped.output()
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"
    assert load_last_checkpoint(run)["progress"]["updates"] == updates_of(run) < END
    assert "Error" not in stopped.output()

    env["SLURM_RESTART_COUNT"] = "1"
    assert start(END).wait() == [0]
    command, *line = (tmp_path / "srun.txt").read_text().splitlines()
    assert command == "gan-lightning"
    # without srun, whose processes take seconds to start
    monkeypatch.chdir(tmp_path)
    wait_for_success(start_two_ranks(main, line, nodes=2))
    assert_same_run(run, reference)
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"


@pytest.mark.parametrize(
    ("variables", "message"),
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
def test_devices_that_do_not_match_the_launcher_are_rejected(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    mistake(words(4), *message.split(" … "))


def test_interactive_slurm_job_is_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert detect_launcher() is None


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_first_process_has_rank_0(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rank in range(3):
        monkeypatch.setenv(name, str(rank))
        assert is_first_process() == (rank == 0)


@linux
def test_process_ends_with_its_parent() -> None:
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
def test_error_of_one_process_is_shown_once_and_ends_all(tmp_path: Path, reference: Path) -> None:
    """With Lightning's launcher: the second process raises an error, then is killed."""
    run = tmp_path / "run"

    def run_with(failure: str, *line: str) -> tuple[int, str]:
        # Lightning starts the second process with it
        argv = [failing_rank.__file__, failure, *line]
        first = ForkedProcess.start(failing_rank.train, failure, line, env=environment(), argv=argv)
        return first.wait(), without_bars(first.out + first.err)

    code, output = run_with("raise", *words(END, "--devices=2", "--output", str(run)))
    assert code == 1, output
    assert output.count("ZeroDivisionError: on purpose") == 1, output
    assert output.count("another process of the run has ended") == 1, output

    resume = ["train", "gan_ring", "--resume", str(run)]
    code, output = run_with("kill", *resume)
    assert code == 1, output
    assert output.count("another process of the run has ended") == 1, output
    assert "Error" not in output

    # without Lightning's launcher, which starts an interpreter
    wait_for_success(start_two_ranks(main, [*resume, f"trainer.max_updates={END}"]))
    assert_same_run(run, reference)
