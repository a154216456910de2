"""Claims on one run, and which results a claim is judged on; test_verdicts.py judges them."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import EXPERIMENTS
from run_files import make_results

from gan_lightning.config.claim import Claim, Floor
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.overridden import describe_changes
from gan_lightning.config.python import request
from gan_lightning.config.schema import as_plain
from gan_lightning.errors import UserError
from gan_lightning.results.aggregate import format_mean_sd
from gan_lightning.results.claims import (
    Verdict,
    check_run,
    format_bound,
    no_verdict_reason,
    single_run_rows,
)
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.records import Results


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_claims_of_every_experiment(experiment: str) -> None:
    for claim in load_config(read_yaml(experiment_path(experiment))).claims:
        assert claim.source, "a claim needs a source"
        assert {claim.above, claim.below} - {None} <= set(EXPERIMENTS)
        assert "recalled" not in claim.paper, "a number that nobody has looked up is not printed"
        for number in (claim.paper_value, claim.paper_sd):
            if number is None:
                continue
            shown = {f"{number:g}", f"{100 * number:g} %", f"{100 * (1 - number):g} %"}
            assert any(text in claim.paper for text in shown), (claim.paper, number)


@pytest.mark.parametrize(
    ("bound", "value", "meets"),
    [
        ({"at_least": 2.0}, 2, True),
        ({"at_most": 1.0, "aggregate": "any"}, 3, False),
        ({"at_least": 0.0}, float("nan"), False),
        ({"above": "x"}, 6, True),
        ({"above": "x"}, 5, False),
        ({"below": "x"}, 4.9, True),
    ],
)
def test_one_run_is_compared_with_the_bound(
    bound: dict[str, Any], value: float, meets: bool
) -> None:
    verdict = check_run(Claim("m", **bound), value, 5.0)
    assert (verdict.holds, verdict.probability) == (meets, None)
    assert verdict.text.startswith("meets the bound: " if meets else "misses the bound: ")


def test_experiments_are_compared_at_the_same_budget() -> None:
    claim = Claim("m", above="plain")
    ours = make_results("ours", [3, 4, 5], claim)

    def verdict(*known: Results) -> str:
        (row,) = judge_claims(ours, known)
        return row.verdict.text

    assert verdict() == "not compared yet: run `gan-lightning verify plain`"
    assert verdict(make_results("plain", [2, 2, 2])) == "holds: above 2 (mean of plain)"
    assert verdict(make_results("plain", [2, 4], updates=9)).startswith(
        "not compared: plain was measured"
    )
    ours.overrides, ours.own_claims = ["k=1"], True
    varied = make_results("other", [9, 9, 9], experiment="plain", overrides=["k=1"])
    assert (
        verdict(make_results("plain", [2], updates=9), varied) == "fails: above 9 (mean of plain)"
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
    assert first.verdict.text == "misses the bound: at least 2"
    assert second.statement == "n"
    assert second.verdict.text.startswith("not compared with plain: `gan-lightning verify`")
    assert (third.values, third.measured) == ((), "-")
    assert third.verdict.text == "not evaluated: other was not measured"
    assert [row.verdict.holds for row in (first, second, third)] == [False, None, None]
    (young,) = single_run_rows(claims[:1], {"m": 3.5}, "not yet")
    assert (young.measured, young.verdict) == ("3.5", Verdict(None, "not yet"))


FLOOR = Floor("q", at_least=0.5)


@pytest.mark.parametrize(
    ("value", "quality", "meets"), [(0, 0.9, True), (0, 0.0, False), (9, 0.9, False)]
)
def test_a_run_needs_the_floor_too(value: float, quality: float, meets: bool) -> None:
    claim = Claim("m", at_most=2.0, floor=FLOOR)
    verdict = check_run(claim, value, floor_value=quality)
    assert verdict.holds is meets
    assert ("but not q at least 0.5" in verdict.text) == (value == 0 and not meets)
    assert format_bound(claim) == "m <= 2 with q >= 0.5"


def test_a_floor_is_measured() -> None:
    claim = Claim("m", at_most=2.0, floor=FLOOR)
    (row,) = single_run_rows([claim], {"m": 1.0})
    assert row.verdict == Verdict(None, "not evaluated: q was not measured")
    with pytest.raises(UserError, match="has a claim on 'q', which its runs do not measure"):
        judge_claims(make_results("ours", [1], claim), [])


HIGHER_IS_BETTER = {
    "modes/covered",
    "robust/fgsm",
    "robust/pgd_40",
    "pairs/agreement",
    "parzen/log_likelihood",
    "adaptation/accuracy",
    "class/accuracy",
    "code/mutual_information",
}
LOW_IN_BROKEN_RUNS = {"critic/weights_at_bound", "ms_ssim/excess"}
"""Metrics that are low both in a good model and in an untrained one."""


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_claims_that_a_broken_run_would_keep_have_a_floor(experiment: str) -> None:
    for claim in load_config(read_yaml(experiment_path(experiment))).claims:
        failing = (
            claim.at_most is not None or claim.below
            if claim.metric in HIGHER_IS_BETTER | LOW_IN_BROKEN_RUNS
            else claim.metric == "equilibrium/distance" and claim.at_least is not None
        )
        assert not failing or claim.floor, claim.statement


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_more_modes_than_another_method_need_samples_near_them(experiment: str) -> None:
    config = load_config(read_yaml(experiment_path(experiment)))
    for claim in config.claims if config.data.name in {"ring", "grid"} else ():
        if claim.metric == "modes/covered" and claim.above:
            assert claim.floor
            assert claim.floor.metric == "modes/high_quality"
            assert claim.floor.at_least >= 0.05


@pytest.mark.parametrize(
    ("experiment", "measures"),
    [
        ("gan_ring", {"modes/covered": 0.0, "modes/high_quality": 0.0}),
        ("gan_stacked_mnist", {"modes/covered": 1.0}),
        ("gan_stacked_mnist_paper", {"modes/covered": 1.0}),
        ("adversarial_plain_mnist", {"robust/fgsm": 0.05, "classifier/test_accuracy": 0.1}),
        ("infogan_control_mnist", {"code/mutual_information": 0.0, "classes/covered": 1.0}),
        ("dirac_wgan", {"equilibrium/distance": 2**0.5, "equilibrium/theta": 1.0}),
        ("dirac_vanilla", {"equilibrium/distance": 2**0.5, "equilibrium/psi": 1.0}),
    ],
)
def test_an_untrained_model_keeps_no_claim(experiment: str, measures: dict[str, float]) -> None:
    claims = load_config(read_yaml(experiment_path(experiment))).claims
    verdicts = [row.verdict for row in single_run_rows(claims, measures)]
    assert verdicts[0].holds is False
    assert "but not" in verdicts[0].text
    assert not any(verdict.holds for verdict in verdicts)


# --- no verdict


def reason(*overrides: str, source: dict[str, Any] | None = None, **state: Any) -> str:
    content = read_yaml(experiment_path("gan_ring")) if source is None else source
    return no_verdict_reason(as_plain(load_config(content, overrides)), **state)


@pytest.mark.parametrize(
    "override",
    [
        "trainer.max_updates=5",
        "model.name=wgan",
        "model={latent_size: 3}",
        "model.generator_optimizer.learning_rate=0.1",
        "network.spectral_norm=true",
        "data.points=50",
        "evaluation.samples=50",
        "trainer.precision=bf16-mixed",
    ],
)
def test_another_experiment_has_no_verdict(override: str) -> None:
    key = override.partition("=")[0]
    assert reason(override, "seed=3").startswith(f"no verdict, another experiment: {key}")


@pytest.mark.parametrize(
    "override",
    [
        "seed=3",
        "trainer.devices=2",
        "trainer.accelerator=cpu",
        "trainer.threads=2",
        "log.project=other",
        "pictures.samples=9",
        "checkpoints.keep=1",
        "trainer.max_updates=8000",
    ],
)
def test_the_same_experiment_has_verdicts(override: str) -> None:
    assert reason(override) == ""


def test_claims_of_its_own_are_those_of_the_variation() -> None:
    own = "claims=[{metric: modes/covered, at_most: 7}]"
    assert reason("trainer.max_updates=5", own) == ""


def test_what_was_overridden_is_kept_in_the_config_of_the_run() -> None:
    content = read_yaml(experiment_path("gan_ring"))
    run = as_plain(load_config(content, ["trainer.max_updates=5"]))
    assert "max_updates is 9, not 8000" in reason("trainer.max_updates=9", source=run)
    assert reason("trainer.max_updates=8000", source=run) == ""  # equals an uninterrupted run
    rate = "model.generator_optimizer.learning_rate"
    run = as_plain(load_config(content, [f"{rate}=0.1"]))
    assert f"{rate} was changed for a part of" in reason(f"{rate}=0.001", source=run)


def test_a_run_that_did_not_reach_its_end_has_no_verdict() -> None:
    assert reason(finished=False) == "not evaluated before the end of the run"
    assert reason(stopped_by="EarlyStopping") == "no verdict: the run was stopped by EarlyStopping"


def test_a_model_that_python_has_replaced_is_another_experiment() -> None:
    wanted = request("gan_ring", [], model={"name": "wgan", "clip": 0.1})
    config, _ = wanted.with_title(load_config(wanted.source, wanted.overrides))
    assert describe_changes(as_plain(config)).startswith("model.name is wgan, not gan")
    wanted = request("gan_ring", [], model="gan")
    config, _ = wanted.with_title(load_config(wanted.source, wanted.overrides))
    assert describe_changes(as_plain(config)) == ""


def test_results_of_a_variation_have_no_verdict() -> None:
    varied = make_results(
        "long", [1, 1, 1], Claim("m", at_most=2.0), experiment="x", overrides=["k=1"]
    )
    (row,) = judge_claims(varied, [])
    changed = "no verdict, another experiment: k=1"
    assert row.verdict == Verdict(None, changed, applies=False)
    varied.own_claims = True
    assert judge_claims(varied, [])[0].verdict.holds


def test_standard_deviations_have_two_digits_and_no_exponent() -> None:
    assert format_mean_sd([400.0, 590.0]) == "495 ± 130"
    assert format_mean_sd([8.0, 8.0]) == "8 ± 0"
    assert format_mean_sd([2.5]) == "2.5"
    assert format_mean_sd([1.0, float("nan")]) == "none"
