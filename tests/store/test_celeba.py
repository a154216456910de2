"""CelebA as people have it: other archives, folders in folders, lists as CSV, marks of programs."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import mistake
from conftest import run_cli
from image_trees import celeba

from gan_lightning.store.catalog import Catalog
from gan_lightning.store.celeba import celeba as catalog

COUNT = 12
LISTS = ("list_attr_celeba", "list_eval_partition")


def mac_archive(root: Path, name: str = "img_align_celeba.zip") -> None:
    """Replace the folder of images by an archive as a Mac writes it."""
    with zipfile.ZipFile(root / name, "w") as archive:
        for path in sorted((root / "img_align_celeba").iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
            archive.writestr(f"__MACOSX/img_align_celeba/._{path.name}", b"\0\5\x16\7Mac OS")
    shutil.rmtree(root / "img_align_celeba")


def one_archive(root: Path, separator: str = "/") -> None:
    """Put everything into one archive, as Kaggle distributes it."""
    lists_as_csv(root)
    with zipfile.ZipFile(root / "archive.zip", "w") as archive:
        for path in sorted((root / "img_align_celeba").iterdir()):
            info = zipfile.ZipInfo()
            info.filename = separator.join(["img_align_celeba", "img_align_celeba", path.name])
            archive.writestr(info, path.read_bytes())
        for name in LISTS:
            archive.write(root / f"{name}.csv", f"{name}.csv")
            (root / f"{name}.csv").unlink()
    shutil.rmtree(root / "img_align_celeba")


def lists_as_csv(root: Path, separator: str = ",", encoding: str = "utf-8") -> None:
    for name in LISTS:
        lines = (root / f"{name}.txt").read_text().splitlines()
        header = ["partition"] if "eval" in name else lines[1].split()
        rows = [line.split() for line in (lines if "eval" in name else lines[2:])]
        text = "".join(f"{separator.join(row)}\r\n" for row in (["image_id", *header], *rows))
        (root / f"{name}.csv").write_bytes(text.encode(encoding))
        (root / f"{name}.txt").unlink()


def lists_encoded(root: Path, encoding: str) -> None:
    for name in LISTS:
        path = root / f"{name}.txt"
        path.write_bytes(path.read_text().encode(encoding))


def nested(root: Path, *folders: str) -> None:
    """Move the images into more folders, with what a Mac leaves beside them."""
    images = root / "moved"
    (root / "img_align_celeba").rename(images)
    target = root.joinpath(*folders)
    target.parent.mkdir(parents=True)
    images.rename(target)
    left = root / "__MACOSX" / "img_align_celeba"
    left.mkdir(parents=True)
    (left / "._000001.jpg").write_bytes(b"Mac OS")
    (root / ".DS_Store").write_bytes(b"")


def with_other_endings(root: Path) -> None:
    """Use the names of the PNG version, whose lists have names in .jpg."""
    for path in sorted((root / "img_align_celeba").iterdir()):
        path.rename(path.with_suffix(".png"))


def beside_an_empty_folder(root: Path) -> None:
    mac_archive(root)
    (root / "img_align_celeba").mkdir()


def in_the_root(root: Path) -> None:
    for path in sorted((root / "img_align_celeba").iterdir()):
        path.rename(root / path.name)
    (root / "img_align_celeba").rmdir()


def twice(root: Path) -> None:
    """Unpack the images a second time into their own folder."""
    shutil.copytree(root / "img_align_celeba", root / "copy")
    (root / "copy").rename(root / "img_align_celeba" / "img_align_celeba")


COPIES: dict[str, Callable[[Path], object]] = {
    "as distributed": lambda root: None,
    "a Mac's archive": mac_archive,
    "a Mac's archive of another name": lambda root: mac_archive(root, "faces.zip"),
    "an archive beside an empty folder": beside_an_empty_folder,
    "nested twice": lambda root: nested(root, "img_align_celeba", "img_align_celeba"),
    "nested in other folders": lambda root: nested(root, "celeba", "Img", "img_align_celeba"),
    "unpacked twice": twice,
    "in the root": in_the_root,
    "the PNG version": with_other_endings,
    "lists as CSV": lists_as_csv,
    "lists as CSV with semicolons and a BOM": lambda root: lists_as_csv(root, ";", "utf-8-sig"),
    "lists with a BOM": lambda root: lists_encoded(root, "utf-8-sig"),
    "lists in UTF-16": lambda root: lists_encoded(root, "utf-16"),
    "one archive": one_archive,
    "one archive of Windows": lambda root: one_archive(root, "\\"),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return celeba(tmp_path_factory.mktemp("original") / "celeba", COUNT)


@pytest.fixture(scope="module")
def expected(original: Path) -> Catalog:
    return catalog(original)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_and_read(
    how: str, original: Path, expected: Catalog, tmp_path: Path
) -> None:
    root = shutil.copytree(original, tmp_path / "celeba")
    COPIES[how](root)
    found = catalog(root)
    assert found.attribute_names == expected.attribute_names
    assert found.attributes is not None
    assert np.array_equal(found.attributes, expected.attributes)
    assert np.array_equal(found.splits, expected.splits)
    ((source, names),) = found.sources
    ((original_source, original_names),) = expected.sources
    assert [source.read(name) for name in names] == [
        original_source.read(name) for name in original_names
    ]
    left_out = [remark for remark in found.remarks if remark.startswith("left out")]
    assert left_out == (
        ["left out: 12 images with the name of another one"] if how == "unpacked twice" else []
    )


def test_the_fingerprint_of_a_copy_as_distributed_stays(original: Path) -> None:
    """Stores that were made before the other layouts were read are not made again."""
    names = sorted(path.name for path in (original / "img_align_celeba").iterdir())
    ((_, found),) = catalog(original).sources
    assert list(found) == names


@pytest.mark.usefixtures("empty_folder")
def test_lists_of_other_images_are_named(original: Path) -> None:
    root = shutil.copytree(original, Path("celeba"))
    lists_as_csv(root)
    path = root / "list_attr_celeba.csv"
    path.write_text(path.read_text().replace("000007.jpg", "700000.jpg"))
    mistake(
        ["prepare", "celeba", "--root", "celeba", "--workers", "1"],
        "celeba/list_attr_celeba.csv has no line for 1 of 12 images, the first is 000007.jpg",
    )


@pytest.mark.usefixtures("empty_folder")
def test_prepare_says_what_to_do_next(original: Path) -> None:
    shutil.copytree(original, Path("my faces"))
    outcome = run_cli("prepare", "celeba", "--root", "my faces", "--size", "32", "--workers", "1")
    assert outcome.code == 0, outcome.err
    words = "train on it: gan-lightning train dcgan_celeba 'data.root=my faces' data.size=32"
    assert outcome.out.splitlines()[-1] == words
