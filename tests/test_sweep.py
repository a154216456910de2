"""`gan-lightning sweep`: its block, its runs here and by W&B's agents, its ranking."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import EXPERIMENTS, Outcome, run_cli, run_process, tiny
from mistakes import assert_mistake, mistake
from run_files import measures_of
from wandb_server import WandbServer, wandb_environment

from gan_lightning.experiment_files import experiment_path, read_yaml
from gan_lightning.seed_runs import Interrupted
from gan_lightning.sweeps import local
from gan_lightning.sweeps.agents import sweep_config
from gan_lightning.sweeps.space import Sweep, candidates, read_sweep, words
from gan_lightning.sweeps.trials import Trial, ranked

RATE = "model.generator_optimizer.learning_rate"
BLOCK: dict[str, Any] = {
    "metric": "wasserstein/exact",
    "goal": "minimise",
    "method": "grid",
    "space": {"network.packing": {"values": [2, 3, 1]}},
}
"""Three samples do not fill the tiny run's minibatch of eight: that run fails."""
RANDOM = {**BLOCK, "method": "random", "space": {RATE: {"min": 1e-4, "max": 1e-2, "log": True}}}
SWEPT = [name for name in EXPERIMENTS if "sweep" in read_yaml(experiment_path(name))]


def ring(block: Any) -> dict[str, Any]:
    """Give gan_ring a block."""
    return {**read_yaml(experiment_path("gan_ring")), "sweep": block}


def write(folder: Path, block: Any) -> str:
    (folder / "ring.yaml").write_text(yaml.dump(ring(block)))
    return "ring.yaml"


def read(block: dict[str, Any], count: int | None = None) -> Sweep:
    return read_sweep(ring(block), [], count)


# the block


@pytest.mark.parametrize("experiment", SWEPT)
def test_blocks_of_experiments_are_valid(experiment: str) -> None:
    source = read_yaml(experiment_path(experiment))
    sweep = read_sweep(source, [], None)
    assert sweep.metric in {claim["metric"] for claim in source["claims"]} | {"wasserstein/exact"}
    assert len(list(candidates(sweep, 1000))) in range(2, 20)


def test_digits_and_points_have_one() -> None:
    assert {"infogan_mnist", "minibatch_ring"} <= set(SWEPT)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"metrc": "fd_digits"}, ["key 'metrc' in sweep", "valid are metric"]),
        ({"goal": "maximize"}, ["sweep.goal is 'maximize'", "valid are maximise, minimise"]),
        ({"method": "gird"}, ["sweep.method is 'gird'", "valid are grid"]),
        ({"metric": "fd_digit"}, ["sweep.metric is 'fd_digit'", "fd_digits, "]),
        ({"metric": "modes/coverd"}, ["'modes/coverd'", "measures are modes/covered"]),
        ({"metric": "loss/generator/adversarial"}, ["sweep.metric is", "no run measures"]),
        ({"count": 0}, ["sweep.count is 0", "at least 1"]),
        ({"count": "ten"}, ["sweep.count is 'ten'", "whole number"]),
        ({"space": {}}, ["sweep.space is {}", "values"]),
        ({"space": {"model.latent_sze": {"values": [2]}}}, ["'latent_sze'", "latent_size"]),
        ({"space": {"modle.latent_size": {"values": [2]}}}, ["'modle'", "model"]),
        ({"space": {"model.latent_size": {"values": [2, "a"]}}}, ["latent_size is 'a'", "number"]),
        ({"space": {"model.latent_size": {"values": []}}}, ["latent_size", "write {values"]),
        ({"space": {"model.latent_size": {"valus": [2]}}}, ["'valus'", "valid are values"]),
        ({"space": {"model.latent_size": [2, 3]}}, ["latent_size is [2, 3]", "write {values"]),
        ({"space": {RATE: {"min": 1.0, "max": 0.1}}}, ["min must be below max"]),
        ({"space": {RATE: {"min": 0, "max": 0.1, "log": True}}}, ["above 0 where log is true"]),
        ({"space": {RATE: {"min": 0.1}}}, ["min must be below max"]),
        ({"space": {RATE: {"min": 0.1, "max": 0.2}}}, ["is a range", "grid", "values"]),
        (
            {"method": "random", "space": {RATE: {"min": -1, "max": 0.1}}},
            ["learning_rate is -1"],
        ),
    ],
)
@pytest.mark.usefixtures("empty_folder")
def test_a_wrong_block_costs_one_line(changes: dict[str, Any], parts: list[str]) -> None:
    mistake(["sweep", write(Path(), {**BLOCK, **changes})], *parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["gan_ring"], ["no `sweep:` block", "write one"]),
        (["gan_rin"], ["'gan_rin'", "gan_ring"]),
        (["minibatch_ring", "network.minibatch_kernels=3"], ["of the sweep's space"]),
        (["minibatch_ring", "seed=3"], ["--seed"]),
        (["minibatch_ring", "--seed", "-1"], ["--seed is -1"]),
        (["minibatch_ring", "--count", "0"], ["sweep.count is 0"]),
        (["minibatch_ring", "--agents", "0"], ["--agents is 0"]),
        (["minibatch_ring", "trainer.max_stps=3"], ["'max_stps'", "max_steps"]),
        (["minibatch_ring", "trainer.devices=2"], ["one device"]),
        (["minibatch_ring", "extra"], ["override is key=value"]),
    ],
)
@pytest.mark.usefixtures("empty_folder")
def test_wrong_words_cost_one_line(arguments: list[str], parts: list[str]) -> None:
    outcome = run_cli("sweep", *arguments)
    assert outcome.code == 2
    assert_mistake(Outcome(2, "", outcome.err), *parts)
    assert not list(Path().iterdir())


