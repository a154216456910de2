"""`verify` and `results`: claims are evaluated on runs, and results pages are generated."""

from __future__ import annotations

import json
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Outcome, run_cli
from run_files import make_results

from gan_lightning.callbacks.signals import StopOnSignal
from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.config.fingerprint import fingerprint
from gan_lightning.config.load import load_config
from gan_lightning.results.records import read_all_results
from gan_lightning.results.topics import TOPICS
from gan_lightning.runs.state import read_outcome, run_lock, write_outcome

YAML = """\
title: A tiny ring
paper: Nobody 2014
model: {name: gan, latent_size: 2}
network: {name: mlp, generator_hidden: [16], discriminator_hidden: [16]}
data: {name: ring, batch_size: 8, points: 64, standard_deviation: 0.5}
trainer: {max_updates: 4}
evaluation: {every_n_updates: 0, samples: 40}
pictures: {every_n_updates: 2}
checkpoints: {every_n_updates: 2}
log: {every_n_updates: 2, wandb: disabled}
claims:  # two seeds decide little: the bound is far away
  - {metric: modes/covered, at_least: -999, aggregate: all, statement: covers modes,
     paper: 6.3 ± 0.5}
  - {metric: modes/covered, above: gan_ring, statement: "more | than plain", source: table 2}
"""
MEASURES = ["modes/covered", "modes/high_quality", "modes/reverse_kl"]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A folder in which two seeds have been verified; do not change it."""
    folder = tmp_path_factory.mktemp("verified")
    (folder / "experiments").mkdir()
    (folder / "experiments" / "tiny_ring.yaml").write_text(YAML)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        committed(patch)
        return folder, verify("--seeds", "0,1")


@pytest.fixture
def folder(once: tuple[Path, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the current folder."""
    shutil.copytree(once[0], tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    committed(monkeypatch)
    return tmp_path / "copy"


def committed(patch: pytest.MonkeyPatch, revision: str = "abc") -> None:
    """Make runs of a revision, whether or not the code here differs from its commit."""
    patch.setattr("gan_lightning.runs.environment.git_revision", lambda: revision)
    patch.setattr("gan_lightning.verification.prepare.git_revision", lambda: revision)


def verify(*words: str) -> Outcome:
    return run_cli("verify", "tiny_ring", "--output", "results", *words)


def run_folders() -> list[Path]:
    return sorted(Path("runs/tiny_ring").iterdir())


def written(name: str = "tiny_ring") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(f"results/{name}.json").read_text())
    return content


# --- verify


def test_every_seed_is_trained_and_written(once: tuple[Path, Outcome], folder: Path) -> None:
    outcome = once[1]
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[:2] == ["seed 0: trains", "seed 1: trains"]
    assert "modes/covered: covers modes" in lines[3]
    first, second = (re.split("  +", line) for line in lines[3:5])
    assert first[-4:] == ["> .99", "holds: at least -999 on every seed", "6.3 ± 0.5", "-"]
    assert second[-4:-2] == ["-", "not compared yet: run `gan-lightning verify gan_ring`"]
    assert lines[-2].startswith("minutes per run")
    assert lines[-1] == "wrote results/tiny_ring.json"
    content, runs = written(), run_folders()
    assert content["command"] == "gan-lightning verify tiny_ring --seeds 0,1"
    assert content["config"]["trainer"]["max_updates"] == 4
    assert content["overrides"] == []
    assert [Path(run["run"]).name for run in content["runs"]] == [run.name for run in runs]
    for seed, (run, there) in enumerate(zip(content["runs"], runs, strict=True)):
        assert (run["seed"], run["updates"]) == (seed, 4)
        assert run["measures"] == json.loads((there / "outcome.json").read_text())["measures"]
        assert run["minutes"] == round(read_outcome(there).seconds / 60, 2)
        assert run["machine"]["threads"] >= 1
        assert run["versions"]["torch"]
        assert run["curves"].keys() == {claim["metric"] for claim in content["claims"]}
        assert all(
            max(curve, key=int) == "4" and curve["4"] == run["measures"][metric]
            for metric, curve in run["curves"].items()
        )
    for name in MEASURES:
        values = [run["measures"][name] for run in content["runs"]]
        assert content["summary"]["mean"][name] == pytest.approx(np.mean(values))
        assert content["summary"]["sd"][name] == pytest.approx(np.std(values, ddof=1))
    assert content["pictures"] == ["tiny_ring-scatter.png"]
    last = runs[0] / "samples" / "scatter_0000004.png"
    assert Path("results/tiny_ring-scatter.png").read_bytes() == last.read_bytes()


