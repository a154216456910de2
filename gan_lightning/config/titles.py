"""Titles and names of runs that follow the data: an experiment on other data is another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.utils.names import printable, slug

__all__ = ["data_title", "follow_data", "method_title", "run_name"]

METHODS = {
    "gan": "GAN",
    "unrolled": "Unrolled GAN",
    "wgan": "Wasserstein GAN",
    "wgan_gp": "WGAN-GP",
    "dragan": "DRAGAN",
    "ebgan": "Energy-based GAN",
    "began": "BEGAN",
    "projected": "Projected GAN",
    "infogan": "InfoGAN",
    "cgan": "Conditional GAN",
    "acgan": "Auxiliary classifier GAN",
    "semi_supervised": "Semi-supervised GAN",
    "cogan": "Coupled GAN",
    "cyclegan": "CycleGAN",
}
"""Names of models in titles; other models have the names of their classes."""


def method_title(source: Mapping[str, Any]) -> str:
    """Return the name of a method for titles, for example `DCGAN`.

    Args:
        source: config with the sections `model` and `network`.
    """
    model, network = (_name(source.get(section)) for section in ("model", "network"))
    if (model, network) == ("gan", "dcgan"):
        return "DCGAN"
    return METHODS.get(model, model.rpartition(":")[2])


def data_title(data: Any) -> str:
    """Return what the data are called in titles: the folder's name, or the dataset's.

    Args:
        data: section `data` of a config; its class may have a property `title`.
    """
    return str(getattr(data, "title", "") or data.name.rpartition(":")[2])


def run_name(experiment: str, title: str) -> str:
    """Return the name of the runs of an experiment on own data, a folder of `runs/`."""
    return f"{slug(experiment.rpartition(':')[2])}-{slug(title)}"


def follow_data(
    config: RunConfig, source: dict[str, Any], overrides: Sequence[str], experiment: str
) -> tuple[RunConfig, str]:
    """Give a run on other data than its experiment's a title and a name of its own, and no claims.

    Args:
        config: config of the run, from `source` and `overrides`.
        source: content of the experiment's YAML file.
        overrides: `key=value`.
        experiment: name of the experiment.

    Returns:
        The config and the name of the run's experiment; unchanged where the data are the same.
    """
    if not any(word.startswith("data.") for word in overrides):
        return config, experiment
    try:
        before = data_title(load_config(source).data)
    except UserError:  # incomplete without the overrides
        return config, experiment
    after = data_title(config.data)
    if before == after:
        return config, experiment
    title = config.title
    if not any(word.startswith("title=") for word in overrides):
        title = f"{method_title({'model': config.model, 'network': config.network})} on "
        title += printable(after)
    config = replace(config, title=title, paper="", claims=[], overridden={})
    return config, run_name(experiment, after)


def _name(section: Any) -> str:
    name = section.get("name") if isinstance(section, Mapping) else getattr(section, "name", "")
    return str(name or "")
