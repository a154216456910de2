"""Compare a run that is stopped and resumed repeatedly with an uninterrupted one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from conftest import tiny_overrides
from process_pool import TIMEOUT, start_two_ranks, wait_for_success

EPOCH = 5
"""Updates per epoch; a run has more."""

STOPS = (1, 3, EPOCH - 1, EPOCH)
"""Updates after which the run is stopped: first, middle and last two of an epoch."""

UPDATES = EPOCH + 2
BLANK = np.zeros((8, 8, 3), np.uint8)


@contextmanager
def short_epochs() -> Iterator[None]:
    """Cut every dataset to the minibatches of `EPOCH` updates; evaluate one chunk of samples."""
    from gan_lightning.callbacks import histograms, scatter, traversal_grid
    from gan_lightning.data.round_loader import RoundLoader

    original_init = RoundLoader.__init__

    def init_with_fewer_rows(self: RoundLoader, data: Any, labels: Any, **kwargs: Any) -> None:
        count = EPOCH * kwargs["batch_size"] * kwargs["loader_config"].minibatches_per_round
        rows = torch.arange(min(count, len(data)))
        if kwargs.get("source") is not None:
            kwargs["source"] = kwargs["source"][rows]
        original_init(self, data[rows], None if labels is None else labels[rows], **kwargs)

    with (
        patch.object(RoundLoader, "__init__", init_with_fewer_rows),
        ExitStack() as patches,
    ):
        for module, name in (  # slow, and without effect on training
            (traversal_grid, "draw_traversals"),
            (scatter, "draw_scatter"),
            (histograms, "draw_histogram"),
        ):
            patches.enter_context(patch.object(module, name, lambda *_: BLANK))
        yield


@contextmanager
def signal_after(update: int) -> Iterator[None]:
    """Send SIGTERM to this process after an update."""
    from gan_lightning.core.module import BaseModule

    log_update = BaseModule.log_update

    def log_update_and_signal(self: BaseModule, *args: Any, **kwargs: Any) -> None:
        log_update(self, *args, **kwargs)
        if self.updates == update:
            os.kill(os.getpid(), signal.SIGTERM)

    with patch.object(BaseModule, "log_update", log_update_and_signal):
        yield


def compare(experiment: str, folder: Path, *options: str, stops: Sequence[int] = STOPS) -> None:
    """Train an experiment without and with stops, and check that the results are equal."""
    from test_resume import assert_equal

    from gan_lightning.callbacks import list_checkpoints
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.runs.directory import RunDirectory
    from gan_lightning.training.train import train

    words = [
        *tiny_overrides(experiment),
        f"trainer.max_updates={UPDATES}",
        "trainer.rounds_per_batch=1",
    ]
    words += ["pictures.every_n_updates=0", "log.wandb=disabled", *options]
    config = load_config(read_yaml(experiment_path(experiment)), words)
    whole, part = folder / experiment / "whole", folder / experiment / "part"

    with short_epochs():
        train(config, experiment, whole)
        for stop in stops:
            with signal_after(stop):
                resumed = RunDirectory(part) if stop > stops[0] else None
                outcome = train(config, experiment, part, resumed)
            assert (outcome.updates, outcome.stop_signal) == (stop, signal.SIGTERM)
        train(config, experiment, resume=RunDirectory(part))
    ends = [
        torch.load(list_checkpoints(path / "checkpoints")[-1], weights_only=True)
        for path in (whole, part)
    ]
    for end in ends:
        assert len(end.pop("run")) == 16
    assert_equal(*ends)
    assert (whole / "metrics.csv").read_bytes() == (part / "metrics.csv").read_bytes()


def compare_on_two(stops: Mapping[str, Sequence[int]], folder: Path) -> None:
    """Call `compare` in two processes for each experiment, with its stops."""
    wait_for_success(start_two_ranks(_compare_all, stops, folder), TIMEOUT * len(stops))


def _compare_all(stops: Mapping[str, Sequence[int]], folder: Path) -> None:
    for name, updates in stops.items():
        compare(name, folder, "trainer.devices=2", "trainer.accelerator=cpu", stops=updates)