def test_finished_runs_are_reused(folder: Path) -> None:
    before = [run["measures"] for run in written()["runs"]]
    outcome = verify("--seeds", "0-2", "log.every_n_updates=1", "pictures.every_n_updates=0")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count(": reuses runs/tiny_ring/") == 2
    assert len(run_folders()) == 3
    assert [run["measures"] for run in written()["runs"]][:2] == before
    assert written()["overrides"] == []


def test_seeds_are_added(folder: Path) -> None:
    stored = Path("results/tiny_ring.json")  # names of runs have seconds, and may come again
    stored.write_text(stored.read_text().replace('"runs/tiny_ring/', '"earlier/tiny_ring/'))
    before = written()
    shutil.rmtree("runs")
    pictures = Path("results/tiny_ring-scatter.png").read_bytes()
    outcome = verify("--seeds", "3,1", "--add")
    assert outcome.code == 0, outcome.err
    assert [run["seed"] for run in written()["runs"]] == [0, 1, 3]
    assert written()["runs"][0] == before["runs"][0]
    assert written()["runs"][1]["run"] != before["runs"][1]["run"]
    assert written()["command"] == "gan-lightning verify tiny_ring --seeds 0,1,3"
    assert Path("results/tiny_ring-scatter.png").read_bytes() == pictures


def test_seeds_of_another_config_are_not_added(folder: Path) -> None:
    Path("experiments/tiny_ring.yaml").write_text(YAML.replace("batch_size: 8", "batch_size: 4"))
    before = Path("results/tiny_ring.json").read_bytes()
    outcome = verify("--seeds", "3", "--add")
    assert outcome.code == 2
    assert "has results of another config (data.batch_size 8 -> 4)" in outcome.err
    assert Path("results/tiny_ring.json").read_bytes() == before
    assert len(run_folders()) == 2


def test_an_override_needs_a_name(folder: Path) -> None:
    before = Path("results/tiny_ring.json").read_bytes()
    words = ["--seeds", "1", "trainer.max_updates=2"]
    outcome = verify(*words)
    assert outcome.code == 0, outcome.err
    assert "nothing was written" in outcome.out
    assert "--name NAME" in outcome.out
    assert verify(*words, "--name", "short").out.startswith("seed 1: reuses ")
    assert written("short")["overrides"] == ["trainer.max_updates=2"]
    assert written("short")["command"].endswith("--seeds 1 trainer.max_updates=2 --name short")
    assert Path("results/tiny_ring.json").read_bytes() == before
    assert run_cli("results", "--folder", "results").code == 0
    assert "| [short](results/other.md#short) |" in Path("results.md").read_text()
    text = Path("results/other.md").read_text()
    assert "Variation of tiny_ring: trainer.max_updates=2." in text


