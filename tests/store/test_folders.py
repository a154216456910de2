"""Folders of images as people have them: layouts, links, names, formats, labels, changes."""

from __future__ import annotations

import csv
import os
import struct
import threading
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from image_trees import encode_image, smooth_image
from PIL import Image

from gan_lightning.data import ImageFolder
from gan_lightning.errors import UserError
from gan_lightning.store import FolderImages, ImageTransform, Manifest, folders, open_store, sources
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.completion import held_out_images
from gan_lightning.store.transform import InvalidImageError

pytestmark = pytest.mark.usefixtures("empty_folder")

ROOT = Path("photos")
TRAINING, VALIDATION, TEST = 0, 1, 2


def write(*names: str, root: Path = ROOT) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(smooth_image(number, 24, 20), "PNG"))


def names_of(catalog: Catalog) -> list[str]:
    return [name for _, names in catalog.sources for name in names]


def numbered(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number}.png" for number in range(count)]


@pytest.mark.parametrize(
    ("training", "test"), [("Train", "Test"), ("TRAINING", "testing"), ("train", "Valid")]
)
def test_words_for_splits_in_any_case(training: str, test: str) -> None:
    write(*numbered(f"{training}/a", 3), *numbered(f"{training}/b", 3), *numbered(f"{test}/b", 2))
    catalog = folders.folder(ROOT)
    assert sorted(catalog.splits.tolist()) == [TRAINING] * 6 + [TEST] * 2
    assert list(catalog.classes) == ["a", "b"]
    assert not catalog.holds_out


def test_validation_images_stay_unused_beside_test_images() -> None:
    write(*numbered("train", 3), *numbered("val", 2), *numbered("test", 1))
    assert np.bincount(folders.folder(ROOT).splits).tolist() == [3, 2, 1]
    (line, *_) = FolderImages(ROOT, size=16)._before(folders.folder(ROOT))
    assert line.endswith("6 images: 3 for training, 2 for validation (not used), 1 for tests")


def test_images_beside_the_splits_are_left_out_and_counted() -> None:
    write(*numbered("train/a", 2), *numbered("train/b", 2), *numbered("test/a", 2), "cover.png")
    catalog = folders.folder(ROOT)
    assert "cover.png" not in names_of(catalog)
    assert len(catalog) == 6
    assert "left out: 1 image beside the folders test, train, for example cover.png" in (
        catalog.remarks
    )


def test_a_train_among_vehicles_is_a_class() -> None:
    write(*numbered("train", 3), *numbered("bus", 2), *numbered("car", 2))
    assert list(folders.folder(ROOT).classes) == ["bus", "car", "train"]


def test_folder_around_everything() -> None:
    write(*numbered("photos/inner/train/a", 2), *numbered("photos/inner/test/a", 2))
    assert folders.folder(ROOT).splits.tolist().count(TEST) == 2


def test_test_images_without_a_known_class_are_left_out() -> None:
    write(*numbered("train/a", 3), *numbered("train/b", 3), *numbered("test", 4))
    catalog = folders.folder(ROOT)
    assert list(catalog.classes) == ["a", "b"]
    assert len(catalog) == 6
    assert catalog.holds_out
    assert any("4 images outside the folders of the classes" in line for line in catalog.remarks)


def test_few_images_beside_classes_are_left_out_and_many_mean_no_classes() -> None:
    write(*numbered("a", 10), *numbered("b", 10), "x.png")
    assert len(folders.folder(ROOT)) == 20
    write(*(f"y{number}.png" for number in range(5)))
    catalog = folders.folder(ROOT)
    assert catalog.labels is None
    assert len(catalog) == 26
    assert "no classes: 6 of 26 images lie beside the sub-folders" in catalog.remarks


def test_links_are_followed_without_loops_and_dot_folders_ignored() -> None:
    write(*numbered("a", 2), *numbered(".ipynb_checkpoints", 2), *numbered("__MACOSX/a", 2))
    write(*numbered("roses", 3), root=Path("elsewhere"))
    (ROOT / "b").symlink_to(Path("../elsewhere/roses"))
    (ROOT / "a" / "loop").symlink_to(Path("../../photos"))
    catalog = folders.folder(ROOT)
    assert names_of(catalog) == ["a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/2.png"]
    assert list(catalog.classes) == ["a", "b"]


