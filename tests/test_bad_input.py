"""A user's mistake costs one line, exit code 2 and nothing on the disk."""

from __future__ import annotations

import errno
import lzma
import os
import pickle
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXPERIMENTS, Outcome, TinyRun, run_cli, run_process

from gan_lightning import embedded

SHORT = ("trainer.max_steps=2", "evaluation.samples=40", "data.batch_size=8", "log.wandb=disabled")
"""What ends a run at once, should a mistake not be noticed."""


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assert_mistake(outcome: Outcome, *parts: str) -> None:
    """Check a mistake's exit code and its one line, which must hold all parts in this order."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("gan-lightning: ")
    place = 0
    for part in parts:
        found = lines[0].find(part, place)
        assert found >= 0, f"{part!r} is not, or not in its place, in {lines[0]!r}"
        place = found + len(part)


def mistake(arguments: list[str], *parts: str) -> None:
    """Run a command line that must leave the disk as it is."""
    before = sorted(Path().rglob("*"))
    assert_mistake(run_cli(*arguments), *parts)
    assert sorted(Path().rglob("*")) == before


def valid_first(first: str, others: list[str]) -> str:
    return f"valid are {', '.join([first, *sorted(name for name in others if name != first)])}"


# --- names


@pytest.mark.parametrize("command", ["train", "show"])
def test_unknown_experiment(command: str) -> None:
    mistake(
        [command, "infogan_minst"], "'infogan_minst'", "valid are infogan_mnist, ", ".yaml file"
    )
    assert all(name in run_cli(command, "infogan_minst").err for name in EXPERIMENTS)
    mistake([command, "nope.yaml"], "nope.yaml", "path of an experiment's YAML")
    mistake([command, ""], "''", "valid are")


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("modle.name=gan", ("'modle'", "valid are model, ", "trainer")),
        ("trainer.max_step=4", ("'max_step' in trainer", "valid are max_steps, ", "precision")),
        (
            "model.generator_optimizer.learning_rte=1",
            ("'learning_rte' in model.generator_optimizer", "valid are learning_rate, betas"),
        ),
        ("x=${oc.env:HOME}", ("'x'", "valid are ", "trainer")),
        ("model.name=infogann", ("model.name is 'infogann'", "valid are infogan, ", "gan")),
        ("model.name=", ("model.name is missing", "valid are ", "infogan")),
        ("model=infogan", ("model is 'infogan'", "model: {name:")),
        ("network.name=mpl", ("network.name is 'mpl'", "valid are mlp, ", "dcgan")),
        ("data.name=rign", ("data.name is 'rign'", "valid are ring, ", "mnist")),
        ("data=null", ("data is None", "data: {name:")),
    ],
)
def test_unknown_name(override: str, parts: tuple[str, ...]) -> None:
    mistake(["train", "gan_ring", override], *parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["tran", "gan_ring"], ("'tran'", "valid are train, ", "gan-lightning --help")),
        (["train"], ("Missing argument 'EXP'", "gan-lightning train --help")),
        (["train", "gan_ring", "--devces", "2"], ("'--devces'", "'--devices'", "--help")),
        (["train", "gan_ring", "--devices", "two"], ("'--devices'", "'two'", "integer")),
        (["train", "gan_ring", "more"], ("(more)", "key=value", "trainer.max_steps=2000")),
        (["show", "gan_ring", "max-steps=3"], ("(max-steps=3)", "key=value")),
        (["evaluate", "gan_ring", "seed=3"], ("(seed=3)", "gan-lightning evaluate --help")),
        (["sample", "gan_ring"], ("Missing option '--output'", "gan-lightning sample --help")),
    ],
)
def test_wrong_words(arguments: list[str], parts: tuple[str, ...]) -> None:
    mistake(arguments, *parts)


# --- values


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("trainer.max_steps=many", ("trainer.max_steps is 'many'", "a whole number")),
        ("trainer.max_steps=1.5", ("trainer.max_steps is 1.5", "a whole number")),
        ("trainer.max_steps=", ("trainer.max_steps is None", "a whole number")),
        ("trainer.max_steps={x: 1}", ("trainer.max_steps is {'x': 1}", "a whole number")),
        ("trainer.channels_last=perhaps", ("trainer.channels_last is 'perhaps'", "true or false")),
        ("trainer=5", ("trainer is 5", "key: value")),
        ("claims={metric: x}", ("claims must be a list",)),
        ("log.tags=toy", ("log.tags is 'toy'", "a list")),
        (
            "model.generator_optimizer.learning_rate=fast",
            ("model.generator_optimizer.learning_rate is 'fast'", "a number"),
        ),
        ("model.generator_optimizer.betas=0.5", ("betas is 0.5", "a list", "a number")),
        ("model.generator_optimizer.betas=[a,b]", ("betas is ['a', 'b']", "a list", "a number")),
        ("model.ema_decay=slow", ("model.ema_decay", "'slow'")),
        ("claims=[{metric: x}]", ("'x'", "one of at_least, at_most, above, below")),
        ("claims=[{metric: x, atleast: 1}]", ("'atleast' in claims", "valid are at_least, ")),
        ("claims=[soon]", ("claims[0]", "soon")),
        ("claims=[{at_least: 1}]", ("claims[0].metric",)),
    ],
)
def test_wrong_type(override: str, parts: tuple[str, ...]) -> None:
    mistake(["train", "gan_ring", *SHORT, override], *parts)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("model.betas=[1", "model.betas=[1"),
        ("title={a", "title={a"),
        ("a..b=1", "'a..b=1'"),
        ("trainer.=1", "'trainer.=1'"),
        ("title=${nope}", "'nope'"),
        ("title=${oc.env:NO_SUCH_VARIABLE}", "'NO_SUCH_VARIABLE'"),
        ("title=!!python/object/apply:os.mkdir [owned]", "python/object"),
    ],
)
def test_malformed_override(override: str, named: str) -> None:
    mistake(["train", "gan_ring", *SHORT, override], named)


OUT_OF_RANGE = [
    ("gan_ring", "trainer.max_steps=0", "trainer.max_steps is 0; it must be at least 1"),
    ("gan_ring", "trainer.devices=0", "trainer.devices is 0; it must be at least 1"),
    ("gan_ring", "trainer.nodes=-1", "trainer.nodes is -1; it must be at least 1"),
    ("gan_ring", "trainer.rounds_per_batch=-1", "trainer.rounds_per_batch is -1; .* at least 0"),
    ("gan_ring", "trainer.precision=16", "precision is '16'; valid are 16-mixed, .*32-true"),
    ("gan_ring", "trainer.accelerator=cpuu", "'cpuu'; valid are cpu, .*gpu"),
    ("gan_ring", "evaluation.samples=1", "evaluation.samples is 1; it must be at least 2"),
    ("gan_ring", "evaluation.every=-1", "evaluation.every is -1; it must be at least 0"),
    ("gan_ring", "pictures.every=-1", "pictures.every is -1; it must be at least 0"),
    ("gan_ring", "pictures.samples=0", "pictures.samples is 0; it must be at least 1"),
    ("gan_ring", "checkpoints.every=-1", "checkpoints.every is -1; it must be at least 0"),
    ("gan_ring", "checkpoints.keep=0", "checkpoints.keep is 0; it must be at least 1"),
    ("gan_ring", "log.every=0", "log.every is 0; it must be at least 1"),
    ("gan_ring", "log.wandb=onlne", "'onlne'; valid are online, .*disabled"),
    ("gan_ring", "seed=-1", "seed is -1; it must be at least 0"),
    ("gan_ring", "data.batch_size=0", "data.batch_size is 0; it must be at least 1"),
    ("gan_ring", "data.points=0", "data.*points is 0; it must be at least 1"),
    ("gan_ring", "data.modes=0", "data.*modes is 0; it must be at least 1"),
    ("gan_ring", "data.standard_deviation=0", "data.*standard_deviation is 0.0; .* positive"),
    ("gan_ring", "data.standard_deviation=nan", "data.standard_deviation is nan; .* finite"),
    ("gan_grid", "data.side=0", "data.*side is 0; it must be at least 1"),
    ("gan_grid", "data.spacing=inf", "data.spacing is inf; it must be finite"),
    ("gan_mnist", "data.size=29", "data.*size is 29; .*28 and 32"),
    ("gan_ring", "model.latent_size=0", "model.latent_size is 0; it must be at least 1"),
    ("gan_ring", "model.latent_prior=norml", "model.latent_prior is 'norml'; valid are .*normal"),
    ("gan_ring", "model.discriminator_steps=0", "model.discriminator_steps is 0; .* at least 1"),
    ("gan_ring", "model.ema_decay=1.5", r"model.ema_decay is 1.5; it must lie in \(0, 1\)"),
    ("gan_ring", "model.objective=minmax", "'minmax'; valid are minimax, "),
    (
        "gan_ring",
        "model.generator_optimizer.learning_rate=nan",
        "model.generator_optimizer.learning_rate is nan; it must be finite",
    ),
    ("infogan_mnist", "model.categorical_codes=[1]", r"categorical_codes is \[1\]; .* 2 or more"),
    ("infogan_mnist", "model.continuous_codes=-1", "model.continuous_codes is -1; .* at least 0"),
    ("gan_ring", "network.activation=rellu", "activation is 'rellu'; valid are 'relu', "),
    ("gan_ring", "network.initialisation=nrmal", "initialisation is 'nrmal'; valid are "),
    ("dcgan_mnist", "network.generator_norm=btch", "generator_norm is 'btch'; valid are 'batch', "),
    ("classifier_mnist", "model.warm_up=1", r"model.warm_up is 1.0; it must lie in \[0, 1\)"),
    ("classifier_mnist", "model.scale=-1", r"model.scale is -1.0; it must lie in \[0, 1\)"),
    ("classifier_mnist", "data={name: ring}", "one-channel images of ten classes.* data.name"),
]

OUT_OF_RANGE += [
    ("gan_ring", "data.batch_size=1000000", "batch_size is 1000000; it must lie in 1..100000"),
    ("gan_mnist", "data.batch_size=70000", "batch_size is 70000; it must lie in 1..60000"),
    ("gan_ring", "model.generator_optimizer.learning_rate=0", "learning_rate is 0.0; .* positive"),
    ("gan_ring", "model.generator_optimizer.learning_rate=-1", "learning_rate is -1.0"),
    ("gan_ring", "model.generator_optimizer.betas=[0.5]", r"betas is \[0.5\]; .* two numbers"),
    ("gan_ring", "model.discriminator_optimizer.betas=[0.5,1]", r"betas is .* in \[0, 1\)"),
    ("gan_ring", "model.generator_optimizer.name=adamm", "'adamm'.* valid are adam, "),
    ("gan_ring", "model.generator_optimizer.weight_decay=-1", "weight_decay is -1.0; .* at least"),
    ("classifier_mnist", "model.optimizer.learning_rate=-1", "learning_rate is -1.0; .* positive"),
    ("gan_ring", "data={name: swissroll, scale: 0}", "data.*scale is 0.0; .* positive"),
    ("gan_ring", "network.dropout=1.5", "network.*dropout is 1.5"),
    ("gan_ring", "network.dropout=-0.5", "network.*dropout is -0.5"),
    ("gan_ring", "network.generator_hidden=[0]", r"network.*generator_hidden is \[0\]"),
    ("gan_ring", "network.generator_hidden=[-1]", r"network.*generator_hidden is \[-1\]"),
    ("dcgan_mnist", "network.width=0", "network.*width is 0; .* at least 1"),
    ("dcgan_mnist", "network.width=-1", "network.*width is -1; .* at least 1"),
    ("gan_ring", "trainer.accelerator=mps", "'mps'.* (cpu|auto)"),
]


@pytest.mark.parametrize(
    ("experiment", "override", "line"),
    OUT_OF_RANGE,
)
def test_value_out_of_range(experiment: str, override: str, line: str) -> None:
    mistake(["train", experiment, *SHORT, override])
    said = run_cli("train", experiment, *SHORT, override).err
    assert re.search(line, said), said


def test_more_devices_than_there_are() -> None:
    mistake(
        ["train", "gan_ring", "--devices", "640", "--accelerator", "cpu"],
        "--devices is 640",
        "valid are 1 to ",
    )


def test_gpu_on_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    mistake(["train", "gan_ring", "--accelerator", "gpu"], "'gpu'", "no GPU", "use cpu or auto")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_batch_that_processes_cannot_share() -> None:
    mistake(
        ["train", "gan_ring", "--devices", "2", "--accelerator", "cpu", "data.batch_size=7"],
        "data.batch_size is 7",
        "2 processes",
        "nearest that they can is 8",
    )


@pytest.mark.parametrize(("packing", "batch", "nearest"), [(3, 100, 99), (2, 9, 8), (16, 5, 16)])
def test_batch_that_does_not_fill_its_packs(packing: int, batch: int, nearest: int) -> None:
    words = [*SHORT, f"network.packing={packing}", f"data.batch_size={batch}"]
    parts = (f"data.batch_size is {batch}", f"network.packing = {packing};", f"is {nearest}")
    mistake(["train", "gan_ring", *words], *parts)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_batch_that_does_not_fill_its_packs_in_each_process() -> None:
    words = [*SHORT, "network.packing=4", "data.batch_size=12", "--devices", "2"]
    arguments = ["train", "gan_ring", *words, "--accelerator", "cpu"]
    mistake(arguments, "data.batch_size is 12", "each of 2 processes", "nearest that does is 16")


@pytest.mark.parametrize("model", ["infogan", "ebgan"])
def test_variants_that_judge_each_datum_alone_refuse_packs(model: str) -> None:
    words = [f"model.name={model}", "network.packing=2"]
    mistake(["train", "gan_mnist", *SHORT, *words], "network.packing is 2", "set it to 1")


# --- runs


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


def test_resume_without_a_run() -> None:
    mistake(["train", "gan_ring", "--resume"], "no run 'gan_ring'", "`gan-lightning train EXP`")


def test_resume_into_another_folder(ring_run: TinyRun) -> None:
    arguments = ["train", "gan_ring", "--resume", str(ring_run.folder), "--output", "other"]
    mistake(arguments, "--output and --resume")


def test_damaged_checkpoint(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    last = max(Path("run/checkpoints").glob("*.ckpt"))
    last.write_bytes(last.read_bytes()[:1000])
    for words in (["evaluate", "run"], ["train", "gan_ring", "--resume", "run", *SHORT]):
        mistake(words, str(last), "delete it")


def test_run_without_a_checkpoint(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    shutil.rmtree("run/checkpoints")
    mistake(["evaluate", "run"], "run run has no checkpoint", "train it again")


# --- the embedded digits


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "foreign": lambda content: lzma.compress(bytes(1000)),
    "empty": lambda content: b"",
    "missing": lambda content: None,
}


def damage(name: str, how: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let MNIST read copies of its files of which one is damaged; return that one."""
    for path in embedded.FOLDER.glob("*.xz"):
        (folder / path.name).symlink_to(path)
    broken = folder / f"{name}.xz"
    content = DAMAGES[how](broken.read_bytes())
    broken.unlink()
    if content is not None:
        broken.write_bytes(content)
    monkeypatch.setattr(embedded, "FOLDER", folder)
    return broken


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


