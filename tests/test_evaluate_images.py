"""`evaluate --samples X --reference Y`: figures, cache, extractors, page and mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from bad_inputs import mistake
from conftest import TinyRun, run_cli
from image_trees import encode_image, smooth_image
from torch import Tensor, nn

import gan_lightning
from gan_lightning.assets.loader import read_idx
from gan_lightning.errors import UserError
from gan_lightning.inference import extractors, image_measures, vision_transformers
from gan_lightning.inference.evaluate_images import evaluate_images
from gan_lightning.inference.extractors import EXTRACTORS, default_extractor, open_extractor
from gan_lightning.inference.image_evaluation import CAUTION, ImageOptions
from gan_lightning.inference.image_measures import ABOUT, measure_features
from gan_lightning.inference.image_sources import Shape, chosen_rows
from gan_lightning.metrics import FeatureStatistics, PrecisionRecall

pytestmark = pytest.mark.usefixtures("empty_folder", "_few_resamples")

DIGITS, COLOUR = Shape(28, 1), Shape(32, 3)
FEW = ("--count", "60", "--reference-count", "300")


@pytest.fixture
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute intervals from few halves, and cache nothing that another test has computed."""
    for name in ("CHEAP", "COSTLY", "MOST_COSTLY"):
        monkeypatch.setattr(image_measures, name, 4)
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(Path.cwd() / "cache"))


def write_folder(name: str, count: int, first: int = 0) -> None:
    Path(name).mkdir()
    for number in range(first, first + count):
        kind = ("PNG", "JPEG", "WEBP")[number % 3]
        image = smooth_image(number, 40 + number % 30, 60 - number % 20)
        Path(name, f"{number}.{kind.lower()}").write_bytes(encode_image(image, kind))


