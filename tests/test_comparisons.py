"""The table of the methods that are compared with one baseline."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from run_files import make_results

from gan_lightning.config.claim import Claim
from gan_lightning.results.comparisons import comparison_table
from gan_lightning.results.curves import describe_curves, draw_curves, has_curve
from gan_lightning.results.page import write_pages
from gan_lightning.results.records import Results, read_results

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


def test_a_p_value_is_never_shown_as_zero() -> None:
    values = [10.0 + number for number in range(10)]
    best = method("best", list(values))
    other = [method(f"m{n}", [3.0, 4.0, 5.0]) for n in range(2)]
    baseline = make_results("plain", [number / 10 for number in range(10)])
    table = comparison_table(baseline, [baseline, best, *other], lambda results: results.name)
    assert "**< .001**" in table  # 1 of the 184,756 divisions of twenty values


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


def with_curves(results: Results, updates: int, factor: float = 1.0) -> Results:
    """Give every run a curve that ends at its value."""
    for run in results.runs:
        end = run.measures["m"]
        assert end is not None
        run.curves = {"m": {str(n): factor * end * n / updates for n in range(1, updates + 1)}}
    return results


@pytest.mark.usefixtures("drawn_figures")
def test_curves_of_the_compared_methods_are_one_picture_on_the_page(tmp_path: Path) -> None:
    baseline = with_curves(make_results("plain", [1.0, 2.0, 1.5]), 5)
    methods = [with_curves(method(f"m{n}", [3.0, 4.0, 5.0]), 5) for n in range(2)]
    for results in [baseline, *methods, method("without", [3.0, 4.0, 5.0])]:
        results.write(tmp_path, [])
    write_pages(tmp_path)
    text = (tmp_path / "other.md").read_text()
    assert "![m over the updates of plain, m0, m1; mean and range of the seeds]" in text
    picture = (tmp_path / "plain-m-curves.png").read_bytes()
    assert "](plain-m-curves.png)" in text
    assert min(Image.open(BytesIO(picture)).size) > 300
    assert picture == draw_curves([baseline, *methods], "m")
    assert picture != draw_curves([baseline, methods[0], with_curves(methods[1], 5, 0.5)], "m")
    again = read_results(tmp_path / "plain.json")
    assert again.runs == baseline.runs


@pytest.mark.usefixtures("drawn_figures")
@pytest.mark.parametrize("count", [2, 4, 5, 6])
def test_ranges_of_seeds_are_drawn_where_they_do_not_hide_each_other(count: int) -> None:
    def compared(values: list[float]) -> list[Results]:
        return [with_curves(make_results(f"m{n}", values), 5) for n in range(count)]

    wide, narrow = compared([1.0, 2.0, 6.0]), compared([2.0, 3.0, 4.0])
    same = draw_curves(wide, "m") == draw_curves(narrow, "m")
    assert same == ("range" not in describe_curves(wide, "m")) == (count > 4)


def test_a_curve_has_three_updates_that_all_seeds_measured() -> None:
    results = with_curves(make_results("plain", [1.0, 2.0]), 3)
    assert has_curve(results, "m")
    results.runs[1].curves["m"]["2"] = None
    assert not has_curve(results, "m")
    assert not has_curve(results, "n")
    assert not has_curve(make_results("plain", [1.0, 2.0]), "m")
