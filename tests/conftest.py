"""What tests of the command line share: a shell in this process, and one tiny run of each kind."""

from __future__ import annotations

import gc
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from browser import browser as browser
from filelock import FileLock
from process_pool import TIMEOUT, ForkedProcess

from gan_lightning.cli.main import main

pytest.register_assert_rewrite("bad_inputs")

CHECKOUT = Path(__file__).parents[1]
EXPERIMENTS = sorted(path.stem for path in (CHECKOUT / "experiments").glob("*.yaml"))

TINY = (
    "trainer.max_updates=4",
    "data.batch_size=8",
    "evaluation.every_n_updates=0",
    "evaluation.samples=40",
    "pictures.every_n_updates=2",
    "pictures.samples=9",
    "checkpoints.every_n_updates=2",
    "log.every_n_updates=2",
)
NARROW = {
    "mlp": ("network.generator_hidden=[16]", "network.discriminator_hidden=[16]"),
    "dcgan": ("network.width=4",),
    "pix2pix": ("network.width=4",),
    "salimans": ("network.generator_hidden=[16]", "network.discriminator_hidden=[16, 16]"),
}
"""Overrides that make a network family fast; a family without them runs as it is."""

SHORT_ATTACKS = (
    "model.training.steps=1",
    "model.attacks=[{name: fgsm, steps: 1}, {name: pgd, steps: 2, restarts: 2}]",
    "evaluation.samples=10",
)
"""Overrides that make attacks on a classifier fast."""


def pytest_xdist_auto_num_workers() -> int:
    """Take three workers on two cores: a third of the time tests wait for processes."""
    return max(1, (os.cpu_count() or 1) * 3 // 2)


def pytest_sessionstart() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what was imported, as a command does (startup.py).

    It would look through a million objects after every picture.
    """
    gc.freeze()
    gc.enable()


MEASURED = ("gan_ring", "infogan_mnist")
"""Experiments of whose tiny runs other commands are to measure the same."""


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class TinyRun:
    """A run of an experiment on tiny data, and what its command printed."""

    experiment: str
    folder: Path
    outcome: Outcome


Made = TypeVar("Made")


class Once(Protocol):
    """Gives what is made once: of a name, and of what makes it in a folder."""

    def __call__(self, name: str, make: Callable[[Path], Made]) -> Made: ...


def run_cli(*arguments: str) -> Outcome:
    """Run a command line in this process; the environment is then as it was."""
    environment = dict(os.environ)
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(arguments)
        code: object = None
    except SystemExit as end:
        code = end.code
    finally:
        os.environ.clear()
        os.environ.update(environment)
    assert code is None or isinstance(code, int), code
    return Outcome(code or 0, out.getvalue(), err.getvalue())


def command(*arguments: str) -> list[str]:
    """Return the words that start gan-lightning as a person does."""
    return [str(Path(sys.executable).with_name("gan-lightning")), *arguments]


def run_new_process(
    words: Sequence[str], folder: Path, environment: dict[str, str] | None = None
) -> Outcome:
    """Run a command line as a person does, from the start of Python to its end."""
    process = subprocess.run(
        command(*words), check=False, cwd=folder, env=environment, capture_output=True, text=True,
        timeout=TIMEOUT,
    )  # fmt: skip
    return Outcome(process.returncode, process.stdout, process.stderr)


def run_process(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    run: Callable[[Sequence[str]], None] = main,
) -> Outcome:
    """Run a command line in a process of its own."""
    process = ForkedProcess.start(
        run, words, cwd=folder, env=environment, argv=["gan-lightning", *words]
    )
    return Outcome(process.wait(), process.out, process.err)


def tiny(experiment: str) -> list[str]:
    """Return the overrides that make an experiment end in seconds."""
    from image_trees import TREES, prepared_root

    from gan_lightning.config.experiments import experiment_path, read_yaml

    source = read_yaml(experiment_path(experiment))
    words = [*TINY, *NARROW.get(source.get("network", {}).get("name", "mlp"), ())]
    if source["data"]["name"] in TREES:
        words.append(f"data.root={prepared_root(source['data']['name'])}")
    attacked = source["model"]["name"] == "adversarial_classifier"
    return [*words, *(SHORT_ATTACKS if attacked else ())]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[None]:
    """Keep tests off this user's caches, logins and settings."""
    from image_trees import TREES_FOLDER

    folder = tmp_path_factory.mktemp("environment")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("WANDB_", "GAN_LIGHTNING_"))]:
            patch.delenv(name)
        patch.setenv("GAN_LIGHTNING_CACHE", str(shared / "cache"))
        patch.setenv(TREES_FOLDER, str(shared / "image_trees"))
        patch.setenv("TORCH_HOME", str(folder / "no-torch-home"))
        patch.setenv("NETRC", str(folder / "no-netrc"))
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        yield


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def once(shared: Path) -> Once:
    """Make what tests share once for all workers, in a folder of its own; do not change it."""

    def made_by_the_first(name: str, make: Callable[[Path], Made]) -> Made:
        folder = shared / "once" / name
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "made.pickle"
        with FileLock(folder / "lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make(folder)))
        made: Made = pickle.loads(kept.read_bytes())
        return made

    return made_by_the_first


@pytest.fixture(scope="session")
def trained(once: Once) -> Callable[[str], TinyRun]:
    """Give the tiny run of an experiment, made when it is first asked for."""
    from factories import first_chunk_of_test_data

    def run_of(experiment: str) -> TinyRun:
        def make(folder: Path) -> TinyRun:
            words = ["train", experiment, *tiny(experiment), "log.wandb=disabled"]
            with nullcontext() if experiment in MEASURED else first_chunk_of_test_data():
                outcome = run_cli(*words, "--output", str(folder / "run"))
            return TinyRun(experiment, folder / "run", outcome)

        return once(f"trained/{experiment}", make)

    return run_of


@pytest.fixture(scope="session")
def ring_run(trained: Callable[[str], TinyRun]) -> TinyRun:
    """A tiny run of points."""
    return trained("gan_ring")


@pytest.fixture(scope="session")
def infogan_run(trained: Callable[[str], TinyRun]) -> TinyRun:
    """A tiny run of images with codes."""
    return trained("infogan_mnist")
