"""The statistics cache: computed once, never stale, never fatal, never unpickled."""

from __future__ import annotations

import logging
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gan_lightning.metrics import (
    FeatureStatistics,
    cache_folder,
    cached_statistics,
    cached_tensors,
)

KEY: dict[str, str | int | float] = {"data": "mnist", "images": 100, "scale": 0.5}


class Source:
    """Statistics that count how often they are computed."""

    def __init__(self, seed: int = 0) -> None:
        rng = torch.Generator().manual_seed(seed)
        features = torch.randn(20, 4, generator=rng, dtype=torch.float64)
        self.statistics = FeatureStatistics.from_features(features)
        self.calls = 0

    def __call__(self) -> FeatureStatistics:
        self.calls += 1
        return self.statistics


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


def same(first: FeatureStatistics, second: FeatureStatistics) -> bool:
    return (
        torch.equal(first.mean, second.mean)
        and torch.equal(first.covariance, second.covariance)
        and first.count == second.count
        and first.mean.dtype == second.mean.dtype == torch.float64
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    chosen = tmp_path / "below" / "cache"
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(chosen))
    return chosen


def only_file(folder: Path) -> Path:
    """Return the single file of the folder, which has no temporary files in it."""
    (path,) = folder.iterdir()
    return path


def test_statistics_are_computed_once(folder: Path) -> None:
    source = Source()
    first = cached_statistics(KEY, source)
    second = cached_statistics(dict(reversed(KEY.items())), source)
    assert source.calls == 1
    assert same(first, source.statistics)
    assert same(second, source.statistics)
    assert "mnist" in only_file(folder).name


def test_tensors_of_any_shape_and_dtype_have_the_same_bits_when_read(folder: Path) -> None:
    original = {
        "rows": torch.arange(6).view(2, 3).T,
        "scalar": torch.rand(()),
        "empty": torch.rand(0, 4),
    }
    computed = cached_tensors(KEY, lambda: original)
    values = cached_tensors(KEY, lambda: {})
    for tensors in (computed, values):
        assert tensors.keys() == original.keys()
        for name, value in original.items():
            assert tensors[name].dtype == value.dtype
            assert torch.equal(tensors[name], value)


@pytest.mark.parametrize(
    "change",
    [{"data": "celeba"}, {"images": 101}, {"images": "100"}, {"scale": 0.25}, {"more": 1}],
    ids=str,
)
def test_changed_key_recomputes(folder: Path, change: dict[str, str | int | float]) -> None:
    first, second = Source(1), Source(2)
    cached_statistics(KEY, first)
    assert same(cached_statistics({**KEY, **change}, second), second.statistics)
    assert second.calls == 1
    assert len(list(folder.iterdir())) == 2
    assert same(cached_statistics(KEY, first), first.statistics)
    assert first.calls == 1


def test_similar_keys_have_different_files(folder: Path) -> None:
    first, second = Source(1), Source(2)
    cached_statistics({"a": "x y"}, first)
    assert same(cached_statistics({"a": "x/y"}, second), second.statistics)
    assert len(list(folder.iterdir())) == 2
    long = Source(3)
    assert same(cached_statistics({"a": "../" * 500}, long), long.statistics)
    assert len(list(folder.iterdir())) == 3


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def rename(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"mean"', b'"mode"'))


def text(path: Path) -> None:
    path.write_text("not a cache\n" * 100)


def other_tensors(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def without_metadata(path: Path) -> None:
    save_file({"mean": torch.zeros(4), "covariance": torch.eye(4)}, path)


def of_another_dtype(path: Path) -> None:
    tensors = {"mean": torch.zeros(4).bfloat16(), "covariance": torch.eye(4).bfloat16()}
    save_file(tensors, path, {"count": "20"})


def of_another_shape(path: Path) -> None:
    save_file({"mean": torch.zeros(4), "covariance": torch.eye(3)}, path, {"count": "20"})


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        flip_a_bit,
        rename,
        text,
        other_tensors,
        without_metadata,
        of_another_dtype,
        of_another_shape,
    ],
)
def test_damaged_or_foreign_file_is_recomputed_and_replaced(
    folder: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    cached_statistics(KEY, source)
    path = only_file(folder)
    whole = path.read_bytes()
    damage(path)
    assert path.read_bytes() != whole
    with caplog.at_level(logging.WARNING):
        assert same(cached_statistics(KEY, source), source.statistics)
    assert source.calls == 2
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    assert only_file(folder) == path
    assert same(cached_statistics(KEY, source), source.statistics)
    assert source.calls == 2


def test_file_of_another_key_is_not_used(folder: Path) -> None:
    first, second = Source(1), Source(2)
    cached_statistics(KEY, first)
    path = only_file(folder)
    stolen = path.read_bytes()
    path.unlink()
    cached_statistics({**KEY, "images": 5}, second)
    only_file(folder).write_bytes(stolen)
    assert same(cached_statistics({**KEY, "images": 5}, second), second.statistics)
    assert second.calls == 2


def test_pickle_is_not_executed(folder: Path, tmp_path: Path) -> None:
    source, marker = Source(), tmp_path / "executed"
    payload = pickle.dumps(Payload(marker))
    pickle.loads(payload)
    assert marker.exists(), "unpickling the payload touches the file"
    marker.unlink()
    cached_statistics(KEY, source)
    path = only_file(folder)
    contents = [payload]
    torch.save(Payload(marker), tmp_path / "saved.pt")
    contents.append((tmp_path / "saved.pt").read_bytes())
    for calls, content in enumerate(contents, start=2):
        path.write_bytes(content)
        assert same(cached_statistics(KEY, source), source.statistics)
        assert source.calls == calls
    assert not marker.exists()


@pytest.mark.parametrize("name", ["file/below", "x" * 300], ids=["file", "too_long"])
def test_unwritable_folder_logs_a_warning(
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("a regular file")
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / name))
    source = Source()
    with caplog.at_level(logging.WARNING):
        assert same(cached_statistics(KEY, source), source.statistics)
    assert source.calls == 1
    assert "GAN_LIGHTNING_CACHE" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_interrupted_write_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    source = Source()
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        assert same(cached_statistics(KEY, source), source.statistics)
    assert "No space left" in caplog.text
    assert not list(folder.iterdir())
    cached_statistics(KEY, source)
    assert only_file(folder).suffix == ".safetensors"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_file_mode_follows_the_umask(folder: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        cached_statistics(KEY, Source())
    finally:
        os.umask(before)
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == mode


def test_error_of_the_computation_is_propagated(folder: Path) -> None:
    def fail() -> FeatureStatistics:
        raise OSError("the dataset is gone")

    with pytest.raises(OSError, match="the dataset is gone"):
        cached_statistics(KEY, fail)
    assert not folder.exists()


def test_invalid_key_raises(folder: Path) -> None:
    source = Source()
    with pytest.raises(ValueError, match="JSON"):
        cached_statistics({"scale": float("nan")}, source)
    for wrong in ({"sizes": (1, 2)}, {1: "name"}, {"nothing": None}):
        with pytest.raises(TypeError, match="cache key"):
            cached_statistics(wrong, source)  # type: ignore[arg-type]  # invalid on purpose
    assert source.calls == 0


def test_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", "~/chosen")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", "")
    assert cache_folder() == Path("/xdg/gan_lightning")
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == tmp_path / ".cache" / "gan_lightning"
    monkeypatch.delenv("GAN_LIGHTNING_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "gan_lightning"
