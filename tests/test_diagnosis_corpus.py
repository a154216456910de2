"""The corpus of the diagnosis: definitions of the states, the list of runs, the file, a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(BENCHMARKS)
    from diagnosis.configurations import Configuration, configurations, planned_runs
    from diagnosis.quantities import excess, fall, gain, truth_from
    from diagnosis.records import append_record, read_records, write_records
    from diagnosis.states import DEFINITIONS, STATES, state_of
    from diagnosis.training import BASE, run_config, train_run
    from diagnosis.truth import Floor, Point, Truth

EVEN = [0.25] * 4
ONE = [1.0, 0.0, 0.0, 0.0]
OTHER = [0.0, 1.0, 0.0, 0.0]
FLOOR = Floor(mean=0.1, deviation=0.01, quality=0.99, masses=EVEN)


def point(update: int, distance: float, masses: list[float] = EVEN, **values: Any) -> Point:
    return Point(update, distance, masses, **{"quality": 0.9, "auc": 0.8, "spread": 1.0, **values})


def truth(
    distances: list[float], later: float, *, masses: list[list[float]] | None = None, **values: Any
) -> Truth:
    """Return the truth of a run with these distances; the untrained one has 1.1, an excess of 1."""
    shares = masses or [EVEN] * (len(distances) + 3)
    points = [
        point(number, distance, shares[number - 1], **values)
        for number, distance in enumerate(distances, 1)
    ]
    continued = [point(6 + number, later, shares[-number], **values) for number in (1, 2, 3)]
    return Truth(FLOOR, point(0, 1.1), points, continued)


GOOD = truth([0.5, 0.3, 0.15, 0.15, 0.14, 0.14], 0.14)
BAD = [0.9] * 6
FAIR = [0.3] * 6
SWAPS = [EVEN, EVEN, EVEN, *[[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]] * 3]
HOPS = [EVEN, EVEN, EVEN, *[ONE, OTHER] * 3]
EXAMPLES: dict[str, Truth] = {
    "diverged": replace(GOOD, diverged_at=77),
    "memorising": truth(FAIR, 0.3, near=0.4, copying=-20.0),
    "discriminator_won": truth(BAD, 0.89, auc=0.999),
    "discriminator_too_weak": truth(BAD, 0.91, auc=0.55),
    "mode_collapse": truth(BAD, 0.9, masses=HOPS),
    "oscillating": truth(FAIR, 0.3, masses=SWAPS),
    "under_trained": truth([1.1, 1.0, 0.9, 0.8, 0.7, 0.6], 0.4),
    "improving": truth([0.9, 0.6, 0.4, 0.35, 0.2, 0.15], 0.12),
    "converged": GOOD,
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_truth_that_is_of_it_alone(state: str) -> None:
    assert state_of(EXAMPLES[state]) == state
    others = {name for name, holds in DEFINITIONS.items() if holds(EXAMPLES[state])}
    if state != "diverged":  # it may have been in any state before
        assert others <= {state, "mode_collapse", "oscillating"}


def test_samples_that_stay_away_from_the_data_or_are_not_finite_diverged() -> None:
    nan = float("nan")
    assert state_of(truth([0.9] * 3 + [3.2, 3.3, 3.2], 3.2)) == "diverged"
    assert state_of(truth([0.9] * 5 + [nan], 0.9)) == "diverged"
    assert state_of(truth([0.9] * 3 + [3.2, 0.9, 3.2], 3.2)) == "converged"  # they come back
    assert state_of(truth([3.2] * 6, 3.2, auc=0.2)) == "discriminator_too_weak"  # which lets them
    assert state_of(replace(GOOD, points=[])) == "diverged"


def test_players_that_have_become_constant_diverged() -> None:
    assert state_of(truth(BAD, 0.9, auc=0.5)) == "diverged"
    assert state_of(truth(BAD, 0.9, auc=0.501)) == "discriminator_too_weak"


def test_a_discriminator_that_knows_the_training_data_by_heart_memorises() -> None:
    known = {"near": 0.0, "copying": 5.0, "training_auc": 0.9}
    assert state_of(truth(FAIR, 0.3, auc=0.3, **known)) == "memorising"
    assert state_of(truth(FAIR, 0.3, auc=0.7, **known)) == "converged"


def test_a_run_improves_if_its_distance_falls_and_the_continuation_confirms_it() -> None:
    falling = [0.9, 0.8, 0.7, 0.6, 0.5, 0.5]
    assert state_of(truth(falling, 0.4)) == "under_trained"
    assert state_of(truth(falling, 0.65)) == "converged"  # it has lost what it had gained
    assert state_of(truth([0.9, 0.8, 0.5, 0.5, 0.48, 0.48], 0.3)) == "converged"
    assert state_of(truth(falling, 0.4, masses=SWAPS)) == "oscillating"


def test_the_same_fall_near_the_data_is_noise() -> None:
    assert state_of(truth([0.9, 0.8, 0.7, 0.7, 0.6, 0.6], 0.6)) == "under_trained"
    assert state_of(truth([0.9, 0.8, 0.22, 0.22, 0.2, 0.2], 0.2)) == "converged"
    assert fall(truth([1.1, 1.1, 0.6, 0.6, 0.595, 0.595], 0.6)) == 0.0
    assert fall(truth([1.1, 1.1, 0.6, 0.6, 0.35, 0.35], 0.3)) == pytest.approx(0.5)


def test_samples_of_one_mode_collapsed_if_they_lie_on_it_or_stay() -> None:
    away = truth(BAD, 0.9, masses=HOPS, quality=0.0)
    assert state_of(away) == "oscillating"
    assert state_of(truth(BAD, 0.9, masses=[ONE] * 9, quality=0.0)) == "mode_collapse"


def test_a_collapse_of_a_generator_that_continues_to_learn_is_under_trained() -> None:
    halves = [[0.5, 0.5, 0.0, 0.0]] * 9
    assert state_of(truth([0.8] * 6, 0.8, masses=halves)) == "mode_collapse"
    assert state_of(truth([1.0, 1.0, 0.9, 0.8, 0.6, 0.6], 0.5, masses=halves)) == "under_trained"


def test_missing_modes_are_those_of_the_training_data() -> None:
    masses = [[0.5, 0.5, 0.0, 0.0]] * 9
    few = truth(FAIR, 0.3, masses=masses)
    assert state_of(few) == "mode_collapse"
    assert state_of(replace(few, floor=replace(FLOOR, masses=masses[0]))) == "converged"


def test_a_generator_that_is_stuck_far_from_the_data_has_lost_even_with_all_modes() -> None:
    stuck = {"auc": 0.999}
    assert state_of(truth([0.5] * 6, 0.5, **stuck)) == "discriminator_won"
    assert state_of(truth([0.2] * 6, 0.2, **stuck)) == "converged"
    assert state_of(replace(truth([0.5] * 6, 0.5, auc=0.9))) == "converged"


def test_good_digits_are_farther_from_data_than_good_points() -> None:
    points = truth([0.9, 0.8, 0.7, 0.6, 0.5, 0.5], 0.45)
    assert state_of(points) == "under_trained"
    assert state_of(replace(points, shows_digits=True)) == "improving"


def test_excess_and_gain_are_in_units_of_the_floor() -> None:
    found = truth([1.1, 0.6], 0.35)
    assert [excess(found, each) for each in found.points] == pytest.approx([1, 0.5])
    assert gain(found) == pytest.approx(2 / 3)
    assert gain(replace(found, continued=found.continued[:2])) == -1.0


def test_the_list_of_runs_is_deterministic_and_large_enough() -> None:
    runs = planned_runs()
    assert runs == planned_runs()
    assert len({each.name for each, _ in runs}) == len(configurations()) >= 400
    assert len({seed for _, seed in runs}) == len(runs)
    assert min(seed for _, seed in runs) >= 1000
    assert sum(each.shows_digits for each in configurations()) >= 80


def test_a_beginning_of_the_list_is_a_fair_sample() -> None:
    names = [each.name.rsplit("-", 1)[0] for each, _ in planned_runs()]
    assert {*names[:60]} == {*names}


def test_every_configuration_is_valid() -> None:
    for configuration, seed in planned_runs()[::20]:
        assert run_config(configuration, seed).seed == seed


def test_an_interrupted_file_keeps_its_complete_runs(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    assert read_records(path) == []
    records = [{"seed": seed, "values": [seed / 3] * 50} for seed in range(5)]
    for record in records:
        append_record(path, record)
    complete = path.read_bytes()
    assert read_records(path) == records
    path.write_bytes(complete[:-30])
    assert read_records(path) == records[:4]
    write_records(path, records)
    assert read_records(path) == records
    assert path.stat().st_size < len(complete)


def test_a_run_records_what_it_logs_up_to_its_end_and_its_truth_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BASE, "evaluation", {"samples": 100})
    monkeypatch.setattr("diagnosis.truth.TRANSPORTED", {True: 50, False: 50})
    overrides = ("data.standard_deviation=0.07", "data.batch_size=8")
    record = train_run(Configuration("test-00", overrides, 60), 1000)
    signals, found = record["signals"], truth_from(record["truth"])
    assert signals["updates"] == list(range(1, 61))
    assert {len(column) for column in signals.values()} == {60}
    for name in ("loss/generator/adversarial", "wasserstein/exact", "game/step_cosine/generator"):
        assert signals[name][-1] is not None
    assert [each.update for each in found.points] == [10, 20, 30, 40, 50, 60]
    assert found.initial.update == 0
    assert [each.update for each in found.continued] == [70, 80, 90]
    assert sum(found.points[-1].masses) == pytest.approx(1, abs=1e-3)
    assert record["state"] == state_of(found)


def test_the_corpus_holds_runs_of_the_list_in_the_states_of_the_definitions() -> None:
    records = read_records(BENCHMARKS / "diagnosis" / "corpus.jsonl.gz")
    planned = {(each.name, seed): list(each.overrides) for each, seed in planned_runs()}
    runs = {(record["configuration"], record["seed"]): record for record in records}
    assert len(runs) == len(records) > 0
    for run, record in runs.items():
        assert record["overrides"] == planned[run]
        assert record["state"] == state_of(truth_from(record["truth"]))
