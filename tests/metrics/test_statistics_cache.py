"""The cache answers with the same bits, or computes; it never fails a run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gan_lightning.metrics import FeatureStatistics, cache_folder, cached_statistics
from gan_lightning.metrics.statistics_cache import file_name

KEY: dict[str, str | int | float] = {"data": "mnist", "split": "test", "size": 28, "scale": 0.5}


class Source:
    """Statistics that count how often they are computed."""

    def __init__(self) -> None:
        self.calls = 0
        features = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
        self.statistics = FeatureStatistics.from_features(features)

    def __call__(self) -> FeatureStatistics:
        self.calls += 1
        return self.statistics


def same(a: FeatureStatistics, b: FeatureStatistics) -> bool:
    return (
        torch.equal(a.mean, b.mean)
        and torch.equal(a.covariance, b.covariance)
        and a.count == b.count
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "deep" / "cache"))
    return tmp_path / "deep" / "cache"


def test_hit_computes_once_and_returns_the_same_bits(folder: Path) -> None:
    source = Source()
    first = cached_statistics(KEY, source)
    second = cached_statistics(dict(reversed(KEY.items())), source)
    assert source.calls == 1
    assert same(first, source.statistics)
    assert same(second, source.statistics)
    assert [path.name for path in folder.iterdir()] == [file_name(KEY)]
    assert file_name(KEY).startswith("mnist-0.5-28-test-")


@pytest.mark.parametrize(
    "change", [{"size": 32}, {"split": "train"}, {"size": "28"}, {"scale": 1}, {"more": 1}]
)
def test_changed_key_computes_anew(folder: Path, change: dict[str, str | int | float]) -> None:
    source = Source()
    cached_statistics(KEY, source)
    cached_statistics({**KEY, **change}, source)
    assert source.calls == 2
    assert len(list(folder.iterdir())) == 2


def test_names_stay_short_and_plain() -> None:
    name = file_name({"a": "../../etc/pass wd\n", "b": "x" * 500})
    assert "/" not in name
    assert len(name) < 150
    assert file_name({"a": ".."}).startswith("statistics-")


def damage_by_truncation(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def damage_one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def put_other_key(path: Path) -> None:
    other = {**KEY, "split": "train"}
    cached_statistics(other, Source())
    os.replace(path.with_name(file_name(other)), path)


def put_foreign_tensors(path: Path) -> None:
    save_file({"mean": torch.zeros(3, dtype=torch.bfloat16)}, path)


def put_foreign_types(path: Path) -> None:
    tensors = {"mean": torch.zeros(3).bfloat16(), "covariance": torch.eye(3).bfloat16()}
    save_file(tensors, path, {"count": "9"})


class Trap:
    """An object whose unpickling would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def put_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap(path.parent / "unpickled")))


def put_torch_pickle(path: Path) -> None:
    torch.save(Trap(path.parent / "unpickled"), path)


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_truncation,
        damage_one_bit,
        empty,
        put_other_key,
        put_foreign_tensors,
        put_foreign_types,
        put_pickle,
        put_torch_pickle,
    ],
)
def test_damaged_and_foreign_files_are_replaced(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    source = Source()
    cached_statistics(KEY, source)
    assert callable(damage)
    damage(folder / file_name(KEY))
    assert same(cached_statistics(KEY, source), source.statistics)
    assert source.calls == 2
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()
    assert same(cached_statistics(KEY, source), source.statistics)
    assert source.calls == 2
    assert not (folder / "unpickled").exists()


def test_unwritable_folder_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("a regular file")
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "file" / "cache"))
    source = Source()
    assert same(cached_statistics(KEY, source), source.statistics)
    assert source.calls == 1
    assert len(caplog.records) == 1
    assert "not cached" in caplog.records[0].getMessage()


def test_full_disk_leaves_no_partial_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    source = Source()
    assert same(cached_statistics(KEY, source), source.statistics)
    assert list(folder.iterdir()) == []
    assert "No space left" in caplog.text


def test_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("GAN_LIGHTNING_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/home/someone/.cache/gan_lightning")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/someone/.cache/gan_lightning")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_folder() == Path("/var/cache/gan_lightning")
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", "~/mine")
    assert cache_folder() == Path("/home/someone/mine")


def test_errors_of_the_computation_pass_through(folder: Path) -> None:
    def fail() -> FeatureStatistics:
        raise KeyError("no data")

    with pytest.raises(KeyError, match="no data"):
        cached_statistics(KEY, fail)
    assert not folder.exists()


def test_keys_that_equal_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        cached_statistics({"scale": float("nan")}, Source())
    with pytest.raises(TypeError, match="use str"):
        cached_statistics({"path": Path("x")}, Source())  # type: ignore[dict-item]