# --- folders and files that cannot be written


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system with room for a few small files."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small file system here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_unwritable_run_folder() -> None:
    Path("file").write_text("")
    for output, reason in (("file", "exists"), ("file/run", "directory"), ("/proc/run", "")):
        words = ["train", "gan_ring", *SHORT, "--output", output]
        mistake(words, f"cannot write to {output}", reason, "--output DIR")


def test_unwritable_default_folder() -> None:
    Path("runs").write_text("")
    mistake(["train", "gan_ring", *SHORT], "cannot write to runs/gan_ring", "--output DIR")


def test_full_run_folder(small_disk: Path) -> None:
    output = small_disk / "run"
    words = ["train", "gan_ring", *SHORT, "--output", str(output)]
    mistake(words, f"cannot write to {output}", os.strerror(errno.ENOSPC), "--output DIR")
    assert not list(small_disk.iterdir())


def test_disk_that_fills_during_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_lightning.callbacks import AtomicCheckpointIO

    def save(*args: Any, **kwargs: Any) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("unexpected pos 20736 vs 20632") from error  # as torch.save does

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
    outcome = run_cli("train", "gan_ring", *SHORT)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert f"gan-lightning: cannot write: {os.strerror(errno.ENOSPC)}" in outcome.err


def test_run_folder_that_is_not_empty() -> None:
    Path("used").mkdir()
    Path("used/note.txt").write_text("mine")
    words = ["train", "gan_ring", *SHORT, "--output", "used"]
    mistake(words, "used is not empty", "new folder by --output DIR")
    assert Path("used/note.txt").read_text() == "mine"


