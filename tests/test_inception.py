"""The Inception network: features of the libraries, from weights that are what they should be."""

from __future__ import annotations

import pickle
import socket
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from inception_worlds import write_weights
from torch import Tensor
from torch_fidelity import feature_extractor_inceptionv3 as theirs
from torchmetrics.image.fid import NoTrainInceptionV3

from gan_lightning.errors import UserError
from gan_lightning.evaluation import RESIZERS, InceptionNetwork, inception, inception_network

SHRUNK = (2, 350, 310, 3)
ENLARGED = (2, 40, 64, 3)


def images(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, shape, generator=rng, dtype=torch.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Give a file of random weights, and its sum."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    return path, write_weights(path)


@pytest.fixture(autouse=True)
def known(weights: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the random weights for the published ones; let nothing be fetched, nor found."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a test must not use the network")

    for module, name in [
        (theirs, "load_state_dict_from_url"),
        (torch.hub, "load_state_dict_from_url"),
        (torch.hub, "download_url_to_file"),
        (urllib.request, "urlopen"),
        (socket.socket, "connect"),
    ]:
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(inception, "SHA256", weights[1])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def network(weights: tuple[Path, str]) -> InceptionNetwork:
    found = inception_network(str(weights[0]))
    assert isinstance(found, InceptionNetwork)
    return found


@pytest.mark.parametrize("shape", [SHRUNK, ENLARGED])
def test_without_a_filter_it_is_torch_fidelitys(
    shape: tuple[int, ...], network: InceptionNetwork, weights: tuple[Path, str]
) -> None:
    seen = images(shape)
    asked = ["2048", "logits_unbiased"]
    extractor = theirs.FeatureExtractorInceptionV3("theirs", asked, str(weights[0]))
    expected = extractor(seen.movedim(-1, 1))
    found = network(seen, "tf_bilinear")
    assert found[0].std(dim=0).mean() > 0.01 * found[0].mean(), "images look different"
    for ours, other in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [SHRUNK, ENLARGED])
def test_with_a_filter_it_is_torchmetrics(
    shape: tuple[int, ...], network: InceptionNetwork, weights: tuple[Path, str]
) -> None:
    seen = images(shape)
    extractor = NoTrainInceptionV3("theirs", ["2048"], str(weights[0]))
    found = network(seen, "antialias")[0]
    torch.testing.assert_close(found, extractor(seen.movedim(-1, 1)), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, network(seen, "tf_bilinear")[0], rtol=0.01)


def test_a_filter_averages_what_shrinks_and_nothing_else_does() -> None:
    stripes = torch.zeros(1, 1, 598, 598)
    stripes[..., ::2] = 255
    filtered = RESIZERS["antialias"](stripes)
    assert filtered.shape == (1, 1, 299, 299)
    assert filtered[..., 2:-2].sub(127.5).abs().max() < 1
    # every second column, as if the others were not there
    assert RESIZERS["tf_bilinear"](stripes).eq(255).all()


def test_neither_autocast_nor_the_batch_matters(
    network: InceptionNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = images((3, 32, 32, 3))
    plain = network(seen, "tf_bilinear")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = network(seen, "tf_bilinear")
    monkeypatch.setattr(inception, "BATCH", 2)
    parted = network(seen, "tf_bilinear")
    for one, other, third in zip(plain, mixed, parted, strict=True):
        assert torch.equal(one, other)
        torch.testing.assert_close(one, third, rtol=1e-4, atol=1e-4)


def test_convolutions_on_a_gpu_are_exact_and_only_these(
    network: InceptionNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    cudnn, seen = torch.backends.cudnn, []

    def watched(pixels: Tensor) -> Tensor:
        seen.append((cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic))
        return RESIZERS["tf_bilinear"](pixels)

    monkeypatch.setitem(inception.RESIZERS, "watched", watched)
    before = cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    network(images((1, 8, 8, 3)), "watched")
    assert seen == [(True, False, True)]
    assert before == (cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark)


def test_it_is_loaded_once_and_moves_no_random_state(weights: tuple[Path, str]) -> None:
    inception._loaded.cache_clear()
    state = torch.get_rng_state()
    found = inception_network(str(weights[0]))
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(found, InceptionNetwork)
    assert found.fingerprint == sha256(weights[0].read_bytes()).hexdigest()
    assert inception_network(str(weights[0])) is found


def test_what_is_missing_is_one_line_that_says_what_to_do() -> None:
    line = inception_network()
    assert isinstance(line, str)
    assert "\n" not in line
    for word in (inception.SOURCE, torch.hub.get_dir(), "evaluation.inception="):
        assert word in line
    # nothing was made on the way
    assert not Path(torch.hub.get_dir()).exists()


def test_the_usual_place_is_torchs(weights: tuple[Path, str]) -> None:
    place = Path(torch.hub.get_dir()) / "checkpoints" / inception.WEIGHTS
    place.parent.mkdir(parents=True)
    place.write_bytes(weights[0].read_bytes()[:-1])
    line = inception_network()
    assert isinstance(line, str)
    assert "damaged" in line
    place.write_bytes(weights[0].read_bytes())
    assert isinstance(inception_network(), InceptionNetwork)


def truncated(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: len(whole) // 2])


def changed(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def empty(path: Path, _: bytes) -> None:
    path.touch()


def folder(path: Path, _: bytes) -> None:
    path.mkdir()


def nothing(_: Path, __: bytes) -> None:
    pass


@pytest.mark.parametrize("damage", [truncated, changed, empty, folder, nothing])
def test_a_named_file_that_is_not_the_published_one_is_a_mistake(
    damage: Callable[[Path, bytes], None], tmp_path: Path, weights: tuple[Path, str]
) -> None:
    path = tmp_path / "weights.pth"
    damage(path, weights[0].read_bytes())
    with pytest.raises(UserError) as error:
        inception_network(str(path))
    message = str(error.value)
    assert "\n" not in message
    assert f"evaluation.inception is '{path}'" in message
    assert inception.SOURCE in message


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("known_sum", [False, True])
def test_nothing_in_a_file_is_executed(
    known_sum: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "executed"
    torch.save({"fc.weight": Payload(marker)}, path)
    torch.load(path, weights_only=False)
    assert marker.exists(), "the payload works where somebody unpickles it"
    marker.unlink()
    for content in (path.read_bytes(), pickle.dumps(Payload(marker), protocol=2)):
        # another name each, as what was loaded is remembered
        path = tmp_path / f"{len(content)}.pth"
        path.write_bytes(content)
        if known_sum:
            monkeypatch.setattr(inception, "SHA256", sha256(content).hexdigest())
        with pytest.raises(UserError, match="cannot be loaded" if known_sum else "damaged"):
            inception_network(str(path))
    assert not marker.exists()


def test_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(1008, 2048)}, path)
    monkeypatch.setattr(inception, "SHA256", sha256(path.read_bytes()).hexdigest())
    with pytest.raises(UserError, match="cannot be loaded"):
        inception_network(str(path))


def test_misuse_raises(network: InceptionNetwork) -> None:
    with pytest.raises(ValueError, match="'bicubic'; valid are"):
        network(images((1, 8, 8, 3)), "bicubic")
    for wrong in (images((1, 3, 8, 8)), images((8, 8, 3)), torch.zeros(1, 8, 8, 3)):
        with pytest.raises(ValueError, match="uint8"):
            network(wrong, "tf_bilinear")
