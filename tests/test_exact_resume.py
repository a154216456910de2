"""A run that is stopped after any batch and resumed equals an uninterrupted one bit for bit."""

from __future__ import annotations

import os
from itertools import cycle
from pathlib import Path

import pytest
from conftest import EXPERIMENTS
from interrupted import STOPS, compare, compare_on_two

from gan_lightning.config.experiments import experiment_path, read_yaml


def covering(*sections: str) -> list[str]:
    """Choose experiments in which every name of these sections occurs; `make soak` tests all."""
    chosen, covered = [], set()
    for experiment in EXPERIMENTS:
        source = read_yaml(experiment_path(experiment))
        names = {(section, source.get(section, {}).get("name")) for section in sections}
        if not names <= covered:
            chosen.append(experiment)
            covered |= names
    return chosen


@pytest.mark.parametrize(
    ("experiment", "stop"), zip(covering("model", "network", "data"), cycle(STOPS))
)
def test_run_that_is_stopped_equals_uninterrupted_run(
    experiment: str, stop: int, tmp_path: Path
) -> None:
    """Each experiment is stopped at one of STOPS, in turn."""
    compare(experiment, tmp_path, stops=[stop])


IN_TWO_PROCESSES = {
    "gan_ring": STOPS[::2],
    "semi_supervised_mnist": STOPS[1:2],
    "pix2pix_edges_mnist": STOPS[3:],
}
"""Experiments with random draws of different kinds, and their stops; `make soak` tests all."""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_that_are_stopped_equal_uninterrupted_run(tmp_path: Path) -> None:
    compare_on_two(IN_TWO_PROCESSES, tmp_path)
