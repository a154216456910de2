"""A run that is stopped by a signal at any point ends soon, and resumes to equal results."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run_cli, tiny_overrides
from factories import make_config
from process_pool import start_two_ranks
from run_files import final_measures
from test_resume import assert_equal

import gan_lightning.training.train
from gan_lightning.callbacks import Evaluation, list_checkpoints, scatter
from gan_lightning.cli.main import main
from gan_lightning.config.schema import RunConfig
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation import DigitEvaluator, ModeEvaluator
from gan_lightning.evaluation.base import CHUNK_SIZE
from gan_lightning.metrics.statistics_cache import cache_folder
from gan_lightning.training.train import TrainingResult, train

CHUNKS = 2


def small(*overrides: str) -> RunConfig:
    return make_config(
        "gan",
        "trainer.max_updates=10",
        "log.wandb=disabled",
        "log.every_n_updates=2",
        "checkpoints.every_n_updates=3",
        f"evaluation.samples={CHUNKS * CHUNK_SIZE}",
        "evaluation.every_n_updates=4",
        "pictures.every_n_updates=4",
        *overrides,
    )


def signal_in_first_call(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, number: signal.Signals = signal.SIGINT
) -> list[int]:
    """Send a signal in the first call of a function; return a list with one entry per call."""
    function, calls = getattr(owner, name), []

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 1:
            os.kill(os.getpid(), number)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, patched)
    return calls


def pictures_of(outcome: TrainingResult) -> list[str]:
    return sorted(path.name for path in outcome.run_directory.samples.glob("*.png"))


def points_of(outcome: TrainingResult) -> dict[int, bytes]:
    return {update: path.read_bytes() for update, path in outcome.run_directory.points().items()}


def checkpoint_of(outcome: TrainingResult) -> dict[str, Any]:
    path = list_checkpoints(outcome.run_directory.checkpoints)[-1]
    content: dict[str, Any] = torch.load(str(path), weights_only=True)
    return {name: content[name] for name in ("progress", "state_dict", "optimizer_states")}


@pytest.mark.parametrize(
    ("owner", "name", "updates", "done"),
    [(ModeEvaluator, "update", 4, False), (scatter, "draw_scatter", 5, True)],
    ids=["chunk", "picture"],
)
def test_run_stopped_in_a_callback_resumes_to_the_same_bits(
    owner: Any,
    name: str,
    updates: int,
    done: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An evaluation stops after the chunk in progress; a picture is finished first."""
    whole = train(small(), "test", tmp_path / "whole")
    with monkeypatch.context() as patch:
        calls = signal_in_first_call(patch, owner, name)
        part = train(small(), "test", tmp_path / "part")
    assert (part.stop_signal, part.updates, part.measures) == (signal.SIGINT, updates, {})
    assert len(calls) == 1
    assert checkpoint_of(part)["progress"]["updates"] == updates
    assert ("modes/covered" in part.run_directory.metrics.read_text()) == done
    assert pictures_of(part) == (["scatter_0000004.png"] if done else [])

    rest = train(small(), "test", resume=part.run_directory)
    assert rest.updates == 10
    assert_equal(checkpoint_of(whole), checkpoint_of(rest))
    assert whole.run_directory.metrics.read_text() == rest.run_directory.metrics.read_text()
    assert pictures_of(whole) == pictures_of(rest)
    assert points_of(whole) == points_of(rest)
    assert list(points_of(rest)) == [4, 8, 10]
    assert whole.measures == pytest.approx(rest.measures, nan_ok=True)


def test_finished_evaluations_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = train(small("trainer.max_updates=4"), "test", tmp_path / "run")
    updates: list[int] = []

    def on_interval(self: Evaluation, trainer: Any, learner: Any) -> None:
        updates.append(learner.updates)

    monkeypatch.setattr(Evaluation, "on_interval", on_interval)
    train(small("trainer.max_updates=9"), "test", resume=part.run_directory)
    assert updates == [8, 9]


def test_statistics_of_real_data_can_be_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    calls = signal_in_first_call(monkeypatch, DigitEvaluator, "_features")
    run = small("evaluation.every_n_updates=1", "pictures.every_n_updates=0", "data.name=mnist")
    outcome = train(run, "test", tmp_path / "run")
    assert (outcome.stop_signal, outcome.updates, len(calls)) == (signal.SIGINT, 1, 1)
    assert not cache_folder().exists()


