"""Stores of drawings: faces of known attributes, pairs of line art and emoji."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_cli
from image_trees import COUNT, DRAWINGS
from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.store import (
    ImageTransform,
    blocks,
    faces,
    open_store,
    openmoji,
    prepare,
)
from gan_lightning.store.faces import ATTRIBUTES, NONE_SHARE, FaceDrawings, draw_attributes
from gan_lightning.store.openmoji import EmojiPairs, family, is_test_family, line_art
from gan_lightning.utils import optional

prepare_module = import_module("gan_lightning.store.prepare")

pytestmark = pytest.mark.usefixtures("empty_folder")


def pixels(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(BytesIO(content)))


def files(store: Path) -> dict[str, bytes]:
    """Return the files that hold images and attributes."""
    return {path.name: path.read_bytes() for path in store.iterdir() if path.suffix != ".json"}


def test_attributes_are_distinct_independent_and_the_same_for_everyone() -> None:
    drawn = draw_attributes(3_000)
    assert np.array_equal(drawn, draw_attributes(3_000))
    assert not np.array_equal(drawn, draw_attributes(3_000, seed=1))
    assert len(np.unique(drawn, axis=0)) == len(drawn) == 3_000
    for column, values in zip(drawn.T, ATTRIBUTES.values(), strict=True):
        shares = np.bincount(column, minlength=len(values)) / len(column)
        expected = np.full(len(values), 1 / len(values))
        if "none" in values:
            expected[:] = (1 - NONE_SHARE) / (len(values) - 1)
            expected[0] = NONE_SHARE
        assert np.abs(shares - expected).max() < 0.04
    assert np.abs(np.corrcoef(drawn.T) - np.eye(len(ATTRIBUTES))).max() < 0.08


def test_a_catalog_begins_with_the_tracked_attributes() -> None:
    assert len(ATTRIBUTES) == 11
    assert draw_attributes(22_000)[:2].tolist() == [
        [2, 5, 2, 3, 0, 1, 4, 0, 1, 3, 1],
        [4, 5, 2, 4, 2, 0, 1, 3, 3, 0, 0],
    ]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("size", [32, 64])
def test_every_value_of_an_attribute_is_seen(attribute: str, size: int) -> None:
    column, count = list(ATTRIBUTES).index(attribute), len(ATTRIBUTES[attribute])
    for base in draw_attributes(2):
        every = np.repeat(base[None], count, 0)
        every[:, column] = np.arange(count)
        drawings = FaceDrawings(every, size)
        images = [pixels(drawings.read(name)).astype(int) for name in drawings.names()]
        assert {image.shape for image in images} == {(size, size, 3)}
        for number, image in enumerate(images):
            for other in images[:number]:
                assert np.abs(image - other).max() > 20  # as closed and laughing eyes, at 32


def test_emoji_variants_are_one_family() -> None:
    assert family("1F469-1F3FD-200D-1F52C") == family("1F468-200D-1F52C") == "1F9D1-1F52C"
    assert family("1F44B-1F3FF") == family("1F44B") == "1F44B"
    assert family("1F3FF") == "1F3FF"  # a skin tone alone
    couple = "1F469-1F3FB-200D-2764-FE0F-200D-1F468-1F3FF"
    assert family(couple) == family("1F491") == family("1F491-1F3FC") == "1F9D1-2764"
    assert family("0031-FE0F-20E3") != family("0032-FE0F-20E3")
    assert family("1F1F9-1F1E9") == family("1F1F7-1F1F4")  # the flags of Chad and Romania


def test_no_family_of_emojis_is_in_both_splits() -> None:
    catalog = openmoji.openmoji(64)
    ((_, names),) = catalog.sources
    assert len(names) == 4_495
    tests = {family(name) for name, split in zip(names, catalog.splits, strict=True) if split}
    training = {family(n) for n, split in zip(names, catalog.splits, strict=True) if not split}
    assert not tests & training
    assert 0.09 < (catalog.splits == 2).mean() < 0.14
    assert all(map(is_test_family, tests))


def test_line_art_has_the_line_layers_alone() -> None:
    svg = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72">
        <defs><circle id="dot" r="3"/></defs>
        <g id="color"><rect fill="#f00" width="72" height="72"/></g>
        <g transform="translate(9)"><g id="skin"><path fill="#0f0" d=""/></g>
        <g id="line-2"><path d="M1 1h9"/></g></g>
        <g id="line"><use href="#dot"/></g></svg>"""
    kept = line_art(svg)
    assert "#f00" not in kept
    assert "#0f0" not in kept
    assert all(part in kept for part in ('"dot"', "translate(9)", "M1 1h9", "#dot"))


