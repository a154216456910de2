"""The diagnosis of a run: what it reads, when it warns, and what it recommends."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import TinyRun, run_cli, tiny_overrides
from factories import ALL_GANS, make_config, make_gan

from gan_lightning.callbacks import LiveDiagnosis, StopOnNonFinite
from gan_lightning.callbacks.live_diagnosis import ALARM, FIRST
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import LogConfig, as_plain
from gan_lightning.core.module import NonFiniteReport
from gan_lightning.diagnosis import (
    STATES,
    Diagnosis,
    Signals,
    diagnose,
    signals_from,
    signals_of_run,
)
from gan_lightning.diagnosis.evidence import LOSS_ONLY, PHRASES
from gan_lightning.diagnosis.features import features
from gan_lightning.diagnosis.forest import shipped_forest
from gan_lightning.diagnosis.remedies import REMEDIES, remedies_for
from gan_lightning.diagnosis.signals import OBJECTIVES_OF_GANS, UNDECIDED_LOSS
from gan_lightning.errors import Diverged
from gan_lightning.loggers import WandbRun
from gan_lightning.losses import OBJECTIVES
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.advice import accepted_remedies, advise
from gan_lightning.training.build import build
from gan_lightning.training.defaults import default_callbacks

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(BENCHMARKS)
    from diagnosis.halves import is_held_out
    from diagnosis.records import read_records
    from diagnosis.signals import signals_of_record
    from diagnosis.states import STATES as TRUE_STATES

HEALTHY = ("improving", "converged")
DISCRIMINATOR_LOSS = "loss/discriminator/adversarial"


@pytest.fixture(scope="module")
def held_out() -> list[dict[str, Any]]:
    """Every third run of the half of the corpus that the trees have not seen."""
    records = read_records(BENCHMARKS / "diagnosis" / "corpus.jsonl.gz")
    return [each for each in records if is_held_out(each["configuration"])][::3]


def course(length: int = 60, scale: float = 1.0, level: float = 1.2) -> dict[int, dict[str, float]]:
    """Return rows of a run whose distance falls to that of real data."""
    rows: dict[int, dict[str, float]] = {}
    for number in range(1, length + 1):
        wave = math.sin(number)
        rows[10 * number] = {
            DISCRIMINATOR_LOSS: scale * (level + wave / 20),
            "loss/generator/adversarial": scale * (0.8 - wave / 20),
        }
        if number % 5 == 0:
            rows[10 * number] |= {
                "wasserstein/exact": scale * (0.1 + math.exp(-number / 10)),
                "wasserstein/exact/real": scale * 0.08,
                "precision/points": 0.9,
                "recall/points": 0.9,
                "coverage/points": 0.85,
            }
    return rows


def test_states_are_those_of_the_corpus_and_have_evidence_that_can_be_said() -> None:
    assert set(STATES) == set(TRUE_STATES) == set(shipped_forest().states)
    assert {name for state in STATES.values() for name in state.evidence} <= set(PHRASES)
    assert set(LOSS_ONLY) <= set(PHRASES) <= set(shipped_forest().features)
    assert set(REMEDIES) == set(STATES) - {"converged"}


def test_most_runs_that_it_has_not_seen_are_told_and_few_healthy_ones_alarm(
    held_out: list[dict[str, Any]],
) -> None:
    found = [(each["state"], diagnose(signals_of_record(each))) for each in held_out]
    assert sum(state == result.state for state, result in found) > 0.7 * len(found)
    healthy = [result for state, result in found if state in HEALTHY]
    assert sum(result.probability_of_sickness >= ALARM for result in healthy) <= 1
    sick = [result for state, result in found if state not in (*HEALTHY, "under_trained")]
    assert sum(result.probability_of_sickness >= ALARM for result in sick) > 0.7 * len(sick)


def test_a_negative_loss_of_a_critic_is_no_alarm(held_out: list[dict[str, Any]]) -> None:
    critics = [
        each
        for each in held_out
        if "model.name=wgan_gp" in each["overrides"] and each["state"] in HEALTHY
    ]
    assert critics
    for each in critics:
        losses = [value for value in each["signals"][DISCRIMINATOR_LOSS] if value is not None]
        assert min(losses) < 0
        assert diagnose(signals_of_record(each)).probability_of_sickness < ALARM


def test_votes_are_probabilities_and_fewer_signals_are_said_to_be_missing() -> None:
    result = diagnose(Signals(course(), "non_saturating"))
    assert sum(result.probabilities.values()) == pytest.approx(1)
    assert list(result.probabilities.values()) == sorted(result.probabilities.values())[::-1]
    assert result.state == next(iter(result.probabilities))
    assert ["game.enabled" in each for each in result.missing] == [True]
    assert any("coverage" in each or "come near" in each for each in result.evidence)
    losses = {
        update: {name: value for name, value in row.items() if name.startswith("loss/")}
        for update, row in course().items()
    }
    alone = diagnose(Signals(losses, "non_saturating"))
    assert len(alone.missing) == 2
    assert alone.probability < 1
    assert alone.evidence


def test_no_feature_has_a_unit() -> None:
    one, other = (features(Signals(course(scale=scale), "wasserstein")) for scale in (1.0, 50.0))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert other[name] == pytest.approx(value, abs=1e-6), name


def test_a_loss_that_is_not_finite_is_certain_and_a_short_run_too_early() -> None:
    rows = course()
    rows[600][DISCRIMINATOR_LOSS] = math.nan
    assert diagnose(Signals(rows)).probabilities == {"diverged": 1.0}
    assert diagnose(Signals(course(), diverged=True)).state == "diverged"
    for rows in ({}, course(5)):
        early = diagnose(Signals(rows))
        assert early.state is None
        assert early.about is None
        assert "6 and 5 are needed" in early.missing[0]


@pytest.mark.parametrize(
    ("factor", "state"),
    [(0.9, "converged"), (0.98, "improving"), (1.0, "oscillating"), (1.02, "diverged")],
)
def test_a_game_whose_equilibrium_is_known_is_judged_by_the_distance_from_it(
    factor: float, state: str
) -> None:
    rows = {10 * n: {"equilibrium/distance": factor**n, DISCRIMINATOR_LOSS: 1.0} for n in range(99)}
    found = diagnose(Signals(rows, "minimax"))
    assert found.probabilities == {state: 1.0}
    assert "from the equilibrium" in found.evidence[0]
    early = diagnose(Signals({10: {"equilibrium/distance": 1.0}}))
    assert early.state is None


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_level_of_a_loss_is_that_of_equal_scores(name: str) -> None:
    boundary = OBJECTIVES[name].boundary or 0.0
    scores = torch.full((7,), boundary)
    loss = OBJECTIVES[name].discriminator(scores, scores).item()
    if OBJECTIVES[name].zero_when_separated:
        assert UNDECIDED_LOSS[name] == pytest.approx(loss)
    else:
        assert name not in UNDECIDED_LOSS


@pytest.mark.parametrize("name", ALL_GANS)
def test_the_objective_of_a_run_is_read_from_its_config(name: str) -> None:
    config = make_config(name)
    objective = signals_from({}, as_plain(config)).objective
    if objective is not None:
        assert make_gan(name).objective.discriminator == OBJECTIVES[objective].discriminator
    else:
        assert make_gan(name).objective.boundary is None or name not in OBJECTIVES_OF_GANS


CASES = {
    **{name: make_config(name) for name in ALL_GANS},
    "an odd minibatch": make_config("gan", "data.batch_size=7"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_accepts_what_it_is_advised(case: str) -> None:
    config = CASES[case]
    data = build(config)[1]
    for state in STATES:
        for _, overrides in accepted_remedies(config, data, state):
            assert overrides
            assert load_config(as_plain(config), overrides) != config
    assert advise(config, data, "under_trained")
    assert not advise(config, data, "converged")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "ring", "points": 16, "batch_size": 16}, ["points=100000", "batch_size=128"]),
        ({"name": "mnist", "training_samples": 200}, ["training_samples=0"]),
        ({"name": "mnist"}, None),
        ({"name": "ring"}, None),
    ],
)
def test_a_run_that_memorises_is_told_first_to_use_all_data(
    data: dict[str, Any], words: list[str] | None
) -> None:
    config = load_config({"model": {"name": "gan"}, "data": data}, [])
    _, first = remedies_for("memorising", as_plain(config))[0]
    if words is None:
        assert "data" not in "".join(first)
    else:
        assert first[: len(words)] == [f"data.{word}" for word in words]
        load_config(as_plain(config), first)


def test_a_class_that_fails_when_it_is_built_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CASES["gan"]
    callbacks = default_callbacks(config, RunDirectory(tmp_path), *build(config))
    (stop,) = (each for each in callbacks if isinstance(each, StopOnNonFinite))
    trainer: Any = SimpleNamespace(loggers=[])

    def message() -> str:
        with pytest.raises(Diverged) as error:
            stop._stop(trainer, make_gan("gan"), NonFiniteReport(1, {}, ("w",)))
        return str(error.value)

    assert "Try a smaller learning rate; or the relativistic loss" in message()
    assert message().endswith(f"see `gan-lightning diagnose {tmp_path}`")
    monkeypatch.setattr("gan_lightning.training.advice.build_model", lambda *_: 1 / 0)
    assert f"Try a smaller learning rate: see `gan-lightning diagnose {tmp_path}`" in message()


class Alerts(WandbRun):
    """A logger that keeps the titles of alerts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LogConfig(), "offline", "test", folder, "id")
        self.titles: list[str] = []

    def alert(self, title: str, text: str, step: int) -> None:
        self.titles.append(title)