def test_a_grid_is_tried_in_order() -> None:
    space = {"network.packing": {"values": [1, 2]}, "model.latent_size": {"values": [3, 2]}}
    tried = list(candidates(read({**BLOCK, "space": space}), 0))
    assert [tuple(values.values()) for values in tried] == [(1, 3), (1, 2), (2, 3), (2, 2)]
    assert list(candidates(read({**BLOCK, "space": space}, 3), 0)) == tried[:3]


def test_draws_are_those_of_the_seed_and_fewer_are_the_first() -> None:
    first, longer, other = (
        list(candidates(read(RANDOM, count), seed)) for count, seed in ((5, 1), (30, 1), (5, 2))
    )
    assert longer[:5] == first != other
    rates = [values[RATE] for values in longer]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    below = sum(rate < 1e-3 for rate in rates)
    assert 8 <= below <= 22  # half of them, the middle of the logarithms being 1e-3
    assert all(rate == float(f"{rate:.4g}") for rate in rates)


def test_draws_of_whole_numbers_are_whole_and_no_run_is_tried_twice() -> None:
    whole = read({**RANDOM, "space": {"model.latent_size": {"min": 2, "max": 4}}}, 10)
    drawn = [values["model.latent_size"] for values in candidates(whole, 0)]
    assert sorted(drawn) == [2, 3, 4]
    assert all(isinstance(size, int) for size in drawn)


def test_words_are_read_back_as_they_were() -> None:
    from gan_lightning.config import load_config

    values = {RATE: 1e-05, "network.generator_hidden": [4, 5], "network.batch_norm": False}
    config = load_config(ring(BLOCK), [*words(values), *words({"model.ema_decay": None})])
    assert config.model.generator_optimizer.learning_rate == 1e-05
    assert config.network.generator_hidden == [4, 5]
    assert config.network.batch_norm is False
    assert config.model.ema_decay is None


@pytest.mark.usefixtures("empty_folder")
def test_other_commands_leave_the_block_alone() -> None:
    shown = run_cli("show", write(Path(), BLOCK)).out
    (Path() / "plain.yaml").write_text(shown)
    assert "sweep" not in shown
    assert run_cli("show", "plain.yaml").out == shown == run_cli("show", "gan_ring").out


