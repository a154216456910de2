"""`verify --all`: the plan, the queue of runs, and its options."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from conftest import run_cli
from run_files import make_results

from gan_lightning.cli.verify import verify as command
from gan_lightning.config.claim import Claim
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.errors import UserError
from gan_lightning.results.judging import judge_claims
from gan_lightning.verification import queue
from gan_lightning.verification.child import Child, QueueOptions, child_command
from gan_lightning.verification.plan import Candidate, QueuedRun, next_run, plan, target_seeds
from gan_lightning.verification.verify import next_seed

# --- the plan


def test_short_runs_come_first_then_those_with_few_seeds() -> None:
    candidates = [
        Candidate("long", 70.0, (0,), 1),
        Candidate("unknown"),
        Candidate("short", 1.2, (0, 1, 2), 3),
        Candidate("as_short", 0.8, (0,), 1),
        Candidate("complete", 1.0, (0, 1, 2, 3, 4), 5),
        Candidate("dirty", 20.0, (0, 1, 7), 1),
    ]
    runs = plan(candidates)
    order = [(run.experiment, run.seed) for run in runs]
    assert order == [
        *(("as_short", seed) for seed in (1, 2, 3, 4)),
        *(("short", seed) for seed in (3, 4)),
        *(("dirty", seed) for seed in (8, 9)),
        *(("long", seed) for seed in (1, 2)),
        *(("unknown", seed) for seed in (0, 1, 2)),
    ]
    # an interruption after two seeds leaves the rest of the same plan
    candidates[3] = Candidate("as_short", 0.8, (0, 1, 2), 3)
    assert {*plan(candidates)} == {*runs} - {*runs[:2]}
    assert [target_seeds(minutes) for minutes in (14.9, 15.0, None)] == [5, 3, 3]


def test_no_run_is_started_that_would_pass_the_budget() -> None:
    short, long, unknown = (QueuedRun("x", 0, minutes) for minutes in (5.0, 30.0, None))
    assert next_run([long, short], 0, 30) == long
    assert next_run([long, short], 1, 30) == short
    assert next_run([long, short], 26, 30) is None
    assert next_run([long, unknown], 29, 30) == unknown
    assert next_run([unknown], 30, 30) is None


def test_a_seed_is_added_where_more_seeds_can_decide() -> None:
    results = make_results("x", [1, 2, 3], Claim("m", at_least=2.0), Claim("m", above="y"))
    for run in results.runs:
        run.seed += 4

    def added(most: int) -> int | None:
        return next_seed(results, judge_claims(results, []), most)

    assert [added(most) for most in (3, 4)] == [None, 7]
    results.runs[0].versions = {"revision": "abc-dirty"}
    assert added(3) == 7
    results.claims = [Claim("m", at_least=-99.0), Claim("m", above="y")]  # y has no results
    results.runs[0].versions = {}
    assert added(9) is None


# --- the queue


class Process:
    """A process that has ended, or that runs until a signal."""

    def __init__(self, ended: bool) -> None:
        self.ended, self.signals = ended, 0

    def poll(self) -> int | None:
        return 0 if self.ended else None

    def send_signal(self, _: int) -> None:
        self.signals, self.ended = self.signals + 1, True

    def wait(self) -> int:
        assert self.ended
        return 0


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Process]]:
    """Return a function that replaces training, and returns the processes that are started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queue, "SECONDS_BETWEEN_POLLS", 0.0)
    monkeypatch.setattr(queue, "git_revision", lambda: "abc")
    monkeypatch.setattr(
        queue, "_candidates", lambda _: ([Candidate("a", 1.0, (), 3), Candidate("b")], ["c"])
    )

    def replace(ends: Callable[[QueuedRun], bool], crashes: tuple[str, ...] = ()) -> list[Process]:
        processes: list[Process] = []

        def start(run: QueuedRun, options: QueueOptions) -> Child:
            process: Any = Process(ends(run))
            processes.append(process)
            log, scratch = BytesIO(), tempfile.TemporaryDirectory()
            if run.experiment in crashes:
                log.write(b"Traceback\r100%\ngan-lightning: no memory\n\n")
            else:
                (Path(scratch.name) / f"{run.experiment}.json").write_text("{}")
            return Child(run, process, log, scratch)

        monkeypatch.setattr(queue, "start_child", start)
        return processes

    return replace


def stored(monkeypatch: pytest.MonkeyPatch) -> list[QueuedRun]:
    runs: list[QueuedRun] = []
    monkeypatch.setattr(queue, "_store", lambda run, _: runs.append(run))
    return runs