def test_links_to_themselves_and_to_nowhere_are_broken_files() -> None:
    write(*numbered("a", 3))
    (ROOT / "a" / "itself.png").symlink_to("itself.png")
    (ROOT / "a" / "nowhere.png").symlink_to("missing.png")
    folder = sources.Folder(ROOT)
    links = ["a/itself.png", "a/nowhere.png"]
    assert set(links) < set(folder.names())
    for name in links:
        assert folder.stamp(name) == ""
        with pytest.raises(InvalidImageError, match="cannot be read"):
            folder.read(name)


def test_other_files_are_counted_aloud() -> None:
    write("a.png", "b.png", "c.png", "d.png")
    for name in ("e.heic", "f.HEIC", "g.psd", "notes.txt"):
        (ROOT / name).write_bytes(b"x")
    remark = "not read: 2 .heic, 1 .psd (convert images to .png or .jpg)"
    assert remark in folders.folder(ROOT).remarks


@pytest.mark.parametrize(
    "suffix", ["bmp", "tif", "gif", "webp", "avif", "jfif", "JPG", "apng", "ppm"]
)
def test_formats(suffix: str) -> None:
    ROOT.mkdir()
    kind = {"jfif": "JPEG", "JPG": "JPEG", "apng": "PNG"}.get(suffix)
    for number in range(4):
        smooth_image(number, 40, 40).save(ROOT / f"{number}.{suffix}", kind)
    manifest = FolderImages(ROOT, 16).prepare()
    assert (manifest.images, manifest.skipped) == (4, [])


def exif_with_text_for_a_number(orientation: int) -> bytes:
    """EXIF whose resolution is text: viewers accept it, and Pillow cannot write it again."""
    entries = struct.pack("<HHHI4s", 2, 0x0112, 3, 1, struct.pack("<HH", orientation, 0))
    entries += struct.pack("<HHI4s", 0x011A, 2, 4, b"72\0\0") + struct.pack("<I", 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + entries


def test_orientation_beside_odd_metadata() -> None:
    image = Image.new("RGB", (40, 40), "black")
    image.paste("white", (0, 0, 40, 20))
    content = encode_image(image, exif=exif_with_text_for_a_number(3), quality=100)
    pixels = ImageTransform("folder", 16).decode(content).pixels
    assert pixels[:4].mean() < 20 < 235 < pixels[-4:].mean()


def test_a_pad_shows_all_and_a_stretch_fills() -> None:
    image = encode_image(Image.new("RGB", (80, 20), "black"), "PNG")
    decoded = {fit: ImageTransform("folder", 16, fit=fit).decode(image) for fit in ("crop", "pad")}
    decoded["stretch"] = ImageTransform("folder", 16, fit="stretch").decode(image)
    dark = {fit: (value.pixels == 0).mean() for fit, value in decoded.items()}
    assert dark == {"crop": 1, "pad": 0.25, "stretch": 1}
    assert decoded["pad"].pixels.max() == 255
    assert not any(value.is_square for value in decoded.values())
    thin = encode_image(Image.new("RGB", (4000, 10), "black"), "PNG")
    assert ImageTransform("folder", 16, fit="pad").decode(thin).pixels.shape == (16, 16, 3)


def test_names_that_are_not_utf8() -> None:
    write(*numbered("a", 4))
    name = os.fsdecode(b"caf\xe9")
    try:
        write(*(f"{name}/{name}{number}.png" for number in range(4)))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (ROOT / name / f"{name}0.png").write_bytes(b"broken")
    lines: list[str] = []
    manifest = FolderImages(ROOT, 16).prepare(lines.append)
    assert manifest.classes == ["a", r"caf\xe9"]
    assert manifest.images == 7
    assert any(r"skipped 1 image: caf\xe9/caf\xe90.png is no JPEG" in line for line in lines)
    for line in lines:
        line.encode("utf-8")


def test_unusable_images_are_skipped_counted_and_named_in_one_line() -> None:
    write(*numbered("a", 6))
    for number in range(7):
        (ROOT / f"x{number}.png").write_bytes(b"")
    lines: list[str] = []
    FolderImages(ROOT, 16).prepare(lines.append)
    skipped = [line for line in lines if "skipped" in line]
    assert len(skipped) == 1
    assert "skipped 7 images: x0.png is empty; x1.png is empty" in skipped[0]
    assert "manifest.json lists all 7" in skipped[0]


@pytest.mark.parametrize(("images", "count"), [(4, 2), (20, 2), (31, 3), (300, 30), (50_000, 1000)])
def test_held_out_images(images: int, count: int) -> None:
    rows = held_out_images(images)
    assert len(set(rows.tolist())) == len(rows) == count
    assert 0 <= rows.min() <= rows.max() < images
    assert np.diff(rows).max() - np.diff(rows).min() <= 1


def write_labels(rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    path = Path("labels.csv")
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig")])
def test_labels_from_a_file(delimiter: str, encoding: str) -> None:
    write("0.png", "1.png", "deep/2.png", "deep/3.png", "4.png")
    rows = [["Label", "File", "note"], ["10", "0.png", "x"], ["9", "1.png", ""]]
    rows += [["10", "deep\\2.png", ""], ["9", "3.png", ""], ["", "4.png", ""], ["1", "no.png", ""]]
    catalog = folders.folder(ROOT, write_labels(rows, delimiter, encoding))
    assert list(catalog.classes) == ["9", "10"]
    assert catalog.labels is not None
    assert catalog.labels.tolist() == [1, 0, 1, 0]
    assert any("1 image without a row in labels.csv" in line for line in catalog.remarks)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["name", "class"], ["0.png", "a"]], "needs the columns file and label; its first line"),
        ([["file", "label"], ["x.png", "a"]], "no row of labels.csv names an image of the folder"),
        ([["file", "label"], ["0.png", "a"], ["0.png", "b"]], "gives 0.png two labels, a and b"),
        ([], "needs the columns file and label; its first line has none"),
    ],
)
def test_wrong_labels(rows: list[list[str]], message: str) -> None:
    write("0.png", "1.png")
    with pytest.raises(UserError, match=message):
        folders.folder(ROOT, write_labels(rows))


