"""`train NAME --images DIR`: a folder of images needs no preparation step and no YAML."""

from __future__ import annotations

import re
import shutil
from contextlib import chdir
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import image_trees
import pytest
import torch
from bad_inputs import assert_mistake, mistake
from conftest import CHECKOUT, Once, Outcome, run_cli
from image_trees import encode_image, make_store, smooth_image
from run_files import final_measures

from gan_lightning.cli.image_options import ImageOptions
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.folder_experiment import PRESETS, SIZES, folder_experiment
from gan_lightning.config.load import load_config
from gan_lightning.config.titles import follow_data
from gan_lightning.gans import GAN
from gan_lightning.networks import DCGAN, DCGANConfig
from gan_lightning.play.playground import Playground
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.store import FolderImages
from gan_lightning.training.build import build
from gan_lightning.training.restore import load_model

SHAPES = "my shapes"
TINY = (
    *("network.width=2", "trainer.max_updates=2", "evaluation.samples=20", "pictures.samples=4"),
    *("data.batch_size=4", "log.wandb=disabled"),
)
ON_SHAPES = ("--images", SHAPES, "--size", "16", "--fit", "pad")


def make_shapes(folder: Path, count: int = 30) -> None:
    """Run the script of the example, which writes three classes of transparent PNG files."""
    script = CHECKOUT / "examples" / "folder" / "make_shapes.py"
    spec = spec_from_file_location("make_shapes", script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(folder, count)


def write_images(folder: str, count: int) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = encode_image(smooth_image(number, 24, 20), "PNG")
        (Path(folder) / f"{number}.png").write_bytes(content)


@pytest.fixture
def trained_on_shapes(once: Once) -> tuple[Path, Outcome]:
    """Return the working directory and the outcome of a training on the example's shapes."""

    def train(folder: Path) -> tuple[Path, Outcome]:
        with chdir(folder):
            make_shapes(Path(SHAPES))
            Path(SHAPES, "circle", "broken.png").write_bytes(b"")
            return folder, run_cli("train", "cgan", *ON_SHAPES, *TINY)

    return once("images_option", train)


def test_training_on_a_folder_with_one_command(trained_on_shapes: tuple[Path, Outcome]) -> None:
    folder, outcome = trained_on_shapes
    assert outcome.code == 0, outcome.err
    for line in (
        f"{SHAPES}: 31 images: 28 for training, 3 held out for tests, evenly spread",
        "  3 classes by sub-folder: circle (11), square (10), triangle (10)",
        f"  16x16 pixels, in {SHAPES}-16-pad.store",
        "  skipped 1 image: circle/broken.png is empty",
        "  converted to 8-bit RGB: 30 transparent, transparent ones over white",
    ):
        assert line in outcome.out.splitlines()
    assert "images are not square: padded to a square" in outcome.out
    (path,) = (folder / "runs" / "cgan-my_shapes").iterdir()
    run = RunDirectory(path)
    config = run.config()
    assert config.title == f"Conditional GAN on {SHAPES}"
    assert (config.paper, config.claims) == ("", [])
    assert (config.data.size, config.data.fit, config.data.channels) == (16, "pad", "3")
    assert "claim" not in outcome.out
    assert final_measures(path)


def test_resume_and_sample(
    trained_on_shapes: tuple[Path, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained_on_shapes[0], copy)
    monkeypatch.chdir(copy)
    words = ["train", "cgan", "--images", SHAPES]
    outcome = run_cli(*words, "--resume", "trainer.max_updates=3")
    assert outcome.code == 0, outcome.err
    assert "  3 updates; " in outcome.out
    refused = run_cli(*words, "--size", "32", "--resume", "trainer.max_updates=4")
    assert_mistake(refused, "was started with other values: data.size 16 -> 32")
    Path(SHAPES, "circle", "000.png").unlink()
    again = run_cli("train", "gan", *ON_SHAPES, *TINY)  # which makes the store again
    assert again.code == 0, again.err
    assert f"{SHAPES}: 30 images" in again.out
    refused = run_cli(*words, "--resume", "trainer.max_updates=4")
    assert_mistake(refused, "are not those that the run was started with")
    shutil.rmtree(SHAPES)
    assert run_cli("sample", "cgan-my_shapes", "--count", "4", "--output", "few.png").code == 0


@pytest.mark.usefixtures("empty_folder")
def test_four_grey_images_are_enough() -> None:
    write_images("few", 4)
    for number in range(4):
        smooth_image(number, 20, 20).convert("L").save(f"few/{number}.png")
    tiny = [word for word in TINY if not word.startswith("data.batch_size")]
    outcome = run_cli("train", "dcgan", "--images", "few", "--size", "20", *tiny)
    assert outcome.code == 0, outcome.err
    assert "few: 4 images: 2 for training, 2 held out for tests" in outcome.out
    assert "  minibatches have 2 images, not 64: 2 are for training" in outcome.out
    (path,) = Path("runs/dcgan-few").iterdir()
    assert RunDirectory(path).config().data.channels == "1"


@pytest.mark.usefixtures("empty_folder")
def test_all_processes_of_a_run_have_one_experiment_and_the_first_one_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images("photos", 12)
    options = ImageOptions(Path("photos"), size=16)
    sources = []
    for rank in range(2):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        sources.append(options.source("dcgan", ["trainer.devices=2"]))
    assert sources[0] == sources[1]
    assert sources[0]["data"]["batch_size"] == 8
    assert capsys.readouterr().out.count("photos: 12 images") == 1
    assert {path.name for path in Path().iterdir()} == {"photos", "photos-16.store"}


@pytest.mark.usefixtures("empty_folder")
def test_every_preset_builds_its_networks() -> None:
    make_shapes(Path("shapes"), 12)
    for name, preset in PRESETS.items():
        labelled = ["data.labelled=3"] if preset.model["name"] == "semi_supervised" else []
        overrides = ["network.width=1", *labelled]
        source = folder_experiment(name, FolderImages(Path("shapes"), 16), overrides=overrides)
        model, data = build(load_config(source, overrides))
        assert data.spec.shape == (3, 16, 16)
        assert data.class_names == ("circle", "square", "triangle")
        assert model.sample(2, seed=0).data.shape == (2, 3, 16, 16)  # type: ignore[operator]


@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_networks_of_every_size(channels: int) -> None:
    family = DCGAN(DCGANConfig(width=1, discriminator_norm="none"))
    for size in SIZES:
        shape = (channels, size, size)
        encoder = family.encoder(shape)
        images = family.generator(3, shape)(torch.zeros(2, 3))
        assert images.shape == (2, *shape)
        assert encoder(images).shape == (2, encoder.features)
        assert encoder.features <= 16 * 7 * 7


BAD: dict[str, tuple[list[str], str]] = {
    "a GAN without data": (["dcgan"], "'dcgan' is a GAN without data; add --images DIR"),
    "a size without images": (["gan_ring", "--size", "32"], "--size is for the images of a folder"),
    "another size": (["dcgan", "--images", "photos", "--size", "30"], "--size is 30; it must be a"),
    "no folder": (["dcgan", "--images", "nowhere"], "the folder nowhere does not exist"),
    "a file": (["dcgan", "--images", "photos/0.png"], "the folder photos/0.png is a file"),
    "no images": (["dcgan", "--images", "empty"], "empty contains no images; valid are .jpg"),
    "too few": (["dcgan", "--images", "three"], "three has 3 usable images, and training needs"),
    "an unknown GAN": (["dgcan", "--images", "photos"], "'dgcan' is no GAN and no experiment; val"),
    "a wrong key": (
        ["dcgan", "--images", "photos", "trainer.max_update=1"],
        "key 'max_update' in trainer is unknown",
    ),
    "no labels": (
        ["cgan", "--images", "photos", "--labels", "x.csv"],
        "the labels x.csv do not exist",
    ),
    "a name that is not UTF-8": (
        ["dcgan", "--images", "caf\udce9"],
        r"data.root is 'caf\udce9'; it must be UTF-8, as the config is; rename the file or folder",
    ),
    "another fit": (["dcgan", "--images", "photos", "--fit", "zoom"], "'zoom' is not one of"),
}


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_writes_nothing(name: str) -> None:
    write_images("photos", 5)
    write_images("three", 3)
    Path("empty").mkdir()
    arguments, message = BAD[name]
    mistake(["train", *arguments], message)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("folder", ["photos", "photos/daisies"])
def test_classes_are_missing(folder: str) -> None:
    write_images(folder, 5)
    outcome = run_cli("train", "cgan", "--images", "photos", "--size", "16", *TINY)
    assert outcome.code == 2
    advice = "put a folder's images into a sub-folder for each class, two or more, or give a CSV"
    assert advice in outcome.err
    assert "by --labels FILE" in outcome.err
    assert "train a GAN without classes, such as dcgan" in outcome.err
    assert not Path("runs").exists()


def swapped(experiment: str, *overrides: str) -> tuple[str, str, int]:
    source = read_yaml(experiment_path(experiment))
    config = load_config(source, overrides)
    config, name = follow_data(config, source, overrides, experiment)
    return config.title, name, len(config.claims)


@pytest.mark.parametrize(
    ("experiment", "overrides", "title", "name"),
    [
        (
            "cgan_celeba",
            ("data.name=folder", "data.root=/x/my cats"),
            "Conditional GAN on my cats",
            "cgan_celeba-my_cats",
        ),
        ("gan_ring", ("data.name=grid",), "GAN on grid", "gan_ring-grid"),
        ("pix2pix_facades", ("data.root=data/maps",), "pix2pix on maps", "pix2pix_facades-maps"),
        (
            "dcgan_lsun_bedroom",
            ("data.category=tower",),
            "DCGAN on lsun tower",
            "dcgan_lsun_bedroom-lsun_tower",
        ),
        ("dcgan_mnist", ("data.name=folder", "title=Mine"), "Mine", "dcgan_mnist-pictures"),
    ],
)
def test_title_claims_and_name_follow_swapped_data(
    experiment: str, overrides: tuple[str, ...], title: str, name: str
) -> None:
    assert swapped(experiment, *overrides) == (title, name, 0)


@pytest.mark.usefixtures("empty_folder")
def test_all_that_shows_a_run_on_own_classes_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the faces of the experiment, nor its paper, nor numbers in place of names."""
    make_store("folder", image_trees.folder(Path("my flowers"), 12), size=16)
    monkeypatch.setattr("gan_lightning.callbacks.evaluation.evaluate", lambda *_: {})
    words = ["data.name=folder", "data.root=my flowers", "data.size=16", "data.batch_size=2"]
    tiny = ["network.width=2", "trainer.max_updates=2", "pictures.samples=4", "log.wandb=disabled"]
    outcome = run_cli("train", "cgan_celeba", *words, *tiny)
    assert outcome.code == 0, outcome.err
    (run,) = Path("runs", "cgan_celeba-my_flowers").iterdir()
    config = RunDirectory(run).config()
    assert (config.title, config.paper, config.claims) == ("Conditional GAN on my flowers", "", [])

    assert run_cli("export", str(run), "--format", "safetensors", "--output", "card").code == 0
    card = Path("card", "README.md").read_text()
    assert "# Conditional GAN on my flowers\n" in card
    assert "| int64 in [0, 2): 0 is daisies, 1 is tulips |" in card
    assert run_cli("report", str(run), "--output", "report.html").code == 0
    report = re.sub("<script.*?</script>", "", Path("report.html").read_text(), flags=re.S)
    assert "<p>Conditional GAN on my flowers</p>" in report
    assert not re.search(r"\bfaces\b|celebrit|two attributes|Mirza", card + report)

    model, data, _ = load_model(RunDirectory(run))
    assert isinstance(model, GAN)
    ground = Playground(model, data, directions=0)
    assert ground.choice is not None
    assert ground.choice.options == ("daisies", "tulips")


@pytest.mark.parametrize("override", ["data.root=/disk/celeba", "data.size=32", "seed=1"])
def test_other_copies_and_sizes_are_the_same_data(override: str) -> None:
    source = read_yaml(experiment_path("cgan_celeba"))
    assert swapped("cgan_celeba", override) == (
        source["title"],
        "cgan_celeba",
        len(source["claims"]),
    )