def test_an_interrupted_run_is_resumed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written()["runs"][0]["measures"]
    shutil.rmtree("runs")

    def at_once(self: StopOnSignal, trainer: Any, *_: Any) -> None:
        self.received, trainer.should_stop = signal.SIGINT, True

    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_train_batch_end", at_once)
        outcome = verify("--seeds", "0", "trainer.rounds_per_batch=1")
    assert outcome.code == 130
    assert outcome.out.endswith("stopped; the same command continues\n")
    (run,) = run_folders()
    before = read_outcome(run)
    assert (before.updates, before.measures) == (1, None)
    with run_lock(run):
        assert "another process is training seed 0" in verify("--seeds", "0").err
        resumed = run_cli("train", "tiny_ring", "--resume")
        assert (resumed.code, "another process" in resumed.err) == (2, True)
    write_outcome(run, replace(before, seconds=6000.0))
    outcome = verify("--seeds", "0")
    assert outcome.out.startswith(f"seed 0: resumes {run}\n"), outcome.err
    assert run_folders() == [run]
    assert 6000 < read_outcome(run).seconds < 6120
    minutes = read_outcome(run).seconds / 60
    assert written()["runs"][0]["minutes"] == pytest.approx(minutes, abs=0.1)
    assert written()["runs"][0]["measures"] == pytest.approx(whole)


def test_a_run_of_two_configs_is_not_reused(folder: Path) -> None:
    run_cli("train", "tiny_ring", "--resume", str(run_folders()[1]), "trainer.max_updates=6")
    outcome = verify("--seeds", "1", "trainer.max_updates=6")
    assert outcome.out.startswith("seed 1: trains"), outcome
    assert len(run_folders()) == 3


def test_a_claim_that_fails_is_exit_code_1(folder: Path) -> None:
    path = Path("experiments/tiny_ring.yaml")
    path.write_text(YAML.replace("at_least: -999,", "at_least: 999,"))
    outcome = verify("--seeds", "0,1")
    assert (outcome.code, "fails: at least 999 on every seed" in outcome.out) == (1, True)
    path.write_text(YAML.replace("modes/covered, at_least", "modes/cover, at_least"))
    outcome = verify()
    assert outcome.code == 2
    assert "'modes/cover'" in outcome.err
    assert "modes/covered, modes/high_quality" in outcome.err


def test_seeds_are_added_until_all_claims_are_decided(folder: Path) -> None:
    source = YAML.replace("  - {metric: modes/covered, above", "#").replace("-999", "-9")
    Path("experiments/tiny_ring.yaml").write_text(source)  # two seeds do not decide -9
    outcome = verify("--seeds", "0", "--until-decided", "--most", "4")
    assert outcome.code == 0, outcome.err
    assert "seed 2: trains" in outcome.out
    assert "seed 0" not in outcome.out.partition("claim")[0]
    assert 2 < len(written()["runs"]) <= 4
    assert written()["command"].startswith("gan-lightning verify tiny_ring --seeds 0,1,2")
    committed_seeds = len(written()["runs"])
    assert verify("--seeds", "0", "--until-decided", "--most", "2").out.startswith("claim")
    assert len(written()["runs"]) == committed_seeds


def test_until_decided_needs_committed_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed(monkeypatch, "abc-dirty")
    outcome = verify("--until-decided")
    assert (outcome.code, "decides nothing on a changed tree" in outcome.err) == (2, True)
    committed(monkeypatch)
    assert "--most is 1" in verify("--until-decided", "--most", "1").err


# --- the pages


def test_pages_are_generated_from_the_files_alone(folder: Path) -> None:
    shutil.rmtree("runs")
    index, other = Path("results.md"), Path("results/other.md")
    outcome = run_cli("results", "--folder", "results")
    once = index.read_bytes(), other.read_bytes()
    assert run_cli("results", "--folder", "results") == outcome
    assert (index.read_bytes(), other.read_bytes()) == once
    counts = "of 2 claims 1 holds, 0 fail, 1 undecided; of 0 paper numbers 0 reproduced"
    assert outcome.out.endswith(f"{counts} (near or better)\n")
    text = index.read_text()
    assert text.startswith("<!-- Generated by `gan-lightning results` ")
    assert f"**O{counts[1:]} (near or better).**" in text
    assert "| [Other experiments](results/other.md) | 1 | 2 | 1 | 0 | 1 | 0 of 0 |" in text
    assert "| covers modes | `modes/covered >= -999 on every seed` |" in text
    assert ", 2 seeds | 6.3 ± 0.5 | holds: at least -999 on every seed (p > .99) |" in text
    assert r"| more \| than plain (table 2) |" in text
    assert r"| more \| than plain (table 2) |" in other.read_text()
    assert "](tiny_ring-scatter.png)" in other.read_text()