def evaluated(*words: str) -> dict[str, Any]:
    outcome = run_cli("evaluate", *words, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_digits_against_the_training_set() -> None:
    images = read_idx("t10k-images-idx3-ubyte").reshape(-1, 28, 28, 1)[:60]
    np.savez("digits.npz", images=images)
    outcome = run_cli("evaluate", "--samples", "digits.npz", "--reference", "mnist", *FEW)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == CAUTION
    assert "samples: 60 of digits.npz (npz file)" in outcome.out
    assert "held out for ct: 1,000 of mnist:test" in outcome.out
    assert "extractor: digits, 128 features" in outcome.out
    rows = dict(re.findall(r"^  ([a-z_/]+) +(-?[\d.]+)", outcome.out, re.MULTILINE))
    assert set(rows) == set(ABOUT) - {"ppl"}
    found = evaluated("--samples", "digits.npz", "--reference", "mnist", *FEW)
    assert (found["extractor"], found["size"], found["caution"]) == ("digits", 28, CAUTION)
    for name, measure in found["measures"].items():
        assert measure["value"] == pytest.approx(float(rows[name]), abs=1e-4)
        assert measure["low"] <= measure["value"] <= measure["high"]
        assert measure["resamples"] in (2, 4)
    assert found["measures"]["fd"]["samples"] == 60
    assert found["measures"]["fd"]["reference"] == 300


def test_features_of_the_reference_are_cached_by_content(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    compute = extractors.Extractor.of_floats

    def counted(self: extractors.Extractor, images: Tensor) -> Tensor:
        seen.append(len(images))
        return compute(self, images)

    monkeypatch.setattr(extractors.Extractor, "of_floats", counted)
    write_folder("real", 60)
    write_folder("fake", 20, first=90)
    options = ImageOptions("fake", "real", "random", size=16)
    first = evaluate_images(options)
    assert sum(seen) == 80
    seen.clear()
    again = evaluate_images(options)
    assert sum(seen) == 20
    assert again.measures == first.measures
    assert len(first.reference.rows) == 54
    assert "held out for ct: 6 of real" in first.lines()[1]
    seen.clear()
    Path("real/0.png").write_bytes(encode_image(smooth_image(77, 50, 50), "PNG"))
    evaluate_images(options)
    assert sum(seen) > 20


def test_broken_files_are_named_in_one_line() -> None:
    write_folder("real", 40)
    write_folder("fake", 20, first=90)
    for number in range(5):
        Path(f"fake/broken{number}.png").write_bytes(b"no image")
    words = ("--samples", "fake", "--reference", "real", "--size", "16", "--extractor", "random")
    outcome = run_cli("evaluate", *words)
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    (line,) = [line for line in lines if "left out" in line]
    assert [line for line in lines if "samples and 36 reference images are few for 96" in line]
    assert "5 files are left out of fake: broken0.png (" in line
    assert line.endswith("…")
    assert "samples: 20 of fake (folder of images)" in outcome.out


def test_samples_of_a_generator_have_a_path_length(infogan_run: TinyRun) -> None:
    found = evaluated(str(infogan_run.folder), "--reference", "mnist", *FEW)
    ppl = found["measures"]["ppl"]
    assert (ppl["samples"], ppl["reference"]) == (60, 0)
    assert ppl["value"] > 0


def test_neighbours_are_searched_among_equal_numbers() -> None:
    generated, real = torch.randn(90, 4), torch.randn(40, 4)
    statistics = FeatureStatistics.from_features(real)
    measures = {m.name: m for m in measure_features(generated, real, real[:5], statistics)}
    assert (measures["recall"].samples, measures["recall"].reference) == (40, 40)
    assert (measures["fd"].samples, measures["kid"].samples) == (90, 90)
    rows = chosen_rows(90, 40)
    assert set(rows.tolist()) != set(range(40))
    metric = PrecisionRecall(real)
    metric.update(generated[rows], 0)
    assert measures["recall"].value == pytest.approx(float(metric.compute()["recall"]))


def test_an_own_extractor(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("evaluator_features.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, images):\n"
        "        assert images.shape[1] == 3 and 0 <= images.min() and images.max() <= 1\n"
        "        return images.flatten(2).mean(2)\n"
        "class Signed(torch.nn.Module):\n"
        "    value_range, channels = (-1, 1), 1\n"
        "    def forward(self, images):\n"
        "        assert images.shape[1] == 1 and images.min() == -1\n"
        "        return images.flatten(1)[:, :4]\n"
        "def mean(images):\n    return images.mean(dim=(2, 3))\n"
        "def wrong(images):\n    return images\n"
        "def broken(images):\n    raise ValueError('no such thing')\n"
    )
    black = torch.zeros(3, 28, 28, 1, dtype=torch.uint8)
    for name, size in (("Net", 3), ("Signed", 4), ("mean", 3)):
        extractor = open_extractor(f"evaluator_features:{name}", DIGITS)
        assert tuple(extractor(black).shape) == (3, size)
    white = open_extractor("evaluator_features:mean", COLOUR)(
        torch.full((1, 32, 32, 3), 255).byte()
    )
    assert white.tolist() == [[1, 1, 1]]
    with pytest.raises(UserError, match=r"it must be \(N, D\)"):
        open_extractor("evaluator_features:wrong", DIGITS)
    with pytest.raises(UserError, match="gives no features: no such thing"):
        open_extractor("evaluator_features:broken", DIGITS)


def test_the_default_extractor_fits_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_extractor("mnist:test", DIGITS) == "digits"
    assert default_extractor("torchvision:FashionMNIST", DIGITS) == "clothes"
    assert default_extractor("faces", Shape(64, 3)) == "faces"
    monkeypatch.setattr(extractors, "missing_modules", lambda extra: [])
    assert default_extractor("mnist", Shape(20, 1)) == "lite0"
    monkeypatch.setattr(extractors, "missing_modules", lambda extra: [extra])
    assert default_extractor("pictures", COLOUR) == "random"


@pytest.mark.parametrize("name", ["digits", "clothes", "faces", "random", "pixels", "lite0"])
def test_features_of_built_in_extractors(name: str) -> None:
    shape = DIGITS if name in ("digits", "clothes") else COLOUR
    rng = np.random.default_rng(0)
    sides = (shape.size, shape.size, shape.channels)
    images = torch.from_numpy(rng.integers(0, 256, (4, *sides), np.uint8))
    extractor = open_extractor(name, shape)
    features = extractor(images)
    assert features.dtype == torch.float32
    assert len(features) == 4
    assert torch.equal(features, extractor(images))
    assert len({*EXTRACTORS}) == 9


class TinyTransformer(nn.Module):
    """Stands in for timm's network."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Sequential()
        self.patch_embed.proj = nn.Conv2d(3, 384, 14, 14)

    def forward(self, images: Tensor) -> Tensor:
        assert images.shape[1:] == (3, 224, 224)
        maps: Tensor = self.patch_embed.proj(images)
        return maps.mean(dim=(2, 3))


def test_a_vision_transformer_of_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"pip install timm.*--weights FILE"):
        open_extractor("dinov2", COLOUR)
    made: list[str] = []

    def create_model(name: str, **_: object) -> nn.Module:
        made.append(name)
        return TinyTransformer()

    modules = {
        "timm": SimpleNamespace(create_model=create_model),
        "timm.models.vision_transformer": SimpleNamespace(
            checkpoint_filter_fn=lambda weights, network: weights
        ),
    }
    monkeypatch.setattr(vision_transformers, "find_spec", lambda name: name)
    monkeypatch.setattr(vision_transformers, "import_module", modules.__getitem__)
    with pytest.raises(UserError, match=r"needs --weights FILE; download"):
        open_extractor("dinov2", COLOUR)
    torch.save(TinyTransformer().state_dict(), "weights.pth")
    features = open_extractor("dinov2", COLOUR, Path("weights.pth"))(
        torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    )
    assert made == ["vit_small_patch14_dinov2"]
    assert tuple(features.shape) == (2, 384)
    with pytest.raises(UserError, match="are not timm's weights of clip"):
        open_extractor("clip", COLOUR, Path("weights.pth"))
    Path("other.pth").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"--weights other.pth"):
        open_extractor("clip", COLOUR, Path("other.pth"))


def test_inception_sees_colour_images_of_256_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(images: Tensor, resizer: str) -> tuple[Tensor, Tensor]:
        assert (images.dtype, images.shape[3], resizer) == (torch.uint8, 3, "tf_bilinear")
        return images.flatten(1).float()[:, :5], images.float()

    network.fingerprint = "of a test"  # type: ignore[attr-defined]
    monkeypatch.setattr(extractors, "inception_network", lambda path: network)
    images = torch.arange(2 * 28 * 28, dtype=torch.int64).remainder(256).byte().view(2, 28, 28, 1)
    features = open_extractor("inception", DIGITS, Path("weights"))(images)
    assert features.tolist()[0] == [0, 0, 0, 1, 1]


def test_the_page_shows_samples_neighbours_and_holes() -> None:
    write_folder("real", 60)
    write_folder("fake", 20, first=50)  # ten copies
    words = ("--samples", "fake", "--reference", "real", "--size", "16", "--extractor", "pixels")
    outcome = run_cli("evaluate", *words, "--page", "out/page.html")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == "wrote out/page.html"
    page = Path("out/page.html").read_text()
    for title in (
        "Measures",
        "Worst samples",
        "Best samples",
        "Nearest reference images",
        "Coverage holes",
    ):
        assert f"<h2>{title}</h2>" in page
    assert CAUTION[1:] in page
    assert "fake against real" in page
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(address.startswith(("data:image/png", "#")) for address in addresses)
    assert len([address for address in addresses if address.startswith("data:")]) > 100
    assert "<script" not in page
    # the first neighbour of a copy is the copied image
    section = page.partition('<section id="neighbours">')[2]
    first, second = re.findall(r'src="([^"]*)"', section)[:2]
    assert first == second


def test_mistakes_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez("few.npz", images=np.zeros((5, 28, 28, 1), np.uint8))
    np.savez("wide.npz", images=np.zeros((50, 32, 32, 1), np.uint8))
    np.savez("many.npz", images=np.zeros((20, 28, 28, 1), np.uint8))
    few, many = (
        ("evaluate", "--samples", name, "--reference", "mnist", "--reference-count", "100")
        for name in ("few.npz", "many.npz")
    )
    for words, *parts in (
        (few, "--samples few.npz has 5 images", "at least 12"),
        ((*many, "--count", "5"), "--count is 5"),
        ((*many, "--size", "4"), "--size is 4", "8 to 1024"),
        ((*many, "--resize", "fill"), "--resize is 'fill'", "crop, pad, stretch"),
        ((*many, "--channels", "2"), "--channels is 2", "1 (grey) and 3 (colour)"),
        ((*many, "--extractor", "digit"), "--extractor is 'digit'", "digits"),
        ((*many, "--extractor", "faces"), "--extractor faces does not read", "colour"),
        ((*many, "--extractor", "digits", "--weights", "a"), "--weights belongs to", "inception"),
        ((*many, "--extractor", "inception"), "--extractor inception has no weights", "--weights"),
        ((*many, "--data", "mnist"), "--data and --reference"),
        ((*many, "--page", "a.pdf"), "--page is a.pdf", ".html"),
        (("evaluate", "--samples", "few.npz", "--size", "9"), "--size belongs to --reference"),
        (
            ("evaluate", "--samples", "wide.npz", "--reference", "mnist"),
            "have 28 pixels, those of wide.npz have 32",
            "--size N",
        ),
    ):
        mistake([*words], *parts)


def test_the_function_gives_what_the_command_prints() -> None:
    images = read_idx("t10k-images-idx3-ubyte").reshape(-1, 28, 28, 1)[:60]
    np.savez("digits.npz", images=images)
    printed = evaluated("--samples", "digits.npz", "--reference", "mnist", *FEW)
    options = {"count": 60, "reference_count": 300}
    returned = gan_lightning.evaluate_images("digits.npz", "mnist", page="page.html", **options)
    assert returned.as_json() == printed
    assert Path("page.html").is_file()
    with pytest.raises(UserError, match="counts is no option; valid are count, "):
        gan_lightning.evaluate_images("digits.npz", "mnist", counts=60)
