"""Fixtures and helpers of many tests: command lines in this process, and tiny runs."""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
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
from process_pool import TIMEOUT, ForkedProcess, start_server

from gan_lightning.cli.main import main

pytest.register_assert_rewrite("bad_inputs")

CHECKOUT = Path(__file__).parents[1]
EXPERIMENTS = sorted(path.stem for path in (CHECKOUT / "experiments").glob("*.yaml"))

TINY_OVERRIDES = (
    "trainer.max_updates=4",
    "data.batch_size=8",
    "evaluation.every_n_updates=0",
    "evaluation.samples=40",
    "evaluation.measures=[]",
    "pictures.every_n_updates=4",
    "pictures.samples=9",
    "checkpoints.every_n_updates=2",
    "log.every_n_updates=2",
)
"""Overrides that make a run short."""

NARROW_NETWORKS = {
    "mlp": ("network.generator_hidden=[16]", "network.discriminator_hidden=[16]"),
    "dcgan": ("network.width=4",),
    "cogan": ("network.width=4", "network.discriminator_units=16"),
    "infogan": ("network.width=4",),
    "resnet": ("network.width=2",),
    "resnext": ("network.widths=[8]", "network.blocks=1", "network.group_width=4"),
    "pix2pix": ("network.width=4",),
    "cyclegan": ("network.width=4", "network.blocks=1"),
    "salimans": ("network.generator_hidden=[16]", "network.discriminator_hidden=[16, 16]"),
}
"""Overrides that make a network family fast; a family without an entry keeps its defaults."""

SHORT_ATTACKS = (
    "model.training.steps=1",
    "model.attacks=[{name: fgsm, steps: 1}, {name: pgd, steps: 2, restarts: 2}]",
    "evaluation.samples=10",
)
"""Overrides that make adversarial training and attacks fast."""


def pytest_xdist_auto_num_workers() -> int:
    """Use two workers a core, because tests wait for processes a third of the time."""
    return 2 * (os.cpu_count() or 1)


def pytest_sessionstart() -> None:
    """Pause what costs time: garbage collection during imports, and waiting for the disk."""
    gc.disable()
    os.fsync = os.fstat  # type: ignore[assignment]  # which also refuses a closed file
    sys.dont_write_bytecode = False  # rewritten assertions are read by the next session


def pytest_collectstart() -> None:
    """Import what W&B needs, in processes that have tests, before torch and Lightning.

    For each field of its models pydantic looks through all modules that are loaded.
    """
    import wandb.sdk.launch  # noqa: F401


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection, as `fast_imports` does in commands.

    Otherwise every full collection would traverse a million objects.
    """
    import preloaded  # noqa: F401  # once, for this process and those that are forked
    from factories import evaluate_on, few_chunks, stand_in_for_lite0
    from shortcuts import leave_figures_blank, look_up_once

    from gan_lightning.classifiers import image_classes

    evaluate_on(few_chunks)
    vars(image_classes)["UPDATES"] = 40  # of the classifier that judges any images; 400 take 5 s
    stand_in_for_lite0()
    leave_figures_blank()
    look_up_once()
    gc.freeze()
    gc.enable()
    start_server()


IN_FULL = ("gan_ring", "unrolled_ring", "infogan_mnist")
"""Experiments whose tiny runs draw twice, render figures, and are evaluated on all test data."""


@dataclass(frozen=True)
class Outcome:
    """Exit code and output of a command line."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class TinyRun:
    """A short run of an experiment with a small network, and the outcome of its command."""

    experiment: str
    folder: Path
    outcome: Outcome


T = TypeVar("T")


class Once(Protocol):
    """Type of the fixture `once`."""

    def __call__(self, name: str, make: Callable[[Path], T]) -> T: ...


def run_cli(*arguments: str) -> Outcome:
    """Run a command line in this process, and restore the environment variables."""
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
    """Return a command line that starts the installed `gan-lightning` script."""
    return [str(Path(sys.executable).with_name("gan-lightning")), *arguments]


