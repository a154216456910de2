"""The lecture's topics hold every experiment and every GAN once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import EXPERIMENTS

from gan_lightning.gans import GANS
from gan_lightning.results.topics import TOPICS, Topic, topic_of


def test_every_experiment_is_in_one_topic() -> None:
    assert sorted(name for topic in TOPICS for name in topic.experiments) == EXPERIMENTS


def test_an_experiment_outside_the_lecture_has_no_topic() -> None:
    assert topic_of("mine") is None
    for topic in TOPICS:
        assert all(topic_of(name) is topic for name in topic.experiments)


def test_every_gan_is_introduced_in_one_topic() -> None:
    assert sorted(name for topic in TOPICS for name in topic.gans) == sorted(GANS)


def test_topics_have_addresses_of_their_own() -> None:
    slugs = [topic.slug for topic in TOPICS]
    assert len(set(slugs)) == len(slugs)
    assert all(part.isalnum() for slug in slugs for part in slug.split("-"))


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.slug)
def test_equations_can_be_typeset(topic: Topic) -> None:
    from matplotlib.mathtext import MathTextParser

    assert topic.idea.endswith(".")
    assert topic.equations.count("{") == topic.equations.count("}")
    assert "$" not in topic.equations
    # commands of KaTeX that matplotlib's smaller grammar lacks
    plain = topic.equations.replace(r"\;", r"\,").replace(r"\lVert", r"\Vert")
    for command, known in {
        r"\rVert": r"\Vert",
        r"\big": "",
        r"\Big": "",
        r"\tfrac": r"\frac",
    }.items():
        plain = plain.replace(command, known)
    MathTextParser("path").parse(f"${plain}$")


def test_importing_the_topics_imports_nothing_heavy() -> None:
    code = (
        "import sys, gan_lightning.results.topics\n"
        "print('torch' in sys.modules, 'wandb' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout == "False False\n"
