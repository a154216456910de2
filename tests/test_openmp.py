"""Threads that wait for each other: spinning on an idle machine, asleep on a busy one."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from conftest import run_cli

from gan_lightning.errors import UserError
from gan_lightning.utils import openmp
from gan_lightning.utils.openmp import (
    CHOSEN_BY_USER,
    ProcessorTime,
    processor_time,
    sleep_at_barriers_if_busy,
)


@pytest.fixture(autouse=True)
def _before_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process on four cores that has not imported torch."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in CHOSEN_BY_USER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(openmp, "available_cores", lambda: 4)


def policy(monkeypatch: pytest.MonkeyPatch, idle: float, own: float) -> str | None:
    """Return the policy where cores were idle, and used by this process, for so long in 1 s."""
    start = ProcessorTime(time.monotonic() - 1, 100.0, 5.0)
    monkeypatch.setattr(
        openmp, "processor_time", lambda: ProcessorTime(start.elapsed + 1, 100 + idle, 5 + own)
    )
    sleep_at_barriers_if_busy(start)
    return os.environ.get("OMP_WAIT_POLICY")


@pytest.mark.parametrize(("idle", "own"), [(4.0, 0.0), (3.0, 1.0), (2.7, 0.9)])
def test_an_idle_machine_keeps_the_default(
    idle: float, own: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert policy(monkeypatch, idle, own) is None


@pytest.mark.parametrize(("idle", "own"), [(0.0, 1.0), (2.4, 1.0), (3.4, 0.0)])
def test_threads_sleep_where_others_need_the_cores(
    idle: float, own: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert policy(monkeypatch, idle, own) == "PASSIVE"


@pytest.mark.parametrize("name", CHOSEN_BY_USER)
def test_a_variable_of_the_user_decides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "ACTIVE")
    assert policy(monkeypatch, 0.0, 0.0) == ("ACTIVE" if name == "OMP_WAIT_POLICY" else None)


@pytest.mark.parametrize("name", ["train", "verify", "sweep"])
def test_a_command_chooses_before_its_heavy_imports(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def begin_imports() -> None:
        raise UserError("imports begin")

    module = import_module(f"gan_lightning.cli.{name}")
    choose = "sleep_at_barriers_if_busy"
    monkeypatch.setattr(module, choose, lambda start: calls.append(type(start).__name__))
    monkeypatch.setattr(module, "fast_imports", begin_imports)
    assert "imports begin" in run_cli(name, "gan_ring").err
    assert calls == ["ProcessorTime"]


def test_nothing_changes_after_torch_has_been_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", os)
    assert policy(monkeypatch, 0.0, 0.0) is None


@pytest.mark.parametrize("text", [None, "", "cpu 1 2", "cpu a b c d e f"])
def test_a_system_that_does_not_tell_keeps_the_default(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "stat").write_text(text)
    monkeypatch.setattr(openmp, "STAT", tmp_path / "stat")
    assert processor_time() is None
    sleep_at_barriers_if_busy(None)
    assert "OMP_WAIT_POLICY" not in os.environ


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/stat")
def test_idle_time_is_that_of_the_machine() -> None:
    first = processor_time()
    time.sleep(0.02)
    second = processor_time()
    assert first is not None
    assert second is not None
    assert second.elapsed > first.elapsed
    assert second.idle >= first.idle > 0
    assert second.own >= first.own