def test_run_stopped_in_its_last_evaluation_resumes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    words = [*tiny_overrides("gan_ring"), "evaluation.samples=1500", "log.wandb=disabled"]
    with monkeypatch.context() as patch:
        calls = signal_in_first_call(patch, ModeEvaluator, "update", signal.SIGTERM)
        outcome = run_cli("train", "gan_ring", *words, "--output", str(folder))
    assert (outcome.code, len(calls)) == (143, 1), outcome.err
    assert "stopped at update 4; resume it by" in outcome.out
    assert json.loads((folder / "outcome.json").read_text())["measures"] is None

    outcome = run_cli("train", "gan_ring", "--resume", str(folder))
    assert outcome.code == 0, outcome.err
    assert "  4 updates; " in outcome.out
    assert "modes/covered" in final_measures(folder)
    other = run_cli("train", "gan_ring", *words, "--output", str(tmp_path / "whole"))
    assert other.code == 0, other.err
    assert final_measures(folder) == pytest.approx(
        final_measures(tmp_path / "whole"), rel=0, abs=0, nan_ok=True
    )
    for name in ("metrics.csv", "generator.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert run_cli("train", "gan_ring", "--resume", str(folder)).code == 2


def test_run_killed_after_its_last_checkpoint_is_not_evaluated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(
        small("trainer.max_updates=4", "pictures.every_n_updates=0"), "test", tmp_path / "run"
    )
    metrics = run.run_directory.metrics.read_text()
    (run.run_directory.path / "outcome.json").unlink()
    monkeypatch.setattr(ModeEvaluator, "update", None)
    again = train(run.run_directory.config(), "test", resume=run.run_directory)
    assert (again.updates, again.measures) == (4, pytest.approx(run.measures, nan_ok=True))
    assert run.run_directory.metrics.read_text() == metrics


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("owner", "name"), [(gan_lightning.training.train, "build_trainer"), (Evaluation, "setup")]
)
def test_signal_before_training_leaves_no_directory(
    owner: Any,
    name: str,
    number: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal_in_first_call(monkeypatch, owner, name, number)
    words = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "--output", str(tmp_path / "run")]
    outcome = run_cli("train", "gan_ring", *words)
    assert outcome.code == 128 + number, outcome.err
    assert outcome.err.startswith("gan-lightning: interrupted; ")
    assert not (tmp_path / "run").exists()
    # a second signal does not change the exit code of a process that is ending
    after = signal.SIG_IGN if number == signal.SIGTERM else signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == after


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_shards_cover_all_chunks_with_equal_numbers_of_calls(world: int) -> None:
    chunks = list(range(7))
    pauses = [0] * world

    def part(rank: int) -> list[int]:
        def pause() -> None:
            pauses[rank] += 1

        return list(Shard(rank, world, pause).iterate(chunks))

    assert sorted(chunk for rank in range(world) for chunk in part(rank)) == chunks
    assert len(set(pauses)) == 1


def train_with_a_signal_on_rank_1(folder: Path) -> None:
    """Train as one of two processes; the second gets SIGINT in its first chunk of an evaluation."""
    update = ModeEvaluator.update

    def update_and_signal(self: ModeEvaluator, *args: Any) -> None:
        if os.environ["LOCAL_RANK"] == "1":
            os.kill(os.getpid(), signal.SIGINT)
        update(self, *args)

    pytest.MonkeyPatch().setattr(ModeEvaluator, "update", update_and_signal)
    samples = f"evaluation.samples={CHUNKS * CHUNK_SIZE}"
    processes = ["--devices", "2", "--accelerator", "cpu", "--output", str(folder)]
    words = [
        *tiny_overrides("gan_ring_paper"),
        samples,
        "evaluation.every_n_updates=2",
        "log.wandb=disabled",
    ]
    main(["train", "gan_ring_paper", *words, *processes])


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_signal_on_one_rank_stops_the_evaluation_on_all(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first, second = start_two_ranks(train_with_a_signal_on_rank_1, folder)
    # the first process got no signal itself: it exits with the number of the other's signal
    assert [first.wait(), second.wait()] == [130, 0], first.err + second.err
    assert "stopped at update 2; resume it by" in first.out
    assert [path.name for path in folder.glob("checkpoints/*")] == ["update_0000002.ckpt"]
    assert "modes/covered" not in (folder / "metrics.csv").read_text()
    assert (folder / "log.txt").read_text().count(
        "batch normalisation uses the statistics of each process's own"
    ) == 1
