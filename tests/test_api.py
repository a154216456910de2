"""The Python functions: what they take, what they return, and that the command line finds it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TinyRun, run_cli

import gan_lightning
from gan_lightning.config.python import override_words, request
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.wgan import WGANConfig
from gan_lightning.training.restore import GIVEN_DATA
from gan_lightning.utils.settings import setting

TINY: dict[str, Any] = {
    "trainer": {"max_updates": 4, "rounds_per_batch": 1, "precision": "32-true"},
    "network.generator_hidden": [16],
    "network.discriminator_hidden": [16],
    "evaluation.every_n_updates": 0,
    "evaluation.samples": 20,
    "pictures.every_n_updates": 0,
    "checkpoints.every_n_updates": 2,
    "log": {"every_n_updates": 2, "wandb": "disabled"},
}


class OwnGAN(GAN):
    """A GAN whose generator's loss is scaled; losses by name as in `standard.py`."""

    @dataclass
    class Config(GANConfig):
        scale: float = setting(1.0, "Weight of the generator's loss.", above=0)

    config: Config

    def generator_loss(self, real: Any, fake: Any) -> Any:
        return {"scaled": self.config.scale * self.discriminate(fake.data).neg().mean()}


@pytest.fixture(autouse=True)
def _work_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    GIVEN_DATA.clear()


def test_dir_lists_the_public_names_only() -> None:
    names = ["evaluate", "evaluate_images", "export", "from_pretrained", "load", "push_to_hub"]
    names += ["report", "sample", "save_pretrained", "train", "traverse"]
    assert dir(gan_lightning) == ["__version__", *names]


def test_functions_stay_callable_beside_subpackages_of_their_names() -> None:
    import gan_lightning.export.exporting
    import gan_lightning.report.page

    for name in ("export", "report"):
        function = getattr(gan_lightning, name)
        assert callable(function)
        with pytest.raises(UserError):
            function("no such run")
    assert gan_lightning.export.exporting.TOLERANCE > 0


# --- overrides


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a.b=1"], ["a.b=1"]),
        ([{"a.b": 1}], ["a.b=1"]),
        ([{"a": {"b": 1, "c": {"d": None}}}], ["a.b=1", "a.c.d=null"]),
        ([{"a": True, "b": "ü x", "c": 1e-5}], ["a=true", 'b="ü x"', "c=1e-05"]),
        ([{"a": (np.float32(0.5), np.int64(2))}, "b=1"], ["a=[0.5, 2]", "b=1"]),
        ([{"a": Path("x") / "y"}], ['a="x/y"']),
    ],
)
def test_overrides_of_every_form(given: Any, expected: list[str]) -> None:
    assert override_words(given) == expected


