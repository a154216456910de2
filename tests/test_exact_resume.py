"""Interrupted at any batch, an experiment ends as if it had not been, to the last bit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import EXPERIMENTS
from interrupted import STOPS, compare, compare_on_two

from gan_lightning.config.experiments import experiment_path, read_yaml


def covering(*sections: str) -> list[str]:
    """Choose experiments such that each name in these sections occurs; `make soak` takes all."""
    chosen, covered = [], set()
    for experiment in EXPERIMENTS:
        source = read_yaml(experiment_path(experiment))
        names = {(section, source.get(section, {}).get("name")) for section in sections}
        if not names <= covered:
            chosen.append(experiment)
            covered |= names
    return chosen


@pytest.mark.parametrize("experiment", covering("model", "network", "data"))
def test_stopped_four_times_is_the_same_run(experiment: str, tmp_path: Path) -> None:
    compare(experiment, tmp_path)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_stopped_twice_are_the_same_run(tmp_path: Path) -> None:
    compare_on_two(covering("model"), tmp_path, (STOPS[0], STOPS[-1]))
