"""Copies and stores that are not what they should be: one line, and nothing half-made."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from conftest import run_cli
from mistakes import mistake
from trees import celeba, folder, lsun, prepared

from gan_lightning.data import PictureFolder
from gan_lightning.errors import UserError
from gan_lightning.store import Recipe, catalog, open_store, prepare

preparing = import_module("gan_lightning.store.prepare")

pytestmark = pytest.mark.usefixtures("empty_folder")

CELEBA = ["prepare", "celeba", "--root", "celeba", "--workers", "1"]


def edit(name: str, change: Callable[[str], str]) -> None:
    path = Path("celeba") / name
    path.write_text(change(path.read_text()))


def without_last_line(text: str) -> str:
    return "\n".join(text.splitlines()[:-1]) + "\n"


COPIES: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "no images": (
        lambda: shutil.rmtree("celeba/img_align_celeba"),
        ("there is neither celeba/img_align_celeba nor celeba/img_align_celeba.zip", "download"),
    ),
    "no partition": (
        lambda: Path("celeba/list_eval_partition.txt").unlink(),
        ("there is no celeba/list_eval_partition.txt", "download"),
    ),
    "a picture without partition": (
        lambda: edit("list_eval_partition.txt", without_last_line),
        ("list_eval_partition.txt has no line for 1 of 24 pictures, 000024.jpg the first",),
    ),
    "an unknown partition": (
        lambda: edit("list_eval_partition.txt", lambda text: text.replace(".jpg 1", ".jpg 7")),
        ("list_eval_partition.txt has an unknown value for",),
    ),
    "attributes cut short": (
        lambda: edit("list_attr_celeba.txt", without_last_line),
        ("list_attr_celeba.txt is damaged: it says 24 pictures and lists 23",),
    ),
    "an attribute too few": (
        lambda: edit("list_attr_celeba.txt", lambda text: text.rstrip().rpartition(" ")[0]),
        ("list_attr_celeba.txt has not the 4 values expected for 1 of 24", "000024.jpg"),
    ),
    "no list of attributes": (
        lambda: edit("list_attr_celeba.txt", lambda text: "hello\nworld\n"),
        ("list_attr_celeba.txt is no list of attributes",),
    ),
    "no pictures": (
        lambda: [path.unlink() for path in Path("celeba/img_align_celeba").iterdir()],
        ("celeba holds no pictures",),
    ),
    "all broken": (
        lambda: [p.write_bytes(b"") for p in Path("celeba/img_align_celeba").iterdir()],
        ("celeba has no usable picture: 000001.jpg, the first, is empty",),
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_of_celeba(name: str) -> None:
    celeba(Path("celeba"))
    damage, said = COPIES[name]
    damage()
    outcome = run_cli(*CELEBA)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    for part in said:
        assert part in outcome.err
    assert [path.name for path in Path().iterdir()] == ["celeba"]


def test_a_zip_cut_short() -> None:
    celeba(Path("celeba"), zipped=True)
    archive = Path("celeba/img_align_celeba.zip")
    archive.write_bytes(archive.read_bytes()[:-200])
    mistake(CELEBA, "img_align_celeba.zip is cut short or no zip archive", "download it again")


def test_a_zip_with_a_flipped_byte() -> None:
    celeba(Path("celeba"), zipped=True)
    archive = Path("celeba/img_align_celeba.zip")
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        content[opened.infolist()[3].header_offset + 500] ^= 1
    archive.write_bytes(content)
    outcome = run_cli(*CELEBA)
    assert outcome.code == 0, outcome.err
    assert "skipped 000004.jpg: it is damaged in the archive (Bad CRC-32" in outcome.out
    assert open_store(Path("celeba-64.store")).images == 23


def test_an_lmdb_without_its_data() -> None:
    lsun(Path("lsun"))
    words = ["prepare", "lsun", "--root", "lsun", "--workers", "1"]
    data = Path("lsun/bedroom_train_lmdb/data.mdb")
    whole = data.read_bytes()
    data.write_bytes(whole[:100])
    mistake(words, "data.mdb is cut short or no LMDB")
    data.unlink()
    mistake(words, "bedroom_train_lmdb has no data.mdb")


def test_an_unknown_category() -> None:
    lsun(Path("lsun"))
    mistake(
        ["prepare", "lsun", "--root", "lsun", "--category", "bathroom"],
        "there is neither lsun/bathroom_train_lmdb nor lsun/bathroom_train; there are bedroom",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["folder", "--root", "nowhere"], "there is no folder nowhere"),
        (["folder", "--root", "empty"], "empty holds no pictures"),
        (["folder"], "Missing option '--root'"),
        (["faces", "--root", "x"], "command 'faces' is unknown"),
        (["folder", "--root", "flowers", "--size", "big"], "'big' is not a valid integer"),
        (["folder", "--root", "flowers", "--size", "4"], "size is 4; it must lie in 8..1024"),
        (["folder", "--root", "flowers", "--workers", "0"], "0 is not in the range x>=1"),
    ],
)
def test_words(words: list[str], said: str) -> None:
    folder(Path("flowers"), 4)
    Path("empty").mkdir()
    mistake(["prepare", *words], said)


def test_too_little_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    folder(Path("flowers"))
    usage = shutil.disk_usage(".")._replace(free=10_000)
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda path: usage)
    mistake(
        ["prepare", "folder", "--root", "flowers"],
        "has 0.0 GB free, and the store needs 0.0 GB; make room, or give a folder on another disk",
    )


def test_a_disk_that_fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    folder(Path("flowers"))

    def full(*arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "decode", full)
        outcome = run_cli("prepare", "folder", "--root", "flowers", "--workers", "1")
    assert outcome.code == 2
    assert "No space left on device; make room there, and the same command goes on" in outcome.err
    assert not Path("flowers-64.store").exists()
    assert run_cli("prepare", "folder", "--root", "flowers", "--workers", "1").code == 0


def test_other_settings() -> None:
    folder(Path("flowers"))
    store = prepared("folder", Path("flowers"))
    words = ["prepare", "folder", "--root", "flowers", "--output", str(store)]
    mistake([*words, "--size", "32"], "is a store made with other settings (size 64 -> 32)")
    mistake([*words, "--crop", "70"], "(crop 0 -> 70)", "--output DIR")
    Path("flowers/daisies/000.jpg").unlink()
    mistake(words, "(other pictures or labels)")


def test_other_settings_of_what_was_begun() -> None:
    folder(Path("flowers"))

    def interrupted(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(
            catalog.folder(Path("flowers")),
            Recipe("folder"),
            "flowers",
            Path("flowers-64.store"),
            1,
            interrupted,
        )
    words = ["prepare", "folder", "--root", "flowers", "--background", "black", "--workers", "1"]
    mistake(words, "was begun with other settings (background white -> black)", "delete it")
    train = ["train", "dcgan_celeba", "data.name=folder", "data.root=flowers"]
    mistake(train, "the image store flowers-64.store is not finished; go on by")


STORES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (shutil.rmtree, "there is no image store flowers-64.store; make it by"),
    "no shard": (lambda store: (store / "images-00000.u8").unlink(), "cannot read"),
    "a shard cut short": (
        lambda store: os.truncate(store / "images-00000.u8", 1000),
        "has 1,000 bytes, not 294,912; delete",
    ),
    "a flipped byte": (
        lambda store: flip(store / "images-00000.u8"),
        "is damaged: its SHA-256 is another; delete",
    ),
    "a flipped index": (lambda store: flip(store / "index.npz"), "is damaged: its SHA-256"),
    "no manifest": (lambda store: (store / "manifest.json").unlink(), "cannot read"),
    "another manifest": (
        lambda store: (store / "manifest.json").write_text("{}"),
        "manifest.json is damaged",
    ),
    "a manifest of another index": (
        lambda store: swap(store / "manifest.json", '"fingerprint": "', '"fingerprint": "0'),
        "manifest.json is damaged (its fingerprint is another)",
    ),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


def swap(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.parametrize("name", STORES)
def test_training_never_starts_on_a_broken_store(name: str) -> None:
    folder(Path("flowers"))
    store = prepared("folder", Path("flowers"))
    damage, said = STORES[name]
    damage(store)
    mistake(["train", "dcgan_celeba", "data.name=folder", "data.root=flowers"], said)


def test_a_store_of_something_else() -> None:
    folder(Path("flowers"))
    store = prepared("folder", Path("flowers"), size=32)
    mistake(
        ["train", "dcgan_celeba", f"data.store={store}"],
        "flowers-32.store is a store of folder pictures of 32 pixels, not of celeba of 64",
    )


def test_a_copied_store_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folder(Path("flowers"))
    store = prepared("folder", Path("flowers"))
    shutil.copytree(store, "copied", copy_function=shutil.copy)
    os.utime("copied/images-00000.u8", (1, 1))
    open_store(Path("copied"))
    assert Path("copied/checked.json").exists()
    flip(Path("copied/images-00000.u8"))
    with pytest.raises(UserError, match="is damaged"):
        PictureFolder(PictureFolder.Config(store="copied"))
