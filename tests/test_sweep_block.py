"""The `sweep:` block of an experiment: valid content, and the values that are tried."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import assert_mistake, mistake
from conftest import EXPERIMENTS, Outcome, run_cli
from sweep_blocks import BLOCK, RANDOM, RATE, read, ring, write

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.sweeps.search import search
from gan_lightning.sweeps.space import Parameter, Sweep, Values, read_sweep, to_overrides
from gan_lightning.sweeps.trials import Trial, ranked


def tried(sweep: Sweep, seed: int) -> list[Values]:
    """Return the values that a search evaluates where every metric is the same."""
    values: list[Values] = []

    def evaluate(point: Values) -> float:
        values.append(point)
        return 0.0

    search(sweep, seed, evaluate)
    return values


SWEPT = [name for name in EXPERIMENTS if "sweep" in read_yaml(experiment_path(name))]


@pytest.mark.parametrize("experiment", SWEPT)
def test_blocks_of_experiments_are_valid(experiment: str) -> None:
    source = read_yaml(experiment_path(experiment))
    sweep = read_sweep(source, [], None)
    assert sweep.metric in {claim["metric"] for claim in source["claims"]} | {"wasserstein/exact"}
    assert len(tried(sweep, 1000)) == sweep.total in range(2, 20)


def test_digits_and_points_have_a_sweep() -> None:
    assert {"infogan_mnist", "minibatch_ring"} <= set(SWEPT)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"metrc": "fd_digits"}, ["key 'metrc' in sweep", "valid are metric"]),
        ({"goal": "maximize"}, ["sweep.goal is 'maximize'", "valid are maximise, minimise"]),
        ({"method": "gird"}, ["sweep.method is 'gird'", "valid are grid"]),
        ({"metric": "fd_digit"}, ["sweep.metric is 'fd_digit'", "fd_digits, "]),
        ({"metric": "modes/coverd"}, ["'modes/coverd'", "metrics are modes/covered"]),
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
        (["minibatch_ring", "network.minibatch_kernels=3"], ["sets a key of sweep.space"]),
        (["minibatch_ring", "seed=3"], ["--seed"]),
        (["minibatch_ring", "--seed", "-1"], ["--seed is -1"]),
        (["minibatch_ring", "--count", "0"], ["sweep.count is 0"]),
        (["minibatch_ring", "--agents", "0"], ["--agents is 0"]),
        (["minibatch_ring", "trainer.max_updtes=3"], ["'max_updtes'", "max_updates"]),
        (["minibatch_ring", "trainer.devices=2"], ["one device"]),
        (["minibatch_ring", "extra"], ["'extra' is not key=value"]),
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
    grid = tried(read({**BLOCK, "space": space}), 0)
    assert [tuple(values.values()) for values in grid] == [(1, 3), (1, 2), (2, 3), (2, 2)]
    assert tried(read({**BLOCK, "space": space}, 3), 0) == grid[:3]


def test_values_depend_on_the_seed_and_not_on_the_count() -> None:
    first, longer, other = (
        tried(read(RANDOM, count), seed) for count, seed in ((5, 1), (30, 1), (5, 2))
    )
    assert longer[:5] == first != other
    rates = [values[RATE] for values in longer]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    below = sum(rate < 1e-3 for rate in rates)
    assert 8 <= below <= 22  # half of them, the middle of the logarithms being 1e-3
    assert all(rate == float(f"{rate:.4g}") for rate in rates)


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_integers_stay_integers_and_no_values_are_tried_twice(method: str) -> None:
    whole = read(
        {**RANDOM, "method": method, "space": {"model.latent_size": {"min": 2, "max": 4}}}, 10
    )
    drawn = [values["model.latent_size"] for values in tried(whole, 0)]
    assert sorted(drawn) == [2, 3, 4]
    assert all(isinstance(size, int) for size in drawn)


def test_overrides_are_read_back_as_they_were() -> None:
    from gan_lightning.config.load import load_config

    values = {RATE: 1e-05, "network.generator_hidden": [4, 5], "network.batch_norm": False}
    config = load_config(
        ring(BLOCK), [*to_overrides(values), *to_overrides({"model.ema_decay": None})]
    )
    assert config.model.generator_optimizer.learning_rate == 1e-05
    assert config.network.generator_hidden == [4, 5]
    assert config.network.batch_norm is False
    assert config.model.ema_decay is None


def test_choices_may_be_lists_and_null() -> None:
    choices = [[4], [5, 5], None, True]
    space = {"network.generator_hidden": {"values": [[4], [5, 5]]}}
    lists = tried(read({**RANDOM, "space": space}, 10), 0)
    assert sorted(values["network.generator_hidden"] for values in lists) == [[4], [5, 5]]
    parameter = Parameter("key", tuple(choices))
    mixed = tried(Sweep("m", "minimise", "random", 10, (parameter,)), 0)
    assert len(mixed) == 4
    assert all(values["key"] in choices for values in mixed)


@pytest.mark.parametrize("goal", ["minimise", "maximise"])
def test_bayes_uses_the_metrics_so_far(goal: str) -> None:
    sweep = read({**RANDOM, "method": "bayes", "goal": goal}, 30)
    rates: list[float] = []

    def evaluate(values: Values) -> float | None:
        rates.append(values[RATE])
        if len(rates) == 5:
            return None  # a failed trial
        return values[RATE] if len(rates) != 6 else math.nan

    search(sweep, 0, evaluate)
    assert len(rates) == 30
    better = [rate < 1e-3 if goal == "minimise" else rate > 1e-3 for rate in rates[15:]]
    assert sum(better) >= 11, rates


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
        assert [trial.detail for trial in found[:3]] == expected
