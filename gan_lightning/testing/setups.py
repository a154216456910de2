"""A GAN with the networks and the data with which it is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from gan_lightning.config.registry import find_class
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.gans import GAN
from gan_lightning.networks import NetworkFamily
from gan_lightning.testing.declared import make_config
from gan_lightning.testing.synthetic import SyntheticData
from gan_lightning.types import DataSpec

__all__ = ["GANSetup", "find_setups"]

Networks = str | Mapping[str, Any] | NetworkFamily[Any] | type[NetworkFamily[Any]]
Data = DataSpec | tuple[int, ...]

IMAGE = (1, 32, 32)

SPECS = (
    DataSpec((2,), classes=4),
    DataSpec((2,), labelled_classes=4),
    DataSpec((2,)),
    DataSpec(IMAGE, classes=4),
    DataSpec(IMAGE),
    DataSpec(IMAGE, classes=4, source_shape=IMAGE),
)
"""Small data, in the order in which a GAN is tried on them."""

SMALL_MLP = {"name": "mlp", "generator_hidden": [16], "discriminator_hidden": [16]}
SMALL_TRANSLATOR = {"name": "pix2pix", "width": 2, "patch": 16, "norm": "none", "dropout": 0.0}
"""Networks without layers whose output depends on the number of processes."""


@dataclass(frozen=True)
class GANSetup:
    """A GAN class with everything that it is built from; it can be sent to another process.

    Attributes:
        owner: the class that is checked.
        config: an instance of its `Config`.
        family: class of its networks.
        network: config of its networks.
        spec: shape and classes of the data.
    """

    owner: type[GAN]
    config: Any
    family: type[NetworkFamily[Any]]
    network: Any
    spec: DataSpec

    def build(self, seed: int = 0, **changes: Any) -> GAN:
        """Build the GAN with the weights of a seed.

        Args:
            seed: seed of the run.
            changes: values of the config that are changed.

        Raises:
            ValueError: config, networks and data do not fit together.
        """
        config = replace(deepcopy(self.config), **changes)
        with isolated_randomness(derived_seed(seed, "weights")):
            gan = self.owner(config, self.family(deepcopy(self.network)), self.spec, seed)
        if self.spec.source_shape is not None:
            gan.examples = self.data().minibatch().source
        return gan

    def data(self) -> SyntheticData:
        """Return data of the spec."""
        return SyntheticData(self.spec)


def find_setups(
    owner: type[GAN], config: Any, networks: Networks | None, data: Data | None
) -> list[GANSetup]:
    """List the setups with which a GAN can be built: the first one, and the first with images.

    Args:
        owner: the class that is checked.
        config: an instance of its `Config`, values by name, or None.
        networks: name, keys, instance or class of a network family, or None for small networks.
        data: spec or shape of the data, or None to try small data of several kinds.

    Raises:
        AssertionError: it cannot be built with any of them.
    """
    reasons: list[str] = []
    found: list[GANSetup] = []
    for setup in _candidates(owner, make_config(owner, config), networks, data):
        if found and not setup.spec.is_image:
            continue
        try:
            setup.build()
        except ValueError as error:
            reasons.append(str(error))
            continue
        found.append(setup)
        if setup.spec.is_image:
            break
    if not found:
        raise AssertionError(
            f"{owner.__name__}: it cannot be built ({reasons[-1]}); give its check other "
            f"config=…, networks=… or data=…"
        )
    return found


def _candidates(
    owner: type[GAN], config: Any, networks: Networks | None, data: Data | None
) -> Iterator[GANSetup]:
    """Yield the combinations of networks and data that a GAN is tried with."""
    specs = SPECS if data is None else (data if isinstance(data, DataSpec) else DataSpec(data),)
    for spec in specs:
        small = SMALL_MLP if spec.source_shape is None else SMALL_TRANSLATOR
        yield GANSetup(owner, config, *_family(small if networks is None else networks), spec)


def _family(networks: Networks) -> tuple[type[NetworkFamily[Any]], Any]:
    """Return class and config of a network family."""
    if isinstance(networks, NetworkFamily):
        return type(networks), networks.config
    if isinstance(networks, type):
        return networks, networks.Config()
    keys = {"name": networks} if isinstance(networks, str) else dict(networks)
    family = find_class("network", keys.pop("name"))
    return family, make_config(family, keys)