def test_sample_to_a_wrong_place(ring_run: TinyRun) -> None:
    ring = ["sample", str(ring_run.folder), "--output"]
    Path("file").write_text("")
    for output in ("points.jpg", "points"):
        mistake([*ring, output], f"--output is {output}", ".npz or .png")
    for output in ("file/points.npz", "file/points.png", "/proc/points.npz"):
        mistake([*ring, output], f"cannot write {output}", "choose another --output")


def test_sample_to_a_full_disk(infogan_run: TinyRun, small_disk: Path) -> None:
    for name in ("digits.npz", "digits.png"):
        words = ["sample", str(infogan_run.folder), "--count", "500", "--output"]
        mistake([*words, str(small_disk / name)], name, os.strerror(errno.ENOSPC), "--output")
    assert not list(small_disk.iterdir())


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


def test_traverse(ring_run: TinyRun, infogan_run: TinyRun) -> None:
    Path("file").write_text("")
    mistake(["traverse", str(ring_run.folder)], "points", "images", "use `sample`")
    infogan = ["traverse", str(infogan_run.folder)]
    mistake([*infogan, "--output", "codes.npz"], "--output is codes.npz", ".png")
    mistake([*infogan, "--output", "file/codes.png"], "cannot write file/codes.png", "--output")
    mistake([*infogan, "--rows", "0"], "--rows is 0", "at least 1")
    mistake([*infogan, "--seed", "-1"], "--seed is -1", "0 to ")


