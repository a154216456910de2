"""Packages that only some commands need: what the base installation does without them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest
from bad_inputs import assert_mistake
from conftest import CHECKOUT, TINY_OVERRIDES, TinyRun, run_cli, run_process
from process_pool import forget_package

import gan_lightning
from gan_lightning.errors import UserError
from gan_lightning.evaluation import inception_network
from gan_lightning.utils import optional
from gan_lightning.utils.optional import EXTRAS, install_command, require

pytestmark = pytest.mark.usefixtures("empty_folder")

PACKAGE = Path(gan_lightning.__file__).parent
OPTIONAL = {module for modules in EXTRAS.values() for module in modules}
IMPORTED_BY_ONE_COMMAND = {
    *("play", "report/charts.py", "report/page.py", "report/points.py"),
    "report/templates.py",
}
"""Modules of which a command imports one only after it has checked its extra."""


@pytest.fixture
def no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the packages of all extras."""
    for module in OPTIONAL:
        monkeypatch.setitem(sys.modules, module, None)


def declared_extras() -> dict[str, list[str]]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return dict(project["optional-dependencies"])


def test_the_table_has_the_extras_of_the_package() -> None:
    declared = declared_extras()
    assert set(EXTRAS) == set(declared) - {"all", "dev"}
    for extra, modules in EXTRAS.items():
        names = " ".join(declared[extra]).replace("-", "_")
        assert extra == "docs" or all(module in names for module in modules)


def test_all_are_all_of_the_commands() -> None:
    declared = declared_extras()
    commands = sorted(set(EXTRAS) - {"docs"})
    assert declared["all"] == [f"gan-lightning[{','.join(commands)}]"]
    assert "gan-lightning[all,docs]" in declared["dev"]


def test_no_other_module_imports_them_when_it_is_imported() -> None:
    importers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] in OPTIONAL for name in names):
                importers.add(str(path.relative_to(PACKAGE)))
    assert all(
        name in IMPORTED_BY_ONE_COMMAND or name.partition("/")[0] in IMPORTED_BY_ONE_COMMAND
        for name in importers
    ), importers


def test_training_needs_no_extra(tmp_path: Path) -> None:
    words = ["train", "gan_ring", "--output", "run", *TINY_OVERRIDES, "log.wandb=disabled"]
    outcome = run_process(words, tmp_path, run=main_without_extras)
    assert outcome.code == 0, outcome.err
    assert "wasserstein" in outcome.out


def main_without_extras(words: Sequence[str]) -> None:
    """Run a command in a process of its own, in which no extra can be imported."""
    forget_package()
    for name in [name for name in sys.modules if name.partition(".")[0] in OPTIONAL]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(OPTIONAL))  # type: ignore[arg-type]  # None: no such module
    import_module("gan_lightning.cli.main").main(words)


@pytest.mark.usefixtures("no_extras")
@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (["report", "RUN"], "plotly", "report"),
        (["timelapse", "RUN"], "av", "video"),
        (["export", "RUN", "--format", "onnx"], "onnx", "export"),
        (["dashboard"], "wandb_workspaces", "dashboard"),
        (["play", "RUN"], "radio", "play"),
        (["sweep", "minibatch_ring", "--local"], "optuna", "sweep"),
        (["prepare", "lsun", "--root", "lsun"], "lmdb", "lsun"),
        (["prepare", "faces"], "resvg_py", "drawings"),
        (["prepare", "openmoji"], "resvg_py", "drawings"),
    ],
)
def test_a_command_names_the_extra_that_it_needs(
    words: list[str], module: str, extra: str, ring_run: TinyRun
) -> None:
    for name in ("train", "val"):
        folder = Path(f"lsun/bedroom_{name}_lmdb")
        folder.mkdir(parents=True)
        (folder / "data.mdb").write_bytes(b"")
    arguments = [str(ring_run.folder) if word == "RUN" else word for word in words]
    assert_mistake(run_cli(*arguments), module, install_command(extra))


@pytest.mark.usefixtures("no_extras")
def test_an_animation_needs_no_extra(ring_run: TinyRun) -> None:
    outcome = run_cli("timelapse", str(ring_run.folder), "--output", "ring.gif")
    assert outcome.code == 0, outcome.err


@pytest.mark.usefixtures("no_extras")
def test_inception_names_its_extra() -> None:
    line = inception_network()
    assert isinstance(line, str)
    assert "are skipped" in line
    assert install_command("inception") in line
    with pytest.raises(UserError, match=re.escape(install_command("inception"))):
        inception_network("weights.pth")


def test_an_extra_is_installed_from_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert install_command("play") == f"pip install -e '{CHECKOUT}[play]'"
    monkeypatch.setattr(optional, "__file__", str(tmp_path / "gan_lightning/utils/optional.py"))
    assert install_command("play") == "pip install '.[play]'  # in a clone of the repository"


def test_installed_extras_pass() -> None:
    for extra in EXTRAS:
        require(extra)