def test_text_of_a_mapping_stays_text() -> None:
    from gan_lightning.config.load import load_config

    wanted = request("gan_ring", [{"log": {"project": "2024_05", "tags": ["1e3", "on"]}}])
    config = load_config(wanted.source, wanted.overrides)
    assert (config.log.project, config.log.tags) == ("2024_05", ["1e3", "on"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), [5]), "an override is 5; pass 'key=value'"),
        ((("gan_ring",), [{1: 2}]), "key 1 of an override is no text"),
        ((("gan_ring",), [{"a": object()}]), "a is <object .*; pass text, numbers"),
        (((OwnGAN,), []), "experiment is <class .*; pass its name, a YAML file"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, message: str) -> None:
    positional, overrides = arguments
    with pytest.raises(UserError, match=message):
        gan_lightning.train(*positional, overrides=overrides)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": 5}, "model is 5; pass a name, a class, a mapping"),
        ({"model": Path}, "model is the class Path, which does not derive from BaseModule"),
        ({"model": GANConfig()}, "model is a GANConfig, which is the Config of "),
        ({"model": "gan", "network": GAN}, "network is the class GAN, which does not derive from"),
        ({"model": "gan", "data": 5}, "int is no Dataset"),
    ],
)
def test_wrong_parts_are_named(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        gan_lightning.train(**parts, overrides=TINY)
    assert not list(Path().iterdir())


# --- experiments, classes, configs


def test_an_experiment_with_a_seed_equals_the_command() -> None:
    result = gan_lightning.train("gan_ring", TINY, seed=3)
    config = gan_lightning.load(result).config
    assert (config.seed, config.trainer.max_updates, result.updates) == (3, 4, 4)
    again = gan_lightning.train(config, output="again")
    words = override_words([TINY])
    outcome = run_cli("train", "gan_ring", *words, "--seed", "3", "--output", "by_command")
    assert outcome.code == 0, outcome.err
    weights = [
        (folder / "generator.safetensors").read_bytes()
        for folder in (result.run_directory.path, again.run_directory.path, Path("by_command"))
    ]
    assert weights[0] == weights[1] == weights[2]


def test_an_own_class_is_found_again_by_the_command_line() -> None:
    result = gan_lightning.train(
        model=OwnGAN, data="ring", network="mlp", overrides=[TINY, "model.scale=0.5"]
    )
    assert result.run_directory.path.parent == Path("runs/own_gan_ring")
    gan, _, config = gan_lightning.load("own_gan_ring")
    assert (type(gan), config.model.name) == (OwnGAN, "test_api:OwnGAN")
    assert config.model.scale == 0.5
    outcome = run_cli("evaluate", str(result.run_directory.path))
    assert outcome.code == 0, outcome.err
    assert "modes/covered" in outcome.out
    header = result.run_directory.metrics.read_text().splitlines()[0]
    assert "loss/generator/scaled" in header


@pytest.mark.parametrize(
    ("model", "name", "expected"),
    [
        (OwnGAN.Config(scale=0.5), "test_api:OwnGAN", {"scale": 0.5}),
        (WGANConfig(clip=0.5), "wgan", {"clip": 0.5}),
        ({"name": OwnGAN, "scale": 2}, "test_api:OwnGAN", {"scale": 2}),
        ("wgan_gp", "wgan_gp", {}),
    ],
)
def test_a_model_in_every_form(model: Any, name: str, expected: dict[str, Any]) -> None:
    wanted = request(None, [], model=model)
    assert wanted.source["model"].items() >= {"name": name, **expected}.items()
    assert wanted.source["data"] == {"name": "ring"}


def test_an_experiment_keeps_its_keys_with_another_model() -> None:
    result = gan_lightning.train("gan_ring", TINY, model="wgan_gp")
    assert result.run_directory.path.parent == Path("runs/gan_ring")
    config = gan_lightning.load(result).config
    assert (config.model.name, config.model.latent_size) == ("wgan_gp", 2)


CELL = """
from gan_lightning.gans import GAN

class CellGAN(GAN):
    def generator_loss(self, real, fake):
        return {"NAME": -self.discriminate(fake.data).mean()}
"""


def test_a_class_of_a_notebook_cell_can_be_redefined(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = ModuleType("notebook_of_a_user")
    monkeypatch.setitem(sys.modules, notebook.__name__, notebook)
    for name in ("first", "second"):
        exec(CELL.replace("NAME", name), vars(notebook))
        result = gan_lightning.train(model=notebook.CellGAN, overrides=TINY, output=name)
        assert f"loss/generator/{name}" in result.run_directory.metrics.read_text()
        assert type(gan_lightning.load(result).model) is notebook.CellGAN


# --- data


def images(count: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 16, 16, 1), dtype=torch.uint8, generator=rng)


def test_data_can_be_a_tensor() -> None:
    data = images(64)
    options: Any = {"model": "gan", "data": data, "overrides": {**TINY, "data.batch_size": 8}}
    result = gan_lightning.train(**options, name="noise", output="whole")
    assert gan_lightning.sample("whole", 3).images.shape == (3, 16, 16, 1)
    part = {**options, "overrides": {**options["overrides"], "trainer.max_updates": 2}}
    gan_lightning.train(**part, output="part")
    rest = gan_lightning.train(resume="part", overrides={"trainer.max_updates": 4})
    files = [run.run_directory.path / "generator.safetensors" for run in (result, rest)]
    assert files[0].read_bytes() == files[1].read_bytes()
    GIVEN_DATA.clear()  # as in another process
    with pytest.raises(UserError, match="the data of this run were given in Python"):
        gan_lightning.evaluate("whole")
    assert len(gan_lightning.sample("whole", 3)) == 3  # needs no data
    assert gan_lightning.load("whole", data=data).model.updates == 4
    assert len(gan_lightning.sample("whole", 3)) == 3


def test_data_can_be_a_class() -> None:
    from gan_lightning.data.toy2d import Ring

    assert request(None, [], model="gan", data=Ring).source["data"] == {"name": "ring"}


# --- resuming


def test_a_run_is_resumed_by_name_directory_and_result() -> None:
    whole = gan_lightning.train("gan_ring", TINY, output="whole")
    part = gan_lightning.train("gan_ring", TINY, {"trainer.max_updates": 1})
    gan_lightning.train("gan_ring", {"trainer.max_updates": 2}, resume=True)
    gan_lightning.train(resume=part, overrides={"trainer.max_updates": 3})
    rest = gan_lightning.train(
        "gan_ring", {"trainer.max_updates": 4}, resume=part.run_directory.path
    )
    assert (rest.run_directory.path, rest.updates) == (part.run_directory.path, 4)
    files = [run.run_directory.path / "generator.safetensors" for run in (whole, rest)]
    assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(UserError, match="was started with other values: seed 0 -> 5"):
        gan_lightning.train("gan_ring", {"trainer.max_updates": 8}, seed=5, resume=True)
    with pytest.raises(UserError, match="output and runs are for new runs"):
        gan_lightning.train("gan_ring", resume=True, output="x")


# --- results


def test_results_print_and_show_what_they_hold(ring_run: TinyRun, infogan_run: TinyRun) -> None:
    samples = gan_lightning.sample(ring_run.folder, 5, seed=1, output="points.npz")
    assert repr(samples).endswith("points float32 (5, 2)")
    with np.load("points.npz") as file:
        assert np.array_equal(file["points"], samples.points)
    digits = gan_lightning.sample(infogan_run.folder, 4, output="digits.png")
    assert (digits._repr_png_() or b"").startswith(b"\x89PNG")
    assert digits.arrays().keys() == {"images", "codes"}
    traversal = gan_lightning.traverse(infogan_run.folder, 1, output="codes.png")
    assert traversal._repr_png_() == Path("codes.png").read_bytes()
    metrics = gan_lightning.evaluate(ring_run.folder)
    assert f"  {'modes/covered':<26} " in repr(metrics)
    assert "<td>modes/covered</td>" in metrics._repr_html_()
    assert repr(gan_lightning.load(ring_run.folder)) == "StandardGAN of 4 updates on Ring"
    assert gan_lightning.report(ring_run.folder, output="ring.html").stat().st_size > 1e5
    exported = gan_lightning.export(ring_run.folder, "safetensors", output="exported")
    assert (Path("exported") / exported.file_format.file).exists()


def test_a_run_of_another_type_is_refused() -> None:
    with pytest.raises(UserError, match="5 is no run; pass its directory"):
        gan_lightning.sample(5)  # type: ignore[arg-type]
