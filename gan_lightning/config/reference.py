"""The reference of all config keys, generated from their declarations as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from gan_lightning.classifiers import CLASSIFIERS
from gan_lightning.classifiers.attacks import AttackConfig
from gan_lightning.config.claim import Claim, Floor
from gan_lightning.config.schema import (
    CheckpointsConfig,
    EvaluationConfig,
    GameConfig,
    LogConfig,
    PicturesConfig,
    RunConfig,
    TrainerConfig,
)
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.core.schedules import BetasScheduleConfig, ScheduleConfig
from gan_lightning.data import DATASETS, DataConfig
from gan_lightning.gans import GANS, GANConfig
from gan_lightning.gans.adaptive_augmentation import AdaptiveAugmentationConfig
from gan_lightning.gans.consistency import ConsistencyConfig
from gan_lightning.gans.lecam import LeCamConfig
from gan_lightning.gans.regularisation import RegularisationConfig
from gan_lightning.gans.update_rules import UpdateRuleConfig
from gan_lightning.networks import NETWORKS
from gan_lightning.networks.base import NetworkConfig
from gan_lightning.utils.settings import REQUIRED, Setting, settings_of
from gan_lightning.utils.tables import markdown_table

__all__ = ["Section", "config_reference", "config_sections"]

HEADER = ("key", "type", "default", "valid values", "description")
TYPE_NAMES = {
    int: "integer",
    float: "number",
    bool: "boolean",
    str: "text",
    NoneType: "null",
    Any: "section",
}


@dataclass(frozen=True)
class Section:
    """A heading of the reference with the table of a config class.

    Attributes:
        title: of the section, for example `trainer` or `model: infogan`.
        text: one or two sentences below the heading.
        config: class whose keys are listed.
        common: class whose keys are left out where the default is the same, or None.
    """

    title: str
    text: str
    config: type[Any]
    common: type[Any] | None = None

    @property
    def link(self) -> str:
        """Markdown that links to the heading."""
        anchor = self.title.lower().replace(": ", "-").replace(" ", "-")
        return f"[{self.title}](#{anchor})"


def config_sections() -> list[Section]:
    """List the sections of the reference, one for each config class."""
    plain = {
        "run": RunConfig,
        "trainer": TrainerConfig,
        "evaluation": EvaluationConfig,
        "game": GameConfig,
        "pictures": PicturesConfig,
        "checkpoints": CheckpointsConfig,
        "log": LogConfig,
        "claims": Claim,
        "floor": Floor,
        "optimizer": OptimizerConfig,
        "schedule": ScheduleConfig,
        "betas schedule": BetasScheduleConfig,
        "regularisation": RegularisationConfig,
        "ada": AdaptiveAugmentationConfig,
        "consistency": ConsistencyConfig,
        "lecam": LeCamConfig,
        "update rule": UpdateRuleConfig,
        "attack": AttackConfig,
    }
    sections = [Section(title, _summary(config), config) for title, config in plain.items()]
    return [
        *sections,
        *_named_sections("model", "every GAN", GANConfig, GANS),
        *_named_sections("model", "", None, CLASSIFIERS),
        *_named_sections("network", "every network family", NetworkConfig, NETWORKS),
        *_named_sections("data", "every dataset", DataConfig, DATASETS),
    ]


def config_reference() -> str:
    """Return the Markdown of all config keys: type, default, valid values and description."""
    return "\n\n".join(_section_text(section) for section in config_sections())


def _named_sections(
    section: str, every: str, common: type[Any] | None, table: Mapping[str, Any]
) -> Iterator[Section]:
    """Yield the section of the common keys, then that of each class of a table."""
    if common is not None:
        yield Section(f"keys of {every}", f"Valid in `{section}` with any name.", common)
    for name, owner in table.items():
        yield Section(f"{section}: {name}", _summary(owner), owner.Config, common)


def _section_text(section: Section) -> str:
    """Write the heading, the text and the table of a section."""
    rows = list(_rows(section.config, section.common))
    parts = [f"## {section.title}", section.text]
    if section.common is not None:
        link = _section_of(section.common).link
        parts.append(
            f"It has the {link}; new keys and other defaults:" if rows else f"It has the {link}."
        )
    return "\n\n".join([*parts, *([markdown_table([HEADER, *rows])] if rows else [])])


def _section_of(config: Any) -> Section:
    return next(section for section in config_sections() if section.config is config)


def _rows(config: type[Any], common: type[Any] | None) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a config class, without the keys that equal those of the common class."""
    hints, declared, defaults = get_type_hints(config), settings_of(config), config()
    for name in (entry.name for entry in fields(config)):
        default = getattr(defaults, name)
        if common is not None and getattr(common(), name, REQUIRED) == default:
            continue
        known = declared[name] or Setting(description="")
        yield (
            f"`{name}`",
            _type_text(hints[name]),
            _default_text(default),
            _valid_text(known),
            known.description,
        )


def _type_text(hint: Any) -> str:
    """Name a type: `number or null`, `list of text`, or the section of a config class."""
    if get_origin(hint) is list:
        return f"list of {_type_text(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "mapping"
    if options := get_args(hint):
        return " or ".join(map(_type_text, options))
    if is_dataclass(hint):
        return _section_of(hint).link
    return TYPE_NAMES[hint]


def _default_text(default: Any) -> str:
    """Write a default as YAML has it; of a config, the values that differ from its own defaults."""
    if is_dataclass(default):
        plain: Any = type(default)
        own, usual = vars(default), vars(plain())
        return "; ".join(f"`{key}: {_plain(own[key])}`" for key in own if own[key] != usual[key])
    return "required" if default == REQUIRED else f"`{_plain(default)}`"


def _plain(value: Any) -> str:
    """Write a value as a line of YAML has it."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_plain(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _valid_text(known: Setting) -> str:
    if known.choices is not None:
        return ", ".join(f"`{value}`" for value in known.valid_values())
    return ", each ".join(part for part in (known.length(), known.range()) if part)


def _summary(owner: type[Any]) -> str:
    """Return the first line of a class's docstring."""
    return (owner.__doc__ or "").strip().partition("\n")[0]
