"""Helpers for tests of invalid input: run a command that must fail, and damage files."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CHECKOUT, Outcome, run_cli

from gan_lightning.assets import loader

SHORT = (
    "trainer.max_updates=2",
    "evaluation.samples=40",
    "data.batch_size=8",
    "log.wandb=disabled",
)
"""Overrides that make a run short, in case that an invalid input is accepted."""


def assert_mistake(outcome: Outcome, *parts: str) -> None:
    """Check that a command failed with code 2 and one line that contains the parts in order."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("gan-lightning: ")
    place = 0
    for part in parts:
        found = lines[0].find(part, place)
        assert found >= 0, f"{part!r} is missing, or out of order, in {lines[0]!r}"
        place = found + len(part)


def mistake(arguments: list[str], *parts: str) -> None:
    """Run a command that must fail and must not change the test's working directory."""
    assert Path.cwd() != CHECKOUT, "use the fixture empty_folder"
    before = sorted(Path().rglob("*"))
    assert_mistake(run_cli(*arguments), *parts)
    assert sorted(Path().rglob("*")) == before


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "foreign": lambda content: lzma.compress(bytes(1000)),
    "empty": lambda content: b"",
    "missing": lambda content: None,
}


def damage(name: str, how: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make MNIST read links to its files and one damaged copy; return the path of the copy."""
    for path in loader.FOLDER.glob("*.xz"):
        (folder / path.name).symlink_to(path)
    broken = folder / f"{name}.xz"
    content = DAMAGES[how](broken.read_bytes())
    broken.unlink()
    if content is not None:
        broken.write_bytes(content)
    monkeypatch.setattr(loader, "FOLDER", folder)
    return broken
