"""Images of every source that `evaluate --samples X --reference Y` reads."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_inputs import mistake
from conftest import TinyRun, run_cli
from image_trees import encode_image, smooth_image
from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.inference.generated_sources import ExportedSource, GeneratedSource
from gan_lightning.inference.image_files import FolderSource, NpzSource
from gan_lightning.inference.image_sources import ImageSource, Shape, chosen_rows
from gan_lightning.inference.source_names import held_out_source, open_images

pytestmark = pytest.mark.usefixtures("empty_folder")

GREY, COLOUR = Shape(28, 1), Shape(32, 3)


def every_row(source: ImageSource, shape: Shape) -> tuple[list[int], torch.Tensor]:
    chunks = list(source.read(torch.arange(len(source)), shape))
    return torch.cat([c.rows for c in chunks]).tolist(), torch.cat([c.images for c in chunks])


def write_mixed(folder: Path, count: int = 12) -> None:
    """Write nested PNG, JPEG and WebP files of odd sizes and modes, and what must be ignored."""
    modes = ("RGB", "L", "RGBA", "P", "CMYK", "LA", "1", "I;16")
    for number in range(count):
        image = smooth_image(number, 40 + 7 * number % 90, 50 + 11 * number % 70)
        kind = ("PNG", "JPEG", "WEBP")[number % 3]
        mode = modes[number % len(modes)]
        if mode == "I;16" and kind == "PNG":
            image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
        elif mode not in ("I;16",) and not (kind != "PNG" and mode not in ("RGB", "L")):
            image = image.convert(mode)
        path = folder / f"part {number % 2}" / f"{number:03d}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(image, kind))
    hidden = encode_image(smooth_image(0), "PNG")
    for name in (".hidden.png", "__MACOSX/._000.png", ".cache/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(hidden)
    (folder / "readme.txt").write_text("no image")


def test_a_folder_of_mixed_files() -> None:
    write_mixed(Path("mixed"))
    Path("mixed/broken.png").write_bytes(b"\x89PNG no more")
    Path("mixed/empty.jpg").touch()
    source = open_images("mixed", "--samples")
    assert isinstance(source, FolderSource)
    assert len(source) == 14
    rows, images = every_row(source, COLOUR)
    assert (len(rows), images.dtype, tuple(images.shape)) == (12, torch.uint8, (12, 32, 32, 3))
    (remark,) = source.remarks
    assert remark.startswith("2 files are left out of mixed: broken.png (")
    assert "empty.jpg (is empty)" in remark
    assert tuple(every_row(source, GREY)[1].shape) == (12, 28, 28, 1)


def test_images_are_cropped_to_the_centre_and_antialiased() -> None:
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = 255
    stripes[:, :16] = stripes[:, -16:] = 0
    Path("one").mkdir()
    Image.fromarray(stripes).save("one/a.png")
    image = FolderSource(Path("one")).images(torch.tensor([0]), Shape(16, 1))[0]
    # without a filter, every second column would be black or white
    assert image.float().mean() == pytest.approx(127.5, abs=4)
    assert image[:, 2:-2].float().std() < 4
    stretched = FolderSource(Path("one")).images(torch.tensor([0]), Shape(16, 1, "stretch"))[0]
    assert stretched[:, :2].float().mean() < 20


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_files_are_streamed(save: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (600, 28, 28, 1), np.uint8)
    save("a.npz", labels=np.zeros(3), images=images)
    source = open_images("a.npz", "--samples")
    assert (len(source), source.shape) == (600, (28, 1))
    rows, found = every_row(source, GREY)
    assert rows == list(range(600))
    assert np.array_equal(found, images)
    some = torch.tensor([599, 0, 300])
    assert np.array_equal(source.images(some, GREY), images[some])
    resized = source.images(torch.tensor([0]), Shape(16, 3))
    assert tuple(resized.shape) == (1, 16, 16, 3)
    save("c.npz", images)  # named arr_0
    assert np.array_equal(every_row(NpzSource(Path("c.npz")), GREY)[1], images)
    save("b.npz", images=images[..., 0])
    assert np.array_equal(every_row(NpzSource(Path("b.npz")), GREY)[1], images)


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    peaks = []
    for count in (500, 2_000):
        np.savez("many.npz", images=np.zeros((count, 64, 64, 3), np.uint8) + 9)
        Path(f"folder{count}").mkdir()
        content = encode_image(smooth_image(1, 80, 70), "PNG")
        for number in range(count // 5):
            Path(f"folder{count}/{number}.png").write_bytes(content)
        for source in (NpzSource(Path("many.npz")), FolderSource(Path(f"folder{count}"))):
            tracemalloc.start()
            seen = sum(len(c.images) for c in source.read(torch.arange(len(source)), COLOUR))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert seen == len(source)
    (npz, folder), (larger_npz, larger_folder) = peaks[:2], peaks[2:]
    assert larger_npz < 1.1 * npz
    assert larger_folder < 3 * 250 * 32 * 32 * 3
    assert larger_npz < 10 * 250 * 64 * 64 * 3
    assert folder > 0


def write_torchvision_mnist(root: Path, train: int, test: int) -> None:
    """Write random digits in the exact format of torchvision's MNIST."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        pixels = rng.integers(0, 256, (count, 28, 28), np.uint8)
        header = struct.pack(">IIII", 2051, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = struct.pack(">II", 2049, count) + bytes(count)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def test_data_sets_of_torchvision() -> None:
    write_torchvision_mnist(Path("data"), 30, 20)
    source = open_images("torchvision:MNIST", "--reference", Path("data"))
    assert (len(source), source.shape) == (30, (28, 1))
    assert tuple(every_row(source, GREY)[1].shape) == (30, 28, 28, 1)
    test = held_out_source("torchvision:MNIST", Path("data"))
    assert test is not None
    assert len(test) == 20
    with pytest.raises(UserError, match=r"Dataset not found.*--root DIR"):
        open_images("torchvision:MNIST", "--reference", Path("elsewhere"))
    with pytest.raises(UserError, match=r"torchvision has no data set 'MNISTS'; valid are.*MNIST"):
        open_images("torchvision:MNISTS", "--reference")


def test_cifar10_of_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision_cifar = pytest.importorskip("torchvision.datasets").CIFAR10
    folder = Path("data/cifar-10-batches-py")
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        batch = {"data": rng.integers(0, 256, (4, 3072), np.uint8), "labels": [0, 1, 2, 3]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(torchvision_cifar, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    source = open_images("torchvision:CIFAR10", "--reference", Path("data"))
    assert (len(source), source.shape) == (20, (32, 3))


def test_own_datasets_by_their_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("evaluator_shapes.py").write_text(
        "import torch\n"
        "class Squares(torch.utils.data.Dataset):\n"
        "    def __init__(self, root='none'):\n        self.root = root\n"
        "    def __len__(self):\n        return 7\n"
        "    def __getitem__(self, row):\n        return torch.full((3, 40, 40), row / 7), row\n"
    )
    source = open_images("evaluator_shapes:Squares", "--reference")
    assert (len(source), source.shape) == (7, (40, 3))
    assert every_row(source, COLOUR)[1][6].unique().tolist() == [219]


def test_data_sets_of_this_package() -> None:
    source, test = (open_images(name, "--reference") for name in ("mnist", "mnist:test"))
    assert (len(source), len(test), source.shape) == (60_000, 10_000, (28, 1))
    rows = chosen_rows(60_000, 5)
    assert rows.tolist() == sorted(rows.tolist()) == chosen_rows(60_000, 5).tolist()
    assert source.fingerprint(rows, GREY) != test.fingerprint(chosen_rows(10_000, 5), GREY)
    assert chosen_rows(4, 5).tolist() == [0, 1, 2, 3]
    with pytest.raises(UserError, match="ring has no images"):
        open_images("ring", "--reference")


def test_samples_of_a_run_and_of_its_exported_file(infogan_run: TinyRun) -> None:
    run = open_images(str(infogan_run.folder), "--samples")
    assert isinstance(run, GeneratedSource)
    outcome = run_cli("sample", str(infogan_run.folder), "--count", "600", "--output", "a.npz")
    assert outcome.code == 0, outcome.err
    rows = torch.tensor([3, 599, 501])
    with np.load("a.npz") as file:
        assert np.array_equal(run.images(rows, GREY), file["images"][rows])
    words = ("export", str(infogan_run.folder), "--format", "safetensors", "--output", "out")
    assert run_cli(*words).code == 0
    assert isinstance(open_images("out", "--samples"), GeneratedSource)
    exported = open_images("out/generator.safetensors", "--samples")
    assert isinstance(exported, ExportedSource)
    assert exported.shape == run.shape == (28, 1)
    first = exported.images(rows, GREY)
    assert torch.equal(first, exported.images(rows.flip(0), GREY).flip(0))
    for source in (run, exported):
        lengths = source.path_lengths(lambda images: images.flatten(1), 8)
        assert lengths is not None
        assert lengths.isfinite().all()
        assert (lengths > 0).all()


def test_mistakes_about_sources(ring_run: TinyRun) -> None:
    Path("empty").mkdir()
    np.savez("float.npz", images=np.zeros((20, 8, 8, 1)))
    np.savez("other.npz", pictures=np.zeros((20, 8, 8, 1), np.uint8))
    Path("damaged.npz").write_bytes(b"PK no zip")
    np.savez("cut.npz", images=np.zeros((20, 28, 28, 1), np.uint8))
    against = ("--reference", "mnist")
    for samples, *parts in (
        ("nothing", "--samples is 'nothing'", "mnist"),
        ("missing.npz", "cannot read images from missing.npz", "No such file"),
        ("empty", "the folder empty has no image"),
        ("float.npz", "images in float.npz are float64 (20, 8, 8, 1)", "uint8"),
        ("other.npz", "other.npz has no array 'images'", "pictures"),
        ("damaged.npz", "damaged.npz is damaged"),
        (str(ring_run.folder), "points"),
    ):
        mistake(["evaluate", "--samples", samples, *against], *parts)
