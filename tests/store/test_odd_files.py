"""Odd pictures, names and archive members through the whole `prepare`, and through it again."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import assert_mistake, mistake
from conftest import CHECKOUT, Outcome, run_cli, run_process
from image_trees import celeba, encode_image, lsun, smooth_image
from numpy.typing import NDArray
from PIL import Image

from gan_lightning.cli.main import main
from gan_lightning.store import ImageTransform, open_store
from gan_lightning.store.layout import shard_file

prepare_module = import_module("gan_lightning.store.prepare")

pytestmark = pytest.mark.usefixtures("empty_folder")

FOLDER = ("prepare", "folder", "--root", "photos", "--workers", "1")
CELEBA = ("prepare", "celeba", "--root", "celeba", "--workers", "1")

UPSIDE_DOWN = Image.Transpose.ROTATE_180
QUARTER_TURN = Image.Transpose.ROTATE_270

PICTURE = smooth_image(0, 64, 64)


def chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(before_pixels: bytes = b"", after_pixels: bytes = b"") -> bytes:
    """Return the picture as a PNG with more chunks."""
    content = encode_image(PICTURE, "PNG")
    pixels, end = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
    return content[:pixels] + before_pixels + content[pixels:end] + after_pixels + content[end:]


def jpeg(**metadata: bytes) -> bytes:
    return encode_image(PICTURE, quality=90, **metadata)


def fixture(name: str) -> bytes:
    return (CHECKOUT / "tests" / "fixtures" / name).read_bytes()


def exif(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """Return EXIF that turns the picture upside down, with one more entry of any type."""
    entries = struct.pack("<HHHIHH", 2, 0x0112, 3, 1, 3, 0)
    entries += struct.pack("<HHI4s", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8) + entries + bytes(4)


TEXT = b"note\0\0" + zlib.compress(b"x" * 2**21)
UPSIDE_DOWN_EXIF = exif(0x0131, 2, 4, b"me\0\0")
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'

ODD: dict[str, tuple[Callable[[], bytes], Image.Transpose | None]] = {
    "resolution as text.jpg": (lambda: fixture("xres_ascii.jpg"), QUARTER_TURN),
    "width as text.jpg": (lambda: fixture("imagewidth_ascii.jpg"), QUARTER_TURN),
    "date as a number.jpg": (
        lambda: jpeg(exif=b"Exif\0\0" + exif(0x0132, 3, 1, b"\7\0\0\0")),
        UPSIDE_DOWN,
    ),
    "EXIF that ends early.jpg": (lambda: jpeg(exif=b"Exif\0\0II*\0\xff", xmp=XMP), UPSIDE_DOWN),
    "EXIF before the pixels.png": (lambda: png(chunk(b"eXIf", UPSIDE_DOWN_EXIF)), UPSIDE_DOWN),
    "EXIF after the pixels.png": (lambda: png(b"", chunk(b"eXIf", UPSIDE_DOWN_EXIF)), UPSIDE_DOWN),
    "XMP after the pixels.png": (
        lambda: png(b"", chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP)),
        UPSIDE_DOWN,
    ),
    "XMP.jpg": (lambda: jpeg(xmp=XMP), UPSIDE_DOWN),
    "XMP in other quotes.jpg": (lambda: jpeg(xmp=XMP.replace(b'"', b"'")), UPSIDE_DOWN),
    "XMP as an element.jpg": (
        lambda: jpeg(xmp=b"<tiff:Orientation> 3 </tiff:Orientation>"),
        UPSIDE_DOWN,
    ),
    "XMP.webp": (lambda: encode_image(PICTURE, "WEBP", xmp=XMP, lossless=True), UPSIDE_DOWN),
    "no orientation.jpg": (lambda: jpeg(xmp=b'<x tiff:Orientation="9"/>'), None),
    "long zTXt.png": (lambda: png(chunk(b"zTXt", TEXT)), None),
    "long zTXt after the pixels.png": (lambda: png(b"", chunk(b"zTXt", TEXT)), None),
    "long tEXt.png": (lambda: png(chunk(b"tEXt", b"note\0" + b"x" * 2**21)), None),
    "long iTXt.png": (
        lambda: png(chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(b"x" * 2**21))),
        None,
    ),
}
"""Name -> content, and how it has to be turned."""


def stored_pixels(store: Path) -> NDArray[np.uint8]:
    """Return the images that are in a store, without the zeros of those that are not."""
    with np.load(store / "index.npz") as index:
        rows = index["rows"]
    shape = open_store(store).transform.shape
    pixels: NDArray[np.uint8] = np.fromfile(shard_file(store, 0), np.uint8).reshape(-1, *shape)
    return pixels[rows]


def write_photos(contents: dict[str, bytes]) -> None:
    Path("photos").mkdir()
    for name, content in contents.items():
        Path("photos", name).write_bytes(content)


def prepare_twice(monkeypatch: pytest.MonkeyPatch, *words: str) -> Outcome:
    """Run a command that is interrupted at its very end, and run it again to resume."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "put_in_place", interrupt)
        interrupted = run_cli(*words)
    assert interrupted.code == 130, interrupted
    resumed = run_cli(*words)
    assert resumed.code == 0, resumed
    assert run_cli(*words).out == resumed.out
    return resumed


def test_odd_images_are_read_and_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {name: content() for name, (content, _) in ODD.items()}
    write_photos({**contents, "z.jpg": b"broken"})
    outcome = prepare_twice(monkeypatch, *FOLDER)
    skipped = [line for line in outcome.out.splitlines() if line.startswith("skipped")]
    assert [line.partition(": ")[0] for line in skipped] == ["skipped z.jpg"]
    found = dict(zip(sorted(contents), stored_pixels(Path("photos-64.store")), strict=True))
    for name, (_, turn) in ODD.items():
        with Image.open(io.BytesIO(contents[name])) as image:
            expected = image.convert("RGB")
        expected = expected if turn is None else expected.transpose(turn)
        assert np.array_equal(found[name], np.asarray(expected)), name


