"""Errors of `prepare`: a full disk, settings that differ from those of an existing store."""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from bad_inputs import mistake
from conftest import run_cli
from image_trees import folder, make_store

from gan_lightning.errors import UserError
from gan_lightning.store import FolderImages, ImageTransform, folders, prepare

prepare_module = import_module("gan_lightning.store.prepare")

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_too_little_space(monkeypatch: pytest.MonkeyPatch) -> None:
    folder(Path("flowers"))
    usage = shutil.disk_usage(".")._replace(free=10_000)
    monkeypatch.setattr(prepare_module.shutil, "disk_usage", lambda path: usage)
    mistake(
        ["prepare", "folder", "--root", "flowers"],
        "has 0.0 GB free, but the store needs 0.0 GB; free some space, or choose a folder on ",
    )


def test_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    folder(Path("flowers"))

    def full(*arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "decode_block", full)
        outcome = run_cli("prepare", "folder", "--root", "flowers", "--workers", "1")
    assert outcome.code == 2
    assert "No space left on device; free disk space and run the same command again" in outcome.err
    assert not Path("flowers-64.store").exists()
    assert run_cli("prepare", "folder", "--root", "flowers", "--workers", "1").code == 0


@pytest.mark.parametrize("output", ["thesis", "thesis.txt", "flowers", ".", "flowers/daisies/.."])
def test_a_folder_of_other_files_is_not_replaced(output: str) -> None:
    folder(Path("flowers"), 4)
    Path("thesis").mkdir()
    for path in ("thesis.txt", "thesis/manifest.tex"):
        Path(path).write_text("years of work")
    words = ["prepare", "folder", "--root", "flowers", "--workers", "1", "--output", output]
    mistake(words, "choose another", " by --output DIR")


def test_a_store_with_other_files_is_not_replaced() -> None:
    folder(Path("flowers"), 8)
    FolderImages(Path("flowers"), 16).prepare()
    Path("flowers-16.store/notes.txt").write_text("mine")
    Path("flowers/daisies/000.jpg").unlink()
    with pytest.raises(UserError, match="is no image store, since it contains notes"):
        FolderImages(Path("flowers"), 16).prepare()
    Path("flowers-16.store/notes.txt").unlink()
    assert FolderImages(Path("flowers"), 16).prepare().images == 7


@pytest.mark.parametrize("left", [(), ("index.npz", "images-00000.u8", "checked.json", "lock")])
def test_an_empty_folder_and_an_incomplete_store_are_replaced(left: tuple[str, ...]) -> None:
    folder(Path("flowers"), 4)
    Path("store").mkdir()
    for name in left:
        Path("store", name).touch()
    words = ["prepare", "folder", "--root", "flowers", "--workers", "1", "--output", "store"]
    outcome = run_cli(*words)
    assert outcome.code == 0, outcome
    assert {path.name for path in Path().iterdir()} == {"flowers", "store"}


def test_other_settings_than_those_of_the_store() -> None:
    folder(Path("flowers"))
    store = make_store("folder", Path("flowers"))
    words = ["prepare", "folder", "--root", "flowers", "--output", str(store)]
    mistake(
        [*words, "--size", "32"],
        "the store flowers-64.store was made with other settings (size 64 -> 32)",
    )
    mistake([*words, "--crop", "70"], "(crop 0 -> 70)", "--output DIR")
    Path("flowers/daisies/000.jpg").unlink()
    mistake(words, "(other images or labels)")


def test_other_settings_than_those_of_the_unfinished_store() -> None:
    folder(Path("flowers"))

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(
            folders.folder(Path("flowers")),
            ImageTransform("folder"),
            "flowers",
            Path("flowers-64.store"),
            1,
            interrupt,
        )
    words = ["prepare", "folder", "--root", "flowers", "--background", "black", "--workers", "1"]
    mistake(
        words,
        "unfinished store flowers-64.store.partial has other settings (background white -> black)",
        "delete it",
    )
