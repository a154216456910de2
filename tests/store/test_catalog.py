"""Catalogs of damaged or incomplete datasets: one line names the file and the fix."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_inputs import mistake
from conftest import run_cli
from image_trees import celeba, folder, lsun

from gan_lightning.store import open_store

pytestmark = pytest.mark.usefixtures("empty_folder")

CELEBA = ["prepare", "celeba", "--root", "celeba", "--workers", "1"]


def edit(name: str, change: Callable[[str], str]) -> None:
    path = Path("celeba") / name
    path.write_text(change(path.read_text()))


def without_last_line(text: str) -> str:
    return "\n".join(text.splitlines()[:-1]) + "\n"


DAMAGED_COPIES: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "no images": (
        lambda: shutil.rmtree("celeba/img_align_celeba"),
        ("neither celeba/img_align_celeba nor celeba/img_align_celeba.zip exists", "download"),
    ),
    "no partition": (
        lambda: Path("celeba/list_eval_partition.txt").unlink(),
        ("celeba/list_eval_partition.txt does not exist", "download"),
    ),
    "an image without partition": (
        lambda: edit("list_eval_partition.txt", without_last_line),
        ("list_eval_partition.txt has no line for 1 of 24 images, the first is 000024.jpg",),
    ),
    "an unknown partition": (
        lambda: edit("list_eval_partition.txt", lambda text: text.replace(".jpg 1", ".jpg 7")),
        ("list_eval_partition.txt has an unknown value for",),
    ),
    "truncated attributes": (
        lambda: edit("list_attr_celeba.txt", without_last_line),
        ("list_attr_celeba.txt is damaged: its first line announces 24 images, but 23 follow",),
    ),
    "a missing attribute": (
        lambda: edit("list_attr_celeba.txt", lambda text: text.rstrip().rpartition(" ")[0]),
        ("list_attr_celeba.txt does not have 4 values for 1 of 24", "000024.jpg"),
    ),
    "another text file": (
        lambda: edit("list_attr_celeba.txt", lambda text: "hello\nworld\n"),
        ("list_attr_celeba.txt is damaged: its first line must be the number of images",),
    ),
    "an empty folder": (
        lambda: [path.unlink() for path in Path("celeba/img_align_celeba").iterdir()],
        ("celeba contains no images; set --root DIR",),
    ),
    "no usable image": (
        lambda: [p.write_bytes(b"") for p in Path("celeba/img_align_celeba").iterdir()],
        ("celeba contains no usable image: the first one, 000001.jpg, is empty",),
    ),
}


@pytest.mark.parametrize("name", DAMAGED_COPIES)
def test_damaged_copy_of_celeba(name: str) -> None:
    celeba(Path("celeba"))
    damage, messages = DAMAGED_COPIES[name]
    damage()
    outcome = run_cli(*CELEBA)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    for message in messages:
        assert message in outcome.err
    assert [path.name for path in Path().iterdir()] == ["celeba"]


def test_truncated_zip() -> None:
    celeba(Path("celeba"), zipped=True)
    archive = Path("celeba/img_align_celeba.zip")
    archive.write_bytes(archive.read_bytes()[:-200])
    mistake(CELEBA, "img_align_celeba.zip is truncated or no zip archive", "download it again")


def test_image_with_a_flipped_byte_in_a_zip_is_skipped() -> None:
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


def test_truncated_or_missing_lmdb() -> None:
    lsun(Path("lsun"))
    words = ["prepare", "lsun", "--root", "lsun", "--workers", "1"]
    data = Path("lsun/bedroom_train_lmdb/data.mdb")
    data.write_bytes(data.read_bytes()[:100])
    mistake(words, "data.mdb is truncated or no LMDB database")
    data.unlink()
    mistake(words, "bedroom_train_lmdb has no data.mdb")


def test_unknown_category() -> None:
    lsun(Path("lsun"))
    mistake(
        ["prepare", "lsun", "--root", "lsun", "--category", "bathroom"],
        "neither lsun/bathroom_train_lmdb nor lsun/bathroom_train exists; lsun contains bedroom",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder", "--root", "nowhere"], "the folder nowhere does not exist; give the folder"),
        (["folder", "--root", "empty"], "empty contains no images"),
        (["folder"], "Missing option '--root'"),
        (["portraits", "--root", "x"], "command 'portraits' is unknown"),
        (["folder", "--root", "flowers", "--size", "big"], "'big' is not a valid integer"),
        (["folder", "--root", "flowers", "--size", "4"], "size is 4; it must lie in 8..1024"),
        (["folder", "--root", "flowers", "--workers", "0"], "0 is not in the range x>=1"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    folder(Path("flowers"), 4)
    Path("empty").mkdir()
    mistake(["prepare", *arguments], message)
