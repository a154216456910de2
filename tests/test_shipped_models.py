"""The models that the package ships: complete, small, and as their cards say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import run_cli

import gan_lightning
from gan_lightning.assets.loader import MODELS
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.evaluation import evaluate
from gan_lightning.export.remeasure import read_intervals
from gan_lightning.export.saved_model import SAVED_MODEL
from gan_lightning.gans import GAN
from gan_lightning.runs.models import shipped_models
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.restore import load_model

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    from ship_models import EVALUATIONS, PAGE, SHIPPED, TOLERANCE, table

NAMES = sorted(shipped_models())
MEGABYTE = 10**6


def test_the_models_of_the_list_are_shipped() -> None:
    assert {*NAMES} == {*SHIPPED}


def test_the_documentation_has_the_table_of_models() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")


def test_all_models_are_small() -> None:
    files = [path for path in MODELS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 13 * MEGABYTE
    assert max(path.stat().st_size for path in files) <= 2 * MEGABYTE


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_a_card_and_generates(name: str, tmp_path: Path) -> None:
    folder = shipped_models()[name].path
    card = (folder / "README.md").read_text()
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "samples.png",
        "generator.safetensors",
        *SAVED_MODEL,
    }
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"]
    assert header["metrics"]
    for part in (
        "gan_lightning.sample(",
        "seed ",
        "revision ",
        "Student's 95 %",
        "Licence of this",
    ):
        assert part in card
    assert "/tmp" not in card
    assert "-dirty" not in card
    model, data, config = gan_lightning.load(name)
    assert isinstance(model, GAN)
    assert config.title in card
    assert model.sample(2, seed=0).data.shape == (2, *data.spec.shape)
    measures, intervals = read_outcome(folder).measures, read_intervals(folder)
    assert measures is not None
    assert measures.keys() == intervals.keys()
    assert EVALUATIONS == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_are_those_of_the_experiment(name: str) -> None:
    config = shipped_models()[name].config()
    now = load_config(read_yaml(experiment_path(name)))
    assert (config.network, config.data) == (now.network, now.data)
    assert config.model == now.model


def test_metrics_of_points_are_measured_again() -> None:
    run = shipped_models()["unrolled_ring"]
    model, data, config = load_model(run)
    stored = read_outcome(run.path).measures
    again = evaluate(model, data, config.evaluation.samples)
    assert stored is not None
    assert again == pytest.approx(stored, rel=TOLERANCE, abs=TOLERANCE)


def test_an_experiment_without_a_run_has_its_shipped_model(
    empty_folder: None, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_cli("sample", "unrolled_ring", "--count", "8", "--output", "points.npz")
    assert outcome.code == 0, outcome.err
    exported = run_cli("export", "unrolled_ring")
    assert exported.code == 0, exported.err
    assert Path("unrolled_ring/export/torch/generator.pt2").is_file()
    refused = run_cli("sample", "unrolled", "--output", "points.npz")
    assert refused.code == 2
    assert "there are trained models of unrolled_ring, " in refused.err
