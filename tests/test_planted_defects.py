"""Each planted defect of real digits is ranked by the measures that claim to see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lightning.inference import image_measures

Table = dict[str, dict[str, float]]

NONE, MODES, ONES = "none (test digits)", "digits 0 to 4 only", "half are ones"
BLURRED, NOISE, COPIED = "blurred 3 x 3", "noise", "half copied from training"
REPEATED = "ten digits, repeated"


@pytest.fixture(scope="module")
def table() -> Table:
    """Measures of 500 digits with each defect, without intervals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
        from planted_defects import Digits, measure_defects

        for name in ("CHEAP", "COSTLY", "MOST_COSTLY"):
            patch.setattr(image_measures, name, 4 if name == "CHEAP" else 2)
        found = measure_defects(Digits(500, 2_000))
    return {
        defect: {name: measure.value for name, measure in measures.items()}
        for defect, measures in found.items()
    }


@pytest.mark.parametrize("distance", ["fd", "fd_infinity", "kid", "mind"])
def test_distances_see_every_defect_but_copies(table: Table, distance: str) -> None:
    for defect in (MODES, ONES, BLURRED, NOISE, REPEATED):
        assert table[defect][distance] > 4 * max(table[NONE][distance], 0.01), defect
    assert table[COPIED][distance] < 2 * max(table[NONE][distance], 0.01)


@pytest.mark.parametrize(
    ("measure", "sees", "does_not_see"),
    [
        ("precision", {BLURRED, NOISE}, {MODES, ONES, COPIED, REPEATED}),
        ("density", {BLURRED, NOISE}, {MODES, ONES, COPIED}),
        ("recall", {MODES, BLURRED, NOISE, REPEATED}, {ONES, COPIED}),
        ("coverage", {MODES, BLURRED, NOISE, REPEATED}, {COPIED}),
    ],
)
def test_measures_by_neighbours(
    table: Table, measure: str, sees: set[str], does_not_see: set[str]
) -> None:
    perfect = table[NONE][measure]
    for defect in sees:
        assert table[defect][measure] < 0.85 * perfect, defect
    for defect in does_not_see:
        assert table[defect][measure] > 0.9 * perfect, defect


def test_coverage_falls_with_each_dropped_mode(table: Table) -> None:
    ranked = [NONE, MODES, REPEATED]
    values = [table[defect]["coverage"] for defect in ranked]
    assert values == sorted(values, reverse=True)


def test_copies_are_seen_by_the_measures_of_copying_only(table: Table) -> None:
    copied, perfect = table[COPIED], table[NONE]
    assert copied["authenticity"] < 0.6 * copied["authenticity/real"]
    assert copied["ct"] < -4
    assert abs(perfect["ct"]) < 1
    assert abs(table[ONES]["ct"]) < 1  # a class whose images lie close together
    assert perfect["authenticity"] == pytest.approx(perfect["authenticity/real"], abs=0.08)
    assert table[NOISE]["authenticity"] > 0.95
    assert min(table[BLURRED]["ct"], table[NOISE]["ct"]) > 4
    least: Callable[[str], float] = lambda defect: table[defect]["authenticity"]  # noqa: E731
    assert min(table, key=least) == COPIED


def test_variety_falls_where_modes_are_dropped_or_repeated(table: Table) -> None:
    for defect in (MODES, ONES, REPEATED):
        assert table[defect]["vendi"] < 0.85 * table[NONE]["vendi/real"], defect
    assert table[NONE]["vendi"] == pytest.approx(table[NONE]["vendi/real"], rel=0.05)
