"""A run that is stopped again and again, beside one that is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from conftest import tiny_overrides
from factories import first_chunk_of_test_data
from process_pool import TIMEOUT, start_two_ranks, wait_for_success

EPOCH = 5
"""Updates of an epoch; a run makes more."""

STOPS = (1, 3, EPOCH - 1, EPOCH)
"""Updates after which a run is stopped: the first of an epoch, a middle one, the last two."""

UPDATES = EPOCH + 2
BLANK = np.zeros((8, 8, 3), np.uint8)


@contextmanager
def short_epochs() -> Iterator[None]:
    """Let every data set hold what `EPOCH` updates read, and be tested on its first chunk."""
    from gan_lightning.callbacks import histograms, scatter, traversal_grid
    from gan_lightning.data.round_loader import RoundLoader

    make = RoundLoader.__init__

    def cut(self: RoundLoader, data: Any, labels: Any, **given: Any) -> None:
        wanted = EPOCH * given["batch_size"] * given["loader_config"].discriminator_steps
        rows = torch.arange(min(wanted, len(data)))
        if given.get("source") is not None:
            given["source"] = given["source"][rows]
        make(self, data[rows], None if labels is None else labels[rows], **given)

    with (
        patch.object(RoundLoader, "__init__", cut),
        first_chunk_of_test_data(),
        ExitStack() as cuts,
    ):
        for module, name in (  # slow, and without influence on training
            (traversal_grid, "draw_traversals"),
            (scatter, "draw_scatter"),
            (histograms, "draw_histogram"),
        ):
            cuts.enter_context(patch.object(module, name, lambda *_: BLANK))
        yield


@contextmanager
def signal_after(update: int) -> Iterator[None]:
    """Send this process SIGTERM when it has made an update."""
    from gan_lightning.core.module import BaseModule

    finish = BaseModule.log_update

    def hit(self: BaseModule, *args: Any, **given: Any) -> None:
        finish(self, *args, **given)
        if self.updates == update:
            os.kill(os.getpid(), signal.SIGTERM)

    with patch.object(BaseModule, "log_update", hit):
        yield


def compare(experiment: str, folder: Path, *options: str, stops: Sequence[int] = STOPS) -> None:
    """Train an experiment at once and with stops, and check that nothing tells them apart."""
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


def compare_on_two(experiments: Sequence[str], folder: Path, stops: Sequence[int] = STOPS) -> None:
    """Do the same in two processes, which take all experiments one after another."""
    wait_for_success(
        start_two_ranks(_compare_all, experiments, folder, stops), TIMEOUT * len(experiments)
    )


def _compare_all(experiments: Sequence[str], folder: Path, stops: Sequence[int]) -> None:
    for name in experiments:
        compare(name, folder, "trainer.devices=2", "trainer.accelerator=cpu", stops=stops)
