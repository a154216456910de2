"""What a claim asks of measured values, and of another experiment's."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import EXPERIMENTS
from run_files import made_up

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import Claim
from gan_lightning.results.claims import bound_in_short, judge
from gan_lightning.results.records import Results


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_claims_of_every_experiment(experiment: str) -> None:
    for claim in load_config(read_yaml(experiment_path(experiment))).claims:
        assert claim.source, "a claim says where it is from"
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
    assert judge(Claim("m", **bound), values, 5.0).holds is holds


def test_a_comparison_is_with_the_same_budget() -> None:
    claim = Claim("m", above="plain")
    ours = made_up("ours", [3, 4], claim)

    def said(*known: Results) -> str:
        (verdict,) = ours.verdicts(known)
        return verdict.text

    assert said() == "not compared yet: run `gan-lightning verify plain`"
    assert said(made_up("plain", [2, 4])) == "holds: above plain's 3"
    assert said(made_up("plain", [2, 4], updates=9)).startswith("not compared: plain was measured")
    assert said(made_up("plain", [2, None])) == "not compared: plain measured no number"
    ours.overrides = ["k=1"]
    varied = made_up("other", [9], experiment="plain", overrides=["k=1"])
    assert said(made_up("plain", [2], updates=9), varied) == "does not hold: above plain's 9"
    assert bound_in_short(claim) == "m > plain"
