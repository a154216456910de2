"""Verdicts over seeds: their probabilities, the papers' numbers, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from run_files import make_results
from scipy.stats import kstest, mannwhitneyu, norm
from scipy.stats import t as student

from gan_lightning.config.claim import Claim, Floor
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.fingerprint import fingerprint
from gan_lightning.config.load import load_config
from gan_lightning.results.agreement import (
    mean_interval,
    needed_seeds,
    predictive_reruns,
    rank_test,
    resampled_reruns,
)
from gan_lightning.results.claims import Verdict, metrics_of
from gan_lightning.results.judging import Counts, count_claims, judge_claims
from gan_lightning.results.outdated import hold_against_today
from gan_lightning.results.records import Results
from gan_lightning.results.tables import claims_table, format_probability
from gan_lightning.results.verdicts import against_paper, judge
from gan_lightning.utils.settings import check_settings

NAN = float("nan")


# --- the statistics


def test_means_of_reruns_have_students_predictive_distribution() -> None:
    values = [1.0, 2.0, 4.0]
    means = predictive_reruns(values).mean(axis=1)
    expected = student(2, np.mean(values), np.std(values, ddof=1) * (2 / 3) ** 0.5)
    assert kstest(means, expected.cdf).pvalue > 0.001


def test_reruns_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    ranks = []
    for data in rng.normal(size=(400, 3)):
        predicted = np.mean(predictive_reruns(data, 200) <= rng.normal(), axis=0)
        ranks += list(predicted)
    # a single new seed has Student's distribution too: its predicted ranks are uniform
    assert np.mean(np.array(ranks) < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(np.array(ranks) > 0.5) == pytest.approx(0.5, abs=0.05)


def test_reruns_repeat_what_the_seeds_had() -> None:
    assert (predictive_reruns([8.0] * 5) == 8).all()
    with_nan = predictive_reruns([8.0, NAN, 8.0, 8.0])
    assert np.isnan(with_nan).mean() == pytest.approx(0.25, abs=0.01)
    assert np.isnan(predictive_reruns([NAN, NAN])).all()
    first, same, other = (predictive_reruns([1, 2], 9, stream) for stream in (0, 0, 1))
    assert (first == same).all()
    assert (first != other).all()
    resampled = resampled_reruns([8, 8, 8, 7, 8])
    # the weight of 7 has a Beta(1, 4) distribution: E (1 - w)^5 = 4 / 9
    assert (resampled == 8).all(axis=1).mean() == pytest.approx(4 / 9, abs=0.01)


@pytest.mark.parametrize(
    ("larger", "smaller", "p_value"),
    [
        ([3, 4, 5], [0, 1, 2], 1 / 20),
        ([2, 2], [2, 2], 1),
        ([8, 8, 8], [7, 8, 8], 0.5),  # 7 is in the second group in half of the divisions
        ([3, 4, NAN], [0, 1, 2], 7 / 20),  # ranks 1, 5, 6: seven of 20 triples have a sum >= 12
        ([3, 4, 5], [0, 1, NAN], 7 / 20),  # ranks 3, 4, 5
    ],
)
def test_the_rank_test_by_hand(larger: Any, smaller: Any, p_value: float) -> None:
    assert rank_test(larger, smaller) == pytest.approx(p_value)


@pytest.mark.parametrize(("first", "second", "error"), [(4, 5, 1e-12), (11, 12, 0.005)])
def test_the_rank_test_is_that_of_scipy(first: int, second: int, error: float) -> None:
    rng = np.random.default_rng(1)
    larger, smaller = rng.normal(0.5, size=first), rng.normal(size=second)
    expected = mannwhitneyu(larger, smaller, alternative="greater", method="exact").pvalue
    assert rank_test(list(larger), list(smaller)) == pytest.approx(expected, abs=error)


def test_needed_seeds_can_reach_the_level() -> None:
    assert [needed_seeds(others) for others in (1, 2, 3, 4, 5, 20)] == [19, 5, 3, 3, 2, 1]


def test_interval_of_the_mean() -> None:
    low, high = mean_interval([1, 2, 3])
    assert (low + high) / 2 == pytest.approx(2)
    assert high - 2 == pytest.approx(student.ppf(0.975, 2) / 3**0.5)
    assert np.isnan(mean_interval([1])).all()
    assert np.isnan(mean_interval([1, NAN])).all()
    assert mean_interval([1, 1]) == (1, 1)


# --- verdicts


@pytest.mark.parametrize(
    ("bound", "values", "holds"),
    [
        ({"at_least": 2.0}, [3, 3.1, 3.2], True),
        ({"at_least": 4.0}, [3, 3.1, 3.2], False),
        ({"at_least": 3.1}, [3, 3.1, 3.2], None),
        ({"at_least": 2.0}, [3], None),
        ({"at_least": 2.0}, [3, NAN, 3, 3], None),
        ({"at_least": 8.0, "aggregate": "all"}, [8, 8, 8], True),
        ({"at_least": 8.0, "aggregate": "all"}, [8, 8, 8, 7, 8], None),
        ({"at_least": 8.0, "aggregate": "any"}, [8, 8, 8, 7, 8], True),
        ({"at_least": 3.0, "aggregate": "any"}, [1, 2, 1.5], None),
        ({"above": "x"}, [6, 7, 8], True),
        ({"above": "x"}, [1, 2, 2.5], False),
        ({"above": "x"}, [3.5, 4.5, 5.5], None),
        ({"above": "x"}, [6, 7], None),
        ({"below": "x"}, [1, 2, 2.5], True),
        ({"below": "x"}, [1, 2, NAN], None),
    ],
)
def test_verdicts(bound: dict[str, Any], values: list[float], holds: bool | None) -> None:
    verdict = judge(
        Claim("m", **bound), {"m": values}, [3, 4, 5] if {"above", "below"} & {*bound} else ""
    )
    assert verdict.holds is holds
    assert verdict.text.startswith({True: "holds: ", False: "fails: ", None: "undecided"}[holds])
    assert verdict.needs_seeds == (holds is None)


def test_a_bound_is_agreed_with_as_often_as_students_distribution_says() -> None:
    values, bound = [1.0, 2.0, 4.0, 2.5], 2.8
    verdict = judge(Claim("m", at_most=bound), {"m": values})
    scale = np.std(values, ddof=1) * (2 / 4) ** 0.5
    expected = student.cdf((bound - np.mean(values)) / scale, 3)
    assert verdict.probability == pytest.approx(expected, abs=0.01)
    every = judge(Claim("m", at_most=bound, aggregate="all"), {"m": values}).probability
    assert every is not None
    assert every < 0.5 * expected < norm.cdf(0)


def test_a_comparison_says_how_many_seeds_it_needs() -> None:
    def text(ours: int, others: int) -> str:
        claim = Claim("m", above="x")
        return judge(claim, {"m": list(range(9, 9 + ours))}, list(range(others))).text

    assert text(2, 3) == "undecided, needs 3 seeds: above 1 (mean of x)"
    assert text(3, 2) == "undecided, needs 3 seeds of each: above 0.5 (mean of x)"
    assert text(3, 1) == "undecided, needs 3 seeds of each: above 0 (mean of x)"
    assert text(2, 5) == "holds: above 2 (mean of x)"


@pytest.mark.parametrize(
    ("aggregate", "values", "quality", "holds"),
    [
        ("mean", [0, 1, 0.5], [0.9, 0.8, 0.85], True),
        ("mean", [0, 0, 0], [0.1, 0.1, 0.1], False),
        ("mean", [0, 0, 0], [0.9, NAN, 0.9], None),
        ("all", [0, 0, 0], [0.9, 0.9, 0.4], None),
        ("any", [0, 9, 9], [0.4, 0.9, 0.9], None),  # may agree by different seeds of a rerun
    ],
)
def test_a_claim_with_a_floor_needs_both(
    aggregate: str, values: list[float], quality: list[float], holds: bool | None
) -> None:
    claim = Claim("m", at_most=2.0, floor=Floor("q", at_least=0.5), aggregate=aggregate)
    verdict = judge(claim, {"m": values, "q": quality})
    assert verdict.holds is holds
    assert ("but not q at least 0.5" in verdict.text) == (NAN in quality or quality[0] == 0.1)


def test_a_comparison_with_a_floor_needs_both() -> None:
    claim = Claim("m", below="x", floor=Floor("q", at_least=0.5))

    def judged(quality: float) -> bool | None:
        return judge(claim, {"m": [0, 1, 2], "q": [quality] * 3}, [3, 4, 5]).holds

    assert [judged(0.9), judged(0.4)] == [True, False]


# --- the paper's number


@pytest.mark.parametrize(
    ("keys", "values", "expected"),
    [
        ({}, [3, 3.1, 3.2], "better"),
        ({"better": "lower"}, [3, 3.1, 3.2], "worse"),
        ({}, [1, 1.1, 1.2], "worse"),
        ({}, [1, 3, 2.5], "near"),
        ({"paper_sd": 0.6}, [3, 3.1, 3.2], "near"),  # 2 ± 1.2
        ({"paper_sd": 0.6, "paper_runs": 9}, [3, 3.1, 3.2], "better"),  # 2 ± 0.4
        ({}, [2], "too few seeds"),
        ({}, [2, 2], "too few seeds"),
        ({}, [2, 2, NAN], "worse"),
    ],
)
def test_the_mean_is_held_against_the_papers_number(
    keys: dict[str, Any], values: list[float], expected: str
) -> None:
    assert against_paper(Claim("m", at_least=0.0, paper_value=2.0, **keys), values) == expected


def test_a_claim_can_hold_far_from_the_papers_number() -> None:
    claim = Claim("m", at_most=999.0, paper_value=78.9, paper_sd=6.5, paper="78.9 ± 6.5")
    ours = make_results("gan", [950, 967, 935], claim)
    (row,) = judge_claims(ours, [])
    assert (row.verdict.holds, row.against_paper) == (True, "worse")
    assert count_claims([row]) == Counts(1, 1, 0, 1, 0)
    assert "3 seeds | 78.9 ± 6.5: **worse** | holds: at most 999 (p " in claims_table(
        [ours], [ours]
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"at_least": 1.0, "paper_sd": 2.0}, "paper_sd of the claim on 'm' needs paper_value"),
        ({"at_least": 1.0, "paper_value": 1.0, "paper_runs": 3}, "needs paper_sd"),
        ({"at_least": 1.0, "better": "more", "paper_value": 1.0}, "better is 'more'"),
        ({"above": "x", "aggregate": "all"}, "leave out aggregate"),
    ],
)
def test_keys_of_a_claim_fit_each_other(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(Claim("m", **keys))


# --- what is judged and counted


def dirty(results: Results, count: int) -> Results:
    for run in results.runs[:count]:
        run.versions = {"revision": "abc-dirty"}
    return results


def test_seeds_of_a_changed_tree_decide_nothing() -> None:
    claim = Claim("m", at_least=2.0, paper_value=3.0)

    def row(count: int) -> Any:
        return judge_claims(dirty(make_results("x", [1, 3, 3, 3.1], claim), count), [])[0]

    assert row(1).verdict.holds
    assert row(1).values == (3, 3, 3.1)
    for count in (3, 4):
        assert row(count).verdict.text == "undecided, measured on a changed tree"
        assert row(count).against_paper == "near (not judged)"
        assert count_claims([row(count)]) == Counts(1, 0, 0, 1, 0)
    ours = make_results("ours", [3, 4, 5], Claim("m", above="x"))
    (compared,) = judge_claims(ours, [dirty(make_results("x", [1, 1, 1]), 3)])
    assert compared.verdict == Verdict(None, "not compared: x was measured on a changed tree")


def test_a_claim_and_its_mirror_image_are_one_claim() -> None:
    method = make_results("method", [6, 7, 8], Claim("m", above="plain"))
    floor = Floor("m", at_least=1.0)
    plain = make_results("plain", [3, 4, 5], Claim("m", below="method", floor=floor))
    known = [method, plain]
    rows = [row for results in known for row in judge_claims(results, known)]
    assert [row.same_as for row in rows] == ["", "method"]
    assert count_claims(rows) == Counts(1, 1, 0, 0, 0)
    table = claims_table([plain], known, lambda results: f"#{results.name}")
    assert "the same claim as that of [method](#method)" in table
    # the floor marks the method that fails, where a smaller value is better too
    lower = make_results("method", [3, 4, 5], Claim("m", below="plain"))
    higher = make_results("plain", [6, 7, 8], Claim("m", above="method", floor=floor))
    assert judge_claims(lower, [lower, higher])[0].same_as == ""
    assert judge_claims(higher, [lower, higher])[0].same_as == "method"


def test_probabilities_are_not_rounded_to_certainty() -> None:
    values = (None, 0.0, 0.94, 0.9961, 1.0)
    assert [format_probability(value) for value in values] == [
        "-",
        "< .01",
        ".94",
        "> .99",
        "> .99",
    ]


def test_two_equal_seeds_decide_nothing() -> None:
    two, three = (judge(Claim("m", at_most=7.0), {"m": [8.0] * seeds}) for seeds in (2, 3))
    assert (two.holds, two.text) == (None, "undecided, two equal seeds: at most 7")
    assert three.holds is False


def test_results_are_judged_by_the_claims_of_today() -> None:
    config = load_config(read_yaml(experiment_path("gan_ring")))
    claimed = {metric: 1.0 for claim in config.claims for metric in metrics_of(claim)}
    measured = make_results("gan_ring", [1, 2], Claim("m", at_least=0.0))
    runs = [replace(run, measures=run.measures | claimed) for run in measured.runs]
    today = replace(measured, runs=runs)
    own = replace(today, own_claims=True)
    elsewhere = replace(today, experiment="not_of_this_project")
    held = hold_against_today([today, own, elsewhere, measured])
    assert held[0].claims == config.claims
    assert all(results.claims == measured.claims for results in held[1:])


def test_results_of_an_earlier_config_decide_nothing() -> None:
    source = read_yaml(experiment_path("gan_ring"))
    run_config = load_config(source)
    config = {k: v for k, v in fingerprint(run_config).items() if k != "seed"}
    claim = Claim("m", at_least=0.0, paper_value=3.0)
    unmeasured = replace(make_results("gan_ring", [1, 3, 3, 3.1], claim), config=config)
    claimed = {metric: 0.0 for claim in run_config.claims for metric in metrics_of(claim)}
    runs = [replace(run, measures=run.measures | claimed) for run in unmeasured.runs]
    today = replace(unmeasured, runs=runs)
    model = {**config["model"], "latent_size": 3}
    earlier = replace(today, config={**config, "model": model})
    removed = replace(today, config={**config, "model": {**model, "no_such_key": 1}})
    elsewhere = replace(earlier, experiment="not_of_this_project")
    known = hold_against_today([today, earlier, removed, elsewhere, unmeasured])
    assert [results.is_outdated for results in known] == [False, True, True, False, True]
    (row,) = judge_claims(replace(known[1], claims=[claim]), [])
    assert row.verdict.text == "undecided, measured with an earlier config or other code"
    assert row.against_paper == "near (not judged)"
    other = Claim("m", above="gan_ring")
    (compared,) = judge_claims(make_results("x", [4, 5, 6], other), [known[1]])
    assert (
        compared.verdict.text
        == "not compared: gan_ring was measured with an earlier config or other code"
    )
