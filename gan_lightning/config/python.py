"""Turn what a Python program passes to `gan_lightning.train` into a config and its data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from inspect import isabstract
from pathlib import Path
from typing import Any

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import with_overridden
from gan_lightning.config.merge import merge_overrides
from gan_lightning.config.registry import class_name
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.config.titles import data_title, follow_data, method_title
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.data.adapter import as_data_module
from gan_lightning.data.map_style_config import MapStyleConfig
from gan_lightning.errors import UserError
from gan_lightning.networks import NetworkFamily
from gan_lightning.utils.identifiers import snake_case
from gan_lightning.utils.typed_values import merge
from gan_lightning.utils.yaml_text import Words

__all__ = ["Overrides", "Request", "override_words", "request"]

Overrides = str | Mapping[str, Any]
"""`key=value`, or values by key, with dots or nested."""

BASES = {"model": BaseModule, "network": NetworkFamily, "data": BaseDataModule}
"""Section of a config -> base class of what its name selects."""


@dataclass(frozen=True)
class Request:
    """What is to be trained.

    Args:
        source: content of an experiment, as plain values.
        overrides: `key=value`.
        name: name of the runs that the caller has chosen, or None.
        data: data that are given as an object; None for those that the source names.
        experiment: content of the experiment before model, networks and data were replaced.
        experiment_name: name of the experiment's file; empty without a file.
    """

    source: dict[str, Any]
    overrides: list[str]
    name: str | None
    data: BaseDataModule | None
    experiment: dict[str, Any]
    experiment_name: str

    def with_title(self, config: RunConfig) -> tuple[RunConfig, str]:
        """Return the config of a new run with its title, and the name of its experiment.

        An experiment on other data than its own has no claims, as on the command line.
        """
        if self.experiment_name:
            replaced = self.source.get("data") != self.experiment.get("data")
            words = [*self.overrides, *(["data.name="] if replaced else [])]
            sections = [
                key
                for key in ("model", "network")
                if self.source.get(key) != self.experiment.get(key)
            ]
            config = with_overridden(config, self.experiment, self.overrides, sections)
            config, name = follow_data(config, self.experiment, words, self.experiment_name)
            return config, self.name or name
        method = method_title({"model": config.model, "network": config.network})
        title = config.title or f"{method} on {data_title(config.data)}"
        names = (str(part.name).rpartition(":")[2] for part in (config.model, config.data))
        return replace(config, title=title), self.name or "_".join(map(snake_case, names))


def request(
    experiment: str | Path | RunConfig | None,
    overrides: Iterable[Overrides],
    *,
    model: Any = None,
    network: Any = None,
    data: Any = None,
    name: str | None = None,
    source: dict[str, Any] | None = None,
) -> Request:
    """Combine an experiment with a model, networks, data and overrides.

    Args:
        experiment: name, YAML file or config; None for the defaults.
        overrides: applied last.
        model: see `section`; None for that of the experiment.
        network: the same.
        data: the same, or data as `as_data_module` takes them.
        name: name of the experiment; None for that of the file, or of model and data.
        source: content that replaces that of the experiment, of a run that is resumed.

    Raises:
        UserError: there is no such experiment, or an object cannot be used.
    """
    words = override_words(overrides)
    content, stem = _content(experiment)
    content = copy(content if source is None else source)
    original = copy(content)
    module = None
    sections = {"model": section("model", model), "network": section("network", network)}
    if data is None or _is_named(data):
        sections["data"] = section("data", data)
    else:
        settings, words = _settings(words)
        module = as_data_module(data, **settings)
        sections["data"] = {**asdict(module.config), "name": _class_name("data", type(module))}
    for key, value in sections.items():
        if value is None:
            continue
        if value.keys() == {"name"} and isinstance(content.get(key), dict):
            words = [f"{key}.name={value['name']}", *words]  # keeps the keys that both classes have
        else:
            content[key] = value
    if experiment is None and source is None:
        content = {"data": {"name": "ring"}, **content}
    return Request(content, words, name, module, original, stem)


def _content(experiment: str | Path | RunConfig | None) -> tuple[dict[str, Any], str]:
    """Return the content of an experiment and its name, which is empty without a file."""
    if experiment is None:
        return {}, ""
    if isinstance(experiment, RunConfig):
        return as_plain(experiment), ""
    if not isinstance(experiment, str | Path):
        raise UserError(
            f"experiment is {experiment!r}; pass its name, a YAML file or a RunConfig, and classes "
            f"as model=, network= and data="
        )
    path = experiment_path(str(experiment))
    return read_yaml(path), path.stem


def _is_named(value: Any) -> bool:
    """Tell whether a section is given by a name, a class, a mapping or a config."""
    return isinstance(value, str | type | Mapping) or is_dataclass(value)


def section(key: str, value: Any) -> dict[str, Any] | None:
    """Return the content of `model`, `network` or `data` of an experiment.

    Args:
        key: model, network or data.
        value: a name, an import path, a class, a mapping with `name`, an object of the `Config` of
            a class, or None, which gives None.

    Raises:
        UserError: it is none of these.
    """
    if value is None:
        return None
    if isinstance(value, str | type):
        return {"name": _class_name(key, value)}
    if isinstance(value, Mapping):
        return {**value, **({"name": _class_name(key, value["name"])} if "name" in value else {})}
    if is_dataclass(value) and not isinstance(value, type):
        name = getattr(value, "name", None) or _class_name(key, _owner(key, type(value)))
        return {**asdict(value), "name": name}
    raise UserError(
        f"{key} is {value!r}; pass a name, a class, a mapping with name, or CLASS.Config(…)"
    )


def _class_name(key: str, value: str | type[Any]) -> str:
    if not isinstance(value, type):
        return value
    if not issubclass(value, BASES[key]):
        raise UserError(
            f"{key} is the class {value.__name__}, which does not derive from {BASES[key].__name__}"
        )
    return class_name(key, value)


def _owner(key: str, config: type[Any]) -> type[Any]:
    """Return the class whose `Config` is given, the last definition of it in a notebook."""
    owners = {
        (owner.__module__, owner.__qualname__): owner
        for owner in _subclasses(BASES[key])
        if vars(owner).get("Config") is config and not isabstract(owner)
    }
    if len(owners) != 1:
        names = ", ".join(name for _, name in owners) or "no class"
        raise UserError(
            f"{key} is a {config.__name__}, which is the Config of {names}; pass {key}=CLASS, and "
            f"its keys as overrides"
        )
    return next(iter(owners.values()))


def _subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for owner in base.__subclasses__():
        yield owner
        yield from _subclasses(owner)


def override_words(overrides: Iterable[Overrides]) -> list[str]:
    """Write overrides as words `key=value`; values of a mapping as JSON, which is YAML.

    Raises:
        UserError: a key is no text, or a value has no such form.
    """
    words: list[str] = []
    for given in overrides:
        if isinstance(given, str):
            words.append(given)
        elif isinstance(given, Mapping):
            words += [f"{key}={_json(key, value)}" for key, value in _leaves(given, "")]
        else:
            raise UserError(f"an override is {given!r}; pass 'key=value' or {{'key': value}}")
    return words


def _leaves(values: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield dotted key and value of nested mappings."""
    for key, value in values.items():
        if not isinstance(key, str):
            raise UserError(f"key {key!r} of an override is no text")
        if "=" in key:
            raise UserError(f"key {key!r} of an override has a =; the value is beside the key")
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _json(key: str, value: Any) -> str:
    def plain(other: Any) -> Any:
        if isinstance(other, Path):
            return str(other)
        if hasattr(other, "tolist"):  # numbers and arrays of numpy, tensors
            return other.tolist()
        raise TypeError

    try:
        return json.dumps(value, default=plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"{key} is {value!r}; pass text, numbers, lists, or None") from error


def _settings(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Split overrides into the keys of `data` with their values, and the other words."""
    content = merge_overrides({}, [word for word in words if word.startswith("data.")])
    given = content.get("data", {})
    names = {entry.name for entry in fields(MapStyleConfig)}
    known = {key: value for key, value in given.items() if key in names}
    written = Words({path[1:]: word for path, word in content.words.items()})
    try:
        config = merge(MapStyleConfig, known, written, name="data")
    except ValueError as error:
        raise UserError(str(error)) from error
    settings = {**given, **{key: getattr(config, key) for key in known}}
    return settings, [word for word in words if not word.startswith("data.")]
