"""Callbacks and loggers of the user: in the config and in Python, resumed, stopping, failing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run_cli
from factories import make_config
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from test_resume import assert_equal

from gan_lightning.callbacks import Evaluation, list_checkpoints, scatter
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.evaluation import ModeEvaluator
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.train import TrainingResult, train

UPDATES = 6


class Counter(Callback):
    """A callback with state and an argument: it counts the batches of all sessions."""

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self.count = 0

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.count += self.step

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count = state_dict["count"]


class Silent(Callback):
    """A callback without state."""


class Unsafe(Callback):
    """A callback whose state cannot be read back without executing code."""

    def state_dict(self) -> dict[str, Any]:
        return {"path": Path("x")}


class Failing(Callback):
    """A callback that raises in a hook at an update."""

    def __init__(self, hook: str, update: int = 3) -> None:
        def fail(trainer: Trainer, model: Any, *_: Any) -> None:
            if model.updates == update:
                raise ZeroDivisionError("in my callback")

        setattr(self, hook, fail)


class Recorder(CSVLogger):
    """A logger that keeps what it is given, and raises from an update on."""

    def __init__(self, folder: Path, fails_at: int | None = None) -> None:
        super().__init__(folder)
        self.rows: dict[int, dict[str, float]] = {}
        self.calls = 0
        self.fails_at = fails_at

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.calls += 1
        assert step is not None
        if self.fails_at is not None and step >= self.fails_at:
            raise ConnectionError("no server")
        self.rows.setdefault(step, {}).update(metrics)


NO_CALLBACK = Counter()


def small(*overrides: str, **sections: Any) -> RunConfig:
    return make_config(
        "gan",
        f"trainer.max_updates={UPDATES}",
        "log.wandb=disabled",
        "log.every_n_updates=1",
        "checkpoints.every_n_updates=2",
        "evaluation.samples=20",
        "evaluation.every_n_updates=3",
        "pictures.every_n_updates=3",
        *overrides,
        **sections,
    )


def named(name: str, **init: Any) -> list[dict[str, Any]]:
    return [{"class": f"test_user_callbacks:{name}", **({"init": init} if init else {})}]


def updates_of_checkpoints(result: TrainingResult | RunDirectory) -> list[int]:
    run = result if isinstance(result, RunDirectory) else result.run_directory
    files = list_checkpoints(run.checkpoints)
    return [torch.load(f, weights_only=True)["progress"]["updates"] for f in files]


def test_a_callback_of_the_config_takes_part_in_resume(tmp_path: Path) -> None:
    config = small(callbacks=named("Counter", step=2))
    train(small("trainer.max_updates=3", callbacks=config.callbacks), "test", tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    assert run.config().callbacks == config.callbacks
    train(config, "test", resume=run)
    state = torch.load(list_checkpoints(run.checkpoints)[-1], weights_only=True)["callbacks"]
    assert state["Counter"] == {"count": 2 * UPDATES}


def test_callbacks_in_python_change_no_bit_of_the_weights(
    whole: TrainingResult, tmp_path: Path
) -> None:
    counter, logger = Counter(), Recorder(tmp_path)
    own = train(small(), "test", tmp_path / "own", callbacks=[counter, Silent()], loggers=[logger])
    assert counter.count == UPDATES
    states = [
        torch.load(list_checkpoints(result.run_directory.checkpoints)[-1], weights_only=True)
        for result in (whole, own)
    ]
    for part in ("state_dict", "optimizer_states"):
        assert_equal(*(state[part] for state in states))
    assert "loss/generator/adversarial" in logger.rows[1]
    assert logger.rows[3]["modes/covered"] == logger.rows[3]["modes/covered"]
    assert set(logger.rows) == set(range(1, UPDATES + 1))


def test_early_stopping_ends_the_run_in_good_order(tmp_path: Path) -> None:
    stopping = EarlyStopping("modes/covered", mode="max", patience=1, min_delta=100)
    config = small("trainer.max_updates=40")
    result = train(config, "test", tmp_path / "run", callbacks=[stopping])
    assert (result.updates, result.stop_signal) == (6, None)
    assert result.stopped_by is not None
    assert result.stopped_by.startswith("EarlyStopping: Monitored metric modes/covered did not")
    assert "Signaling" not in result.stopped_by
    assert "stopped by EarlyStopping" in repr(result)
    assert result.measures["modes/covered"] >= 0
    assert updates_of_checkpoints(result)[-1] == 6
    outcome = read_outcome(tmp_path / "run")
    assert (outcome.updates, outcome.stopped_by) == (6, result.stopped_by)
    assert outcome.measures is not None


def test_a_stopped_run_is_said_and_reused_by_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "callbacks=[{class: 'pytorch_lightning.callbacks:EarlyStopping', init: {monitor: "
        "modes/covered, mode: max, patience: 1, min_delta: 100}}]",
        "trainer.max_updates=40",
        "trainer.rounds_per_batch=1",
        "evaluation.every_n_updates=3",
        "evaluation.samples=20",
        "checkpoints.every_n_updates=0",
        "pictures.every_n_updates=0",
        "log.wandb=disabled",
    ]
    outcome = run_cli("train", "gan_ring", *words)
    assert outcome.code == 0, outcome.err
    assert "\n  6 updates; " in outcome.out
    assert "\n  stopped by EarlyStopping: Monitored" in outcome.out
    verified = run_cli("verify", "gan_ring", *words, "--seeds", "0", "--output", "results")
    assert "seed 0: reuses runs/gan_ring" in verified.out, verified.err


def test_model_checkpoint_and_tensorboard_follow_the_evaluations(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    best = ModelCheckpoint(tmp_path / "best", monitor="modes/covered", mode="max", save_top_k=-1)
    events = TensorBoardLogger(tmp_path / "events")
    train(small(), "test", tmp_path / "run", callbacks=[best], loggers=[events])
    assert len(list((tmp_path / "best").glob("*.ckpt"))) == 2
    content = EventAccumulator(events.log_dir)
    content.Reload()
    assert [event.step for event in content.Scalars("modes/covered")] == [3, 6]
    assert [event.step for event in content.Scalars("loss/generator/adversarial")] == [*range(1, 7)]
    assert [event.step for event in content.Images("scatter")] == [3, 6]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """An uninterrupted run without callbacks of a user."""
    return train(small(), "test", tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize(
    "hook", ["on_train_batch_end", "on_validation_end", "on_train_batch_start"]
)
def test_an_error_of_a_callback_saves_a_checkpoint_first(
    hook: str, whole: TrainingResult, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"^Failing failed at update 3: ZeroDivisionError: in my "):
        train(small(), "test", tmp_path / "run", callbacks=[Failing(hook)])
    run = RunDirectory(tmp_path / "run")
    assert updates_of_checkpoints(run) == [2, 3]
    assert "Traceback" in run.log.read_text()
    rest = train(small(), "test", resume=run)
    ends = [
        torch.load(list_checkpoints(r.run_directory.checkpoints)[-1], weights_only=True)
        for r in (rest, whole)
    ]
    for part in ("state_dict", "optimizer_states", "callbacks"):
        assert_equal(*(end[part] for end in ends))
    assert rest.run_directory.metrics.read_text() == whole.run_directory.metrics.read_text()


@pytest.mark.parametrize(("interval", "update"), [(3, 3), (0, UPDATES)])
def test_an_error_of_the_evaluation_saves_a_checkpoint_first(
    interval: int, update: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("too few data")

    config = small(f"evaluation.every_n_updates={interval}", "checkpoints.every_n_updates=0")
    with monkeypatch.context() as patch:
        patch.setattr(ModeEvaluator, "update", fail)
        with pytest.raises(UserError, match=f"the evaluation failed at update {update}: ValueErr"):
            train(config, "test", tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    assert updates_of_checkpoints(run) == [update]
    train(config, "test", resume=run)
    rows = run.metrics.read_text().splitlines()
    column = rows[0].split(",").index("modes/covered")
    evaluated = [number for number, row in enumerate(rows) if row.split(",")[column]][1:]
    assert evaluated == ([3, 6] if interval else [6])


def test_a_picture_that_fails_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no canvas")

    monkeypatch.setattr(scatter, "draw_scatter", fail)
    result = train(small(), "test", tmp_path / "run")
    assert result.updates == UPDATES
    assert updates_of_checkpoints(result)[-1] == UPDATES
    assert capsys.readouterr().err.count("cannot draw at update 3: ValueError: no canvas") == 1


def test_a_logger_that_fails_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Recorder(tmp_path, fails_at=2)
    result = train(small(), "test", tmp_path / "run", loggers=[logger])
    assert (result.updates, logger.calls) == (UPDATES, 2)
    assert updates_of_checkpoints(result)[-1] == UPDATES
    warning = "Recorder.log_metrics: ConnectionError: no server; training goes on without this"
    assert capsys.readouterr().err.count(warning) == 1
    assert "log_metrics" not in vars(logger)


def test_hooks_that_an_object_has_itself_stay(tmp_path: Path) -> None:
    calls: list[int] = []
    callback = LambdaCallback(on_exception=lambda *_: calls.append(1))
    for name in ("first", "second"):
        with pytest.raises(UserError):
            train(
                small(), "test", tmp_path / name, callbacks=[callback, Failing("on_train_end", 6)]
            )
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("callback", "name"),
    [
        (Unsafe(), "Unsafe.state_dict: TypeError: a state"),
        (Failing("on_save_checkpoint", 2), "Fai"),
    ],
)
def test_a_state_that_cannot_be_saved_costs_no_checkpoint(
    callback: Callback, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train(small(), "test", tmp_path / "run", callbacks=[callback])
    assert updates_of_checkpoints(result) == [4, 6]
    assert capsys.readouterr().err.count(f"gan-lightning: {name}") == 1


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ("5", "callbacks is '5'; write a list of {class"),
        ([5], r"callbacks\[0\] is 5; write {class"),
        ([{"init": {}}], r"callbacks\[0\] is {'init': {}}; write {class"),
        (
            [{"class": "a:B", "args": 1}],
            r"key 'args' in callbacks\[0\] is unknown; valid are class",
        ),
        ([{"class": "a:B", "init": 1}], r"callbacks\[0\].init is 1; it must be `key: value`"),
    ],
)
def test_a_wrong_entry_is_named_when_the_config_is_loaded(callbacks: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        small(callbacks=callbacks)


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (named("Missing"), "Missing"),
        (named("NO_CALLBACK"), "which is an object of Counter; name a class"),
        (named("small"), "which is no class; name a class that derives from pytorch_lightning.C"),
        (named("RunConfig"), "which is no Callback of Lightning; derive it from pytorch_lightning"),
        (
            named("Counter", steps=2),
            r"init does not fit Counter\(step.*unexpected keyword argument",
        ),
        (named("Failing"), r"init does not fit Failing\(hook.*missing a required argument: 'hook'"),
        (named("Failing", hook=5), r"test_user_callbacks:Failing cannot be built: TypeError"),
        (named("Counter") * 2, "2 callbacks have the state key 'Counter'"),
    ],
)
def test_a_callback_that_cannot_be_built_leaves_no_directory(
    callbacks: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as error:
        train(small(callbacks=callbacks), "test", tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"callbacks": [Counter]}, r"callbacks\[0\] is the class Counter; pass an object of it"),
        ({"callbacks": ["x"]}, r"callbacks\[0\] is 'x', which is no Callback of Lightning"),
        ({"loggers": [CSVLogger]}, r"loggers\[0\] is the class CSVLogger; pass an object of it"),
        ({"loggers": [True]}, r"loggers\[0\] is True, which is no Logger of Lightning"),
    ],
)
def test_an_object_of_another_type_is_refused(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        train(small(), "test", tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_training_works_in_a_thread(tmp_path: Path) -> None:
    results: list[TrainingResult] = []
    thread = threading.Thread(
        target=lambda: results.append(train(small(), "test", tmp_path / "run"))
    )
    thread.start()
    thread.join()
    assert results[0].updates == UPDATES
    assert json.loads((tmp_path / "run" / "outcome.json").read_text())["measures"]


def test_no_callback_hears_of_an_evaluation_before_it_is_logged(tmp_path: Path) -> None:
    class Listener(Callback):
        seen: list[float]

        def __init__(self) -> None:
            self.seen = []

        def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.seen.append(float(trainer.callback_metrics["modes/covered"]))

    listener = Listener()
    result = train(small(), "test", tmp_path / "run", callbacks=[listener])
    assert listener.seen[-1] == result.measures["modes/covered"]
    assert len(listener.seen) == 2
    assert Evaluation.on_validation_end is Callback.on_validation_end
