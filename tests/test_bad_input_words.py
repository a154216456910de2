"""A wrong argument on the command line gives one line, exit code 2 and no file on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_inputs import SHORT, assert_mistake, mistake
from conftest import EXPERIMENTS, run_cli, run_new_process

pytestmark = pytest.mark.usefixtures("empty_folder")


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
        (
            "trainer.max_update=4",
            ("'max_update' in trainer", "valid are max_updates, ", "precision"),
        ),
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


@pytest.mark.parametrize("images", [10**12, 10**18])  # too many for the memory, and for its count
def test_more_data_than_memory(images: int) -> None:
    words = ["train", "gan_stacked_mnist", f"data.images={images}", "log.wandb=disabled"]
    assert_mistake(run_cli(*words), "memory", "use fewer data")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["tran", "gan_ring"], ("'tran'", "valid are train, ", "gan-lightning --help")),
        (["train"], ("Missing argument 'EXP'", "gan-lightning train --help")),
        (["train", "gan_ring", "--devces", "2"], ("'--devces'", "'--devices'", "--help")),
        (["train", "gan_ring", "--devices", "two"], ("'--devices'", "'two'", "integer")),
        (["train", "gan_ring", "more"], ("'more'", "not key=value", "trainer.max_updates=2000")),
        (["show", "gan_ring", "max-steps=3"], ("'max-steps=3'", "not key=value", "show --help")),
        (["train", "seed=3"], ("Missing argument 'EXP'", "train --help")),
        (["train", "gan_ring", "1"], ("override '1' is not key=value", "train --help")),
        (["verify", "gan_ring", "--seeds", "0", "1"], ("'1' is not key=value", "--seeds 0,1,2")),
        (["verify", "gan_ring", "--seeds", "0,one"], ("--seeds", "'one' is not a seed", "0-4")),
        (["verify", "gan_ring", "--seeds", "4-0"], ("'4-0' is not a range",)),
        (["verify", "gan_ring", "--seeds", "0-999999999"], ("not a range of 1 to 1000 seeds",)),
        (["evaluate", "seed=3"], ("evaluate needs a RUN",)),
        (["evaluate", "gan_ring", "seed=3"], ("evaluate cannot change seed", "evaluation.KEY")),
        (["sample", "x", "seed=3", "--output", "x.npz"], ("(seed=3)", "sample --help")),
        (["sample", "gan_ring"], ("Missing option '--output'", "gan-lightning sample --help")),
    ],
)
def test_wrong_arguments(arguments: list[str], parts: tuple[str, ...]) -> None:
    mistake(arguments, *parts)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("trainer.max_updates=many", ("trainer.max_updates is 'many'", "a whole number")),
        ("trainer.max_updates=1.5", ("trainer.max_updates is 1.5", "a whole number")),
        ("trainer.max_updates=", ("trainer.max_updates is None", "a whole number")),
        ("trainer.max_updates={x: 1}", ("trainer.max_updates is {'x': 1}", "a whole number")),
        ("trainer.channels_last=perhaps", ("trainer.channels_last is 'perhaps'", "true or false")),
        ("trainer=5", ("trainer is 5", "key: value")),
        ("claims={metric: x}", ("claims must be a list",)),
        ("log.tags=toy", ("log.tags is 'toy'", "a list")),
        (
            "model.generator_optimizer.learning_rate=fast",
            ("model.generator_optimizer.learning_rate is 'fast'", "a number"),
        ),
        ("model.generator_optimizer.betas=0.5", ("betas is 0.5", "a list of numbers")),
        ("model.generator_optimizer.betas=[a,b]", ("betas[0] is 'a'", "a number")),
        (
            "model.ema_decay=slow",
            ("model.ema_decay is 'slow'", "a number, for example 0.999, or null"),
        ),
        ("log.entity=[a]", ("log.entity is ['a']", "text, or null")),
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


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["train", "infogan_minst"], ("'infogan_minst'", "valid are infogan_mnist, ")),
        (["train", "gan_ring", *SHORT, "--output", "/proc/run"], ("/proc/run", "--output DIR")),
    ],
)
def test_in_a_process(tmp_path: Path, arguments: list[str], parts: tuple[str, ...]) -> None:
    assert_mistake(run_new_process(arguments, tmp_path), *parts)
    assert not list(tmp_path.iterdir())
