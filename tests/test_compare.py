"""Comparison of runs: config differences, claims that compare experiments, and `compare`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import run_cli
from reports import made_up, report_of

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.report.claims import run_claims
from gan_lightning.report.page import render
from gan_lightning.report.run_data import read_runs


def test_only_config_keys_that_differ_are_shown(tmp_path: Path) -> None:
    runs = [
        made_up(tmp_path / name, "gan_ring", {"modes/covered": 8}, *overrides)
        for name, overrides in (("a", ()), ("b", ("seed=3", "network.dropout=0.5")))
    ]
    page = render(read_runs([str(run) for run in runs]))
    table = page.split('id="configs"')[1].split("<details>")[0]
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh] ?.*?</t[dh]>", table)]
    assert cells[3:] == ["seed", "0", "3", "network.dropout", "0.0", "0.5"]
    assert (
        "There are no differences: all values are the same."
        in report_of(runs[0], shutil.copytree(runs[0], tmp_path / "c")).text
    )


COMPARED = "packed_ring"


@pytest.mark.parametrize(
    ("reference", "overrides", "holds", "text"),
    [
        (3.0, ["seed=5"], True, "meets the bound: above 3 (mean of gan_ring)"),
        (9.0, [], False, "misses the bound: above 9 (mean of gan_ring)"),
        (3.0, ["trainer.max_updates=5"], None, "not compared: add a run of gan_ring with"),
        (3.0, ["network.dropout=0.5"], None, "not compared: add a run of gan_ring with"),
    ],
)
def test_a_claim_is_compared_with_runs_in_the_same_report(
    reference: float, overrides: list[str], holds: bool | None, text: str, tmp_path: Path
) -> None:
    budget = (
        f"trainer.max_updates={read_yaml(experiment_path('gan_ring'))['trainer']['max_updates']}"
    )
    packed = made_up(
        tmp_path / "packed", COMPARED, {"modes/covered": 7.0, "modes/high_quality": 1.0}, budget
    )
    ring = made_up(tmp_path / "ring", "gan_ring", {"modes/covered": reference}, *overrides)
    rows = run_claims(read_runs([str(packed), str(ring)]))
    verdict = next(
        row.verdict for run, row in rows if run.label == "packed" and "gan_ring" in row.bound
    )
    assert verdict.holds is holds
    assert verdict.text.startswith(text)


def test_compare_lays_runs_side_by_side(tmp_path: Path) -> None:
    short, long = "trainer.max_updates=6000", "trainer.max_updates=25000"
    first = made_up(tmp_path / "first", "gan_ring", {"modes/covered": 7.0, "a": 0.25}, short)
    measures = {"modes/covered": 8.0, "a": float("nan")}
    second = made_up(tmp_path / "second", "unrolled_ring", measures, long)
    third = made_up(tmp_path / "third", "gan_ring", None, short, "seed=1")
    (third / "metrics.csv").write_text("updates,modes/covered\n10,4\n")
    outcome = run_cli("compare", str(first), str(second), str(third))
    bound = "modes/covered <= 7.9"
    changed = "no verdict, another experiment: trainer.max_updates is 6000, not 8000"
    assert (outcome.code, outcome.err) == (0, "")
    lines = [re.split(r"  +", line) for line in outcome.out.splitlines()]
    for expected in (
        ["", "first", "second", "third"],
        ["updates", "6,000", "25,000", "6,000 of 6,000"],
        ["modes/covered", "7", "8", "4*"],
        ["a", "0.25", "none", "-"],
        ["first", f"{bound} with modes/high_quality >= 0.25", "6.3 ± 0.5", "7", changed],
        ["seed", "0", "0", "1"],
        ["model.name", "gan", "unrolled", "gan"],
    ):
        assert expected in lines, expected
    assert ["* latest value of a run that has not finished"] in lines
    assert not any(line[0] in ("title", "paper", "data.name") for line in lines)


def test_runs_that_have_measured_nothing_are_compared(tmp_path: Path) -> None:
    runs = [str(made_up(tmp_path / name, "gan_ring", None)) for name in ("a", "b")]
    outcome = run_cli("compare", *runs)
    assert outcome.code == 0
    assert "nothing has been measured yet" in outcome.out
