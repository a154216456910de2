"""Names and mode of a run at W&B: config keys, then variables of the environment, then defaults."""

from __future__ import annotations

import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import assert_mistake, mistake
from conftest import TinyRun, run_cli

from gan_lightning.cli.machine_checks import CHECKS
from gan_lightning.config.schema import LogConfig
from gan_lightning.config.wandb_mode import wandb_mode, with_variables
from gan_lightning.errors import UserError
from gan_lightning.loggers import WandbRun, wandb_run


@pytest.mark.parametrize(
    ("environment", "configured", "expected"),
    [
        ({}, "auto", "offline"),
        ({"WANDB_API_KEY": "k"}, "auto", "online"),
        ({"WANDB_MODE": ""}, "auto", "offline"),
        ({"WANDB_MODE": "Online"}, "auto", "online"),
        ({"WANDB_MODE": "dryrun", "WANDB_API_KEY": "k"}, "auto", "offline"),
        ({"WANDB_DISABLED": "true"}, "auto", "disabled"),
        ({"WANDB_DISABLED": "1", "WANDB_MODE": "online"}, "auto", "disabled"),
        ({"WANDB_DISABLED": "false", "WANDB_MODE": "online"}, "auto", "online"),
        ({"WANDB_DISABLED": "true"}, "offline", "offline"),
        ({"WANDB_MODE": "foo"}, "disabled", "disabled"),
    ],
)
def test_mode(
    environment: dict[str, str], configured: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wandb_mode(LogConfig(wandb=configured)) == expected


@pytest.mark.parametrize(
    ("name", "value"), [("WANDB_MODE", "foo"), ("WANDB_MODE", "true"), ("WANDB_DISABLED", "foo")]
)
@pytest.mark.parametrize("configured", ["auto", "offline"])
@pytest.mark.usefixtures("empty_folder")
def test_a_wrong_mode_is_refused_before_training(
    name: str, value: str, configured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    words = ["train", "gan_ring", f"log.wandb={configured}"]
    mistake(
        words, f"the environment variable {name} is '{value}'; valid are ", "log.wandb=disabled"
    )
    monkeypatch.setattr("gan_lightning.cli.machine_checks.CHECKS", {"wandb": CHECKS["wandb"]})
    assert f"red   wandb       the environment variable {name} is" in run_cli("doctor").out


VARIABLES = {
    "WANDB_PROJECT": ("project", "theirs"),
    "WANDB_ENTITY": ("entity", "team"),
    "WANDB_NAME": ("name", "my run"),
    "WANDB_RUN_GROUP": ("group", "my group"),
    "WANDB_JOB_TYPE": ("job_type", "baseline"),
    "WANDB_NOTES": ("notes", "two lines\nof notes"),
    "WANDB_TAGS": ("tags", "one, two"),
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_config_wins_over_variable_over_default(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, value = VARIABLES[variable]
    in_config: Any = ["ours"] if key == "tags" else "ours"
    default = getattr(LogConfig(), key)
    assert getattr(with_variables(LogConfig()), key) == default
    monkeypatch.setenv(variable, value)
    expected = ["one", "two"] if key == "tags" else value
    assert getattr(with_variables(LogConfig()), key) == expected
    assert getattr(with_variables(LogConfig(**{key: in_config})), key) == in_config
    monkeypatch.setenv(variable, "")
    assert getattr(with_variables(LogConfig()), key) == default


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("WANDB_PROJECT", "team/gans", "log.project is 'team/gans'; a project of W&B has at most"),
        ("WANDB_TAGS", "t" * 140, "a tag of W&B has 1 to 64 characters"),
        ("WANDB_NAME", "n" * 200, "at W&B it has at most 128 characters"),
    ],
)
@pytest.mark.usefixtures("empty_folder")
def test_a_variable_that_wandb_refuses_is_named(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    mistake(["train", "gan_ring"], message, f"it comes from the environment: correct {variable}")


def test_a_resumed_run_keeps_its_names(ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that are set later change nothing; those at the start are in the run's config."""
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    found = []

    def stop(config: Any) -> None:
        found.append(config.log.project)
        raise UserError("enough")

    monkeypatch.setattr("gan_lightning.training.train.check_launcher", stop)
    assert_mistake(run_cli("train", "gan_ring", "--output", "none"), "enough")
    words = ["trainer.max_updates=9", "log.wandb=offline"]
    assert_mistake(run_cli("train", "gan_ring", "--resume", str(ring_run.folder), *words), "enough")
    assert found == ["theirs", None]


class FakeClient(types.ModuleType):
    """A module `wandb` that keeps the settings of a run, and waits before it starts one."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.settings: dict[str, Any] = {}
        self.answers = threading.Event()
        self.answers.set()

    def init(self, **settings: Any) -> Any:
        self.settings = settings
        self.answers.wait(60)
        raise ValueError("no server")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"name": "gan_ring/run seed 3", "group": "gan_ring", "project": "gan-lightning"}),
        ({"name": "mine", "group": "ours"}, {"name": "mine", "group": "ours", "notes": None}),
        ({"job_type": "a", "notes": "b", "tags": ["c"]}, {"job_type": "a", "notes": "b"}),
    ],
)
def test_what_the_client_gets(
    config: dict[str, Any], expected: dict[str, Any], client: FakeClient, tmp_path: Path
) -> None:
    logger = WandbRun(LogConfig(**config), "offline", "gan_ring", tmp_path / "run", "id")
    logger.start({"seed": 3})
    logger.finish(failed=False)
    assert {key: client.settings[key] for key in expected} == expected


@pytest.mark.parametrize("answers", [True, False])
def test_a_run_says_what_it_waits_for(
    answers: bool,
    client: FakeClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(wandb_run, "SILENT_WAIT", 5.0 if answers else 0.05)
    monkeypatch.setattr(wandb_run, "OFFLINE_TIMEOUT", 0.05)
    for name in ("kill_service", "end_service"):
        monkeypatch.setattr(wandb_run, name, lambda: None)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    if not answers:
        client.answers.clear()
    logger = WandbRun(LogConfig(), "online", "gan_ring", tmp_path, "id")
    logger.start({})
    logger.finish(failed=False, timeout=5.0 if answers else 0.2)
    line = "waiting up to 0 s for the W&B server http://127.0.0.1:9; Ctrl-C stops waiting"
    assert (line in capsys.readouterr().err) != answers
    assert ("the server does not answer" in logger.location_message()) != answers
    client.answers.set()
    logger._thread.join(60)
