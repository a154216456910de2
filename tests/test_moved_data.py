"""Runs whose data have moved: the same run where the data are equal, and one line where they lack.

No run is trained: a run directory with its config and environment is enough.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import assert_mistake
from conftest import run_cli
from image_trees import prepared_root
from safetensors.torch import save_file

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.fingerprint import fingerprint
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.data.described import write_description
from gan_lightning.errors import UserError
from gan_lightning.inference.loading import load_gan
from gan_lightning.play.playground import Playground
from gan_lightning.play.translator import Translator
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.training.resume import check_unchanged

pytestmark = pytest.mark.usefixtures("empty_folder")

KINDS = {"celeba": "dcgan_celeba", "pairs": "pix2pix_facades"}


def config_of(kind: str, *overrides: str) -> RunConfig:
    return load_config(read_yaml(experiment_path(KINDS[kind])), overrides)


def copy_store(kind: str, root: Path) -> None:
    store = prepared_root(kind)
    shutil.copytree(f"{store}-64.store", f"{root}-64.store")


@pytest.fixture(params=KINDS)
def run(request: pytest.FixtureRequest) -> tuple[str, RunDirectory]:
    kind: str = request.param
    copy_store(kind, Path("old"))
    directory = RunDirectory(Path("run"))
    directory.path.mkdir()
    directory.write_config(config_of(kind, "data.root=old"))
    return kind, directory


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("place", ["data.root=new", "data.store=new-64.store"])
def test_equal_data_elsewhere_are_the_same_run(
    is_gone: bool, place: str, run: tuple[str, RunDirectory]
) -> None:
    kind, directory = run
    copy_store(kind, Path("new"))
    if is_gone:
        shutil.rmtree("old-64.store")
    moved = config_of(kind, "data.root=old", place)
    check_unchanged(directory, moved)
    assert fingerprint(directory.config_at(moved)) == fingerprint(moved)
    directory.write_config(moved)
    assert not directory.config_changed()
    assert directory.config().data.folder == Path("new-64.store")


def test_other_data_are_another_run(run: tuple[str, RunDirectory]) -> None:
    kind, directory = run
    copy_store(kind, Path("new"))
    manifest = Path("new-64.store/manifest.json")
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    other = config_of(kind, "data.root=new")
    with pytest.raises(UserError, match=r"other values: data\.root old -> new"):
        check_unchanged(directory, other)
    with pytest.raises(UserError, match=r"data\.mirror"):
        check_unchanged(directory, config_of(kind, "data.root=old", "data.mirror=false"))


@pytest.mark.parametrize("words", [["evaluate", "run"], ["neighbours", "run"]])
def test_a_run_without_its_data_says_where_they_are_named(
    words: list[str], run: tuple[str, RunDirectory]
) -> None:
    kind, directory = run
    write_weights(directory, build(config_of(kind, "data.root=old"))[0])
    shutil.rmtree("old-64.store")
    outcome = run_cli(*words)
    assert_mistake(outcome, "the image store old-64.store does not exist; make it by", "data.root")
    assert outcome.err.endswith("that of this run is in run/config.yaml\n")


def write_weights(directory: RunDirectory, model: BaseModule) -> None:
    """Write what the end of a run writes of a model."""
    weights = model.inference_network().state_dict()
    save_file(
        {name: value.contiguous() for name, value in weights.items()}, directory.generator_file
    )


def test_a_run_without_its_data_samples_traverses_exports_and_plays(
    run: tuple[str, RunDirectory],
) -> None:
    kind, directory = run
    model, data = build(config_of(kind, "data.root=old"))
    write_weights(directory, model)
    write_description(directory.data_file, data)
    assert run_cli("sample", "run", "--output", "here.npz").code == 0
    shutil.rmtree("old-64.store")
    for words in (
        ["sample", "run", "--output", "a.npz"],
        ["sample", "run", "--output", "a.png"],
        ["export", "run", "--output", "exported"],
        ["export", "run", "--format", "safetensors", "--output", "saved"],
        *([["traverse", "run", "--output", "b.png"]] if kind == "celeba" else []),
    ):
        outcome = run_cli(*words)
        assert outcome.code == 0, outcome.err
    assert run_cli("sample", "saved", "--output", "b.npz").code == 0
    for name in ("run", "saved"):
        assert_page_shows_samples(name)
    if kind == "celeba":  # of pairs, other sources are drawn where fewer are kept
        samples = [np.load(name)["images"] for name in ("here.npz", "a.npz", "b.npz")]
        assert (samples[0] == samples[1]).all()
        assert (samples[0] == samples[2]).all()


def assert_page_shows_samples(name: str) -> None:
    """Check that the page of `play` has what it shows, of a run or a saved model."""
    gan, data, _ = load_gan(name, "latest", needs_data=False)
    if data.spec.source_shape is None:
        page = Playground(gan, data, directions=1)
        assert len(page.generate(0, 1, 0.5, [0.0] * len(page.controls)).main) == 1
    else:
        translator = Translator(gan, data)
        source, generated = translator.translate(translator.examples[0])
        assert source.shape == generated.shape