def test_missing_labels() -> None:
    write("0.png")
    with pytest.raises(UserError, match="do not exist; give a CSV file with the columns"):
        folders.folder(ROOT, Path("nothing.csv"))


def pixels(manifest: Manifest) -> bytes:
    return Path("photos-16.store", manifest.shards[0].name).read_bytes()


def test_a_replaced_image_is_noticed() -> None:
    write(*numbered("a", 5))
    images = FolderImages(ROOT, 16)
    before = images.prepare()
    written = Path("photos-16.store/index.npz").stat().st_mtime_ns
    assert images.prepare() == before
    assert Path("photos-16.store/index.npz").stat().st_mtime_ns == written
    old = pixels(before)
    Image.new("RGB", (30, 30), "red").save(ROOT / "a/2.png")
    lines: list[str] = []
    after = images.prepare(lines.append)
    assert any("files have changed since the images were prepared" in line for line in lines)
    assert open_store(images.output) == after
    assert pixels(after) != old
    assert {path.name for path in Path().glob("photos*")} == {"photos", "photos-16.store"}
    write(*numbered("a", 5), root=Path("others"))
    others = FolderImages(Path("others"), 16, store=images.output)
    with pytest.raises(UserError, match="other images"):  # another folder's store stays
        others.prepare()


def test_preparation_resumes_after_a_kill_and_restarts_after_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("blocks", "prepare"):
        monkeypatch.setattr(import_module(f"gan_lightning.store.{module}"), "BLOCK", 2)
    write(*numbered("a", 8))
    images = FolderImages(ROOT, 16)
    expected = pixels(images.prepare())
    for path in images.output.iterdir():
        path.unlink()
    images.output.rmdir()

    def interrupt(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        images.prepare(progress=interrupt)
    assert not images.output.exists()
    assert pixels(images.prepare()) == expected
    write(*numbered("b", 2))
    with pytest.raises(KeyboardInterrupt):
        images.prepare(progress=interrupt)
    (ROOT / "b/0.png").unlink()
    assert images.prepare().images == 9
    assert {path.name for path in Path().glob("photos*")} == {"photos", "photos-16.store"}


def test_one_of_two_prepares_and_the_other_waits() -> None:
    write(*numbered("a", 5))
    images = FolderImages(ROOT, 16)
    started, finish = threading.Event(), threading.Event()
    results: list[Manifest] = []
    lines: list[str] = []

    def wait(done: int, total: int) -> None:
        started.set()
        finish.wait(10)

    first = threading.Thread(target=lambda: results.append(images.prepare(progress=wait)))
    first.start()
    assert started.wait(10)
    second = threading.Thread(target=lambda: results.append(images.prepare(lines.append)))
    second.start()
    deadline = time.monotonic() + 10
    while not any("waiting" in line for line in lines) and time.monotonic() < deadline:
        time.sleep(0.01)
    finish.set()
    first.join(10)
    second.join(10)
    assert len(results) == 2
    assert results[0] == results[1]
    assert any("is being prepared by another process" in line for line in lines)
    assert {path.name for path in Path().glob("photos*")} == {"photos", "photos-16.store"}


@pytest.mark.parametrize("colours", [0, 1])
def test_channels(colours: int) -> None:
    ROOT.mkdir()
    for number in range(6):
        image = smooth_image(number, 20, 20).convert("L")
        image.convert("RGB").save(ROOT / f"{number}.png")
    if colours:
        smooth_image(0, 20, 20).save(ROOT / "0.png")

    def data(channels: str) -> ImageFolder:
        return ImageFolder(ImageFolder.Config(root=str(ROOT), size=16, channels=channels))

    assert data("auto").spec.shape == (1 + 2 * colours, 16, 16)
    assert data("3").spec.shape == (3, 16, 16)
    grey, colour = data("1").test_data().data, data("3").test_data().data
    assert grey.shape[1:] == (1, 16, 16)
    eight_bits = colour.movedim(1, -1).add(1).mul(127.5).round().byte().numpy()
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in eight_bits])
    assert np.array_equal(grey[:, 0].add(1).mul(127.5).round().byte().numpy(), expected)


