"""`gan-lightning sweep`: local runs, runs of W&B agents, and the ranking."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome, run_cli, run_process, tiny_overrides
from run_files import final_measures
from sweep_blocks import BLOCK, RANDOM, RATE, read, write
from wandb_server import WandbServer, wandb_environment

from gan_lightning.config.experiments import read_yaml
from gan_lightning.sweeps import local
from gan_lightning.sweeps.agents import sweep_config
from gan_lightning.verification.runs import RunInterrupted


@dataclass(frozen=True)
class Swept:
    """Two sweeps of the same space, one after the other."""

    folder: Path
    first: Outcome
    again: Outcome


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command = ["sweep", write(folder, BLOCK), *tiny_overrides("gan_ring"), "log.wandb=disabled"]
        yield Swept(folder, run_cli(*command), run_cli(*command))


def test_ends_with_a_ranked_table(swept: Swept) -> None:
    assert swept.first.code == 0, swept.first.err
    *_, header, first, second, failed, last = swept.first.out.splitlines()
    assert header.split() == ["wasserstein/exact", "network.packing", "run"]
    ranks = [line.split() for line in (first, second)]
    assert [rank[0] for rank in ranks] == ["1", "2"]
    assert {rank[2] for rank in ranks} == {"1", "2"}
    assert float(ranks[0][1]) <= float(ranks[1][1])
    for _, value, _, run in ranks:
        measured = final_measures(swept.folder / run)["wasserstein/exact"]
        assert measured == pytest.approx(float(value), abs=1e-4)
    assert failed.split()[:4] == ["-", "none", "3", "failed:"]
    assert "network.packing" in failed
    best = f"network.packing={ranks[0][2]}"
    assert f"gan-lightning verify ring.yaml {best} --name ring_tuned`" in last


def test_a_failed_run_says_why_and_the_next_is_tried(swept: Swept) -> None:
    lines = swept.first.out.splitlines()
    place = lines.index("2/3  network.packing=3")
    assert lines[place + 1].startswith("seed 1000: trains")
    assert lines[place + 2].startswith("failed: data.batch_size is 8")
    assert lines[place + 3] == "3/3  network.packing=1"


def test_a_sweep_reuses_its_runs(swept: Swept) -> None:
    took = [line for line in swept.again.out.splitlines() if ": reuses " in line]
    assert len(took) == 2
    assert swept.again.out.splitlines()[-5:] == swept.first.out.splitlines()[-5:]
    assert len(list((swept.folder / "runs").glob("sweeps/ring/*/config.yaml"))) == 2


def test_seeds_are_not_those_of_claims(swept: Swept) -> None:
    assert "seed 1000; claims are verified on other seeds" in swept.first.out
    configs = (swept.folder / "runs").glob("sweeps/ring/*/config.yaml")
    assert {read_yaml(path)["seed"] for path in configs} == {1000}


@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize(
    ("stop", "code"),
    [(RunInterrupted(signal.SIGTERM), 143), (KeyboardInterrupt(), 130)],
)
def test_a_signal_ends_it_with_the_table_so_far(
    monkeypatch: pytest.MonkeyPatch, swept: Swept, stop: BaseException, code: int
) -> None:
    original = local.reuse_or_train

    def stopped(config: Any, *parts: Any) -> Any:
        if config.network.packing != 2:
            raise stop
        return original(config, *parts)

    monkeypatch.setattr(local, "reuse_or_train", stopped)
    command = ["sweep", "ring.yaml", *tiny_overrides("gan_ring"), "log.wandb=disabled"]
    outcome = run_cli(*command)
    assert outcome.code == code
    *_, header, first, _, last = outcome.out.splitlines()
    assert header.split() == ["wasserstein/exact", "network.packing", "run"]
    assert first.split()[0] == "1"
    assert last == "stopped; the same command continues"


@pytest.mark.usefixtures("empty_folder")
def test_a_sweep_without_a_measured_run_fails() -> None:
    block = {**RANDOM, "method": "bayes", "space": {"network.packing": {"values": [3]}}}
    outcome = run_cli(
        "sweep", write(Path(), block), *tiny_overrides("gan_ring"), "log.wandb=disabled"
    )
    assert outcome.code == 1
    assert "1/1  network.packing=3" in outcome.out
    assert outcome.out.endswith("no run has measured wasserstein/exact\n")


@pytest.mark.usefixtures("empty_folder")
def test_a_bayesian_sweep_that_was_stopped_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    block = {**RANDOM, "method": "bayes"}
    command = ["sweep", write(Path(), block), "--count", "4", *tiny_overrides("gan_ring")]
    command += ["trainer.max_updates=2", "log.wandb=disabled"]
    original, calls = local.reuse_or_train, 0

    def stops_at_third(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(local, "reuse_or_train", stops_at_third)
        stopped = run_cli(*command)
    assert stopped.code == 130
    continued = run_cli(*command)
    assert continued.code == 0, continued.err
    assert continued.out.count(": reuses ") == 2
    assert continued.out.count(": trains") == 2
    repeated = run_cli(*command)
    assert repeated.out.count(": reuses ") == 4
    assert repeated.out.splitlines()[-6:] == continued.out.splitlines()[-6:]


# --- runs of W&B agents


def test_space_in_the_format_of_wandb() -> None:
    space = {
        RATE: {"min": 1e-4, "max": 1e-2, "log": True},
        "model.latent_size": {"min": 2, "max": 4},
        "network.dropout": {"min": 0.0, "max": 0.5},
        "network.generator_hidden": {"values": [[4], [5, 5]]},
    }
    sweep = read({**RANDOM, "method": "bayes", "space": space}, 7)
    config = sweep_config(sweep, "gan_ring", ["data.batch_size=8"], 1000, Path("runs/sweeps"))
    assert config["method"] == "bayes"
    assert config["metric"] == {"name": "wasserstein/exact", "goal": "minimize"}
    assert config["run_cap"] == 7
    found = config["parameters"]
    assert found[RATE] == {"min": 1e-4, "max": 1e-2, "distribution": "log_uniform_values"}
    assert found["model.latent_size"]["distribution"] == "int_uniform"
    assert found["network.dropout"]["distribution"] == "uniform"
    assert found["network.generator_hidden"] == {"values": [[4], [5, 5]]}
    assert config["command"][-2:] == ["data.batch_size=8", "${args_no_hyphens}"]
    assert "seed=1000" in config["command"]


def test_agents_train_the_runs_that_the_server_suggests(tmp_path: Path) -> None:
    command = ["sweep", write(tmp_path, RANDOM), "--count", "1", "--entity", "team"]
    command += ["--project", "games", *tiny_overrides("gan_ring")]
    with WandbServer() as server:
        server.suggested = [{RATE: 1e-3}]
        environment = wandb_environment(tmp_path, server)
        del environment["WANDB_MODE"]
        outcome = run_process(command, tmp_path, environment)
    assert outcome.code == 0, outcome.err
    assert not server.unknown
    assert not server.suggested

    (config,) = server.sweeps
    assert config["parameters"][RATE]["distribution"] == "log_uniform_values"
    assert config["run_cap"] == 1

    run = server.run
    assert (run.name, run.project, run.exit_code) == ("sweep-0-run-0", "games", 0)
    assert run.config["model"]["generator_optimizer"]["learning_rate"] == 1e-3
    assert run.config["seed"] == 1000

    lines = outcome.out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.split()[1:] == [RATE, "run"])
    rank, value, rate, folder = lines[header + 1].split()
    assert (rank, rate) == ("1", "0.001")
    assert float(value) == pytest.approx(run.summary["wasserstein/exact"], abs=1e-4)
    assert (
        final_measures(tmp_path / folder)["wasserstein/exact"] == run.summary["wasserstein/exact"]
    )
    assert folder.startswith("runs/sweeps/sweep-0/ring/")
    assert (tmp_path / "runs/sweeps/sweep-0/agent_1.log").stat().st_size
