"""Shell completion of commands, names and config keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import mistake
from conftest import EXPERIMENTS, run_cli

from gan_lightning.cli import COMMANDS
from gan_lightning.cli.config_keys import override_keys
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain

pytestmark = pytest.mark.usefixtures("empty_folder")

CODE = "from gan_lightning.cli.main import main; main([])"


def completed(*words: str) -> list[str]:
    """Return the completions of the last word, requested as the shell script does."""
    environment = {
        **os.environ,
        "COMP_WORDS": " ".join(["gan-lightning", *words]),
        "COMP_CWORD": str(len(words)),
        "_GAN_LIGHTNING_COMPLETE": "bash_complete",
    }
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", CODE],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    modules = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert not modules & {"torch", "numpy", "pytorch_lightning"}
    return [line.partition(",")[2] for line in process.stdout.splitlines() if line]


@pytest.fixture
def runs() -> list[str]:
    """Make two run directories."""
    names = ["runs/gan_ring/2026-11-23_10-00-00", "runs/wgan_ring/2026-11-23_10-00-00"]
    for name in names:
        Path(name).mkdir(parents=True)
        (Path(name) / "config.yaml").write_text("")
    return names


def test_commands() -> None:
    assert completed("tr") == ["train", "traverse"]
    assert set(completed("")) == {command.name for command in COMMANDS}


def test_experiments() -> None:
    rings = [name for name in EXPERIMENTS if name.startswith("wgan_")]
    assert completed("train", "wgan_") == rings
    assert completed("verify", "infogan_control_m") == ["infogan_control_mnist"]
    assert completed("train", "--seed", "1", "infogan_control_m") == ["infogan_control_mnist"]
    assert completed("train", "seed=1", "infogan_control_m") == ["infogan_control_mnist"]


def test_runs(runs: list[str]) -> None:
    assert completed("sample", "") == ["gan_ring", "wgan_ring", *runs]
    assert completed("evaluate", "runs/w") == [runs[1]]
    assert completed("train", "gan_ring", "--resume", "wgan") == ["wgan_ring"]


def test_every_command_with_a_run_completes_it(runs: list[str]) -> None:
    from gan_lightning.cli.completion import COMPLETION_VARIABLE, BashKeys
    from gan_lightning.cli.main import cli

    complete = BashKeys(cli, {}, "gan-lightning", COMPLETION_VARIABLE)
    for command in COMMANDS:
        first = next((part for part in command.params if part.param_type_name == "argument"), None)
        metavar = getattr(first, "metavar", None) or ""
        for kind, expected in (("RUN", "gan_ring"), ("EXP", "infogan_mnist")):
            if kind in metavar:
                found = complete.get_completions([str(command.name)], expected[:6])
                assert expected in [item.value for item in found], command.name


def test_keys_of_overrides() -> None:
    assert completed("train", "gan_ring", "trainer.max_") == ["trainer.max_updates="]
    words = ("train", "infogan_mnist", "seed=1", "model.inf")
    assert completed(*words) == ["model.information_weight="]
    assert completed("evaluate", "gan_ring", "evaluation.") == []
    assert completed("train", "gan_ring", "--accelerator", "trainer.") == []
    assert completed("train", "gan_ring", "--resume", "seed=1", "log.wa") == ["log.wandb="]
    assert completed("train", "nothing", "trainer.max_") == []


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_keys_are_those_of_the_config(experiment: str) -> None:
    def keys(part: dict[str, object], prefix: str = "") -> set[str]:
        found = set()
        for name, value in part.items():
            inner = keys(value, f"{prefix}{name}.") if isinstance(value, dict) else set()
            found |= inner or {f"{prefix}{name}"}
        return found

    config = load_config(read_yaml(experiment_path(experiment)))
    written = {"overridden"}  # by `train`
    assert set(override_keys(experiment)) == keys(as_plain(config)) - written


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_in_bash() -> None:
    script = run_cli("completion", "bash").out
    program = Path("bin/gan-lightning").absolute()
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{CODE}"\n')
    program.chmod(0o755)
    request = (
        f"{script}\n"
        "COMP_WORDS=(gan-lightning train gan_ring trainer.max_); COMP_CWORD=3; COMPREPLY=()\n"
        '_gan_lightning_completion gan-lightning 2>errors; echo "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    process = subprocess.run(
        ["bash", "-c", request], env=environment, capture_output=True, text=True
    )
    assert process.stdout == "trainer.max_updates=\n", Path("errors").read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script(shell: str) -> None:
    outcome = run_cli("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    first, *others = outcome.out.splitlines()
    assert f"gan-lightning completion {shell} >" in first
    assert f"_GAN_LIGHTNING_COMPLETE={shell}_complete" in "\n".join(others)
    if shell != "fish":
        assert "nospace" in outcome.out or "-S ''" in outcome.out


def test_mistakes() -> None:
    mistake(["completion", "bsh"], "shell 'bsh' is unknown", "valid are bash")
    mistake(["completion"], "bash|zsh|fish", "--help")
