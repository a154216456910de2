"""Fast paths: what they replace gives the same weights, and each can be switched off."""

from __future__ import annotations

import math
import os
import sys
from unittest.mock import patch

import pytest
import torch
from conftest import CHECKOUT
from factories import copy_weights, make_config, train_model, weights_equal

from gan_lightning.core import fast_paths
from gan_lightning.core.fast_paths import ENABLED, disabled

BENCHMARKS = CHECKOUT / "benchmarks"
EXACT = ("ema_update", "direct_step", "malloc", "cuda_check")
"""Fast paths that change no bit; dropout draws other random numbers."""


@pytest.mark.parametrize("name", EXACT)
def test_weights_are_equal_without_a_fast_path(name: str) -> None:
    config = make_config("gan", "model.ema_decay=0.9", "network.batch_norm=true")
    expected = copy_weights(train_model(config))
    with disabled(name):
        weights = copy_weights(train_model(config))
    assert weights_equal(weights, expected)


def test_a_disabled_path_is_not_used() -> None:
    config = make_config("gan", "model.ema_decay=0.9", "network.dropout=0.5")
    average = "gan_lightning.core.fast_paths.EMAUpdate.__call__"
    with patch(average, side_effect=AssertionError), pytest.raises(AssertionError):
        train_model(config)
    with patch(average, side_effect=AssertionError), disabled("ema_update"):
        train_model(config)
    with patch("torch.rand_like", side_effect=AssertionError), pytest.raises(AssertionError):
        train_model(config)
    with patch("torch.rand_like", side_effect=AssertionError), disabled("dropout"):
        train_model(config)
    step = "pytorch_lightning.core.optimizer.LightningOptimizer.step"
    with patch(step, side_effect=AssertionError):
        train_model(config)
        with disabled("direct_step"), pytest.raises(AssertionError):
            train_model(config)


def test_both_dropouts_zero_the_same_share() -> None:
    data = torch.ones(100_000)
    for names in ((), ("dropout",)):
        with disabled(*names):
            dropped = fast_paths.dropout(data, 0.3)
        assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
        assert dropped.max().item() == pytest.approx(1 / 0.7)


def test_disabled_restores_what_was_enabled() -> None:
    before = dict(ENABLED)
    with disabled("malloc", "dropout"):
        assert not ENABLED["malloc"]
        with disabled("dropout"):
            assert not ENABLED["dropout"]
        assert not ENABLED["dropout"]
    assert before == ENABLED
    with pytest.raises(KeyError, match="dropuot"), disabled("dropuot"):
        pass


def test_the_cuda_check_follows_its_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "PYTORCH_NVML_BASED_CUDA_CHECK"
    monkeypatch.setenv(key, "1")
    if torch.cuda.is_available():
        pytest.skip("the check finds a GPU")
    fast_paths.skip_cuda_driver_check()
    assert os.environ[key] == "0"
    with disabled("cuda_check"):
        fast_paths.skip_cuda_driver_check()
    assert os.environ[key] == "1"


def test_each_fast_path_names_what_it_replaces_and_its_gain() -> None:
    paths = (
        fast_paths.dropout,
        fast_paths.EMAUpdate,
        fast_paths.step,
        fast_paths.keep_freed_memory,
        fast_paths.skip_cuda_driver_check,
    )
    assert len(paths) == len(ENABLED)
    for path in paths:
        assert "Replaces" in str(path.__doc__)
        assert "Gain:" in str(path.__doc__)


def test_the_benchmark_times_each_path_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.delitem(sys.modules, "fast_paths", raising=False)
    import fast_paths as benchmark

    plan = benchmark.PLANS["gan_ring"]
    plan = benchmark.Plan(
        20, 20, (*plan.overrides, "data.batch_size=16", "trainer.threads=1"), plan.paths
    )
    pairs = benchmark.time_in_process("gan_ring", plan, turns=2)
    assert set(pairs) == set(ENABLED) - {"malloc"}
    for pair in pairs.values():
        assert len(pair.enabled) == len(pair.disabled) == 2
        assert math.isfinite(pair.ratios().median)
    assert all(ENABLED.values())