def test_names_that_are_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"caf\xe9")
    try:
        Path(name, name).mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for number in range(4):
        Path(name, name, f"{name}{number}.png").write_bytes(png())
    Path(name, name, f"{name}x.png").write_bytes(b"broken")
    words = ("prepare", "folder", "--root", name, "--workers", "1")
    prepare_twice(monkeypatch, *words)
    strict = io.TextIOWrapper(io.BytesIO(), "utf-8")  # as a terminal's
    with redirect_stdout(strict), pytest.raises(SystemExit, match="0"):
        main(words)
    strict.seek(0)
    lines = strict.read().splitlines()
    assert any(line.startswith(r"skipped caf\xe9/caf\xe9x.png: it is no JPEG") for line in lines)
    assert lines[-2].startswith("4 images, 0 MB, in caf")


MEMBERS: dict[str, tuple[str, int, str]] = {
    "000001.jpg": ("CRC", 12345, "is damaged in the archive (Bad CRC-32 for file "),
    "000002.jpg": ("flag_bits", 1, "is encrypted in the archive"),
    "000003.jpg": ("flag_bits", 65, "is encrypted in the archive"),  # strongly
    "000004.jpg": ("compress_type", 9, "is compressed in the archive by a method that Python lack"),
    "000005.jpg": ("compress_type", 97, "is compressed in the archive by a method that Python la"),
    "000006.jpg": ("header_offset", 10**6, "is damaged in the archive (Truncated file header)"),
    "000007.jpg": ("", 0, "is damaged in the archive (Error -3 while decompressing data: "),
}
"""Name of a member -> field of its description, value, and what is said of it; "" is its data."""


def rewrite_archive(members: dict[str, tuple[str, int, str]]) -> None:
    """Write CelebA's archive again as a Mac does, with damaged members."""
    path = Path("celeba/img_align_celeba.zip")
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    broken = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
            archive.writestr(f"__MACOSX/{name.replace('/', '/._')}", b"Mac OS")
        for info in archive.infolist():
            field, value, _ = members.get(
                info.filename.removeprefix("img_align_celeba/"), ("",) * 3
            )
            if field:
                setattr(info, field, value)
            elif value == 0:
                broken.append(info.header_offset + 30 + len(info.filename))
    damaged = bytearray(path.read_bytes())
    for offset in broken:
        damaged[offset] = 0xFF  # no such type of block
    path.write_bytes(damaged)


def test_odd_members_of_an_archive_are_skipped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    celeba(Path("celeba"), 9, zipped=True)
    intact = Path("celeba/img_align_celeba.zip").read_bytes()
    rewrite_archive(MEMBERS)
    outcome = prepare_twice(monkeypatch, *CELEBA)
    skipped = [line for line in outcome.out.splitlines() if line.startswith("skipped")]
    for line, (name, (*_, problem)) in zip(skipped, MEMBERS.items(), strict=True):
        assert line.startswith(f"skipped {name}: it {problem}")
        assert "ZipInfo" not in line
    transform = ImageTransform("celeba")
    expected = [transform.decode(encode_image(smooth_image(n), quality=90)).pixels for n in (7, 8)]
    assert np.array_equal(stored_pixels(Path("celeba-64.store")), expected)
    # an archive that is downloaded again has the same CRC-32 for each member
    Path("celeba/img_align_celeba.zip").write_bytes(intact)
    rewrite_archive({name: MEMBERS[name] for name in list(MEMBERS)[:6]})
    mistake([*CELEBA], "celeba-64.store was made with other", "(000007.jpg, which it lacks, can be")


def test_unfinished_stores_take_repaired_members(monkeypatch: pytest.MonkeyPatch) -> None:
    celeba(Path("celeba"), 3, zipped=True)
    archive = Path("celeba/img_align_celeba.zip")
    intact = archive.read_bytes()
    rewrite_archive({"000002.jpg": ("", 0, "")})

    def repair(*arguments: object) -> None:
        archive.write_bytes(intact)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "put_in_place", repair)
        assert run_cli(*CELEBA).code == 130
    outcome = run_cli(*CELEBA)
    assert outcome.code == 0, outcome
    assert open_store(Path("celeba-64.store")).skipped == []
    assert len(stored_pixels(Path("celeba-64.store"))) == 3


def test_archive_of_which_all_members_are_encrypted() -> None:
    celeba(Path("celeba"), 4, zipped=True)
    rewrite_archive({f"{number:06d}.jpg": ("flag_bits", 1, "") for number in range(1, 5)})
    outcome = run_cli(*CELEBA)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith("image: the first one, 000001.jpg, is encrypted in the archive\n")
    assert [path.name for path in Path().iterdir()] == ["celeba"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) * 3 // 4], "data.mdb is truncated: it has "),
        (lambda content: content[:8192] + bytes(len(content) - 8192), "data.mdb is damaged (mdb_"),
    ],
    ids=["truncated", "zeros"],
)
def test_damaged_lmdb_databases_kill_no_process(
    damage: Callable[[bytes], bytes], message: str
) -> None:
    lsun(Path("lsun"), 4)
    data = Path("lsun/bedroom_train_lmdb/data.mdb")
    data.write_bytes(damage(data.read_bytes()))
    outcome = run_process(["prepare", "lsun", "--root", "lsun", "--workers", "1"], Path())
    assert_mistake(outcome, message, "; unpack it again")
    assert [path.name for path in Path().iterdir()] == ["lsun"]