def test_a_topic_has_its_page_and_a_failed_claim_is_shown(folder: Path) -> None:
    config = fingerprint(load_config(read_yaml(experiment_names()["gan_ring"])))
    config = {key: value for key, value in config.items() if key != "seed"}
    baseline = make_results("gan_ring", [999.0, 999.5, 1000.0, 1000.5, 1001.0], config=config)
    for run in baseline.runs:
        run.measures = {"modes/covered": run.measures["m"], "modes/high_quality": 1.0}
    baseline.write(Path("results"), [])
    Path("results/gan_ring.note.md").write_text("Why it falls short.")
    Path("results/mine.md").write_text("# Written by hand")
    stale = Path("results/removed-topic.md")
    stale.write_text("<!-- Generated by `gan-lightning results` from results/*.json. -->")
    outcome = run_cli("results", "--folder", "results")
    assert outcome.code == 0
    assert "of 3 claims 1 holds, 2 fail, 0 undecided" in outcome.out
    index = Path("results.md").read_text()
    assert "**fails**: above 1000 (mean of gan_ring)" in index
    topic = next(topic for topic in TOPICS if "gan_ring" in topic.experiments)
    page = Path(f"results/{topic.slug}.md").read_text()
    assert f"# {topic.title}: results\n" in page
    assert "Why it falls short." in page
    assert "Not measured yet: `gan_grid`" in page
    assert index.index(topic.title) < index.index("Other experiments")
    assert not stale.exists()
    assert Path("results/mine.md").read_text() == "# Written by hand"
    names = [results.name for results in read_all_results(Path("results"))]
    assert names == ["gan_ring", "tiny_ring"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"name": "x", "runs": 3}', "\xff"])
def test_a_damaged_file_is_named(content: str, folder: Path) -> None:
    Path("results/x.json").write_bytes(content.encode("latin-1"))
    for outcome in (run_cli("results", "--folder", "results"), verify()):
        assert outcome.code == 2
        assert "results/x.json is damaged" in outcome.err
        assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "0,0"], "--seeds has 0 twice"),
        (["--seeds", "0,-1"], "--seeds has -1; it must be at least 0"),
        (["--seeds", "one"], "'one' is not a seed"),
        (["seed=1"], "name seeds by --seeds"),
        (["--name", "a/b"], "--name is 'a/b'"),
        (["--name", "gan_ring"], "--name is 'gan_ring', the name of an experiment"),
        (["--name", "tiny_ring", "trainer.max_updates=2"], "--name is 'tiny_ring', the name of"),
        (["trainer.devices=2", "--name", "two"], "verify trains on one device"),
        (["claims=[{metric: m, at_least: 1, above: x}]"], "needs exactly one of at_least"),
        (
            ["claims=[{metric: m, at_least: 1, aggregate: best}]"],
            "aggregate is 'best'; valid are all, any",
        ),
        (["--output", "experiments/tiny_ring.yaml"], "cannot write to experiments/tiny_ring.yaml"),
    ],
)
def test_mistakes(words: list[str], said: str, folder: Path) -> None:
    before = sorted(Path().rglob("*"))
    outcome = verify(*words)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert sorted(Path().rglob("*")) == before


def test_no_results() -> None:
    outcome = run_cli("results", "--folder", "nowhere")
    said = "gan-lightning: nowhere has no results; make them by `gan-lightning verify EXP`"
    assert (outcome.code, outcome.err.startswith(said)) == (2, True)
