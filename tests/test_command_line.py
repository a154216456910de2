"""The commands that a person types, from their help to what they leave in a folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import EXPERIMENTS, TinyRun, command, run_cli, tiny
from PIL import Image
from safetensors.numpy import load_file

from gan_lightning.config import load_config
from gan_lightning.embedded import read_idx
from gan_lightning.experiment_files import experiment_path, read_yaml
from gan_lightning.schema import as_plain

COMMANDS = ("train", "list", "show", "evaluate", "sample", "traverse", "verify", "results")
WITH_EXAMPLE = [name for name in COMMANDS if name != "list"]
HEAVY = ("torch", "omegaconf", "pytorch_lightning", "numpy", "matplotlib", "wandb")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(folder: Path) -> list[dict[str, str]]:
    header, *lines = (folder / "metrics.csv").read_text().splitlines()
    names = header.split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines]


def checkpoint(folder: Path) -> dict[str, Any]:
    last = max((folder / "checkpoints").glob("update_*.ckpt"))
    content: dict[str, Any] = torch.load(last, weights_only=True)
    return content


# --- help, list, show


def test_help_shows_examples() -> None:
    outcome = run_cli("--help")
    assert outcome.code == 0
    assert (
        "Examples:\n    gan-lightning list\n    gan-lightning train infogan_mnist\n" in outcome.out
    )
    assert all(f"  {name}  " in outcome.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str) -> None:
    outcome = run_cli(name, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert name not in WITH_EXAMPLE or f"  gan-lightning {name} " in outcome.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gan_lightning.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "heavy: []"


def test_list_shows_every_experiment() -> None:
    outcome = run_cli("list")
    assert outcome.code == 0
    header, *lines = outcome.out.splitlines()
    assert header.split() == ["experiment", "paper", "data", "claim"]
    assert [line.split()[0] for line in lines] == EXPERIMENTS
    infogan = lines[EXPERIMENTS.index("infogan_mnist")]
    assert "arXiv:1606.03657" in infogan
    assert "code/accuracy >= 0.95" in infogan


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_show_prints_what_load_config_reads_back(experiment: str, tmp_path: Path) -> None:
    outcome = run_cli("show", experiment)
    assert (outcome.code, outcome.err) == (0, "")
    shown = tmp_path / "shown.yaml"
    shown.write_text(outcome.out)
    expected = load_config(read_yaml(experiment_path(experiment)))
    assert as_plain(load_config(read_yaml(shown))) == as_plain(expected)
    assert run_cli("show", str(shown)).out == outcome.out


def test_show_takes_overrides_anywhere() -> None:
    for words in (["show", "gan_ring", "seed=7"], ["show", "seed=7", "gan_ring"]):
        assert "\nseed: 7\n" in run_cli(*words).out


# --- train


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains(experiment: str, trained: Callable[[str], TinyRun]) -> None:
    run = trained(experiment)
    folder = run.folder
    assert run.outcome.code == 0, run.outcome.err
    config = load_config(read_yaml(folder / "config.yaml"))
    expected = load_config(
        read_yaml(experiment_path(experiment)), [*tiny(experiment), "log.wandb=disabled"]
    )
    assert as_plain(config) == as_plain(expected)

    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert {"command", "python", "git_revision"} <= environment.keys()

    measures = measures_of(folder)
    assert measures
    *_, last = rows(folder)
    assert last["updates"] == "4"
    for name, value in measures.items():
        assert float(last[name]) == pytest.approx(value, nan_ok=True)
        assert name in run.outcome.out
    assert any(name.startswith("loss/") for name in last)
    assert int(last["images_seen"]) == 4 * 8 * getattr(config.model, "discriminator_steps", 1)

    kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert kept == ["update_0000002.ckpt", "update_0000004.ckpt"]
    assert checkpoint(folder)["progress"]["updates"] == 4
    assert "precision" in (folder / "log.txt").read_text()
    assert not list(folder.rglob("*.partial"))

    is_classifier = config.model.name == "digit_classifier"
    (weights,) = folder.glob("*.safetensors")
    assert weights.stem == ("classifier" if is_classifier else "generator")
    assert all(np.isfinite(array).all() for array in load_file(weights).values())
    pictures = sorted((folder / "samples").glob("*.png"))
    assert bool(pictures) != is_classifier
    assert {picture.stem[-7:] for picture in pictures} <= {"0000002", "0000004"}
    for picture in pictures:
        with Image.open(picture) as image:
            image.verify()
    assert f"  run    {folder}\n" in run.outcome.out
    assert "  W&B    disabled\n" in run.outcome.out


def test_default_folder_is_the_latest_run() -> None:
    """Two runs of one process have folders of their own, and the name means the later."""
    words = ["train", "gan_ring", *tiny("gan_ring"), "log.wandb=disabled"]
    folders = []
    for seed in ("1", "2"):
        outcome = run_cli(*words, "--seed", seed)
        assert outcome.code == 0, outcome.err
        line = next(line for line in outcome.out.splitlines() if line.startswith("  run "))
        folders.append(Path(line.split()[-1]))
    assert [folder.parent for folder in folders] == [Path("runs/gan_ring")] * 2
    assert sorted(Path("runs/gan_ring").iterdir()) == sorted(folders)
    outcome = run_cli("sample", "gan_ring", "--count", "3", "--output", "by_name.npz")
    assert outcome.code == 0, outcome.err
    run_cli("sample", str(folders[-1]), "--count", "3", "--output", "by_folder.npz")
    assert Path("by_name.npz").read_bytes() == Path("by_folder.npz").read_bytes()


def test_resume_continues(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    more = ["trainer.max_steps=8", "evaluation.samples=50"]
    outcome = run_cli("train", "gan_ring", "--resume", "run", *more)
    assert outcome.code == 0, outcome.err
    assert checkpoint(Path("run"))["progress"]["updates"] == 8
    assert [row["updates"] for row in rows(Path("run"))] == ["2", "4", "6", "8"]
    assert load_config(read_yaml(Path("run/config.yaml"))).trainer.max_steps == 8
    assert "  8 updates; " in outcome.out


def test_interrupt_ends_a_run_with_a_whole_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = ["trainer.max_steps=1000000", "checkpoints.every=100", "log.every=100"]
    quick = [*tiny("gan_ring"), *settings, "log.wandb=disabled"]
    words = command("train", "gan_ring", *quick, "--output", str(folder))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            patience = time.monotonic() + 90
            while not list(folder.glob("checkpoints/update_*.ckpt")):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < patience
                time.sleep(0.05)
            interrupted = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert time.monotonic() - interrupted < 10
    assert process.returncode == 130, err
    assert "Traceback" not in err
    updates = checkpoint(folder)["progress"]["updates"]
    assert 100 <= updates < 1_000_000
    assert f"stopped at update {updates:,}" in out
    assert f"`gan-lightning train gan_ring --resume {folder}`" in out
    assert not list(folder.rglob("*.partial"))
    assert (folder / "generator.safetensors").is_file()

    goal = f"trainer.max_steps={updates + 2}"
    outcome = run_cli("train", "gan_ring", "--resume", str(folder), goal)
    assert outcome.code == 0, outcome.err
    assert checkpoint(folder)["progress"]["updates"] == updates + 2


# --- evaluate, sample, traverse


def measures_of(folder: Path) -> dict[str, float]:
    """Read the final measures, null being no number."""
    measures = json.loads((folder / "measures.json").read_text())
    return {name: float("nan") if value is None else value for name, value in measures.items()}


@pytest.mark.parametrize("kind", ["ring_run", "infogan_run"])
def test_evaluate_measures_the_checkpoint(kind: str, request: pytest.FixtureRequest) -> None:
    run: TinyRun = request.getfixturevalue(kind)
    outcome = run_cli("evaluate", str(run.folder))
    assert outcome.code == 0, outcome.err
    measured = {line.split()[0]: float(line.split()[1]) for line in outcome.out.splitlines()}
    measures = measures_of(run.folder)
    assert measured == pytest.approx(measures, rel=0.01, abs=0.002, nan_ok=True)


def test_evaluate_knows_real_digits() -> None:
    images = read_idx("t10k-images-idx3-ubyte").reshape(-1, 28, 28, 1)
    np.savez("real.npz", images=images)
    outcome = run_cli("evaluate", "--samples", "real.npz", "--data", "mnist")
    assert outcome.code == 0, outcome.err
    measured = {line.split()[0]: float(line.split()[1]) for line in outcome.out.splitlines()}
    assert measured["fd_digits"] == pytest.approx(0, abs=1e-3)
    assert measured["classes/covered"] == 10
    assert measured["classes/kl"] < 0.01


def test_evaluate_knows_the_modes_of_a_ring() -> None:
    angles = np.arange(80) * (np.pi / 4)
    np.savez("ring.npz", points=np.stack([np.cos(angles), np.sin(angles)], 1))
    outcome = run_cli("evaluate", "--samples", "ring.npz", "--data", "ring")
    assert outcome.code == 0, outcome.err
    measures = dict(line.split() for line in outcome.out.splitlines())
    names = ("modes/covered", "modes/high_quality", "modes/reverse_kl")
    assert [float(measures[name]) for name in names] == [8, 1, 0]
    assert 0 < float(measures["wasserstein/exact"]) < 0.5


def sampled(run: TinyRun, *words: str) -> dict[str, np.ndarray[Any, Any]]:
    outcome = run_cli("sample", str(run.folder), "--output", "out/samples.npz", *words)
    assert outcome.code == 0, outcome.err
    with np.load("out/samples.npz", allow_pickle=False) as file:
        return dict(file)


def test_sample_writes_images_and_codes(infogan_run: TinyRun) -> None:
    arrays = sampled(infogan_run, "--count", "5", "--seed", "3")
    assert arrays.keys() == {"images", "codes"}
    assert (arrays["images"].dtype, arrays["images"].shape) == (np.uint8, (5, 28, 28, 1))
    categories, continuous = arrays["codes"][:, 0], arrays["codes"][:, 1:]
    assert arrays["codes"].shape == (5, 3)
    assert set(categories) <= set(range(10))
    assert (np.abs(continuous) <= 1).all()


def test_sample_writes_points(ring_run: TinyRun) -> None:
    arrays = sampled(ring_run, "--count", "501")
    assert arrays.keys() == {"points"}
    assert (arrays["points"].dtype, arrays["points"].shape) == (np.float32, (501, 2))
    assert len(np.unique(arrays["points"], axis=0)) > 490


def test_sample_repeats_by_seed(ring_run: TinyRun) -> None:
    files, points = [], []
    for seed in ("1", "1", "2"):
        points.append(sampled(ring_run, "--count", "20", "--seed", seed)["points"])
        files.append(Path("out/samples.npz").read_bytes())
    assert files[0] == files[1] != files[2]
    more = sampled(ring_run, "--count", "600", "--seed", "1")["points"]
    np.testing.assert_array_equal(more[:20], points[0])


@pytest.mark.parametrize("kind", ["ring_run", "infogan_run"])
def test_sample_draws_a_picture(kind: str, request: pytest.FixtureRequest) -> None:
    run: TinyRun = request.getfixturevalue(kind)
    outcome = run_cli("sample", str(run.folder), "--count", "6", "--output", "picture.png")
    assert (outcome.code, outcome.out) == (0, "wrote 6 samples to picture.png\n")
    with Image.open("picture.png") as image:
        assert image.mode == "RGB"
        assert min(image.size) > 50


def test_sample_of_a_classifier(trained: Callable[[str], TinyRun]) -> None:
    run = trained("classifier_mnist")
    outcome = run_cli("sample", str(run.folder), "--output", "digits.npz")
    assert outcome.code == 2
    assert "generates nothing" in outcome.err
    assert not Path("digits.npz").exists()


def test_traverse_draws_each_code(infogan_run: TinyRun) -> None:
    sizes = []
    for rows_of_panel in ("2", "4"):
        words = ["--rows", rows_of_panel, "--output", "codes.png"]
        outcome = run_cli("traverse", str(infogan_run.folder), *words)
        assert (outcome.code, outcome.out) == (0, "wrote codes.png\n"), outcome.err
        with Image.open("codes.png") as image:
            sizes.append(image.size)
    assert sizes[0][1] < sizes[1][1]
    assert sizes[0][0] > 3 * 28 * 10


def test_another_network_family_by_one_override() -> None:
    outcome = run_cli("show", "gan_mnist", "network.name=dcgan")
    assert outcome.code == 0, outcome.err
    assert "generator_norm: batch" in outcome.out
    assert "generator_hidden" not in outcome.out


def test_interrupt_before_the_first_update_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gan_lightning.run

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gan_lightning.run, "assemble", interrupted)
    words = [*tiny("gan_ring"), "log.wandb=disabled", "--output", str(tmp_path / "run")]
    outcome = run_cli("train", "gan_ring", *words)
    assert outcome.code == 130
    assert not (tmp_path / "run").exists()


def test_a_stopped_run_saves_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_lightning.callbacks import Evaluation
    from gan_lightning.callbacks.interruption import StopOnSignal

    def at_once(self: StopOnSignal, trainer: Any, *_: Any) -> None:
        self.received, trainer.should_stop = signal.SIGINT, True

    def never(*_: Any) -> None:
        raise AssertionError("a stopped run was evaluated")

    monkeypatch.setattr(StopOnSignal, "on_train_batch_end", at_once)
    monkeypatch.setattr(Evaluation, "act", never)
    words = [*tiny("gan_ring"), "trainer.rounds_per_batch=1", "log.wandb=disabled"]
    outcome = run_cli("train", "gan_ring", *words, "--output", str(tmp_path / "run"))
    assert outcome.code == 130, outcome.err
    names = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert names == ["update_0000001.ckpt"]
    assert not (tmp_path / "run" / "measures.json").exists()
