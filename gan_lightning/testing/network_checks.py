"""The properties of every network family, and `check_network`, which checks all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.networks import Encoder, NetworkFamily, Shape
from gan_lightning.networks.base import NetworkConfig
from gan_lightning.testing.declared import (
    check_config_is_checked,
    check_declarations,
    make_config,
)
from gan_lightning.testing.failure import describing, require
from gan_lightning.testing.training import differences

__all__ = ["check_network"]

SHAPES: tuple[Shape, ...] = (
    (1,), (2,), (1, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 64), (3, 128, 128),
)  # fmt: skip
"""Shapes that a family is tried with."""

NO_SAMPLE: Shape = (2, 2)
"""A shape of neither points nor images, which no family supports."""

INPUTS, OUTPUTS, CLASSES, BATCH = 12, 5, 3, 4

Build = Callable[[], nn.Module]


def check_network(
    cls: type[NetworkFamily[Any]],
    *,
    config: NetworkConfig | Mapping[str, Any] | None = None,
    shapes: Sequence[Shape] | None = None,
) -> None:
    """Check that a network family builds what a GAN needs, for every shape that it supports.

    Outputs have the documented shapes and ranges, gradients reach every parameter, the seed
    determines the initial weights, the memory format does not change an output, and a shape that
    is not supported is a ValueError of one line.

    Args:
        cls: subclass of `NetworkFamily`.
        config: an instance of its `Config`, or values by name; None for the defaults. Small
            networks are checked faster.
        shapes: shapes that it must support; None for those of (1,), (2,) and images of 28 to 64
            pixels that it accepts, at least one.

    Raises:
        AssertionError: it does not have a property; one sentence names class and property.
    """
    check_declarations(cls, NetworkFamily, NetworkConfig)
    values = make_config(cls, config)
    with describing(cls, "building it"):
        family = cls(deepcopy(values))
        check_config_is_checked(cls, values, cls)
    with describing(cls, f"the shape {NO_SAMPLE}, which is no sample,"):
        check_unsupported(cls, family)
    accepted = [shape for shape in SHAPES if _supports(family, shape)] if shapes is None else shapes
    require(bool(accepted), cls, f"it supports none of the shapes {', '.join(map(str, SHAPES))}")
    for shape in accepted:
        with describing(cls, f"building networks for shape {shape}"):
            check_generators(cls, family, shape)
            check_encoder(cls, family, shape)


def check_unsupported(owner: type[Any], family: NetworkFamily[Any]) -> None:
    """Check that a shape of no sample raises a ValueError of one line."""
    builders: tuple[Build, ...] = (
        lambda: family.generator(INPUTS, NO_SAMPLE),
        lambda: family.encoder(NO_SAMPLE),
    )
    for build in builders:
        try:
            build()
        except ValueError as error:
            require("\n" not in str(error), owner, "the error of a wrong shape is not one line")
        else:
            require(False, owner, f"it accepts the shape {NO_SAMPLE}; raise unsupported_shape(…)")


def check_generators(owner: type[Any], family: NetworkFamily[Any], shape: Shape) -> None:
    """Check the generator of vectors, and those of classes and of images where it has them."""
    inputs = {
        "generator": _noise(INPUTS),
        "translator": _noise(*shape),
        "conditional generator": _noise(INPUTS),
    }
    builders: dict[str, Build] = {
        "generator": lambda: family.generator(INPUTS, shape),
        "translator": lambda: family.translator(shape, shape),
    }
    if type(family).conditional_generator is not NetworkFamily.conditional_generator:
        builders["conditional generator"] = lambda: family.conditional_generator(
            INPUTS - CLASSES, CLASSES, shape
        )
    found = 0
    for name, build in builders.items():
        if not _builds(build):
            continue
        found += 1
        where = f"{name} for shape {shape}"
        network = check_initialisation(owner, build, where)
        samples = network(inputs[name])
        _require_shape(owner, where, samples, (BATCH, *shape))
        require(
            len(shape) != 3 or bool(samples.abs().max() <= 1),
            owner,
            f"the {where} returns values of {samples.abs().max():.3g}; images must lie in [-1, 1]",
        )
        _require_gradients(owner, where, network, inputs[name])
        if len(shape) == 3:
            check_memory_format(owner, network, inputs[name], where)
    require(found > 0, owner, f"it has neither a generator nor a translator for shape {shape}")


def check_encoder(owner: type[Any], family: NetworkFamily[Any], shape: Shape) -> None:
    """Check the discriminator's trunk and heads, without and with labels."""
    where = f"discriminator trunk for shape {shape}"
    data = _noise(*shape)
    trunk = check_initialisation(owner, lambda: family.encoder(shape), where)
    require(isinstance(trunk, Encoder), owner, f"the {where} is no Encoder")
    assert isinstance(trunk, Encoder)
    heads = {"score": (family.score_head(trunk.features), BATCH)}
    if _builds(lambda: family.recognition_head(trunk.features, OUTPUTS)):
        head = family.recognition_head(trunk.features, OUTPUTS)
        heads["recognition"] = (head, BATCH * OUTPUTS)
    features = trunk(data)
    packs = BATCH // family.config.packing
    require(
        tuple(features.shape[:2]) == (packs, trunk.features),
        owner,
        f"the {where} returns {tuple(features.shape)}; it must begin with ({packs}, its features "
        f"{trunk.features})",
    )
    outputs = {name: head(features) for name, (head, _) in heads.items()}
    for name, (_, size) in heads.items():
        output = outputs[name]
        where_head = f"{name} head for shape {shape}"
        require(
            output.numel() % (size * packs // BATCH) == 0 and (output.ndim == 1 or name != "score"),
            owner,
            f"the {where_head} returns shape {tuple(output.shape)}",
        )
    layers = [head for head, _ in heads.values()]
    _require_gradients(owner, where, trunk, data, *layers)
    if len(shape) == 3:
        check_memory_format(owner, trunk, data, where)
    check_labels(owner, family, shape)


def check_labels(owner: type[Any], family: NetworkFamily[Any], shape: Shape) -> None:
    """Check that the features of the conditional encoder depend on the label."""
    if not _builds(lambda: family.conditional_encoder(shape, CLASSES)):
        return
    encoder = family.conditional_encoder(shape, CLASSES).eval()
    count = BATCH * family.config.packing
    data = _noise(*shape, count=count)
    one, other = (encoder(data, torch.full((count,), label)) for label in (0, 1))
    require(
        not torch.equal(one, other),
        owner,
        f"the features of the conditional encoder for shape {shape} do not depend on the label",
    )


def check_initialisation(owner: type[Any], build: Build, where: str) -> nn.Module:
    """Check that the seed determines the initial weights, and return a network."""
    networks = []
    for seed in (0, 0, 1):
        with isolated_randomness(seed):
            networks.append(build())
    first, second, other = (network.state_dict() for network in networks)
    changed = differences(first, second)
    require(not changed, owner, f"the {where} has other initial weights with the same seed")
    matrices = any(value.ndim > 1 for value in first.values())
    require(
        bool(differences(first, other)) or not matrices,
        owner,
        f"the {where} has the same initial weights with another seed",
    )
    return networks[0]


def check_memory_format(owner: type[Any], network: nn.Module, data: Tensor, where: str) -> None:
    """Check that channels_last changes no output, of a network without random layers."""
    network.eval()
    with torch.no_grad():
        expected, again = network(data), network(data)
        if not torch.equal(expected, again):
            return
        network.to(memory_format=torch.channels_last)
        batch = data.to(memory_format=torch.channels_last) if data.ndim == 4 else data
        found = network(batch)
    require(
        torch.allclose(found, expected, rtol=1e-4, atol=1e-5),
        owner,
        f"the {where} returns other values in the channels_last memory format",
    )


def _supports(family: NetworkFamily[Any], shape: Shape) -> bool:
    return _builds(lambda: family.discriminator_trunk(shape))


def _builds(build: Build) -> bool:
    try:
        build()
    except ValueError:
        return False
    return True


def _noise(*shape: int, seed: int = 1, count: int = BATCH) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, *shape, generator=rng) * 2 - 1


def _require_shape(owner: type[Any], where: str, output: Tensor, shape: tuple[int, ...]) -> None:
    require(
        tuple(output.shape) == shape,
        owner,
        f"the {where} returns shape {tuple(output.shape)}, not {shape}",
    )


def _require_gradients(
    owner: type[Any], where: str, network: nn.Module, data: Tensor, *heads: nn.Module
) -> None:
    """Check that a gradient reaches every parameter of a network and the heads on its output.

    Parameters that are zero at first, which may cut off others, are moved before.
    """
    weights = [
        (name, weight)
        for module in (network, *heads)
        for name, weight in module.named_parameters()
        if weight.requires_grad
    ]
    rng = torch.Generator().manual_seed(4)
    for _, weight in weights:
        if not weight.any():
            nn.init.normal_(weight, std=0.01, generator=rng)
    features = network(data)
    outputs = [head(features) for head in heads] or [features]
    for output in outputs:
        (output * _noise(*output.shape[1:], seed=3, count=len(output))).sum().backward(
            retain_graph=True
        )
    silent = [name for name, weight in weights if weight.grad is None or not weight.grad.any()]
    require(not silent, owner, f"no gradient reaches {', '.join(silent[:2])} of the {where}")
