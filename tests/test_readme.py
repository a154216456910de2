"""The commands of README.md, in their order, in one folder: each is known and finds its files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, TinyRun, run_cli
from PIL import Image

from gan_lightning.config.schema import RunConfig
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.runs.models import shipped_models
from gan_lightning.training.train import TrainingResult
from gan_lightning.utils.optional import EXTRAS

BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRAINED = ("gan_ring", "infogan_mnist", "dirac_r1")
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in the code blocks of a page."""
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def check_commands(text: str) -> None:
    """Run the commands of a page in the current folder, as a reader does who has a clone.

    What would install something is checked, not run. `gan-lightning` is there once `make` has made
    `.venv` and it has been activated.

    Raises:
        AssertionError: a command is unknown, fails, or needs a file that none before it has made.
    """
    activated = made = False
    for words in commands(text):
        match words:
            case ["make", *targets]:
                dry = ["make", "-n", "-C", str(CHECKOUT), *targets]
                run = subprocess.run(dry, capture_output=True, text=True)
                assert run.returncode == 0, run.stderr
                made |= ".venv/bin/gan-lightning" in run.stdout
            case ["source", ".venv/bin/activate"]:
                assert made, "nothing has made .venv"
                activated = True
            case ["pip", "install", "-e", where]:
                extras = re.fullmatch(r"\.\[([\w,]+)\]", where)
                assert extras
                assert activated
                assert set(extras[1].split(",")) <= EXTRAS.keys()
            case ["gan-lightning", *arguments]:
                assert activated, "gan-lightning is not on the path"
                outcome = run_cli(*arguments)
                shown = arguments[0] == "verify" and "wrote" in outcome.out  # claims of tiny runs
                assert outcome.code == 0 or shown, f"{shlex.join(words)}: {outcome.err}"
            case _:
                raise AssertionError(f"unknown command: {shlex.join(words)}")
        if words[:2] == ["make", "train"]:
            name = words[2].removeprefix("EXP=")
            assert run_cli("train", name).code == 0


@pytest.fixture
def clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Callable[[str], TinyRun]
) -> None:
    """Change to an empty folder with photos, where `train` copies runs that are trained already."""
    known = {name: trained(name).folder for name in TRAINED}

    def train(
        config: RunConfig,
        experiment: str,
        output: Path | None = None,
        resume: RunDirectory | None = None,
        runs: Path = RUNS,
        **_: Any,
    ) -> TrainingResult:
        directory = resume or RunDirectory.create(experiment, output, runs)
        if resume is None:
            folder = known.get(experiment, known["gan_ring"])
            shutil.copytree(folder, directory.path, dirs_exist_ok=True)
        return TrainingResult(directory, 4, 1.0, {}, None, "disabled")

    monkeypatch.setattr("gan_lightning.training.train.train", train)
    one = dict([*shipped_models().items()][:1])  # the page of all takes long
    monkeypatch.setattr("gan_lightning.play.gallery.shipped_models", lambda: one)
    # which other tests may have imported, from folders that stay on the path
    monkeypatch.delitem(sys.modules, "my_gan", raising=False)
    paths = [path for path in sys.path if not [*Path(path).glob("my_gan*")]]
    monkeypatch.setattr(sys, "path", paths)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_photos").mkdir()  # the reader's
    for grey in range(4):
        Image.new("RGB", (64, 64), (grey, 0, 0)).save(f"my_photos/{grey}.png")


@pytest.mark.usefixtures("clone")
def test_the_commands_of_the_readme_follow_each_other() -> None:
    assert sum(words[0] == "gan-lightning" for words in commands(README)) > 10
    check_commands(README)


START = "make train EXP=gan_ring\nsource .venv/bin/activate\n"


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize(
    "lines",
    [
        "make trian",
        "gan-lightning list",
        "source .venv/bin/activate",
        f"{START}gan-lightnin list",
        f"{START}gan-lightning lst",
        f"{START}gan-lightning train gan_rign",
        f"{START}gan-lightning train gan_ring trainer.max_step=5",
        f"{START}gan-lightning sample packed_ring --output points.npz",
        f"{START}gan-lightning evaluate --samples digits.npz --data mnist",
        f"{START}pip install 'gan-lightning[play]'",
        f"{START}pip install -e '.[plya]'",
    ],
)
def test_a_wrong_command_would_be_found(lines: str) -> None:
    with pytest.raises(AssertionError):
        check_commands(f"```\n{lines}\n```\n")
