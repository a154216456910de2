"""Arguments of a GAN as plain values: what a person may pass, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from gan_lightning.errors import nearest_first
from gan_lightning.networks import NETWORKS, NetworkFamily
from gan_lightning.types import MAX_COMBINATIONS, DataSpec
from gan_lightning.utils.typed_values import merge

__all__ = [
    "as_hyperparameters",
    "check_combinations",
    "to_config",
    "to_data_spec",
    "to_networks",
]


def to_config(kind: type[Any], given: Any, name: str = "config") -> Any:
    """Return a config: an instance as it is, or one made of a mapping of keys or of the defaults.

    Args:
        kind: the `Config` of a class, a dataclass.
        given: an instance of a config, a mapping of its keys, or None.
        name: of the argument, for messages.

    Raises:
        ValueError: the mapping has an unknown key or a value of a wrong type, or it is neither.
    """
    if given is None:
        return kind()
    if is_dataclass(given) and not isinstance(given, type):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{name} is {given!r}; it must be None, a mapping such as {{'latent_size': 64}}, or an "
            f"instance of {kind.__name__}"
        )
    return merge(kind, given, name=name)


def to_networks(given: Any) -> NetworkFamily[Any]:
    """Return a network family: an instance as it is, or one of a class with some keys.

    Args:
        given: a family, its class, its name, or a mapping of its keys with `name`. A name is a key
            of `NETWORKS`, or an import path `module:Class`.

    Raises:
        ValueError: there is no such family, or a key is unknown.
        UserError: the import path leads nowhere.
    """
    if isinstance(given, NetworkFamily):
        return given
    keys: Mapping[str, Any] = given if isinstance(given, Mapping) else {"name": given}
    kind = _network_class(keys.get("name", "mlp"))
    given = {key: value for key, value in keys.items() if key != "name"}
    return kind(to_config(kind.Config, given, "networks"))


def _network_class(name: Any) -> type[NetworkFamily[Any]]:
    if isinstance(name, type) and issubclass(name, NetworkFamily):
        return name
    if isinstance(name, str) and name in NETWORKS:
        return NETWORKS[name]
    if isinstance(name, str) and ":" in name:
        from gan_lightning.utils.import_path import import_object

        found = import_object(name)
        if isinstance(found, type) and issubclass(found, NetworkFamily):
            return found
        raise ValueError(f"networks is {name!r}, which is no subclass of NetworkFamily")
    valid = nearest_first(str(name), NETWORKS)
    raise ValueError(f"networks is {name!r}; valid are {valid}, or an import path module:Class")


def to_data_spec(given: Any) -> DataSpec:
    """Return the description of the data: as it is, or made of a shape or of its fields.

    Args:
        given: a DataSpec, the shape of a sample such as (3, 32, 32), or a mapping of fields.

    Raises:
        ValueError: a field is unknown, or the shape is neither (D,) nor (C, H, W).
    """
    if isinstance(given, DataSpec):
        return given
    values: Mapping[str, Any] = given if isinstance(given, Mapping) else {"shape": given}
    known = [entry.name for entry in fields(DataSpec)]
    for key in values:
        if key not in known:
            raise ValueError(
                f"key {key!r} of data is unknown; valid are {nearest_first(str(key), known)}"
            )
    shape = values.get("shape")
    sizes = list(shape) if isinstance(shape, tuple | list) else []
    if len(sizes) not in (1, 3) or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ValueError(
            f"data has shape {shape!r}; it must be (D,) for points, or (C, H, W) for images, for "
            f"example (3, 32, 32)"
        )
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return DataSpec(**plain)


def check_combinations(data: DataSpec) -> None:
    """Raise a ValueError unless the attributes of the data make a number of classes for a GAN."""
    classes = data.classes or data.labelled_classes or 0
    if data.attribute_names and classes > MAX_COMBINATIONS:
        raise ValueError(
            f"data.attributes is {', '.join(data.attribute_names)}, which make {classes} classes; "
            f"choose attributes with at most {MAX_COMBINATIONS} combinations"
        )


def as_hyperparameters(
    config: Any, networks: NetworkFamily[Any], data: DataSpec, seed: int
) -> dict[str, Any]:
    """Return the arguments of a GAN as plain values, from which it can be built again.

    Returns:
        `config`, `networks` with the class's name, `data` and `seed`: dictionaries, lists, texts
        and numbers, which torch loads with `weights_only=True`.
    """
    kind = type(networks)
    names = {family: name for name, family in NETWORKS.items()}
    name = names.get(kind, f"{kind.__module__}:{kind.__qualname__}")
    keys = {key: value for key, value in asdict(config).items() if key != "name"}
    return {
        "config": _plain(keys),
        "networks": _plain({**asdict(networks.config), "name": name}),
        "data": _plain(asdict(data)),
        "seed": seed,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return list(map(_plain, value)) if isinstance(value, tuple | list) else value