@pytest.mark.parametrize(("white", "warned"), [(1, True), (2, False), (255, False)])
def test_masks_of_0_and_1_are_named(
    white: int, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    ROOT.mkdir()
    for number in range(20):
        mask = (np.arange(400).reshape(20, 20) > 10 * number).astype(np.uint8) * white
        Image.fromarray(mask).save(ROOT / f"{number}.png")
    ImageFolder(ImageFolder.Config(root=str(ROOT), size=16)).test_data()
    assert ("the pixels of photos are 0 and 1 of 255" in capsys.readouterr().err) == warned


@pytest.mark.parametrize("processes", [1, 2])
def test_preparation_works_in_a_thread(processes: int) -> None:
    write(*numbered("a", 4))
    found: list[object] = []

    def prepare() -> None:
        try:
            found.append(FolderImages(ROOT, 16).prepare(processes=processes).images)
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=prepare)
    thread.start()
    thread.join(120)
    assert found == [4]


def bitmap(number: int, side: int = 20) -> bytes:
    return encode_image(smooth_image(number, side, side), "BMP")


CHANGES = {
    "the same size, a later time": (bitmap(0), bitmap(9), 10**9),
    "the same size, an earlier time": (bitmap(0), bitmap(9), -(10**15)),
    "another size, the same time": (bitmap(0), bitmap(9, 21), 0),
    "repaired": (b"broken", bitmap(9), 10**9),
    "repaired at the same time": (bitmap(9)[:-500], bitmap(9), 0),
    "repaired with the same size": (bytes(len(bitmap(9))), bitmap(9), 10**9),
}
"""Content of an image before and after, and what is added to its time in nanoseconds."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_image_has_its_new_pixels(change: str) -> None:
    before, after, added = CHANGES[change]
    write(*numbered("a", 4))
    path = ROOT / "a" / "x.bmp"
    path.write_bytes(before)
    time_before = path.stat().st_mtime_ns
    first = FolderImages(ROOT, 16).prepare()
    assert [name for name, _ in first.skipped] == ["a/x.bmp"] * change.startswith("repaired")
    path.write_bytes(after)
    os.utime(path, ns=(time_before + added, time_before + added))
    manifest = FolderImages(ROOT, 16).prepare()
    assert (manifest.images, manifest.skipped) == (5, [])
    expected = ImageTransform("folder", 16).decode(after).pixels
    assert pixels(manifest)[-expected.nbytes :] == expected.tobytes()