# --- YAML


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"model:\n\tname: gan\n", ("not valid YAML", "line 2, column 1")),
        (b"- a\n- b\n", ("must hold `key: value` lines",)),
        (b"title: caf\xe9\n", ("not valid YAML", "utf-8")),
        (b"title: \x00\n", ("not valid YAML",)),
        (b"model: {name: gan\n", ("not valid YAML", "line 2")),
        (b"model: {name: gan}\nmodel: {name: infogan}\n", ("duplicate key model", "line 2")),
        (b"title: !!python/object/apply:os.mkdir [owned]\n", ("python/object", "line 1")),
        (b"title: !!python/object/new:os.mkdir [owned]\n", ("python/object", "line 1")),
        (b"title: ${nope}\n", ("'nope'",)),
        (b"1: 2\nmodel: {name: gan}\n", ("keys of a config must be words",)),
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


# --- samples to judge


def images(count: int = 4, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.zeros((count, 28, 28, 1), dtype)


ARRAYS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("mnist", {"images": images(dtype=np.float64)}, ("float64", "must be uint8 (N, 28, 28, 1)")),
    ("mnist", {"images": images()[..., 0]}, ("uint8 (4, 28, 28)", "uint8 (N, 28, 28, 1)")),
    ("mnist", {"images": images(1)}, ("(1, 28, 28, 1)", "N of 2 or more")),
    ("mnist", {"images": images(0)}, ("(0, 28, 28, 1)", "N of 2 or more")),
    ("mnist", {"images": np.uint8(3)}, ("uint8 ()", "uint8 (N, 28, 28, 1)")),
    ("mnist", {"images": np.array([{}], object)}, ("plain arrays", "images=")),
    ("mnist", {"points": np.zeros((4, 2))}, ("no array 'images'", "it has points")),
    ("mnist", {}, ("no array 'images'", "it has nothing")),
    ("ring", {"points": np.zeros((4, 3))}, ("float64 (4, 3)", "float32 (N, 2)")),
    ("ring", {"points": np.zeros((0, 2))}, ("(0, 2)", "float32 (N, 2)")),
    ("ring", {"points": np.array([["a", "b"]])}, ("<U1", "float32 (N, 2)")),
    ("ring", {"points": np.ones((4, 2), complex)}, ("complex128", "float32 (N, 2)")),
    ("ring", {"points": np.full((4, 2), np.nan)}, ("not all finite",)),
    ("ring", {"images": images()}, ("no array 'points'", "it has images")),
    ("dirac", {"points": np.zeros((4, 1))}, ("'dirac'", "valid are grid, mnist, ring, stacked_")),
    ("mnst", {"images": images()}, ("--data is 'mnst'", "valid are mnist, ")),
]


