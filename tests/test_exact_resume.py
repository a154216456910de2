"""Interrupted at any batch, an experiment ends as if it had not been, to the last bit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import EXPERIMENTS
from interrupted import STOPS, compare, compare_on_two

from gan_lightning.config.experiments import experiment_path, read_yaml


def one_of_each(*sections: str) -> list[str]:
    """Name one experiment for each choice of these sections' names; `make soak` takes all."""
    chosen = {}
    for name in EXPERIMENTS:
        source = read_yaml(experiment_path(name))
        chosen.setdefault(tuple(source.get(s, {}).get("name") for s in sections), name)
    return sorted(chosen.values())


@pytest.mark.parametrize("experiment", one_of_each("model", "network", "data"))
def test_stopped_four_times_is_the_same_run(experiment: str, tmp_path: Path) -> None:
    compare(experiment, tmp_path)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_stopped_twice_are_the_same_run(tmp_path: Path) -> None:
    compare_on_two(one_of_each("model"), tmp_path, (STOPS[0], STOPS[-1]))
