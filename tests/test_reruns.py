"""The benchmark that trains decided claims again at new seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_files import make_results

from gan_lightning.config.claim import Claim, Floor

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
HIGH = Claim(metric="m", at_least=8.0)
ABOVE = Claim(metric="m", above="plain")


@pytest.fixture
def rerun_claims(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import rerun_claims

    return rerun_claims


def test_only_decided_claims_that_depend_on_the_seed_are_drawn(rerun_claims):
    known = [
        make_results("certain", [9.0, 9.1, 9.2, 9.1, 9.0], HIGH),
        make_results("wrong", [1.0, 1.1, 1.2, 1.1, 1.0], HIGH),
        make_results("undecided", [7.0, 9.0, 8.0], HIGH),
        make_results("exact", [9.0] * 5, HIGH),
        make_results("longer", [9.0, 9.1, 9.2], HIGH, experiment="certain"),
    ]
    drawn, candidates = rerun_claims.draw(known, count=5, minutes=2, seed=0)
    assert [each.results.name for each in drawn] == ["certain", "wrong"]
    assert candidates == 2
    assert rerun_claims.draw(known, count=1, minutes=2, seed=0)[1] == 2
    assert rerun_claims.draw(known, count=5, minutes=1, seed=0) == ([], 0)


@pytest.mark.parametrize(
    ("claim", "values", "expected"),
    [
        (HIGH, [7.0, 9.5], True),
        (HIGH, [7.0, 8.5], False),
        (HIGH, [None, 9.5], False),
        (Claim(metric="m", at_least=8.0, aggregate="all"), [7.0, 9.5], False),
        (Claim(metric="m", at_least=8.0, aggregate="any"), [7.0, 8.5], True),
        (ABOVE, [2.0, 2.2], True),
        (ABOVE, [1.0, 2.0], False),
        (Claim(metric="m", at_most=3.0, floor=Floor("m", at_least=1.0)), [0.5, 1.0], False),
        (Claim(metric="m", at_most=3.0, floor=Floor("m", at_least=1.0)), [2.0, 1.0], True),
    ],
)
def test_a_rerun_is_held_against_the_bound(rerun_claims, claim, values, expected):
    rerun = make_results("rerun", values, claim)
    plain = make_results("plain", [1.5, 2.5])
    assert rerun_claims.meets(claim, rerun, [plain, rerun]) is expected


def test_the_page_counts_verdicts_that_agree(rerun_claims):
    known = [
        make_results("good", [9.0, 9.1, 9.2, 9.1, 9.0], HIGH),
        make_results("bad", [1.0, 1.1, 1.2, 1.1, 1.0], HIGH),
    ]
    drawn, candidates = rerun_claims.draw(known, count=2, minutes=2, seed=0)
    reruns = [make_results("bad", [9.0, 9.1], HIGH), make_results("good", [9.0, 9.1], HIGH)]
    for each in reruns:
        for run in each.runs:
            run.machine = {"processor": "a processor", "cores": 2, "threads": 1}
    page = rerun_claims.rerun_page(drawn, candidates, 2, reruns)
    assert "**1 of 2 verdicts agree.**" in page
    assert page.count("| agrees |") == 1
    assert page.count("| **disagrees** |") == 1
