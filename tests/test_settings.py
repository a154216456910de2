"""Ranges of config keys, each declared next to its field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan_lightning.config.claim import Claim
from gan_lightning.config.schema import EvaluationConfig, RunConfig
from gan_lightning.evaluation import RESIZERS
from gan_lightning.utils.settings import Setting, check_settings, setting, settings_of


@dataclass
class InnerConfig:
    rate: float = setting(0.1, "Rate.", above=0)


@dataclass
class OuterConfig:
    count: int = setting(1, "Count.", minimum=1)
    share: float | None = setting(0.5, "Share.", above=0, below=1)
    scale: float = setting(0.5, "Scale.", minimum=0, below=1)
    most: int = setting(1, "Most.", maximum=4)
    size: int = setting(28, "Size.", choices=(28, 32))
    word: str = setting("relu", "Word.", choices=lambda: WORDS)
    pair: list[float] = setting([0.5, 0.9], "Pair.", length=2, minimum=0, below=1)
    widths: list[int] = setting([8], "Widths.", min_length=1, minimum=1)
    codes: list[int] = setting([2], "Codes.", minimum=2)
    names: list[str] = setting([], "Names.", max_length=2, choices=("a", "b", "bb"))
    inner: InnerConfig = setting(InnerConfig(), "Inner.")
    several: list[InnerConfig] = setting([], "Several.")
    free: float = 0.0

    def validate(self) -> None:
        if self.most > self.count:
            raise ValueError(f"most is {self.most}; it must be at most count")


WORDS = {"tanh": 1, "relu": 2, "leaky_relu": 3}


@dataclass
class DerivedConfig(OuterConfig):
    count: int = 3
    most: int = 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "p.count is 0; it must be at least 1"),
        ({"share": 1.0}, "p.share is 1.0; it must lie in (0, 1), or be null"),
        ({"scale": 1.0}, "p.scale is 1.0; it must lie in [0, 1)"),
        ({"scale": -0.1}, "p.scale is -0.1; it must lie in [0, 1)"),
        ({"most": 5}, "p.most is 5; it must be at most 4"),
        ({"size": 30}, "p.size is 30; valid are 28, 32"),
        ({"word": "rel"}, "p.word is 'rel'; valid are relu, leaky_relu, tanh"),
        ({"pair": [0.5]}, "p.pair is [0.5]; it must have 2 elements, each in [0, 1)"),
        ({"pair": [0.5, 1]}, "p.pair is [0.5, 1]; it must have 2 elements, each in [0, 1)"),
        ({"widths": []}, "p.widths is []; it must have at least 1 element, each at least 1"),
        ({"widths": [3, 0]}, "p.widths is [3, 0]; it must have at least 1 element, each at least"),
        ({"codes": [1]}, "p.codes is [1]; each element must be at least 2"),
        ({"names": ["a", "bbb"]}, "p.names[1] is 'bbb'; valid are bb, a, b"),
        ({"names": ["a"] * 3}, "p.names is ['a', 'a', 'a']; it must have at most 2 elements"),
        ({"inner": InnerConfig(0)}, "p.inner.rate is 0; it must be positive"),
        ({"several": [InnerConfig(), InnerConfig(-1)]}, "p.several[1].rate is -1; it must be pos"),
        ({"free": float("nan")}, "p.free is nan; it must be finite"),
        ({"scale": float("inf")}, "p.scale is inf; it must be finite"),
        ({"pair": [0.1, float("inf")]}, "p.pair[1] is inf; it must be finite"),
        ({"most": 3}, "p.most is 3; it must be at most count"),
    ],
)
def test_a_value_out_of_range_is_named_with_the_valid_ones(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is compared below
        check_settings(OuterConfig(**values), "p")
    assert str(raised.value).startswith(message)
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        check_settings(OuterConfig(**values))
    assert str(raised.value).startswith(message.removeprefix("p."))


@pytest.mark.parametrize("values", [{}, {"share": None}, {"names": ["a", "bb"]}, {"scale": 0.0}])
def test_values_within_their_ranges_pass(values: dict[str, Any]) -> None:
    check_settings(OuterConfig(**values))


def test_a_subclass_that_assigns_a_default_keeps_description_and_range() -> None:
    declared = settings_of(DerivedConfig)
    assert declared["count"] == settings_of(OuterConfig)["count"]
    assert DerivedConfig().count == 3
    with pytest.raises(ValueError, match="count is 0; it must be at least 1"):
        check_settings(DerivedConfig(count=0))


def test_defaults_that_can_change_are_copied() -> None:
    first, second = OuterConfig(), OuterConfig()
    first.widths.append(1)
    first.inner.rate = 7
    assert second.widths == [8]
    assert second.inner.rate == 0.1


def test_omegaconf_reads_the_defaults() -> None:
    merged = OmegaConf.merge(OmegaConf.structured(DerivedConfig), {"inner": {"rate": 2}})
    assert OmegaConf.to_object(merged) == DerivedConfig(inner=InnerConfig(2.0))


@pytest.mark.parametrize(
    ("declared", "interval", "length"),
    [
        (Setting(description=""), "", ""),
        (Setting(description="", above=0), "positive", ""),
        (Setting(description="", above=1), "above 1", ""),
        (Setting(description="", below=1), "below 1", ""),
        (Setting(description="", minimum=0, maximum=0.5), "in [0, 0.5]", ""),
        (Setting(description="", min_length=1), "", "at least 1 element"),
        (Setting(description="", min_length=1, max_length=3), "", "1 to 3 elements"),
    ],
)
def test_a_range_is_written_in_words(declared: Setting, interval: str, length: str) -> None:
    assert (declared.range(), declared.length()) == (interval, length)


def test_the_choices_of_the_schema_are_those_of_the_code() -> None:
    resizer = settings_of(EvaluationConfig)["resizer"]
    assert resizer is not None
    assert set(resizer.valid_values()) == set(RESIZERS)


def test_every_key_of_the_schema_has_a_description() -> None:
    for config in (RunConfig, Claim):
        assert all(settings_of(config).values())
