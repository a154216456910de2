"""Capabilities decide what a model and a dataset get, never their class."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from factories import make_config

import gan_lightning
from gan_lightning.callbacks import PICTURES
from gan_lightning.data import DATASETS
from gan_lightning.evaluation import EVALUATORS, GAN_EVALUATORS
from gan_lightning.gans import GANS
from gan_lightning.training.build import build
from gan_lightning.types import Condition

PACKAGE = Path(gan_lightning.__file__).parent
CONCRETE = {owner.__name__ for table in (GANS, DATASETS) for owner in table.values()} | {
    "LabelledGAN",
    "ImageStoreDataModule",
    "GaussianMixture",
    "Points",
}
"""Classes of variants and datasets, and the bases of some of them."""


def names_in(path: Path) -> set[str]:
    """Return the identifiers of a module, imported ones included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("gan_lightning.gans", "gan_lightning.data")
        ):
            found |= {alias.name for alias in node.names}
    return found


def modules_outside() -> list[Path]:
    """List the modules of the package outside of gans/ and data/."""
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ("gans", "data", "networks")
    ]


def test_no_module_outside_gans_and_data_names_a_concrete_class() -> None:
    offenders = {
        str(path.relative_to(PACKAGE)): sorted(named)
        for path in modules_outside()
        if (named := names_in(path) & CONCRETE)
    }
    assert offenders == {}


def test_a_planted_name_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("from gan_lightning.gans import GAN, InfoGAN\n")
    assert names_in(module) & CONCRETE == {"InfoGAN"}
    module.write_text("assert isinstance(data, MNIST)\n")
    assert names_in(module) & CONCRETE == {"MNIST"}


@pytest.mark.parametrize("name", GANS)
def test_a_variant_names_evaluators_pictures_and_fields_that_exist(name: str) -> None:
    model, _ = build(make_config(name))
    assert {*model.evaluators()} <= {*GAN_EVALUATORS}
    assert {*model.pictures()} <= {*PICTURES}
    parts = model.prior(3).parts()
    assert {*parts} <= {*model.condition_fields()} <= {*vars(Condition())}
    assert {control.part for control in model.controls()} <= {*model.condition_fields()}


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("conditional", [False, True])
def test_a_dataset_names_evaluators_that_exist(name: str, conditional: bool) -> None:
    owner = DATASETS[name]
    data = owner.__new__(owner)  # without its files
    data.config = owner.Config(**({"channels": "3"} if name == "folder" else {}))
    data.spec = getattr(owner, "spec", None) or _spec(name)
    assert {*data.evaluators(conditional)} <= {*EVALUATORS, *GAN_EVALUATORS}
    assert {*data.pictures()} <= {*PICTURES}


def _spec(name: str) -> object:
    from gan_lightning.types import DataSpec

    shape = (3, 32, 32)
    return DataSpec(shape, source_shape=shape if "pairs" in name else None)
