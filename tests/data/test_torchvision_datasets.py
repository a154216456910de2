"""Fashion-MNIST and CIFAR-10: layouts of a copy, checksums before anything is read, labels."""

from __future__ import annotations

import gzip
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from bad_inputs import assert_mistake
from conftest import run_cli
from published_copies import COPIES, COUNT, classes, pixels, small_copy

from gan_lightning.classifiers.digits import shipped_network
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.data import DATASETS, BaseDataModule, LoaderConfig
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.errors import MissingDataError, UserError
from gan_lightning.evaluation.digits import ClothesEvaluator
from gan_lightning.store.published_files import PUBLISHED_FILES
from gan_lightning.testing import check_datamodule
from gan_lightning.training.build import build

DEBIAN = Path("/usr/share/datasets/fashion-mnist")

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.fixture(autouse=True)
def no_system_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for files below the root only, whatever this machine has."""
    for files in PUBLISHED_FILES.values():
        monkeypatch.setitem(files.__dict__, "elsewhere", ())


def open_copy(dataset: str, root: Path | str, **settings: object) -> BaseDataModule:
    owner = DATASETS[dataset]
    return owner(owner.Config(root=str(root), **settings))


def test_fashion_mnist_has_the_pixels_and_classes_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_copy("fashion_mnist", tmp_path, monkeypatch)
    data = open_copy("fashion_mnist", tmp_path)
    images, labels = data.training_data()
    assert labels is not None
    assert np.array_equal(images[torch.arange(COUNT)].squeeze(-1), pixels("train", 28, 28))
    assert labels.tolist() == classes("train")
    test = data.test_data()
    assert np.array_equal(to_uint8_nhwc(test.data).squeeze(-1), pixels("t10k", 28, 28))
    assert data.class_names[7] == "Sneaker"
    padded = open_copy("fashion_mnist", tmp_path, size=32).training_data()[0][torch.arange(COUNT)]
    assert torch.equal(padded[:, 2:30, 2:30], images)
    assert padded.shape == (COUNT, 32, 32, 1)
    assert padded.sum() == images.sum()


def test_cifar10_equals_what_torchvision_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_copy("cifar10", tmp_path, monkeypatch)
    published, theirs = PUBLISHED_FILES["cifar10"].md5, torchvision.datasets.CIFAR10
    meta = pickle.dumps({"label_names": list(DATASETS["cifar10"].names)})  # type: ignore[attr-defined]
    (folder / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(theirs, "meta", {**theirs.meta, "md5": None})
    known = [[name, md5] for name, md5 in published.items()]
    monkeypatch.setattr(theirs, "train_list", known[:5])
    monkeypatch.setattr(theirs, "test_list", known[5:])
    data = open_copy("cifar10", tmp_path)
    images, labels = data.training_data()
    expected = theirs(str(tmp_path))
    assert np.array_equal(images[torch.arange(5 * COUNT)], expected.data)
    assert labels is not None
    assert labels.tolist() == expected.targets
    assert np.array_equal(
        ((data.test_data().data + 1) * 127.5).round().movedim(1, -1),
        theirs(str(tmp_path), False).data,
    )


def test_the_checksums_and_classes_are_those_of_torchvision() -> None:
    theirs = torchvision.datasets.CIFAR10
    published = [[name, md5] for name, md5 in PUBLISHED_FILES["cifar10"].md5.items()]
    assert published == [*theirs.train_list, *theirs.test_list]
    names = torchvision.datasets.FashionMNIST.classes
    assert list(DATASETS["fashion_mnist"].names) == names  # type: ignore[attr-defined]


@pytest.mark.parametrize("layout", ["FashionMNIST/raw", "raw", "."])
@pytest.mark.parametrize("compressed", [True, False])
def test_layouts_of_fashion_mnist(
    layout: str, compressed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = small_copy("fashion_mnist", tmp_path / "original", monkeypatch)
    folder = tmp_path / "copy" / layout
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if compressed:
            shutil.copy(path, folder)
        else:
            (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    data = open_copy("fashion_mnist", tmp_path / "copy")
    assert len(data.training_data()[0]) == COUNT
    original = open_copy("fashion_mnist", tmp_path / "original")
    assert data.config.identity == original.config.identity is not None


def test_cifar10_is_found_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_copy("cifar10", tmp_path, monkeypatch)
    assert len(open_copy("cifar10", folder).training_data()[0]) == 5 * COUNT


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # type: ignore[return-value]


def test_a_batch_with_another_checksum_is_not_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_copy("cifar10", tmp_path, monkeypatch)
    (folder / "data_batch_3").write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(UserError, match=r"data_batch_3 has MD5 sum \w+, the published one is"):
        open_copy("cifar10", tmp_path)
    assert not Path("executed").exists()
    pickle.loads((folder / "data_batch_3").read_bytes())
    assert Path("executed").exists()  # so it would have been


@pytest.mark.parametrize("dataset", COPIES)
def test_small_copies_are_not_the_published_files(dataset: str, tmp_path: Path) -> None:
    COPIES[dataset](tmp_path)
    with pytest.raises(UserError, match="the published one is"):
        open_copy(dataset, tmp_path)


def test_damaged_and_truncated_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_copy("fashion_mnist", tmp_path, monkeypatch)
    path = folder / "t10k-images-idx3-ubyte.gz"
    intact = path.read_bytes()
    for content in (intact[: len(intact) // 2], b"no gzip", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match="t10k-images-idx3-ubyte") as caught:
            open_copy("fashion_mnist", tmp_path)
        assert "delete it and download Fashion-MNIST again" in str(caught.value)
    path.unlink()
    with pytest.raises(MissingDataError, match="Fashion-MNIST is in none of"):
        open_copy("fashion_mnist", tmp_path)


@pytest.mark.parametrize("dataset", COPIES)
def test_prepare_verifies_a_copy(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_copy(dataset, tmp_path, monkeypatch)
    outcome = run_cli("prepare", dataset, "--root", str(tmp_path))
    assert outcome.code == 0, outcome.err
    assert f"files in {folder} with the published MD5 sums" in outcome.out
    words = outcome.out.splitlines()[-1].removeprefix("train on it: gan-lightning ").split()
    built = build(load_config(read_yaml(experiment_path(words[1])), words[2:]))[1]
    assert isinstance(built, DATASETS[dataset])
    next(folder.iterdir()).write_bytes(b"")
    assert_mistake(run_cli("prepare", dataset, "--root", str(tmp_path)), str(folder), "again")


@pytest.mark.parametrize("dataset", COPIES)
def test_a_missing_copy_names_the_command_that_downloads_it(dataset: str) -> None:
    fix = f"gan-lightning prepare {dataset} --root data/{dataset} --download"
    assert_mistake(run_cli("prepare", dataset), f"is in none of data/{dataset}", fix, "data.root")
    words = ["train", "dcgan_mnist", f"data.name={dataset}"]
    assert_mistake(run_cli(*words), f"is in none of data/{dataset}", fix)


@pytest.mark.parametrize("dataset", COPIES)
def test_download(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = PUBLISHED_FILES[dataset]

    def download(root: str, *, download: bool) -> None:
        assert download
        small_copy(dataset, Path(root), monkeypatch)

    monkeypatch.setattr(torchvision.datasets, files.torchvision_class, download)
    assert run_cli("prepare", dataset, "--root", "new", "--download").code == 0

    def fail(root: str, *, download: bool) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets, files.torchvision_class, fail)
    outcome = run_cli("prepare", dataset, "--root", "newer", "--download")
    assert_mistake(outcome, f"cannot download {files.title}", "no route to host")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_of_debian() -> None:
    data = open_copy("fashion_mnist", DEBIAN, batch_size=8)
    images, labels = data.training_data()
    assert labels is not None
    assert len(images) == 60_000
    assert labels.bincount().tolist() == [6_000] * 10
    assert len(data.test_data().data) == 10_000
    check_datamodule(DATASETS["fashion_mnist"], config={"root": str(DEBIAN), "batch_size": 8})


def test_random_mirroring_of_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_copy("cifar10", tmp_path, monkeypatch)
    for mirror in (False, True):
        data = open_copy("cifar10", tmp_path, mirror=mirror, batch_size=4)
        data.loader_config = LoaderConfig(2)
        batch = next(iter(data.train_dataloader()))
        assert (batch.mirror_mask is not None) == mirror


def test_real_clothes_are_at_distance_0_from_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_copy("fashion_mnist", tmp_path, monkeypatch)
    data = open_copy("fashion_mnist", tmp_path)
    evaluator = ClothesEvaluator(data, torch.device("cpu"), conditional=True)
    test = data.test_data()
    evaluator.update(test.data, 0, test.labels)
    values = evaluator.compute()
    assert values["fd_clothes"] == pytest.approx(0, abs=1e-3)
    assert 0 <= values["class/accuracy"] <= 1
    assert {"clothes_score", "modified_clothes_score", "classes/covered"} <= {*values}


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_shipped_classifier_reads_the_test_pictures() -> None:
    test = open_copy("fashion_mnist", DEBIAN).test_data()
    assert test.labels is not None
    network = shipped_network("clothes")
    with torch.no_grad():
        predicted = network(test.data[:2000]).argmax(1)
    assert (predicted == test.labels[:2000]).double().mean() >= 0.93
