"""Damaged stores: one line names the file, and training does not start."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_inputs import mistake
from image_trees import folder, make_store

from gan_lightning.data import ImageFolder
from gan_lightning.errors import UserError
from gan_lightning.store import ImageTransform, open_store

pytestmark = pytest.mark.usefixtures("empty_folder")

DAMAGED_STORES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing, as the folder is": (
        lambda store: (shutil.rmtree(store), shutil.rmtree("flowers")),
        "the image store flowers-64.store does not exist; make it by",
    ),
    "no shard": (lambda store: (store / "images-00000.u8").unlink(), "cannot read"),
    "a truncated shard": (
        lambda store: os.truncate(store / "images-00000.u8", 1000),
        "has 1,000 bytes instead of 294,912; delete",
    ),
    "a flipped byte": (
        lambda store: flip_bit(store / "images-00000.u8"),
        "is damaged: its SHA-256 differs; delete",
    ),
    "a flipped index": (lambda store: flip_bit(store / "index.npz"), "is damaged: its SHA-256"),
    "no manifest": (lambda store: (store / "manifest.json").unlink(), "cannot read"),
    "another manifest": (
        lambda store: (store / "manifest.json").write_text("{}"),
        "manifest.json is damaged",
    ),
    "a manifest of another index": (
        lambda store: replace_text(
            store / "manifest.json", '"fingerprint": "', '"fingerprint": "0'
        ),
        "manifest.json is damaged (its fingerprint differs)",
    ),
}


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


def replace_text(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.parametrize("name", DAMAGED_STORES)
def test_training_refuses_a_damaged_store(name: str) -> None:
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"))
    damage, message = DAMAGED_STORES[name]
    damage(store)
    mistake(["train", "dcgan_celeba", "data.name=folder", "data.root=flowers"], message)


def test_store_of_another_dataset() -> None:
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"), size=32)
    mistake(
        ["train", "dcgan_celeba", f"data.store={store}"],
        "flowers-32.store is a store of folder images of 32 pixels, not of celeba images of 64",
    )


def test_copied_store_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"))
    shutil.copytree(store, "copied", copy_function=shutil.copy)
    os.utime("copied/images-00000.u8", (1, 1))
    open_store(Path("copied"))
    assert Path("copied/checked.json").exists()
    flip_bit(Path("copied/images-00000.u8"))
    with pytest.raises(UserError, match="is damaged"):
        ImageFolder(ImageFolder.Config(store="copied"))


def test_manifest_written_before_its_fields_were_renamed() -> None:
    """The keys `recipe` and `listing` are those of the first stores; their values are opened."""
    store = Path("old.store")
    store.mkdir()
    (store / "images-00000.u8").write_bytes(bytes(8 * 8 * 3))
    (store / "index.npz").write_bytes(b"index")
    pixels = "5d89f056865052bcb89c910d2d62872e029fb273c3db03f8968a52a41593c1b5"
    index = "1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6"
    content = {
        "version": 1,
        "fingerprint": "a2a368222adfce3655a69e3ebcb4a0671b11ab81e31e4ad9bbc993b7b12537af",
        "recipe": {
            "dataset": "folder",
            "size": 8,
            "crop": 0,
            "background": "white",
            "paired": False,
        },
        "source": "flowers",
        "listing": "abc",
        "images": 1,
        "shards": [{"name": "images-00000.u8", "size": 192, "sha256": pixels, "changed": 1}],
        "index": {"name": "index.npz", "size": 5, "sha256": index, "changed": 1},
        "classes": [],
        "attribute_names": [],
        "attribute_values": [],
        "skipped": [["a.jpg", "is empty"]],
        "converted": {"CMYK": 1},
        "remarks": [],
        "made_with": {"pillow": "12.3"},
    }
    (store / "manifest.json").write_text(json.dumps(content))
    manifest = open_store(store)
    assert manifest.transform == ImageTransform("folder", 8)
    assert manifest.catalog_fingerprint == "abc"
