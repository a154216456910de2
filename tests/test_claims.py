"""Evaluation of claims on measured values and on those of another experiment."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import EXPERIMENTS
from run_files import make_results

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import Claim
from gan_lightning.results.aggregate import format_mean_sd
from gan_lightning.results.claims import check_claim, claim_rows, format_bound, single_run_rows
from gan_lightning.results.records import Results


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_claims_of_every_experiment(experiment: str) -> None:
    for claim in load_config(read_yaml(experiment_path(experiment))).claims:
        assert claim.source, "a claim needs a source"
        assert {claim.above, claim.below} - {None} <= set(EXPERIMENTS)


@pytest.mark.parametrize(
    ("bound", "values", "holds"),
    [
        ({"at_least": 2.0}, [1, 3], True),
        ({"at_least": 2.0, "aggregate": "all"}, [1, 3], False),
        ({"at_least": 3.0, "aggregate": "any"}, [1, 3], True),
        ({"at_most": 1.0, "aggregate": "any"}, [1, 3], True),
        ({"at_most": 1.0}, [1, 3], False),
        ({"at_least": 0.0}, [1, float("nan")], False),
        ({"at_least": 0.0, "aggregate": "any"}, [1, float("nan")], True),
        ({"above": "x"}, [5, 6], True),
        ({"above": "x"}, [5, 5], False),
        ({"below": "x", "aggregate": "all"}, [4, 4.9], True),
    ],
)
def test_verdicts(bound: dict[str, Any], values: list[float], holds: bool) -> None:
    assert check_claim(Claim("m", **bound), values, 5.0).holds is holds


def test_experiments_are_compared_at_the_same_budget() -> None:
    claim = Claim("m", above="plain")
    ours = make_results("ours", [3, 4], claim)

    def verdict(*known: Results) -> str:
        (row,) = ours.claim_rows(known)
        return row.verdict.text

    assert verdict() == "not compared yet: run `gan-lightning verify plain`"
    assert verdict(make_results("plain", [2, 4])) == "holds: above 3 (mean of plain)"
    assert verdict(make_results("plain", [2, 4], updates=9)).startswith(
        "not compared: plain was measured"
    )
    assert verdict(make_results("plain", [2, None])) == "not compared: plain has no finite value"
    ours.overrides = ["k=1"]
    varied = make_results("other", [9], experiment="plain", overrides=["k=1"])
    assert (
        verdict(make_results("plain", [2], updates=9), varied)
        == "does not hold: above 9 (mean of plain)"
    )
    assert format_bound(claim) == "m > plain"


def test_rows_have_what_tables_show() -> None:
    claims = [
        Claim("m", at_least=2.0, aggregate="all", statement=" More. ", paper="3", source="table 1"),
        Claim("n", above="plain"),
        Claim("other", at_most=1.0),
    ]
    first, second, third = single_run_rows(claims, {"m": 1.0, "n": 5.0})
    assert (first.measure, first.statement, first.bound) == ("m", "More.", "m >= 2 on every seed")
    assert (first.values, first.measured, first.paper, first.source) == ((1,), "1", "3", "table 1")
    assert first.verdict.text == "does not hold: at least 2 on every seed"
    assert second.statement == "n"
    assert second.verdict.text.startswith("not compared with plain: `gan-lightning verify`")
    assert (third.values, third.measured) == ((), "-")
    assert third.verdict.text == "not evaluated: other was not measured"
    assert [row.verdict.holds for row in (first, second, third)] == [False, None, None]
    (young,) = claim_rows(claims[:1], {"m": [3.0, 4.0]}, lambda _: "", finished=False)
    assert (young.measured, young.verdict.holds) == ("3.5 ± 0.71", None)


def test_standard_deviations_have_two_digits_and_no_exponent() -> None:
    assert format_mean_sd([400.0, 590.0]) == "495 ± 130"
    assert format_mean_sd([8.0, 8.0]) == "8 ± 0"
    assert format_mean_sd([2.5]) == "2.5"
    assert format_mean_sd([1.0, float("nan")]) == "none"
