"""The Inception network: features against the libraries, and verification of the weights."""

from __future__ import annotations

import pickle
import socket
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from inception_fakes import write_weights
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
    """Return a file of random weights and its SHA-256."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    return path, write_weights(path)


@pytest.fixture(autouse=True)
def _accept_random_weights(
    weights: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Accept the random weights as the published ones; allow no download and no default file."""

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
    result = inception_network(str(weights[0]))
    assert isinstance(result, InceptionNetwork)
    return result


@pytest.mark.parametrize("shape", [SHRUNK, ENLARGED])
def test_features_without_antialiasing_equal_torch_fidelity(
    shape: tuple[int, ...], network: InceptionNetwork, weights: tuple[Path, str]
) -> None:
    batch = images(shape)
    outputs = ["2048", "logits_unbiased"]
    extractor = theirs.FeatureExtractorInceptionV3("theirs", outputs, str(weights[0]))
    expected = extractor(batch.movedim(-1, 1))
    result = network(batch, "tf_bilinear")
    assert result[0].std(dim=0).mean() > 0.01 * result[0].mean(), "features of images differ"
    for ours, other in zip(result, expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [SHRUNK, ENLARGED])
def test_features_with_antialiasing_equal_torchmetrics(
    shape: tuple[int, ...], network: InceptionNetwork, weights: tuple[Path, str]
) -> None:
    batch = images(shape)
    extractor = NoTrainInceptionV3("theirs", ["2048"], str(weights[0]))
    result = network(batch, "antialias")[0]
    torch.testing.assert_close(result, extractor(batch.movedim(-1, 1)), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(result, network(batch, "tf_bilinear")[0], rtol=0.01)


def test_only_antialiasing_averages_when_images_shrink() -> None:
    stripes = torch.zeros(1, 1, 598, 598)
    stripes[..., ::2] = 255
    filtered = RESIZERS["antialias"](stripes)
    assert filtered.shape == (1, 1, 299, 299)
    assert filtered[..., 2:-2].sub(127.5).abs().max() < 1
    # every second column is ignored
    assert RESIZERS["tf_bilinear"](stripes).eq(255).all()


def test_autocast_and_batch_size_have_no_influence(
    network: InceptionNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = images((3, 32, 32, 3))
    plain = network(batch, "tf_bilinear")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = network(batch, "tf_bilinear")
    monkeypatch.setattr(inception, "BATCH_SIZE", 2)
    batched = network(batch, "tf_bilinear")
    for one, other, third in zip(plain, mixed, batched, strict=True):
        assert torch.equal(one, other)
        torch.testing.assert_close(one, third, rtol=1e-4, atol=1e-4)


def test_convolutions_on_a_gpu_use_no_tf32(
    network: InceptionNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    cudnn, states = torch.backends.cudnn, []

    def recording_resizer(pixels: Tensor) -> Tensor:
        states.append((cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic))
        return RESIZERS["tf_bilinear"](pixels)

    monkeypatch.setitem(inception.RESIZERS, "recording", recording_resizer)
    before = cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    network(images((1, 8, 8, 3)), "recording")
    assert states == [(True, False, True)]
    assert before == (cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark)


def test_network_is_loaded_once_and_keeps_the_random_state(weights: tuple[Path, str]) -> None:
    inception._load.cache_clear()
    state = torch.get_rng_state()
    result = inception_network(str(weights[0]))
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(result, InceptionNetwork)
    assert result.fingerprint == sha256(weights[0].read_bytes()).hexdigest()
    assert inception_network(str(weights[0])) is result


def test_missing_weights_give_a_message_with_the_download() -> None:
    line = inception_network()
    assert isinstance(line, str)
    assert "\n" not in line
    for word in (inception.SOURCE, torch.hub.get_dir(), "evaluation.inception="):
        assert word in line
    # no folder was created
    assert not Path(torch.hub.get_dir()).exists()


def test_the_default_file_is_in_the_folder_of_torch_hub(weights: tuple[Path, str]) -> None:
    path = Path(torch.hub.get_dir()) / "checkpoints" / inception.WEIGHTS
    path.parent.mkdir(parents=True)
    path.write_bytes(weights[0].read_bytes()[:-1])
    line = inception_network()
    assert isinstance(line, str)
    assert "damaged" in line
    path.write_bytes(weights[0].read_bytes())
    assert isinstance(inception_network(), InceptionNetwork)


def truncated(path: Path, content: bytes) -> None:
    path.write_bytes(content[: len(content) // 2])


def changed(path: Path, content: bytes) -> None:
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def empty(path: Path, _: bytes) -> None:
    path.touch()


def folder(path: Path, _: bytes) -> None:
    path.mkdir()


def missing(_: Path, __: bytes) -> None:
    pass


@pytest.mark.parametrize("damage", [truncated, changed, empty, folder, missing])
def test_a_file_other_than_the_published_one_raises(
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


@pytest.mark.parametrize("valid_checksum", [False, True])
def test_files_are_not_unpickled(
    valid_checksum: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "executed"
    torch.save({"fc.weight": Payload(marker)}, path)
    torch.load(path, weights_only=False)
    assert marker.exists(), "unpickling the payload touches the file"
    marker.unlink()
    for content in (path.read_bytes(), pickle.dumps(Payload(marker), protocol=2)):
        # a name of its own, because loaded networks are cached by path
        path = tmp_path / f"{len(content)}.pth"
        path.write_bytes(content)
        if valid_checksum:
            monkeypatch.setattr(inception, "SHA256", sha256(content).hexdigest())
        with pytest.raises(UserError, match="cannot be loaded" if valid_checksum else "damaged"):
            inception_network(str(path))
    assert not marker.exists()


def test_weights_of_another_network_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(1008, 2048)}, path)
    monkeypatch.setattr(inception, "SHA256", sha256(path.read_bytes()).hexdigest())
    with pytest.raises(UserError, match="cannot be loaded"):
        inception_network(str(path))


def test_invalid_arguments_raise(network: InceptionNetwork) -> None:
    with pytest.raises(ValueError, match="'bicubic'; valid are"):
        network(images((1, 8, 8, 3)), "bicubic")
    for wrong in (images((1, 3, 8, 8)), images((8, 8, 3)), torch.zeros(1, 8, 8, 3)):
        with pytest.raises(ValueError, match="uint8"):
            network(wrong, "tf_bilinear")
