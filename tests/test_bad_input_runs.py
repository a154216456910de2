"""A run that does not fit a command gives one line, exit code 2 and no file on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bad_inputs import mistake
from conftest import TinyRun

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "gan_rign"],
        ["sample", "gan_rign", "--output", "points.npz"],
        ["traverse", "gan_rign"],
        ["train", "gan_ring", "--resume", "gan_rign"],
    ],
)
def test_run_that_does_not_exist(arguments: list[str], ring_run: TinyRun) -> None:
    fix = "`gan-lightning train EXP`"
    mistake(arguments, "no run 'gan_rign'", "no runs yet", fix)
    shutil.copytree(ring_run.folder, "runs/gan_ring/now")
    mistake(arguments, "no run 'gan_rign'", "runs exist of gan_ring", fix)


def test_folder_without_a_config() -> None:
    Path("my_model").mkdir()
    mistake(["sample", "my_model", "--output", "a.npz"], "no run 'my_model'", "has no config.yaml")


def test_resume_without_a_run() -> None:
    mistake(["train", "gan_ring", "--resume"], "no run 'gan_ring'", "`gan-lightning train EXP`")


def test_resume_into_another_folder(ring_run: TinyRun) -> None:
    arguments = ["train", "gan_ring", "--resume", str(ring_run.folder), "--output", "other"]
    mistake(arguments, "--output and --resume")


def test_damaged_checkpoint(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    last = max(Path("run/checkpoints").glob("*.ckpt"))
    for path in Path("run/checkpoints").glob("update*"):
        path.write_bytes(path.read_bytes()[:1000])
    for words in (["evaluate", "run"], ["train", "gan_ring", "--resume", "run"]):
        mistake(words, "no checkpoint can be read", str(last), "train the run again")


def test_run_without_a_checkpoint(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    shutil.rmtree("run/checkpoints")
    Path("run/generator.safetensors").unlink()
    mistake(["evaluate", "run"], "run run has no checkpoint", "train it again", "whole folder")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--count", "0"], ("--count is 0", "at least 1")),
        (["--seed", "-1"], ("--seed is -1", "0 to ")),
        (["--seed", "99999999999999999999"], ("--seed is 99999999999999999999", "0 to ")),
    ],
)
def test_sample_out_of_range(ring_run: TinyRun, words: list[str], parts: tuple[str, ...]) -> None:
    mistake(["sample", str(ring_run.folder), "--output", "points.npz", *words], *parts)


def test_invalid_traverse(ring_run: TinyRun, infogan_run: TinyRun) -> None:
    Path("file").write_text("")
    mistake(["traverse", str(ring_run.folder)], "points", "images", "use `sample`")
    infogan = ["traverse", str(infogan_run.folder)]
    mistake([*infogan, "--output", "codes.npz"], "--output is codes.npz", ".png")
    mistake([*infogan, "--output", "file/codes.png"], "cannot write file/codes.png", "--output")
    mistake([*infogan, "--rows", "0"], "--rows is 0", "at least 1")
    mistake([*infogan, "--seed", "-1"], "--seed is -1", "0 to ")


def test_evaluate_needs_either_a_run_or_samples(ring_run: TinyRun) -> None:
    run = str(ring_run.folder)
    needs = "evaluate needs a RUN, or --samples FILE.npz with --data NAME"
    mistake(["evaluate"], needs)
    mistake(["evaluate", run, "--samples", "mine.npz"], f"a run, {run}", "leave out one", "--count")
    mistake(["evaluate", run, "--count", "1"], "--count is 1", "at least 2")
    mistake(["evaluate", "--samples", "mine.npz"], "--data is missing", "valid are ", "ring")
