"""Command lines that messages print are quoted, so that a shell reads them back."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gan_lightning.cli.image_options import ImageOptions
from gan_lightning.config.experiments import read_yaml
from gan_lightning.sweeps.space import read_sweep, to_overrides
from gan_lightning.utils.commands import command_line

PACKAGE = Path(__file__).parents[1] / "gan_lightning"
UNQUOTED = re.compile(r"(gan-lightning|wandb) \w+[^`\"']*\{[^}]*(path|root|files|folder|run\b)")


@pytest.mark.parametrize("path", ["plain", "two words", "it's", 'a "b"', "$HOME", "a;b", "`x`"])
def test_a_shell_reads_a_printed_command_back(path: str) -> None:
    words = ["gan-lightning", "train", "gan_ring", "--resume", path]
    assert shlex.split(command_line(*words[:-1], Path(path))) == words
    options = ImageOptions(images=Path(path))
    assert shlex.split(command_line(*options.words("dcgan"))) == ["dcgan", "--images", path]


def test_no_message_prints_a_path_in_a_command_without_quotes() -> None:
    lines = (
        f"{file.relative_to(PACKAGE)}: {line.strip()}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if UNQUOTED.search(line) and "command_line(" not in line
    )
    # the root of a built-in dataset is a plain word
    assert [line for line in lines if "machine_checks" not in line] == []


def test_text_values_of_a_sweep_keep_the_words(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "model: {name: gan}\ndata: {name: ring}\n"
        "sweep: {metric: samples/duplicates, goal: minimise, method: grid, space: {"
        "log.project: {values: [2024_05, on, '7']}, seed: {values: [007, 1_0]}}}\n"
    )
    project, seed = read_sweep(read_yaml(file), [], None).space
    assert project.values == ("2024_05", "on", "7")
    assert seed.values == (7, 10)
    assert to_overrides({project.key: project.values[0]}) == ['log.project="2024_05"']