def test_runs_are_stored_as_they_end(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = stored(monkeypatch)
    lines: list[str] = []
    started(lambda run: True)
    assert queue.verify_all(QueueOptions(jobs=2), lines.append) == 0
    assert [(run.experiment, run.seed) for run in runs] == [
        *(("a", seed) for seed in (0, 1)),
        *(("b", seed) for seed in (0, 1, 2)),
    ]
    assert lines[0] == "left out, data or devices are missing: c"
    assert lines[1] == "measured again, their config or code has changed: a"
    assert lines[2] == "5 runs, about 0.0 hours of training"
    assert lines.count("b, seed 2: stored") == 1


def test_a_failed_run_leaves_out_its_experiment_alone(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = stored(monkeypatch)
    lines: list[str] = []
    processes = started(lambda run: True, crashes=("a",))
    assert queue.verify_all(QueueOptions(), lines.append) == 1
    assert {run.experiment for run in runs} == {"b"}
    assert "a, seed 0: failed, the experiment is left out: no memory" in lines
    assert len(processes) == 4


def test_an_interruption_stops_the_children_and_stores_nothing(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = stored(monkeypatch)
    processes = started(lambda run: False)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        queue.verify_all(QueueOptions(jobs=2), lambda _: None)
    assert [process.signals for process in processes] == [1, 1]
    assert runs == []


def test_the_budget_ends_the_queue(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = stored(monkeypatch)
    lines: list[str] = []
    started(lambda run: True)
    assert queue.verify_all(QueueOptions(budget=0.5), lines.append) == 0
    assert {run.experiment for run in runs} == {"b"}  # a run of `a` takes a minute
    assert lines[-1] == "runs left for another time: 2; repeat the command"


def test_a_changed_tree_is_refused(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "git_revision", lambda: "abc-dirty")
    stored(monkeypatch)
    started(lambda run: True)
    with pytest.raises(UserError, match="--allow-dirty"):
        queue.verify_all(QueueOptions(), lambda _: None)
    assert queue.verify_all(QueueOptions(allow_dirty=True), lambda _: None) == 0


def test_what_an_experiment_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(read_yaml(experiment_path("gan_ring")), ["seed=0"])
    results = make_results("gan_ring", [1, 2, 3])
    results.runs[1].versions = {"revision": "abc-dirty"}
    assert queue._candidate("gan_ring", None, False) == Candidate("gan_ring")
    assert queue._candidate("gan_ring", results, False) == Candidate("gan_ring", 1.5, (0, 1, 2), 2)
    assert queue._candidate("gan_ring", results, True).counted == 3
    results.is_outdated = True
    assert queue._candidate("gan_ring", results, False) == Candidate("gan_ring", 1.5)
    monkeypatch.chdir(tmp_path)
    celeba = load_config(read_yaml(experiment_path("dcgan_celeba")))
    assert queue._can_run(config)
    assert not queue._can_run(celeba)
    Path("there").mkdir()
    celeba.data.root = "there"
    assert queue._can_run(celeba)


def test_the_command_of_a_child_is_that_of_one_seed(tmp_path: Path) -> None:
    name, *words = child_command(QueuedRun("gan_ring", 7, None), QueueOptions(), str(tmp_path))
    with command.make_context("verify", words) as context:
        assert (name, context.params["experiment"], context.params["seeds"]) == (
            "verify",
            "gan_ring",
            (7,),
        )
        assert context.params["output"] == tmp_path


# --- the options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "verify needs an experiment, for example gan_ring, or --all"),
        (("gan_ring", "--all"), "--all has no gan_ring"),
        (("--all", "--seeds", "1"), "--all has no --seeds"),
        (("--all", "data.points=5"), "--all has no data.points=5"),
        (("--all", "--jobs", "0"), "--jobs is 0"),
        (("--all", "--budget", "10"), "'10' is not a duration; write 90m or 10h"),
        (("--all", "--budget", "0h"), "'0h' is not a duration"),
        (("gan_ring", "--budget", "1h"), "--budget needs --all"),
        (("gan_ring", "--allow-dirty"), "--allow-dirty needs --all"),
    ],
)
def test_options_of_one_experiment_and_of_all(words: tuple[str, ...], said: str) -> None:
    outcome = run_cli("verify", *words)
    assert outcome.code == 2
    assert said in outcome.err


@pytest.mark.parametrize(("text", "minutes"), [("90m", 90), ("10h", 600), ("1.5h", 90)])
def test_budgets_are_minutes_or_hours(text: str, minutes: float) -> None:
    with command.make_context("verify", ["--all", "--budget", text]) as context:
        assert context.params["budget"] == minutes
