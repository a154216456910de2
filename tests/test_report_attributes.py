"""What a report says in words about requested attributes and about codes."""

from __future__ import annotations

import re
from math import nan
from pathlib import Path

import pytest
from conftest import EXPERIMENTS
from hypothesis import given
from hypothesis import strategies as st
from reports import made_up, report_of

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.report.attributes import code_tables, requested_table
from gan_lightning.report.run_data import RunSummary, read_runs
from gan_lightning.results.detail import is_detail
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.store.faces import ATTRIBUTES

NAMES = list(ATTRIBUTES)
SHARES = st.floats(0, 1, allow_subnormal=False)  # torch flushes subnormals

CONDITIONAL = [
    name
    for name in EXPERIMENTS
    if read_yaml(experiment_path(name))["model"]["name"] in ("cgan", "acgan")
]
"""Experiments whose images are generated on request: of digits, clothes, faces, photographs."""


def summary(
    config: dict[str, object], measures: dict[str, float], label: str = "run"
) -> RunSummary:
    """Return a run without a directory."""
    run = RunSummary(label, RunDirectory(Path("nowhere")))
    run.__dict__.update(config=config, measures=measures)  # what it would read
    return run


def value_key(attribute: str, value: str) -> str:
    return f"attribute/{attribute}/{value.replace(' ', '_')}/accuracy"