def test_the_best_comes_first_and_what_failed_last() -> None:
    trials = [Trial({}, value, str(value)) for value in (2.0, None, math.nan, 1.0, 3.0)]
    for goal, expected in (
        ("minimise", ["1.0", "2.0", "3.0"]),
        ("maximise", ["3.0", "2.0", "1.0"]),
    ):
        found = ranked(trials, read({**BLOCK, "goal": goal}))
        assert [trial.said for trial in found[:3]] == expected


# runs here


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
        command = ["sweep", write(folder, BLOCK), *tiny("gan_ring"), "log.wandb=disabled"]
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
        measured = measures_of(swept.folder / run)["wasserstein/exact"]
        assert measured == pytest.approx(float(value), abs=1e-4)
    assert failed.split()[:4] == ["-", "none", "3", "failed:"]
    assert "packs" in failed
    best = f"network.packing={ranks[0][2]}"
    assert f"gan-lightning verify ring.yaml {best} --name ring_tuned`" in last


def test_a_failed_run_says_why_and_the_next_is_tried(swept: Swept) -> None:
    lines = swept.first.out.splitlines()
    place = lines.index("2/3  network.packing=3")
    assert lines[place + 1].startswith("seed 1000: trains")
    assert lines[place + 2].startswith("failed: data.batch_size is 8")
    assert lines[place + 3] == "3/3  network.packing=1"


def test_a_sweep_is_gone_on_with(swept: Swept) -> None:
    took = [line for line in swept.again.out.splitlines() if ": takes " in line]
    assert len(took) == 2
    assert swept.again.out.splitlines()[-5:] == swept.first.out.splitlines()[-5:]
    assert len(list((swept.folder / "runs").glob("sweeps/ring/*/config.yaml"))) == 2


def test_seeds_are_not_those_of_claims(swept: Swept) -> None:
    assert "seed 1000; the seeds that claims are reported on are left alone" in swept.first.out
    configs = (swept.folder / "runs").glob("sweeps/ring/*/config.yaml")
    assert {read_yaml(path)["seed"] for path in configs} == {1000}


@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize(
    ("stop", "code"),
    [(Interrupted(signal.SIGTERM), 143), (KeyboardInterrupt(), 130)],
)
def test_a_signal_ends_it_with_the_table_so_far(
    monkeypatch: pytest.MonkeyPatch, swept: Swept, stop: BaseException, code: int
) -> None:
    true = local.seed_run

    def stopped(config: Any, *parts: Any) -> Any:
        if config.network.packing != 2:
            raise stop
        return true(config, *parts)

    monkeypatch.setattr(local, "seed_run", stopped)
    command = ["sweep", "ring.yaml", *tiny("gan_ring"), "log.wandb=disabled"]
    outcome = run_cli(*command)
    assert outcome.code == code
    *_, header, first, _, last = outcome.out.splitlines()
    assert header.split() == ["wasserstein/exact", "network.packing", "run"]
    assert first.split()[0] == "1"
    assert last == "stopped; the same command goes on"


@pytest.mark.usefixtures("empty_folder")
def test_bayes_is_random_without_a_server_and_nothing_measured_is_a_failure() -> None:
    block = {**RANDOM, "method": "bayes", "space": {"network.packing": {"values": [3]}}}
    outcome = run_cli("sweep", write(Path(), block), *tiny("gan_ring"), "log.wandb=disabled")
    assert outcome.code == 1
    assert "without a server bayes becomes random" in outcome.out
    assert outcome.out.endswith("no run has a measure\n")


# runs of W&B's agents


def test_space_in_the_form_of_wandb() -> None:
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


def test_agents_make_the_runs_that_the_server_hands_out(tmp_path: Path) -> None:
    command = ["sweep", write(tmp_path, RANDOM), "--count", "1", "--entity", "team"]
    command += ["--project", "games", *tiny("gan_ring")]
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
    assert measures_of(tmp_path / folder)["wasserstein/exact"] == run.summary["wasserstein/exact"]
    assert folder.startswith("runs/sweeps/sweep-0/ring/")
    assert (tmp_path / "runs/sweeps/sweep-0/agent_1.log").stat().st_size