def test_pairs_have_colours_on_the_right() -> None:
    ((source, names),) = DRAWINGS["openmoji"](64).sources
    assert isinstance(source, EmojiPairs)
    colourful = 0
    for name in names:
        line, colour = np.split(pixels(source.read(name)).astype(int), 2, axis=1)
        assert line.shape == colour.shape == (64, 64, 3)
        assert (line == 255).mean() > 0.3  # on white
        colourful += np.ptp(colour, axis=-1).max() > 50
        assert np.ptp(line, axis=-1).mean() <= np.ptp(colour, axis=-1).mean()
    assert colourful > len(names) * 0.8


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_store_is_the_same_when_it_is_made_again(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = {"faces": faces, "openmoji": openmoji}[kind]
    monkeypatch.setattr(module, kind, DRAWINGS[kind])
    for root in ("first", "second"):
        outcome = run_cli("prepare", kind, "--root", root, "--workers", "1")
        assert outcome.code == 0, outcome.err
    first = files(Path("first-64.store"))
    assert first == files(Path("second-64.store"))
    assert first.keys() == {"images-00000.u8", "index.npz", "ATTRIBUTION.md"}
    found = re.search(r"SHA-256 of the images and attributes: (\w{64})\n", outcome.out)
    assert found is not None
    manifest = open_store(Path("second-64.store"))
    assert found[1] == manifest.fingerprint
    assert f"whose SHA-256 is {module.SHA256[64]}" in outcome.err  # that of all drawings
    assert len(manifest.attribute_values) == len(manifest.attribute_names)
    monkeypatch.setitem(module.SHA256, 64, manifest.fingerprint)
    again = run_cli("prepare", kind, "--root", "second")
    assert (again.code, again.err) == (0, "")


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_kill_loses_no_block(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (blocks, prepare_module):
        monkeypatch.setattr(module, "BLOCK", 5)
    read, names = _counted(kind, monkeypatch)
    make = partial(
        prepare,
        read,
        ImageTransform(kind, 64, paired=kind == "openmoji"),
        kind,
        workers=1,
    )

    def stop(done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(output=Path("killed.store"), progress=stop)
    assert len(names) == 10
    make(output=Path("killed.store"))
    assert len(names) == len(set(names)) == len(read)
    make(output=Path("whole.store"))
    assert files(Path("killed.store")) == files(Path("whole.store"))


def _counted(kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """Return a catalog of a few drawings, and a list of the names that are read."""
    catalog = DRAWINGS[kind](64)
    ((source, _),) = catalog.sources
    names: list[str] = []
    read: Callable[[str], bytes] = source.read

    def counted(name: str) -> bytes:
        names.append(name)
        return read(name)

    monkeypatch.setattr(source, "read", counted)
    return catalog, names


@pytest.mark.parametrize("kind", DRAWINGS)
def test_without_the_packages_one_line_names_the_extra(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optional, "missing_modules", lambda extra: ["resvg_py"])
    with pytest.raises(UserError, match=r"resvg_py is not installed; run `pip install .*drawings"):
        DRAWINGS[kind](64)


def test_there_are_as_many_faces_as_promised() -> None:
    catalog = faces.faces(64)
    assert np.bincount(catalog.splits).tolist() == [20_000, 0, 2_000]
    assert len(DRAWINGS["faces"](64)) == COUNT + COUNT // 4