@given(
    st.lists(
        st.dictionaries(st.sampled_from(NAMES), SHARES, min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_every_requested_value_has_a_row_below_its_attribute(runs: list[dict[str, float]]) -> None:
    measured = [
        {f"attribute/{name}/accuracy": share for name, share in shares.items()}
        | {value_key(name, value): share for name in shares for value in ATTRIBUTES[name]}
        | {"attribute/kl": 0.1, "attribute/least_accuracy": 0.0, "class/accuracy": 0.5}
        for shares, share in ((shares, min(shares.values())) for shares in runs)
    ]
    table = requested_table([summary({}, measures) for measures in ({}, *measured)])
    assert table is not None
    assert table.runs == tuple(range(1, len(runs) + 1))  # not the one that measured nothing
    requested = dict.fromkeys(name for shares in runs for name in shares)
    expected = []
    for name in requested:
        words = name.replace("_", " ")
        expected += [words, *(f"{words}: {value}" for value in ATTRIBUTES[name])]
    assert [row.label for row in table.rows] == expected
    for row in table.rows:
        name = row.attribute.replace(" ", "_")
        for share, shares, measures in zip(row.shares, runs, measured, strict=True):
            key = value_key(name, row.value) if row.value else f"attribute/{name}/accuracy"
            assert share == (measures[key] if name in shares else None)


@given(st.lists(st.lists(SHARES, min_size=3, max_size=3), min_size=2, max_size=12))
def test_a_code_is_said_to_tell_most_about_its_largest_share(codes: list[list[float]]) -> None:
    names = NAMES[4:7]
    measures = {
        f"code/information/{name}": max(column)
        for name, column in zip(names, zip(*codes, strict=True), strict=True)
    }
    for number, row in enumerate(codes, start=1):
        measures |= {
            f"code{number}/information/{n}": share for n, share in zip(names, row, strict=True)
        }
    measures["code/mutual_information_gap"] = 0.25
    (table,) = code_tables([summary({}, {"fd_faces": 1.0}), summary({}, measures)])
    assert (table.run, table.gap) == (1, 0.25)
    assert table.codes == tuple(f"c{number}" for number in range(1, len(codes) + 1))
    for index, row in enumerate(codes):
        told = table.told(index)
        assert sorted(share for _, share in told) == sorted(row)
        assert told[0][1] == max(row)
        assert all(table.rows[name][index] == share for name, share in told)


def test_a_single_code_and_an_earlier_run() -> None:
    """The largest information of all codes is that of the single one; else nobody knows whose."""
    measures = {"code/information/facial_hair": 0.5, "code/mutual_information_gap": 0.5}
    model = {"categorical_codes": [10], "continuous_codes": 0}
    single = summary({"model": model}, measures)
    earlier = summary({"model": {**model, "continuous_codes": 2}}, measures)
    assert [table.codes for table in code_tables([single, earlier])] == [("c1",), ("best code",)]
    assert code_tables([single])[0].rows == {"facial hair": (0.5,)}


def test_attributes_without_a_classifier_of_their_own_have_one_row() -> None:
    run = summary({"data": {"attributes": ["Male", "Smiling"]}}, {"class/accuracy": 0.75})
    table = requested_table([run])
    assert table is not None
    assert [(row.label, row.shares) for row in table.rows] == [("Male and Smiling", (0.75,))]
    assert not requested_table([summary({"data": {"attributes": []}}, {"class/accuracy": 0.75})])


@pytest.mark.parametrize("experiment", CONDITIONAL)
def test_reports_of_requested_images(experiment: str, tmp_path: Path) -> None:
    """Where the data have attributes, and only there, the page says in words what was requested."""
    attributes = read_yaml(experiment_path(experiment))["data"].get("attributes") or []
    measures = {"class/accuracy": 0.5}
    if "faces" in experiment:
        for name in attributes:
            measures[f"attribute/{name}/accuracy"] = 0.875
            measures |= {value_key(name, value): 0.375 for value in ATTRIBUTES[name]}
    page = report_of(made_up(tmp_path / "run", experiment, measures))
    assert ("requested" in page.sections) == bool(attributes)
    assert "codes" not in page.sections
    text = " ".join(page.text.split())
    for name in measures:
        assert is_detail(name) == ("/accuracy" in name and name.count("/") == 3)
        assert (name in text) == (not is_detail(name))
    if "faces" in experiment:
        assert "hair colour87.5 % hair colour: black37.5 %" in text
        assert "accessory87.5 % accessory: none37.5 %" in text
        widths = [part["style"] for part in page.all("span") if part.get("class") == "share"]
        assert set(widths) == {"--share: 87.5%", "--share: 37.5%"}


def test_report_of_codes(tmp_path: Path) -> None:
    measures = {"code/mutual_information_gap": 0.125}
    for name in NAMES:
        measures[f"code/information/{name}"] = 0.75
        measures |= {f"code{number}/information/{name}": 0.0625 * number for number in (1, 2)}
        measures[f"code3/information/{name}"] = 0.75 if name == "skin" else nan
    page = report_of(
        made_up(tmp_path / "run", "infogan_faces", measures),
        made_up(tmp_path / "digits", "infogan_mnist", {"code/accuracy": 0.9}),
    )
    assert "codes" in page.sections
    assert "requested" not in page.sections
    text = " ".join(page.text.split())
    assert "The mutual information gap is 0.125:" in text
    assert re.search(r"c1 tells most about \w+ \(6\.2 %\), then [\w ]+ \(6\.2 %\)\.", text)
    assert "facial hair6.2 %12.5 %-" in text
    (figure,) = [part for part in page.all("figure") if "data-of-run" in part]
    assert figure["data-of-run"] == "0"


def test_details_are_not_in_the_tables_of_all_metrics(tmp_path: Path) -> None:
    measures = {"code/information/skin": 0.5, "code2/information/skin": 0.5, "code2/accuracy": 0.5}
    run = made_up(tmp_path / "run", "infogan_faces", measures)
    names = ",".join(measures)
    (run / "metrics.csv").write_text(f"updates,{names}\n4000,0.5,0.5,0.5\n")
    page = report_of(run)
    charts = [str(part["aria-label"]) for part in page.all("div") if "data-figure" in part]
    assert [label.split(" by ")[0] for label in charts] == [
        "code/information/skin",
        "code2/accuracy",
    ]
    assert "code2/information" not in page.text
    assert read_runs([str(run)])[0].measures == measures
