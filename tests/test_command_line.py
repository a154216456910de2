"""Commands that compute nothing: help, list and show."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import click
import pytest
from bad_inputs import assert_mistake
from click.testing import CliRunner
from conftest import EXPERIMENTS, run_cli

from gan_lightning import cli as commands
from gan_lightning.cli.errors import handle_errors
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain

COMMANDS = [str(command.name) for command in commands.COMMANDS]
HEAVY = ("torch", "omegaconf", "pytorch_lightning", "numpy", "matplotlib", "wandb", "gradio")


def test_help_shows_examples() -> None:
    outcome = run_cli("--help")
    assert outcome.code == 0
    examples = ["demo", "gallery", "list", "train infogan_mnist"]
    lines = "".join(f"    gan-lightning {words}\n" for words in examples)
    assert f"Examples:\n{lines}" in outcome.out
    assert all(f"  {name}  " in outcome.out for name in COMMANDS)


def test_without_a_command_it_says_what_to_try() -> None:
    outcome = run_cli()
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert len(lines) == 3
    for line in lines:
        program, command = line.split()[:2]
        assert program == "gan-lightning"
        assert command in COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str) -> None:
    outcome = run_cli(name, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"  gan-lightning {name}" in outcome.out.partition("Example")[2]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gan_lightning.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "heavy: []"


def test_list_shows_every_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    outcome = run_cli("list")
    assert outcome.code == 0
    header, *lines = outcome.out.splitlines()
    assert header.split() == ["experiment", "topic", "data", "min", "title"]
    assert [line.split()[0] for line in lines] == EXPERIMENTS
    name, topic, data, minutes, *title = lines[EXPERIMENTS.index("infogan_mnist")].split()
    assert (name, topic, data) == ("infogan_mnist", "infogan", "mnist")
    assert int(minutes) > 0
    assert " ".join(title) == read_yaml(experiment_path("infogan_mnist"))["title"]


@pytest.mark.parametrize("columns", [200, 120, 80, 40])
def test_list_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run_cli("list").out.splitlines()
    assert len(lines) == len(EXPERIMENTS) + 1
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--topic", "energy-based"], ["ebgan_mnist", "ebgan_pt_mnist"]),
        (["--model", "wgan", "--data", "ring"], ["wgan_ring"]),
        (["--data", "pairs"], ["pix2pix_facades"]),
    ],
)
def test_list_by_topic_model_and_data(words: list[str], expected: list[str]) -> None:
    lines = run_cli("list", *words).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--topic", "infogans"], "--topic is 'infogans'; valid are infogan, "),
        (["--model", "wgan2"], "--model is 'wgan2'; valid are wgan, gan, wgan_gp, "),
        (["--data", "MNIST"], "--data is 'MNIST'; valid are "),
        (["--model", "wgan", "--data", "celeba"], "no experiment has --model wgan and --data"),
    ],
)
def test_list_of_nothing_is_one_line(words: list[str], message: str) -> None:
    assert_mistake(run_cli("list", *words), message)


@pytest.mark.parametrize(
    ("name", "continuation"),
    [
        ("train", "resume a run that has a checkpoint by `gan-lightning train EXP --resume`"),
        ("verify", "run the same command again to continue"),
        *((name, "") for name in ("play", "sample", "evaluate", "report", "export", "dashboard")),
    ],
)
@pytest.mark.parametrize("is_disk", [False, True])
def test_an_interrupt_or_a_full_disk_names_what_continues_this_command(
    name: str, continuation: str, is_disk: bool
) -> None:
    @click.command(name)
    @handle_errors
    def failing() -> None:
        raise OSError(errno.ENOSPC, "No space left", "file") if is_disk else KeyboardInterrupt

    outcome = CliRunner().invoke(failing)
    if is_disk:
        end = f", then {continuation}" if continuation else ""
        assert outcome.output.endswith(f"cannot write file: No space left; free disk space{end}\n")
        assert outcome.exit_code == 2
    else:
        end = f"; {continuation}" if continuation else ""
        assert outcome.output == f"gan-lightning: interrupted{end}\n"
        assert outcome.exit_code == 130


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


def test_another_network_family_by_one_override() -> None:
    outcome = run_cli("show", "gan_mnist", "network.name=dcgan")
    assert outcome.code == 0, outcome.err
    assert "generator_norm: batch" in outcome.out
    assert "discriminator_hidden" not in outcome.out


def test_changing_a_config_does_not_change_another() -> None:
    source = read_yaml(experiment_path("gan_ring"))
    expected = as_plain(load_config(source))
    changed = load_config(source, ["seed=7", "model.ema_decay=0.5", "claims=[]"])
    changed.model.generator_optimizer.learning_rate = 7.0
    changed.log.tags.append("mine")
    assert as_plain(load_config(source)) == expected != as_plain(changed)
