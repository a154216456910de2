"""The generated reference of all config keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import gan_lightning
from gan_lightning.config.reference import Section, config_reference, config_sections
from gan_lightning.utils.settings import settings_of

PACKAGE = Path(gan_lightning.__file__).parent


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    """Title -> text of each section."""
    parts = re.split(r"^## ", config_reference(), flags=re.MULTILINE)[1:]
    return {title: text for title, _, text in (part.partition("\n") for part in parts)}


@pytest.mark.parametrize("section", config_sections(), ids=lambda section: section.title)
def test_every_key_has_a_description(section: Section) -> None:
    without = [name for name, declared in settings_of(section.config).items() if declared is None]
    assert without == []


@pytest.mark.parametrize("section", config_sections(), ids=lambda section: section.title)
def test_every_key_has_a_row(section: Section, sections: dict[str, str]) -> None:
    text = sections[section.title]
    common = [] if section.common is None else [entry.name for entry in fields(section.common)]
    for entry in fields(section.config):
        assert f"| `{entry.name}` |" in text or entry.name in common


def test_every_config_class_is_in_the_reference() -> None:
    classes = {base for section in config_sections() for base in section.config.__mro__}
    declared = set(config_classes())
    assert declared == {base.__name__ for base in classes} & declared


def config_classes() -> Iterator[str]:
    """Yield the names of the classes that declare config keys by `setting`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(map(declares, node.body)):
                yield node.name


def declares(line: ast.stmt) -> bool:
    return (
        isinstance(line, ast.AnnAssign)
        and isinstance(line.value, ast.Call)
        and ast.unparse(line.value.func) == "setting"
    )


@pytest.mark.parametrize(
    ("title", "row"),
    [
        ("trainer", "| `max_updates` | integer | `5000` | at least 1 | Generator updates of the"),
        ("evaluation", "| `inception` | text or null | `null` |  | File of the Inception weights"),
        ("log", "| `wandb` | text | `auto` | `auto`, `online`, `offline`, `disabled` |"),
        ("log", "| `tags` | list of text | `[]` |  | W&B tags of the run; empty means"),
        ("run", '| `title` | text | `""` |  |'),
        ("run", "| `claims` | list of [claims](#claims) | `[]` |"),
        ("claims", "| `metric` | text | required |"),
        ("model: wgan", "| [optimizer](#optimizer) | `name: rmsprop`; `learning_rate: 5e-05` |"),
        ("model: wgan", "It has the [keys of every GAN](#keys-of-every-gan); new keys"),
    ],
)
def test_a_row_shows_type_default_and_range(title: str, row: str, sections: dict[str, str]) -> None:
    assert row in sections[title]


def test_a_class_shows_only_what_differs_from_the_common_keys(sections: dict[str, str]) -> None:
    assert "`latent_size`" in sections["model: unrolled"]
    assert "`latent_size`" not in sections["model: wgan"]


def test_a_range_in_words(sections: dict[str, str]) -> None:
    values: dict[str, Any] = {
        "optimizer": "2 elements, each in [0, 1)",
        "keys of every GAN": "in (0, 1)",
        "network: mlp": "at least 1 element, each at least 1",
    }
    for title, text in values.items():
        assert f"| {text} |" in sections[title]
