"""An invalid input file gives one line, exit code 2 and no file on the disk."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import DAMAGES, SHORT, assert_mistake, damage, mistake
from conftest import run_cli

from gan_lightning.data import DATASETS
from gan_lightning.inference.evaluate import _read_samples

pytestmark = pytest.mark.usefixtures("empty_folder")


# --- YAML


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"model:\n\tname: gan\n", ("not valid YAML", "line 2, column 1")),
        (b"- a\n- b\n", ("must contain `key: value` lines",)),
        (b"title: caf\xe9\n", ("not valid YAML", "utf-8")),
        (b"title: \x00\n", ("not valid YAML",)),
        (b"model: {name: gan\n", ("not valid YAML", "line 2")),
        (b"model: {name: gan}\nmodel: {name: infogan}\n", ("duplicate key model", "line 2")),
        (b"title: !!python/object/apply:os.mkdir [owned]\n", ("python/object", "line 1")),
        (b"title: !!python/object/new:os.mkdir [owned]\n", ("python/object", "line 1")),
        (b"title: ${nope}\n", ("'nope'",)),
        (b"1: 2\nmodel: {name: gan}\n", ("keys of a config must be text",)),
        (b"", ("model.name is missing", "valid are ", "gan")),
        (b"model: gan\n", ("model is 'gan'", "model: {name:")),
        (b"model: {name: gan}\n", ("data.name is missing", "valid are ", "ring")),
        (
            b"model: {name: gan}\ndata: {name: ring}\ntrainer: [1]\n",
            ("trainer is [1]", "key: value"),
        ),
    ],
)
@pytest.mark.parametrize("command", ["show", "train"])
def test_malformed_yaml(command: str, content: bytes, parts: tuple[str, ...]) -> None:
    Path("mine.yaml").write_bytes(content)
    mistake([command, "mine.yaml"], *parts)


def test_yaml_that_is_a_folder() -> None:
    Path("mine.yaml").mkdir()
    mistake(["show", "mine.yaml"], "mine.yaml", "path of an experiment's YAML")


# --- samples to evaluate


def images(count: int = 4, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.zeros((count, 28, 28, 1), dtype)


ARRAYS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("mnist", {"images": images(dtype=np.float64)}, ("float64", "must be uint8 (N, 28, 28, 1)")),
    ("mnist", {"images": images()[..., 0]}, ("uint8 (4, 28, 28)", "uint8 (N, 28, 28, 1)")),
    ("mnist", {"images": images(1)}, ("(1, 28, 28, 1)", "N at least 2")),
    ("mnist", {"images": images(0)}, ("(0, 28, 28, 1)", "N at least 2")),
    ("mnist", {"images": np.uint8(3)}, ("uint8 ()", "uint8 (N, 28, 28, 1)")),
    ("mnist", {"images": np.array([{}], object)}, ("plain arrays", "images=")),
    ("mnist", {"points": np.zeros((4, 2))}, ("no array 'images'", "its arrays: points")),
    ("mnist", {}, ("no array 'images'", "its arrays: none")),
    ("ring", {"points": np.zeros((4, 3))}, ("float64 (4, 3)", "float32 (N, 2)")),
    ("ring", {"points": np.zeros((0, 2))}, ("(0, 2)", "float32 (N, 2)")),
    ("ring", {"points": np.array([["a", "b"]])}, ("<U1", "float32 (N, 2)")),
    ("ring", {"points": np.ones((4, 2), complex)}, ("complex128", "float32 (N, 2)")),
    ("ring", {"points": np.full((4, 2), np.nan)}, ("contain NaN or infinity",)),
    ("ring", {"images": images()}, ("no array 'points'", "its arrays: images")),
    ("dirac", {"points": np.zeros((4, 1))}, ("'dirac'", "valid are grid, mnist, ring, stacked_")),
    ("mnst", {"images": images()}, ("--data is 'mnst'", "valid are mnist, ")),
]


@pytest.mark.parametrize(("data", "arrays", "parts"), ARRAYS)
def test_wrong_samples(data: str, arrays: dict[str, Any], parts: tuple[str, ...]) -> None:
    np.savez("mine.npz", **arrays)
    mistake(["evaluate", "--samples", "mine.npz", "--data", data], *parts)


@pytest.mark.parametrize(("white", "lines"), [(1, 1), (255, 0)])
def test_samples_of_0_and_1_are_black_and_white(
    white: int, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = images()
    digits[:, :9] = white
    np.savez("mine.npz", images=digits)
    mnist = DATASETS["mnist"]
    samples = _read_samples(Path("mine.npz"), mnist(mnist.Config()))
    assert samples.unique().tolist() == [-1, 1]
    assert len(capsys.readouterr().err.splitlines()) == lines


class Trap:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> Any:
        return Path.mkdir, (Path("owned"),)


def test_files_that_hold_no_samples() -> None:
    np.savez("good.npz", images=images())
    good = Path("good.npz").read_bytes()
    np.save("array.npy", images())
    with zipfile.ZipFile("foreign.npz", "w") as archive:
        archive.writestr("images", "hello")
    with zipfile.ZipFile("header.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr'")
    flipped = bytearray(good)
    flipped[1000] ^= 1
    files = {
        "pickled.npz": pickle.dumps({"images": Trap()}),
        "text.npz": b"hello",
        "empty.npz": b"",
        "truncated.npz": good[: len(good) // 2],
        "flipped.npz": bytes(flipped),
    }
    for name, content in files.items():
        Path(name).write_bytes(content)
    for name in (*files, "foreign.npz", "header.npz", "array.npy"):
        words = ["evaluate", "--samples", name, "--data", "mnist"]
        mistake(words, name, "not an .npz file", "numpy.savez(FILE, images=")
    Path("folder.npz").mkdir()
    for name in ("absent.npz", "folder.npz"):
        mistake(["evaluate", "--samples", name, "--data", "mnist"], "cannot read", name)


# --- the embedded digits


@pytest.mark.parametrize("how", DAMAGES)
def test_corrupt_embedded_file(
    how: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("mnist")
    broken = damage("train-labels-idx1-ubyte", how, folder, monkeypatch)
    outcome = run_cli("train", "gan_mnist", *SHORT)
    assert_mistake(outcome, str(broken), "reinstall gan-lightning", "git checkout")


@pytest.mark.parametrize(
    ("experiment", "name"),
    [("gan_mnist", "train-images-idx3-ubyte"), ("infogan_mnist", "t10k-labels-idx1-ubyte")],
)
def test_corrupt_embedded_file_is_noticed_before_the_run_begins(
    experiment: str,
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = damage(name, "truncated", tmp_path_factory.mktemp("mnist"), monkeypatch)
    mistake(["train", experiment, *SHORT], str(broken), "reinstall gan-lightning")
