"""Random command lines of `train`, valid and invalid, and their outcomes."""

from __future__ import annotations

import time
from functools import cache
from typing import Any
from unittest.mock import patch

from conftest import EXPERIMENTS, run_cli
from hypothesis import strategies as st

from gan_lightning.assets import loader
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain

WORDS = ["", "gan", "adam", "mlp", "mnist", "ring", "true", "none", "null", "nan", "inf", "-inf"]
WORDS += [
    "0",
    "-0.0",
    "1e400",
    "0x10",
    "é",
    "٣",
    "a b",
    "${seed}",
    "${oc.env:HOME}",
    "!!python/none",
]
WORDS += [
    "[]",
    "[1",
    "[1,2,3]",
    "{}",
    "{a: 1}",
    "{a: {b: 2}}",
    "[[]]",
    "[-1]",
    "[nan]",
    "[a, b]",
    "'",
]
NUMBERS = st.sampled_from([-(10**18), -7, -1, 0, 1, 2, 3, 5, 8, 10**12, 10**18])
# not st.floats: a run flushes denormals, which hypothesis needs
FLOATS = st.integers(-(10**6), 10**6).map(lambda number: number / 1000)
VALUES = st.one_of(
    NUMBERS.map(str),
    FLOATS.map(str),
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.booleans().map(str),
)


class TrainingReached(Exception):  # noqa: N818 - the config was accepted, not an error
    """Raised instead of training."""


def leaves(value: Any, key: str = "") -> list[str]:
    """List the dotted keys of nested dictionaries, those of sections included."""
    if not isinstance(value, dict):
        return [key]
    below = [
        leaf for name, part in value.items() for leaf in leaves(part, f"{key}.{name}".strip("."))
    ]
    return [*below, key] if key else below


@cache
def keys_of(experiment: str) -> list[str]:
    """List the dotted keys of an experiment's config."""
    return leaves(as_plain(load_config(read_yaml(experiment_path(experiment)))))


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw `train EXP key=value...`, mostly with keys that exist, and values of all types."""
    experiment = draw(st.sampled_from(EXPERIMENTS))
    keys = st.one_of(
        st.sampled_from(keys_of(experiment)),
        st.sampled_from(keys_of(experiment)),
        st.sampled_from(keys_of(experiment)),
        st.sampled_from(
            ["model", "modle.name", "network.wdith", "a.b.c", "trainer.", "data.name.x"]
        ),
    )
    overrides = draw(st.lists(st.tuples(keys, VALUES), min_size=1, max_size=3))
    return ["train", experiment, *(f"{key}={value}" for key, value in overrides)]


def outcome_of(words: list[str]) -> tuple[str, float]:
    """Run a command line up to the start of training.

    Returns:
        "accepted" or "refused", and the CPU time in seconds.

    Raises:
        AssertionError: the command ended in another way.
    """
    start = time.process_time()
    read = loader.read_idx
    try:
        with (
            patch("gan_lightning.training.train._train", side_effect=TrainingReached),
            patch("gan_lightning.data.mnist.datamodule.read_idx", side_effect=read) as reading,
        ):
            outcome = run_cli(*words)
    except TrainingReached:
        return "accepted", time.process_time() - start
    seconds = time.process_time() - start
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("gan-lightning: "), lines
    # the data are read only to check the minibatch size
    assert not reading.called or "data." in lines[0], lines
    return "refused", seconds
