"""Experiments on the image store through the command line, on small copies of the datasets."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_inputs import SHORT, assert_mistake
from conftest import Once, Outcome, TinyRun, run_cli, run_process, tiny_overrides
from image_trees import encode_image, make_store, prepared_root, smooth_image
from inception_fakes import LinearNetwork
from PIL import Image
from run_files import final_measures
from wandb_offline import read_offline_run

from gan_lightning.errors import warn_once
from gan_lightning.evaluation import inception, pictures

EXPERIMENTS = ("dcgan_celeba", "cgan_celeba", "dcgan_lsun_bedroom", "pix2pix_facades")
NAMES = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage")


@pytest.fixture
def runs(once: Once) -> Callable[[str], TinyRun]:
    """Return a function that trains a run with W&B offline, once for each experiment."""

    def run_of(experiment: str) -> TinyRun:
        def make(folder: Path) -> TinyRun:
            words = ["train", experiment, *tiny_overrides(experiment), "log.wandb=offline"]
            words.append("pictures.every_n_updates=2")
            # in a separate process, since W&B writes the last data when a process ends
            outcome = run_process([*words, "--output", str(folder / "run")], folder)
            return TinyRun(experiment, folder / "run", outcome)

        return once(f"image_experiments/{experiment}", make)

    return run_of


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_run_logs_images_to_wandb(experiment: str, runs: Callable[[str], TinyRun]) -> None:
    run = runs(experiment)
    assert run.outcome.code == 0, run.outcome.err
    logged = read_offline_run(run.folder)
    assert logged.config["data"]["name"] in ("celeba", "lsun", "pairs")
    assert any(name.startswith("loss/") for name in logged.summary)
    assert len(logged.media) >= 2
    for path in run.folder.glob("samples/*.png"):
        with Image.open(path) as picture:
            assert picture.mode == "RGB"
            assert min(picture.size) >= 64


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("kind", ["folder", "pairs"])
def test_a_run_with_one_test_image_ends_and_says_what_is_left_out(kind: str) -> None:
    for number in range(6):
        path = Path("images", "train" if number else "test", f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(smooth_image(number, 64, 32), "PNG"))
    words = ["train", "dcgan", "--images", "images", "--size", "16"]
    if kind == "pairs":
        make_store("pairs", Path("images"), size=32)
        words = ["train", "pix2pix_facades", "data.root=images", "data.size=32"]
    tiny = ["network.width=2", "trainer.max_updates=2", "pictures.samples=4", "data.batch_size=2"]
    words += [*tiny, "evaluation.samples=20", "evaluation.every_n_updates=1", "log.wandb=disabled"]
    outcome = run_cli(*words, "--output", "run")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("samples/duplicates is left out: the test part of the data has o") == 1
    measures = final_measures(Path("run"))
    assert "samples/duplicates" not in measures
    assert np.isfinite(list(measures.values())).all()
    assert ("translation/l1" in measures) == (kind == "pairs")
    assert {path.stem for path in Path("run/checkpoints").iterdir()} >= {"update_0000002"}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_missing_inception_weights_are_reported_in_one_line(
    experiment: str, runs: Callable[[str], TinyRun]
) -> None:
    run = runs(experiment)
    lines = [line for line in re.split("[\r\n]", run.outcome.err) if "FID, KID and other" in line]
    assert len(lines) == 1
    assert "download https://" in lines[0]
    assert "evaluation.inception=PATH" in lines[0]
    measures = final_measures(run.folder)
    assert not any(name.startswith("fid") for name in measures)
    assert ("class/accuracy" in measures) == (experiment == "cgan_celeba")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_evaluate_and_sample(
    experiment: str, runs: Callable[[str], TinyRun], tmp_path: Path
) -> None:
    folder = str(runs(experiment).folder)
    warn_once.cache_clear()  # as in a process of its own
    outcome = run_cli("evaluate", folder)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("FID, KID and other Inception metrics") == 1
    for name, value in final_measures(Path(folder)).items():
        assert f"{name:<26} {value:>9.4f}" in outcome.out
    for output in ("few.npz", "few.png"):
        words = ["sample", folder, "--count", "4", "--output", str(tmp_path / output)]
        assert run_cli(*words).code == 0
    with np.load(tmp_path / "few.npz") as file:
        assert file["images"].shape == (4, 64, 64, 3)
        assert file["images"].dtype == np.uint8
    with Image.open(tmp_path / "few.png") as picture:
        assert picture.mode == "RGB"


def test_facades_are_compared_with_their_targets(runs: Callable[[str], TinyRun]) -> None:
    metrics = final_measures(runs("pix2pix_facades").folder)
    assert 0 < metrics["translation/l1"] < 1
    assert -1 <= metrics["translation/ssim"] <= 1


class SmallNetwork(LinearNetwork, inception.InceptionNetwork):
    """A network that is much faster than Inception."""

    def __init__(self, weights: object, fingerprint: str) -> None:
        LinearNetwork.__init__(self, fingerprint)


def weights(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a file and accept it as the published weights."""
    torch.save({}, path)
    monkeypatch.setattr(inception, "SHA256", sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(inception, "InceptionNetwork", SmallNetwork)
    monkeypatch.setattr(pictures, "LATEST_REFERENCE", {})
    return f"evaluation.inception={path}"


def measured(outcome: Outcome) -> dict[str, float]:
    found = re.findall(r"^  (\S+/tf_bilinear) +(\S+)", outcome.out, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_with_inception(
    runs: Callable[[str], TinyRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    word = weights(Path("inception.pth"), monkeypatch)
    trained = run_cli(
        "train",
        "dcgan_celeba",
        *tiny_overrides("dcgan_celeba"),
        "evaluation.samples=8",
        "log.wandb=disabled",
        word,
        "--output",
        "run",
    )
    assert trained.code == 0, trained.err
    assert list(measured(trained)) == [f"{name}/tf_bilinear" for name in NAMES]
    assert all(np.isfinite(value) for value in measured(trained).values())
    sampled = run_cli("sample", "run", "--count", "8", "--output", "faces.npz")
    assert sampled.code == 0, sampled.err
    words = ["--samples", "faces.npz", "--data", "celeba", f"data.root={prepared_root('celeba')}"]
    anybodys = run_cli("evaluate", *words, word)
    assert anybodys.code == 0, anybodys.err
    assert list(measured(anybodys)) == list(measured(trained))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["evaluation.inception=nowhere.pth"], "evaluation.inception is 'nowhere.pth', which"),
        (["evaluation.resizer=bicubic"], "evaluation.resizer is 'bicubic'; valid are"),
        (["data.root=elsewhere"], "the image store elsewhere-64.store does not exist; make it by"),
        (["data.attributes=[Beard]"], "data: attributes: one is 'Beard'; valid are"),
        (["model.name=acgan"], "needs the class of every sample"),
    ],
)
@pytest.mark.usefixtures("empty_folder")
def test_wrong_values(overrides: list[str], message: str) -> None:
    root = f"data.root={prepared_root('celeba')}"
    assert_mistake(run_cli("train", "dcgan_celeba", *SHORT, root, *overrides), message)
    assert list(Path().iterdir()) == []


def test_evaluate_refuses_keys_of_training(runs: Callable[[str], TinyRun]) -> None:
    folder = str(runs("dcgan_celeba").folder)
    outcome = run_cli("evaluate", folder, "model.latent_size=4")
    assert_mistake(outcome, "evaluate cannot change model.latent_size", "evaluation.KEY=VALUE")
