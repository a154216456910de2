"""Making of stores from datasets in their distributed formats, interrupted or not."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from conftest import command, run_cli, run_process
from image_trees import (
    ATTRIBUTES,
    COUNT,
    TREES,
    attributes,
    celeba,
    encode_image,
    folder,
    lsun,
    make_store,
    pairs,
    smooth_image,
)
from numpy.typing import NDArray
from PIL import Image
from process_pool import TIMEOUT

from gan_lightning.store import ImageTransform, blocks, folders, open_store, prepare
from gan_lightning.store.layout import shard_file

prepare_module = import_module("gan_lightning.store.prepare")

pytestmark = pytest.mark.usefixtures("empty_folder")


def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (blocks, prepare_module):
        monkeypatch.setattr(module, "BLOCK", 5)


def pixels(store: Path) -> NDArray[np.uint8]:
    shape = open_store(store).transform.shape
    return np.fromfile(shard_file(store, 0), np.uint8).reshape(-1, *shape)


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir() if path.suffix != ".json"}


@pytest.mark.parametrize(("zipped", "nested"), [(False, False), (True, False), (True, True)])
def test_celeba(zipped: bool, nested: bool) -> None:
    celeba(Path("celeba"), zipped=zipped, nested=nested)
    outcome = run_cli("prepare", "celeba", "--root", "celeba", "--workers", "1")
    assert outcome.code == 0, outcome.err
    assert f"a subset of CelebA: {COUNT} of 202,599 images" in outcome.out
    assert outcome.out.endswith(
        f"{COUNT} images, 0 MB, in celeba-64.store\n"
        f"train on it: gan-lightning train dcgan_celeba data.root=celeba\n"
    )
    store = Path("celeba-64.store")
    manifest = open_store(store)
    assert manifest.images == COUNT
    assert manifest.skipped == []
    assert tuple(manifest.attribute_names) == ATTRIBUTES
    with np.load(store / "index.npz") as index:
        assert index["attributes"].tolist() == [attributes(number) for number in range(COUNT)]
        assert index["splits"].tolist()[: COUNT * 2 // 3] == [0] * (COUNT * 2 // 3)
        assert set(index["splits"].tolist()) == {0, 1, 2}
    transform = ImageTransform("celeba")
    for number, image in enumerate(pixels(store)):
        expected, *_ = transform.decode(encode_image(smooth_image(number), quality=90))
        assert np.array_equal(image, expected)


def test_lsun() -> None:
    lsun(Path("lsun"))
    outcome = run_cli("prepare", "lsun", "--root", "lsun", "--workers", "1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("train dcgan_lsun_bedroom data.root=lsun\n")
    manifest = open_store(Path("lsun-bedroom-64.store"))
    assert manifest.images == COUNT + 6
    with np.load("lsun-bedroom-64.store/index.npz") as index:
        assert index["splits"].tolist() == [0] * COUNT + [2] * 6
    # torchvision would leave a pickle here
    assert sorted(path.name for path in Path().iterdir()) == ["lsun", "lsun-bedroom-64.store"]


def test_folder_and_its_classes() -> None:
    folder(Path("flowers"))
    (Path("flowers") / "daisies" / "notes.txt").write_text("no image")
    outcome = run_cli("prepare", "folder", "--root", "flowers", "--workers", "1")
    assert outcome.code == 0, outcome.err
    assert "2 classes by sub-folder: daisies (12), tulips (12)" in outcome.out
    assert outcome.out.endswith("train dcgan --images flowers --size 64\n")
    manifest = open_store(Path("flowers-64.store"))
    assert manifest.classes == ["daisies", "tulips"]
    with np.load("flowers-64.store/index.npz") as index:
        assert index["labels"].tolist() == [0] * (COUNT // 2) + [1] * (COUNT // 2)


def test_pairs() -> None:
    pairs(Path("facades"))
    outcome = run_cli("prepare", "pairs", "--root", "facades", "--workers", "1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("train pix2pix_facades data.root=facades\n")
    both = pixels(Path("facades-64.store"))
    assert both.shape == (COUNT, 2, 64, 64, 3)
    assert np.abs(both[:, 0].astype(int) - both[:, 1]).mean() < 60  # labels are near their picture
    with np.load("facades-64.store/index.npz") as index:
        assert sorted(set(index["splits"].tolist())) == [0, 1, 2]


@pytest.mark.parametrize("kind", TREES)
def test_two_processes_write_the_same_store(kind: str) -> None:
    TREES[kind](Path("copy"))
    for workers in ("1", "2"):
        words = ["prepare", kind, "--root", "copy", "--output", workers, "--workers", workers]
        outcome = run_process(words, Path())
        assert outcome.code == 0, outcome.err
    assert contents(Path("1")) == contents(Path("2"))


def test_existing_store_is_not_made_again() -> None:
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"))
    before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    outcome = run_cli("prepare", "folder", "--root", "flowers")
    assert outcome.code == 0, outcome.err
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == before


def test_skipped_images_are_counted_and_named() -> None:
    folder(Path("flowers"))
    daisies = Path("flowers/daisies")
    (daisies / "a.jpg").write_bytes(b"")
    (daisies / "b.jpg").write_bytes(b"not an image")
    (daisies / "c.jpg").write_bytes(encode_image(smooth_image(0))[:2000])
    (daisies / "d.png").write_bytes(encode_image(smooth_image(0, 1, 1), "PNG"))
    (daisies / "e.jpg").write_bytes(encode_image(Image.new("CMYK", (80, 80)), "JPEG"))
    (daisies / "h.png").write_bytes(encode_image(Image.new("I;16", (80, 80), 9000), "PNG"))
    (daisies / "i.png").write_bytes(encode_image(smooth_image(0).quantize(9), "PNG"))
    (daisies / "f.jpg").symlink_to("nowhere.jpg")
    (daisies / "g.jpg").write_bytes(encode_image(smooth_image(0), "PNG"))  # the content decides
    outcome = run_cli("prepare", "folder", "--root", "flowers", "--workers", "1")
    assert outcome.code == 0, outcome.err
    for line in (
        "skipped daisies/a.jpg: it is empty",
        "skipped daisies/b.jpg: it is no JPEG, PNG, WEBP, ",
        "skipped daisies/c.jpg: it is damaged (image file is truncated",
        "skipped daisies/d.png: it is 1x1 pixels, less than half of the size 64",
        "skipped daisies/f.jpg: it cannot be read (No such file or directory)",
        "converted to 8-bit RGB: 1 CMYK",
        "converted to 8-bit RGB: 1 16-bit",
        "converted to 8-bit RGB: 1 palette",
    ):
        assert line in outcome.out
    manifest = open_store(Path("flowers-64.store"))
    assert manifest.images == COUNT + 4
    assert [Path(name).stem for name, _ in manifest.skipped] == ["a", "b", "c", "d", "f"]
    with np.load("flowers-64.store/index.npz") as index:
        places, labels = index["rows"], index["labels"]
    assert len(places) == len(labels) == COUNT + 4
    blank = ~pixels(Path("flowers-64.store")).any((1, 2, 3))
    empty = set(np.flatnonzero(blank).tolist())
    assert empty.isdisjoint(places.tolist())


def test_resume_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    short_blocks(monkeypatch)
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"))
    expected = contents(store)
    shutil.rmtree(store)
    decoded: list[bytes] = []
    decode = ImageTransform.decode

    def count(transform: ImageTransform, content: bytes) -> object:
        decoded.append(content)
        return decode(transform, content)

    monkeypatch.setattr(ImageTransform, "decode", count)

    def interrupt(done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    images = folders.folder(Path("flowers"))
    arguments = (images, ImageTransform("folder"), "flowers", store, 1)
    with pytest.raises(KeyboardInterrupt):
        prepare(*arguments, interrupt)
    assert len(decoded) == 10
    assert not store.exists()
    prepare(*arguments)
    assert len(decoded) == COUNT
    assert contents(store) == expected
    assert sorted(path.suffix for path in store.iterdir()) == [".json", ".npz", ".u8"]


def test_blocks_with_another_crc_are_decoded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_blocks(monkeypatch)
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"))
    expected = contents(store)
    shutil.rmtree(store)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    arguments = (folders.folder(Path("flowers")), ImageTransform("folder"), "flowers", store, 1)
    with pytest.raises(KeyboardInterrupt):
        prepare(*arguments, interrupt)
    unfinished = Path("flowers-64.store.partial")
    with shard_file(unfinished, 0).open("r+b") as file:
        file.write(bytes(1000))
    with (unfinished / "journal.jsonl").open("a") as journal:
        journal.write('{"number": 1, "crc"')  # a line that a kill cut short
    prepare(*arguments)
    assert contents(store) == expected


def test_kill_at_ten_moments() -> None:
    some = [encode_image(smooth_image(number), quality=90) for number in range(16)]
    Path("faces").mkdir()
    for number in range(1600):
        (Path("faces") / f"{number:05d}.jpg").write_bytes(some[number % 16])
    store = make_store("folder", Path("faces"), size=48)
    expected = contents(store)
    shutil.rmtree(store)
    words = ["prepare", "folder", "--root", "faces", "--size", "48", "--workers", "2"]
    journal = Path("faces-48.store.partial/journal.jsonl")
    rng, lengths = random.Random(0), [0]
    for _ in range(10):
        process = subprocess.Popen(
            command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.2, 1.0))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        if store.exists():
            break
        lengths.append(len(journal.read_text().splitlines()) if journal.exists() else 0)
        assert lengths[-1] >= lengths[-2] - 1  # but for a line that is cut short
    outcome = run_process(words, Path())
    assert outcome.code == 0, outcome.err
    assert contents(store) == expected
    assert [path.name for path in Path().glob("faces-*")] == ["faces-48.store"]


def test_ctrl_c() -> None:
    folder(Path("flowers"), 24)
    for number in range(3000):
        os.link("flowers/daisies/000.jpg", f"flowers/daisies/x{number}.jpg")
    words = ["prepare", "folder", "--root", "flowers", "--workers", "2", "--size", "48"]
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not Path("flowers-48.store.partial/journal.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert err.endswith("gan-lightning: interrupted; run the same command again to resume\n")
    assert out == ""
    assert not Path("flowers-48.store").exists()


def test_manifest() -> None:
    celeba(Path("celeba"))
    store = make_store("celeba", Path("celeba"))
    content = json.loads((store / "manifest.json").read_text())
    assert content["recipe"] == {
        "dataset": "celeba",
        "size": 64,
        "crop": 0,
        "background": "white",
        "paired": False,
        "fit": "crop",
    }
    assert content["source"] == "celeba"
    assert content["images"] == COUNT
    assert len(content["shards"][0]["sha256"]) == 64
    assert content["made_with"]["pillow"]
