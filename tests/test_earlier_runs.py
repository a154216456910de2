"""Runs of version 0.1, before config keys, attributes and files were renamed, still work."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import pytest
from conftest import run_cli

from gan_lightning.config.renamed import RENAMED, upgrade
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunOutcome, read_outcome

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a run of 8 updates that version 0.1 stopped after 4; its generator has an EMA."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(FIXTURES / "run_of_0_1", tmp_path / "run"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_config_is_read_under_the_new_keys(earlier: Path) -> None:
    config = RunDirectory(earlier).config()
    assert (config.trainer.max_updates, config.evaluation.every_n_updates) == (8, 2)
    assert [claim.aggregate for claim in config.claims] == ["mean"]
    assert config.claims[0].statement


def test_minibatch_discrimination_of_earlier_runs_is_their_layer() -> None:
    network = {"name": "mlp", "minibatch_kernels": 5}
    assert upgrade({"network": network})["network"] == {**network, "minibatch_layer": "mean"}
    for other in ({**network, "minibatch_layer": "salimans"}, {"minibatch_kernels": 0}):
        assert upgrade({"network": other})["network"] == other


def test_resumes_to_the_values_of_version_0_1(earlier: Path) -> None:
    outcome = run_cli("train", "gan_ring", "--resume", str(earlier))
    assert outcome.code == 0, outcome.err
    finished, expected = rows(earlier / "metrics.csv"), rows(FIXTURES / "run_of_0_1_finished.csv")
    assert len(finished) == len(expected) == 8
    for row, other in zip(finished, expected, strict=True):
        assert row.keys() >= other.keys()  # later versions measure more
        for name, value in other.items():
            assert (value == "") == (row[name] == "")
            if value:
                assert math.isclose(float(row[name]), float(value), rel_tol=1e-3, abs_tol=1e-3)


def test_evaluate_and_sample(earlier: Path) -> None:
    outcome = run_cli("evaluate", str(earlier))
    assert outcome.code == 0, outcome.err
    assert "modes/covered" in outcome.out
    sampled = run_cli("sample", str(earlier), "--count", "5", "--output", "points.npz")
    assert sampled.code == 0, sampled.err


def finish(run: Path) -> dict[str, float]:
    """Write the two files in which version 0.1 kept the final metrics."""
    content = (FIXTURES / "run_of_0_1_measures.json").read_text()
    (run / "measures.json").write_text(content)
    measures: dict[str, float] = json.loads(content)
    outcome = {"updates": 4, "seconds": 90.0, "measures": measures}
    (run / "outcome.json").write_text(json.dumps(outcome))
    return measures


def test_final_metrics_are_read(earlier: Path) -> None:
    measures = finish(earlier)
    assert read_outcome(earlier) == RunOutcome(4, 90.0, measures)
    shutil.copytree(earlier, "other")
    outcome = run_cli("compare", str(earlier), "other")
    assert outcome.code == 0, outcome.err
    assert f"{measures['wasserstein/exact']:.4f}"[:5] in outcome.out


def test_model_card_has_the_final_metrics_and_the_time(earlier: Path) -> None:
    measures = finish(earlier)
    outcome = run_cli("export", str(earlier), "--format", "safetensors", "--output", "exported")
    assert outcome.code == 0, outcome.err
    card = Path("exported/README.md").read_text()
    assert "in 1.5 minutes" in card
    assert f"{measures['wasserstein/exact']:.4g}" in card


def test_resumed_run_has_its_metrics_in_one_file(earlier: Path) -> None:
    finish(earlier)
    outcome = run_cli("train", "gan_ring", "--resume", str(earlier))
    assert outcome.code == 0, outcome.err
    assert not (earlier / "measures.json").exists()
    state = read_outcome(earlier)
    assert state.updates == 8
    assert state.measures is not None
    assert state.seconds > 90


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_old_key_on_the_command_line_names_the_new_one(old: str, new: str) -> None:
    outcome = run_cli("train", "gan_ring", f"{old}=1")
    assert outcome.code == 2
    assert outcome.err.splitlines() == [
        f"gan-lightning: key {old!r} has been renamed; write {new!r}"
    ]


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        ("trainer: {max_steps: 4}", "trainer.max_steps", "trainer.max_updates"),
        ("log: {every: 4}", "log.every", "log.every_n_updates"),
        ("claims: [{metric: m, at_least: 1, on: every}]", "on", "aggregate"),
        ("claims: [{metric: m, at_least: 1, says: it works}]", "says", "statement"),
    ],
)
def test_old_key_in_a_file_names_the_new_one(line: str, old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"model: {{name: gan}}\ndata: {{name: ring}}\n{line}\n")
    outcome = run_cli("train", str(path))
    assert outcome.code == 2
    (message,) = outcome.err.splitlines()
    assert repr(old) in message
    assert repr(new) in message