def run_new_process(
    arguments: Sequence[str], folder: Path, environment: dict[str, str] | None = None
) -> Outcome:
    """Run a command line in a new interpreter, as a user does."""
    process = subprocess.run(
        command(*arguments),
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    return Outcome(process.returncode, process.stdout, process.stderr)


def run_process(
    arguments: Sequence[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    run: Callable[[Sequence[str]], None] = main,
) -> Outcome:
    """Run a command line in a forked process, which starts faster than a new interpreter."""
    argv = ["gan-lightning", *arguments]
    process = ForkedProcess.start(run, arguments, cwd=folder, env=environment, argv=argv)
    return Outcome(process.wait(), process.out, process.err)


NARROW_MINIBATCH_LAYER = ("network.minibatch_kernels=2", "network.minibatch_dimensions=2")
NARROW_PROJECTED = ("model.discriminator_width=4",)


def tiny_overrides(experiment: str) -> list[str]:
    """Return the overrides that make an experiment finish in seconds."""
    from image_trees import ROOTS, prepared_root

    from gan_lightning.config.experiments import experiment_path, read_yaml

    source = read_yaml(experiment_path(experiment))
    network = source.get("network", {}).get("name", "mlp")
    overrides = [*TINY_OVERRIDES, *NARROW_NETWORKS.get(network, ())]
    if experiment in IN_FULL:
        overrides.append("pictures.every_n_updates=2")
    if "minibatch_kernels" in source.get("network", {}):
        overrides += NARROW_MINIBATCH_LAYER
    data = source["data"]["name"]
    is_projected = source["model"]["name"] == "projected"
    # no small copy has the MD5 sums of these; a folder of this name stands in, or digits
    if data == "cifar10":
        overrides += ["data.name=folder", "data.size=64"]
    if data == "fashion_mnist":
        return [*overrides, "data.name=mnist", *(NARROW_PROJECTED if is_projected else ())]
    if source.get("evaluation", {}).get("features") == "lite0":
        overrides.append("evaluation.features=random")  # tests/metrics/test_lite0.py has those
    if "training_samples" in source["data"]:
        overrides.append("data.training_samples=16")
    if data == "folder":  # the name of the folder is in the title
        data = Path(source["data"]["root"]).name
    if data in ROOTS:
        overrides.append(f"data.root={prepared_root(data)}")
    if source["model"]["name"] == "adversarial_classifier":
        overrides += SHORT_ATTACKS
    return overrides


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[None]:
    """Isolate the tests from the user's caches, logins and settings."""
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
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # new interpreters start faster
        yield


@pytest.fixture(autouse=True)
def _same_environment(_own_environment: None) -> Iterator[None]:
    """Restore the environment variables.

    Lightning leaves the rank of a process there, with which a later run would wait for others.
    """
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _default_signals() -> Iterator[None]:
    """Install Python's signal handlers, and restore the present ones afterwards.

    Background jobs of a shell ignore SIGINT, and so does a process after Lightning has handled it;
    a test that waits for the signal would never end. A command that a signal has stopped ignores
    that signal until the process ends.
    """
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGUSR1: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a new, empty working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def once(shared: Path) -> Once:
    """Return a function that computes a named value once for all workers.

    The first call runs `make` with a folder of its own and pickles the result; later calls load it.
    Tests must not change the folder.
    """

    def load_or_make(name: str, make: Callable[[Path], T]) -> T:
        folder = shared / "once" / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "value.pickle"
        with FileLock(folder / "lock"):
            if not file.exists():
                file.write_bytes(pickle.dumps(make(folder)))
        value: T = pickle.loads(file.read_bytes())
        return value

    return load_or_make


@pytest.fixture
def all_test_data() -> Iterator[None]:
    """Evaluate on all test data, not on a part of them."""
    from factories import evaluate_on, few_chunks

    from gan_lightning.evaluation.batching import iterate_test_data

    evaluate_on(iterate_test_data)
    yield
    evaluate_on(few_chunks)


@pytest.fixture
def drawn_figures() -> Iterator[None]:
    """Render figures, which are left blank otherwise."""
    from shortcuts import figures_drawn

    with figures_drawn():
        yield


@pytest.fixture(scope="session")
def trained(once: Once) -> Callable[[str], TinyRun]:
    """Return a function that gives the tiny run of an experiment, trained at the first call."""
    from factories import evaluate_on, few_chunks
    from shortcuts import figures_drawn

    from gan_lightning.evaluation.batching import iterate_test_data

    def tiny_run(experiment: str) -> TinyRun:
        def train(folder: Path) -> TinyRun:
            arguments = ["train", experiment, *tiny_overrides(experiment), "log.wandb=disabled"]
            former = evaluate_on(iterate_test_data if experiment in IN_FULL else few_chunks)
            with figures_drawn() if experiment in IN_FULL else nullcontext():
                outcome = run_cli(*arguments, "--output", str(folder / "run"))
            evaluate_on(former)
            return TinyRun(experiment, folder / "run", outcome)

        return once(f"trained/{experiment}", train)

    return tiny_run


@pytest.fixture(scope="session")
def ring_run(trained: Callable[[str], TinyRun]) -> TinyRun:
    """Return a tiny run of gan_ring, which generates points."""
    return trained("gan_ring")


@pytest.fixture(scope="session")
def infogan_run(trained: Callable[[str], TinyRun]) -> TinyRun:
    """Return a tiny run of infogan_mnist, which generates images from codes."""
    return trained("infogan_mnist")