@pytest.mark.parametrize(("data", "arrays", "parts"), ARRAYS)
def test_wrong_samples(data: str, arrays: dict[str, Any], parts: tuple[str, ...]) -> None:
    np.savez("mine.npz", **arrays)
    mistake(["evaluate", "--samples", "mine.npz", "--data", data], *parts)


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


def test_evaluate_asks_for_one_thing(ring_run: TinyRun) -> None:
    run = str(ring_run.folder)
    needs = "evaluate needs a RUN, or --samples FILE.npz with --data NAME"
    mistake(["evaluate"], needs)
    mistake(["evaluate", run, "--samples", "mine.npz"], needs)
    mistake(["evaluate", run, "--count", "1"], "--count is 1", "at least 2")
    mistake(["evaluate", "--samples", "mine.npz"], "--data is missing", "valid are ", "ring")


# --- in a process of its own


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["train", "infogan_minst"], ("'infogan_minst'", "valid are infogan_mnist, ")),
        (["train", "gan_ring", *SHORT, "--output", "/proc/run"], ("/proc/run", "--output DIR")),
    ],
)
def test_in_a_process(tmp_path: Path, arguments: list[str], parts: tuple[str, ...]) -> None:
    assert_mistake(run_process(arguments, tmp_path), *parts)
    assert not list(tmp_path.iterdir())
