"""`gan-lightning new`: what it writes, and every command with the GAN of a new project."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Outcome, run_cli
from factories import weights_equal
from process_pool import TIMEOUT, ForkedProcess, start_two_ranks, wait_for_success
from pytorch_lightning import Callback, LightningModule, Trainer
from run_files import load_last_checkpoint

from gan_lightning.cli.main import main
from gan_lightning.inference import memorization

UPDATES = 6
TINY = (
    f"trainer.max_updates={UPDATES}",
    "trainer.precision=32-true",
    "data.batch_size=8",
    "network.generator_hidden=[16]",
    "network.discriminator_hidden=[16]",
    "network.batch_norm=false",  # its statistics depend on the number of processes
    "evaluation.samples=40",
    "evaluation.every_n_updates=0",
    "pictures.every_n_updates=3",
    "pictures.samples=4",
    "checkpoints.every_n_updates=2",
    "log.every_n_updates=1",
    "log.wandb=disabled",
)


def run(*arguments: str) -> Outcome:
    """Run a command, and check that it succeeds."""
    outcome = run_cli(*arguments)
    assert outcome.code == 0, (arguments, outcome.err)
    return outcome


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new project, which is the working directory, with a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        outcome = run_cli("new", "demo-lines")
        assert outcome.code == 0, outcome.err
        patch.chdir("demo-lines")
        patch.setattr(sys, "path", [*sys.path])
        run("train", "demo_lines.yaml", *TINY, "--output", "whole")
        run("train", "demo_lines.yaml", *TINY, "seed=1")
        yield Path.cwd()
        sys.modules.pop("demo_lines", None)


def test_the_files_of_a_project(project: Path) -> None:
    names = {path.name for path in project.iterdir() if path.is_file()}
    assert names == {"README.md", "demo_lines.py", "demo_lines.yaml", "test_demo_lines.py"}
    assert "class DemoLinesGAN(GAN):" in (project / "demo_lines.py").read_text()
    assert not any("$" in path.read_text() for path in project.glob("*.*"))


def test_its_test_passes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project)
    namespace: dict[str, Any] = {}
    exec((project / "test_demo_lines.py").read_text(), namespace)
    (test,) = (value for name, value in namespace.items() if name.startswith("test_"))
    test()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show", "demo_lines.yaml"], "real_target: 1.0"),
        (["evaluate", "demo_lines"], "classes/covered"),
        (["sample", "demo_lines", "--count", "4", "--output", "x.png"], "wrote 4 samples to x.png"),
        (["traverse", "demo_lines", "--rows", "1", "--output", "y.png"], "wrote y.png"),
        (["report", "demo_lines"], "wrote report.html"),
        (["compare", "demo_lines", "whole"], "seed"),
        (["export", "demo_lines"], "its card README.md"),
        (["timelapse", "demo_lines", "--output", "z.gif"], "wrote a video of 2 pictures to z.gif"),
        (["neighbours", "demo_lines", "--count", "1"], "wrote neighbours.png"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_works_with_its_run(
    words: list[str], expected: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memorization, "TEST_SIZE", 100)
    assert expected in run(*words).out


def test_its_page_is_served(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_lightning.play import serving

    page = serving.build_page("demo_lines", directions=1)
    assert page.blocks


def test_verify_and_sweep_train_it(project: Path) -> None:
    pytest.importorskip("optuna")
    words = [*TINY, "pictures.every_n_updates=0"]
    verified = run_cli("verify", "demo_lines.yaml", *words, "--seeds", "3", "--output", "results")
    assert verified.code in (0, 1), verified.err  # a claim need not hold after 6 updates
    assert "seed 3: trains" in verified.out
    outcome = run("sweep", "demo_lines.yaml", *words, "--local", "--count", "1")
    assert "the best was chosen on seed 1000" in outcome.out


def train_and_die(update: int, *words: str) -> None:
    """Train, and kill this process after an update."""
    from gan_lightning.core.module import BaseModule

    log_update = BaseModule.log_update

    def log_update_and_die(self: BaseModule, *args: Any, **kwargs: Any) -> None:
        log_update(self, *args, **kwargs)
        if self.updates == update:
            os.kill(os.getpid(), signal.SIGKILL)

    BaseModule.log_update = log_update_and_die  # type: ignore[method-assign]
    main(["train", "demo_lines.yaml", *words])


def test_a_killed_run_resumes_bit_for_bit(project: Path) -> None:
    killed = ForkedProcess.start(train_and_die, 5, *TINY, "--output", "killed")
    assert killed.wait() == -signal.SIGKILL, killed.err
    assert not Path("killed", "generator.safetensors").exists()
    run("train", "demo_lines.yaml", "--resume", "killed")
    for name in ("generator.safetensors", "metrics.csv"):
        assert Path("killed", name).read_bytes() == Path("whole", name).read_bytes()


class SaveWeights(Callback):
    """Write the weights of each rank at the end of training."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        torch.save(pl_module.state_dict(), f"rank_{trainer.global_rank}.pt")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_train_it_to_equal_weights(project: Path) -> None:
    words = [*TINY, "callbacks=[{class: test_new_project:SaveWeights}]", "--output", "two"]
    words += ["--devices", "2", "--accelerator", "cpu"]
    wait_for_success(start_two_ranks(main, ["train", "demo_lines.yaml", *words]), TIMEOUT)
    first, second = (torch.load(f"rank_{rank}.pt") for rank in range(2))
    assert weights_equal(first, second)
    one = load_last_checkpoint(Path("whole"))["state_dict"]
    assert all(torch.allclose(value, one[name], atol=1e-5) for name, value in first.items())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2d", "it must be letters, digits, - and _, and begin with a letter"),
        ("a/b", "it must be letters"),
        ("class", "a word of Python"),
        ("json", "Python has a module json already"),
        ("torch", "Python has a module torch already"),
        ("taken", "taken exists; choose another name"),
    ],
)
@pytest.mark.usefixtures("empty_folder")
def test_a_bad_name_writes_nothing(name: str, message: str) -> None:
    Path("taken").mkdir()
    outcome = run_cli("new", name)
    assert outcome.code == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["taken"]
    assert not any(Path("taken").iterdir())


@pytest.mark.parametrize(
    ("name", "class_name"), [("demo", "DemoGAN"), ("our-gan", "OurGAN"), ("gan", "OwnGAN")]
)
@pytest.mark.usefixtures("empty_folder")
def test_names_of_module_and_class(name: str, class_name: str) -> None:
    assert run_cli("new", name).code == 0
    module = name.replace("-", "_")
    assert f"class {class_name}(GAN):" in Path(name, f"{module}.py").read_text()
