"""Interrupted at any batch, every experiment ends as if it had not been, to the last bit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import EXPERIMENTS
from interrupted import compare, compare_on_two

from gan_lightning.experiment_files import experiment_path, read_yaml


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_stopped_four_times_is_the_same_run(experiment: str, tmp_path: Path) -> None:
    compare(experiment, tmp_path)


def one_of_each_model() -> list[str]:
    """Name one experiment a variant; `make soak` takes all."""
    models = {read_yaml(experiment_path(name))["model"]["name"]: name for name in EXPERIMENTS}
    return sorted(models.values())


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_stopped_four_times_are_the_same_run(tmp_path: Path) -> None:
    compare_on_two(one_of_each_model(), tmp_path)
