"""EfficientNet-Lite0: its size, its padding, and what it sees in pictures that packages ship."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import conv2d

from gan_lightning.errors import UserError
from gan_lightning.evaluation import image_features
from gan_lightning.metrics import lite0
from gan_lightning.metrics.lite0 import EfficientNetLite0, SamePadding
from gan_lightning.utils.optional import missing_modules

pytestmark = pytest.mark.skipif(
    bool(missing_modules("lite0")), reason="needs the extra lite0, whose weights it reads"
)

GRADIO = find_spec("gradio")
assert GRADIO is not None
assert GRADIO.origin is not None
PICTURES = Path(GRADIO.origin).parent / "media_assets" / "images"  # without importing it, 2 s
OFFICER = Path(mpl.get_data_path(), "sample_data", "grace_hopper.jpg")
KNOWN = {PICTURES / "cheetah1.jpg": 293, PICTURES / "lion.jpg": 291, OFFICER: 652}
"""Picture -> its class in ImageNet: cheetah, lion, military uniform."""


def read(path: Path, side: int) -> torch.Tensor:
    """Return the middle of a picture, (1, 3, side, side) in [-1, 1]."""
    with Image.open(path) as picture:
        width, height = picture.size
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        square = picture.convert("RGB").crop((left, top, left + short, top + short))
        pixels = np.array(square.resize((side, side), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels).movedim(-1, 0)[None].float() / 127.5 - 1


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return EfficientNetLite0.pretrained()


def test_it_has_the_published_number_of_parameters(network: EfficientNetLite0) -> None:
    assert sum(weight.numel() for weight in network.parameters()) == 4_652_008
    assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.stem)
def test_it_recognises_photographs(path: Path, network: EfficientNetLite0) -> None:
    with torch.no_grad():
        assert network(read(path, 224)).argmax() == KNOWN[path]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("side", [7, 8])
def test_padding_is_that_of_tensorflow(side: int, kernel: int, stride: int) -> None:
    padded = SamePadding(kernel, stride)(torch.ones(1, 1, side, side))
    output = conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride)
    assert output.shape[-1] == -(-side // stride)
    added = padded.shape[-1] - side
    assert padded[0, 0, : added // 2].sum() == 0
    assert padded[0, 0, added // 2, added // 2] == 1


def test_scales_of_the_maps(network: EfficientNetLite0) -> None:
    with torch.no_grad():
        maps = list(network.maps(torch.zeros(1, 3, 64, 64)))
    assert [maps[tap].shape[-1] for tap in network.taps] == [32, 16, 8, 4, 2]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_features_of_images_of_any_size(shape: tuple[int, int, int]) -> None:
    features = image_features("lite0", shape)
    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = features(images)
    assert found.shape == (3, features.size) == (3, 1280)
    assert found.isfinite().all()
    assert not features.standardised
    assert features.label == "lite0"


def test_similar_pictures_are_near(network: EfficientNetLite0) -> None:
    """Two cats are nearer than a cat and an officer, by the cosine of their features."""
    features = image_features("lite0", (3, 64, 64))
    cheetah, lion, officer = (features(read(path, 64))[0] for path in KNOWN)
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(cheetah, lion, dim=0) > cosine(cheetah, officer, dim=0)


def test_another_file_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_spec(lite0.PACKAGE) is not None
    monkeypatch.setattr(lite0, "SHA256", "0" * 64)
    monkeypatch.setattr(torch, "load", pytest.fail)
    with pytest.raises(UserError, match="is not the published file; run `pip install"):
        EfficientNetLite0.pretrained()
