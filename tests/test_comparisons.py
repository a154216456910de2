"""The table of the methods that are compared with one baseline."""

from __future__ import annotations

import re

import pytest
from run_files import make_results

from gan_lightning.config.schema import Claim
from gan_lightning.results.comparisons import comparison_table
from gan_lightning.results.records import Results

BASELINE = make_results("plain", [1.0, 2.0, 1.5, 1.2, 1.8])


def method(name: str, values: list[float | None]) -> Results:
    return make_results(name, values, Claim("m", above="plain"))


def rows(*methods: Results) -> list[list[str]]:
    table = comparison_table(BASELINE, [BASELINE, *methods], lambda results: f"#{results.name}")
    lines = [re.split(r" \| ", line.strip("| ")) for line in table.splitlines()]
    return lines[2:]


def test_each_method_has_its_mean_and_the_p_value_of_the_rank_test() -> None:
    better = method("better", [3.0, 4.0, 5.0, 6.0, 7.0])
    same = method("same", [1.0, 2.0, 1.5, 1.2, 1.8])
    few = method("few", [9.0])
    found = {row[0]: row[-1] for row in rows(better, same, few)}
    assert list(found) == [f"[{name}](#{name})" for name in ("plain", "better", "same", "few")]
    assert found["[plain](#plain)"] == "-"
    assert found["[better](#better)"] == "**.004**"  # 1 of the 252 divisions of ten values
    assert 0.5 < float(found["[same](#same)"]) < 0.6
    assert found["[few](#few)"].startswith("undecided")


@pytest.mark.parametrize("count", [0, 2])
def test_fewer_than_three_methods_have_no_table(count: int) -> None:
    assert not rows(*(method(f"m{n}", [1.0, 2.0]) for n in range(count)))


def test_a_method_without_the_metric_of_another_has_a_dash() -> None:
    other = method("other", [1.0, 2.0])
    other.claims[:] = [Claim("n", below="plain")]
    for run in other.runs:
        run.measures = {"n": 1.0}
    found = rows(method("a", [3.0, 4.0]), method("b", [1.0, 2.0]), other)
    assert {len(row) for row in found} == {7}
    assert found[-1][3:5] == ["-", "-"]
    assert found[-1][5] == "1 [1, 1]"
