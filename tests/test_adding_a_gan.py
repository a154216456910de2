"""The page on adding a GAN does what it says, block by block."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT
from process_pool import ForkedProcess, forget_package

PAGE = CHECKOUT / "docs" / "adding-a-gan.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLES = re.compile(r"\b(ALL_GANS|GANS|EXPERIMENTS|config_sections)\b")
"""Names in test files that take all variants, experiments or sections of a config."""

OF_THE_BASE = ("test_plain_lightning.py", "test_schedules.py")
"""Files whose tests are about the base class, on all variants."""

COPIED = ("gan_lightning", "experiments", "tests", "benchmarks", "pyproject.toml")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project, of links to its files."""
    for name in COPIED:
        source = CHECKOUT / name
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            place = tmp_path / path.relative_to(CHECKOUT)
            if path.is_file() and "__pycache__" not in path.parts:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(path)
    return tmp_path


def add(folder: Path) -> None:
    """Do what the blocks with a path say."""
    for kind, name, content in BLOCK.findall(PAGE.read_text()):
        path = folder / name
        if kind == "diff":
            patched = inserted(path.read_text(), content)
            path.unlink()  # the link, not the project's file
            path.write_text(patched)
        elif name:
            assert not path.exists(), f"{name} is in the project: choose another example"
            path.write_text(content)


def inserted(text: str, diff: str) -> str:
    """Put each added line behind the line that the diff shows before it."""
    lines, place = text.splitlines(), 0
    for line in diff.splitlines():
        if line.startswith("+"):
            place += 1
            lines.insert(place, line[1:])
        else:
            place = lines.index(line[1:], place)
    return "\n".join(lines) + "\n"


def run_tests(copy: Path) -> None:
    """Run the tests of the new variant, with the package of the copy, and exit."""
    forget_package()
    sys.path.insert(0, str(copy))
    files = copy.rglob("test_*.py")  # collecting those without a table takes long and finds nothing
    ignored = [
        f"--ignore={path}"
        for path in files
        if path.name in OF_THE_BASE or not TABLES.search(path.read_text())
    ]
    sys.exit(pytest.main(["-k", "relativistic_average", "-p", "no:cacheprovider", "-n0", *ignored]))


def test_a_variant_added_by_the_page_passes_the_tests_of_the_table(copy: Path) -> None:
    add(copy)
    environment = {n: value for n, value in os.environ.items() if not n.startswith("PYTEST_")}
    process = ForkedProcess.start(run_tests, copy, cwd=copy, env=environment)
    assert process.wait() == 0, process.out[-3000:] + process.err[-1000:]
    found = re.search(r"(\d+) passed", process.out)
    assert found, process.out
    assert int(found[1]) >= 15


def test_its_commands_are_those_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    commands = [text for kind, _, text in BLOCK.findall(PAGE.read_text()) if kind == "bash"]
    words = [word for text in commands for word in re.findall(r"^make ([a-z ]+)", text, re.M)]
    assert {target for word in words for target in word.split()} <= set(targets)
    assert len(words) == 3