@pytest.mark.parametrize(
    ("answers", "alerts"),
    [
        ([("mode_collapse", 0.95)] * 9, 1),
        ([("mode_collapse", 0.95)] * (FIRST - 1), 0),
        ([("mode_collapse", ALARM - 0.01)] * 9, 0),
        ([("mode_collapse", 0.95), ("converged", 0.95)] * 5, 0),
        ([("mode_collapse", 0.95)] * 6 + [("oscillating", 0.95)] * 3, 2),
        ([("under_trained", 0.99)] * 9, 0),
        ([("converged", 0.99)] * 9, 0),
    ],
)
def test_a_warning_needs_two_sure_diagnoses_in_turn_and_comes_once_a_state(
    answers: list[tuple[str, float]],
    alerts: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    evaluation: Any = SimpleNamespace(evaluated_at=None, measures={"wasserstein/exact": 0.3})
    logger, model = Alerts(tmp_path), make_gan("gan")
    trainer: Any = SimpleNamespace(is_global_zero=True, loggers=[logger])
    metrics = tmp_path / "metrics.csv"
    callback = LiveDiagnosis(metrics, {}, evaluation, lambda state: [f"advice for {state}"])
    for number, (state, probability) in enumerate(answers, 1):
        other = "converged" if state != "converged" else "mode_collapse"
        found = Diagnosis(state, {state: probability, other: 1 - probability}, ("evidence",))
        monkeypatch.setattr("gan_lightning.callbacks.live_diagnosis.diagnose", lambda _, f=found: f)
        evaluation.evaluated_at = model.updates = 10 * number
        lines = [f"{10 * each},0.3" for each in range(1, number + 1)]
        metrics.write_text("\n".join(["updates,wasserstein/exact", *lines, ""]))
        callback.on_train_batch_end(trainer, model, None, None, 0)
        callback.on_train_end(trainer, model)
    assert len(logger.titles) == alerts
    assert capsys.readouterr().err.count("evidence. Try advice for") == alerts


def test_a_generator_that_is_not_trained_raises_no_warning(tmp_path: Path) -> None:
    words = [*tiny_overrides("cogan_adaptation_none"), "log.wandb=disabled"]
    outcome = run_cli("train", "cogan_adaptation_none", *words, "--output", str(tmp_path / "run"))
    assert outcome.code == 0, outcome.err
    assert "diagnosis" not in outcome.err


def test_a_gan_with_its_own_terms_is_judged_by_their_sum() -> None:
    rows = course()
    own = {
        update: {
            **{name: value for name, value in row.items() if name != DISCRIMINATOR_LOSS},
            "loss/discriminator/real": row[DISCRIMINATOR_LOSS] / 4,
            "loss/discriminator/fake": row[DISCRIMINATOR_LOSS] * 3 / 4,
        }
        for update, row in rows.items()
    }
    expected = features(Signals(rows))
    assert features(Signals(own)) == pytest.approx(expected)
    assert diagnose(Signals(own)).state == diagnose(Signals(rows)).state


def test_real_data_at_no_distance_give_no_ratio() -> None:
    rows = {update: {**row, "wasserstein/exact/real": 0.0} for update, row in course().items()}
    assert not any(name.endswith("_real") for name in features(Signals(rows)))


def test_many_training_data_are_not_memorised_unless_a_comparison_shows_it(
    held_out: list[dict[str, Any]],
) -> None:
    record = next(
        each
        for each in held_out
        if diagnose(signals_of_record(each, ("game/",))).state == "memorising"
    )
    few = signals_of_record(record, ("game/",))
    many = replace(few, training_data=5_000)
    assert "memorising" in diagnose(few).probabilities
    assert "memorising" not in diagnose(many).probabilities
    assert sum(diagnose(many).probabilities.values()) == pytest.approx(1)
    compared = replace(signals_of_record(record), training_data=5_000)
    assert diagnose(compared).probabilities == diagnose(signals_of_record(record)).probabilities


def test_the_number_of_training_data_is_that_of_the_run(ring_run: TinyRun) -> None:
    run = RunDirectory(ring_run.folder)
    assert run.environment()["training_data"] == run.config().data.points
    assert signals_of_run(run).training_data == run.config().data.points
