"""The layout of the package: six modules in its root, imports that point down one list of rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import gan_lightning

PACKAGE = Path(gan_lightning.__file__).parent

ROOT_MODULES = {"__init__", "__main__", "api", "errors", "losses", "types"}

ROWS = (
    ("__init__", "__main__", "api"),
    ("cli",),
    ("sweeps", "verification", "inference", "export", "play", "testing"),
    ("training",),
    ("callbacks", "loggers", "dashboard", "report"),
    ("diagnosis",),
    ("runs", "results"),
    ("game",),
    ("evaluation",),
    ("config",),
    ("gans", "classifiers"),
    ("networks",),
    ("data", "store"),
    ("distributed",),
    ("core",),
    ("metrics",),
    ("assets", "utils"),
    ("errors", "losses", "types"),
)
"""Rooms from the top to the bottom: a room imports from its own row and from the rows below."""

LEVEL = {room: level for level, row in enumerate(ROWS) for room in row}


class Import(NamedTuple):
    """An import of one module of the package by another."""

    importer: str
    imported: str
    line: int


def modules(package: Path) -> dict[str, Path]:
    """Return dotted name -> file of every module, packages by their own name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def imports(package: Path) -> Iterator[Import]:
    """Yield every import between modules of the package, those inside functions too."""
    known = modules(package)
    for importer, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [
                    name if name.removeprefix("gan_lightning.") in known else str(node.module)
                    for name in full
                ]
            else:
                continue
            for name in names:
                if name.split(".")[0] == "gan_lightning":
                    imported = name.removeprefix("gan_lightning").removeprefix(".") or "__init__"
                    yield Import(importer, imported, node.lineno)


def room(module: str) -> str:
    return module.split(".")[0]


def upward(package: Path) -> list[str]:
    """List the imports that point up the rows."""
    return [
        f"{found.importer}, line {found.line}, imports {found.imported}"
        for found in imports(package)
        if LEVEL[room(found.imported)] < LEVEL[room(found.importer)]
    ]


def cycle(package: Path) -> list[str]:
    """Return the rooms of a cycle of imports, or nothing."""
    edges: dict[str, set[str]] = {}
    for found in imports(package):
        if room(found.importer) != room(found.imported):
            edges.setdefault(room(found.importer), set()).add(room(found.imported))
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for below in sorted(edges.get(name, ())):
            if found := visit(below, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(edges) if (found := visit(name, []))), [])


def test_the_root_has_six_modules() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_MODULES


def test_every_room_has_a_place_in_the_order() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms | ROOT_MODULES == set(LEVEL)


def test_imports_name_modules_that_exist() -> None:
    known = modules(PACKAGE)
    assert [found for found in imports(PACKAGE) if found.imported not in known] == []


def test_imports_point_down() -> None:
    assert upward(PACKAGE) == []


def test_rooms_have_no_cycle_of_imports() -> None:
    assert cycle(PACKAGE) == []


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A small package with a room at the top and two at the bottom."""
    for name in ("training", "core", "utils"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "training" / "train.py").write_text("from gan_lightning.core import optim\n")
    (tmp_path / "core" / "optim.py").write_text("from gan_lightning.utils import files\n")
    (tmp_path / "utils" / "files.py").touch()
    return tmp_path


def test_a_planted_upward_import_is_found(planted: Path) -> None:
    assert upward(planted) == []
    (planted / "utils" / "files.py").write_text(
        "def f():\n    import gan_lightning.training.train\n"
    )
    assert upward(planted) == ["utils.files, line 2, imports training.train"]


def test_a_planted_cycle_is_found(planted: Path) -> None:
    assert cycle(planted) == []
    (planted / "utils" / "files.py").write_text("from gan_lightning.core.optim import x\n")
    assert set(cycle(planted)) == {"core", "utils"}
