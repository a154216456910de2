"""Packing and minibatch discrimination, alone and in every network family."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_lightning.networks import NETWORKS, NetworkFamily, Shape
from gan_lightning.networks.minibatch import MinibatchDiscrimination, Pack

SHAPES: dict[str, Shape] = {"mlp": (2,), "dcgan": (3, 28, 28), "infogan": (1, 8, 8)}
WITHOUT_FEATURES = ("dirac", "pix2pix")
"""Families whose discriminator has no features of a complete sample."""
families = pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in WITHOUT_FEATURES]
)


def family(name: str, **options: object) -> NetworkFamily[Any]:
    torch.manual_seed(0)
    small = {"width": 4} if name == "dcgan" else {}
    return NETWORKS[name](NETWORKS[name].Config(**{**small, **options}))


def shape_of(name: str) -> Shape:
    return SHAPES.get(name, (1, 28, 28))


def layer(features: int = 4, kernels: int = 3, dimensions: int = 2) -> MinibatchDiscrimination:
    torch.manual_seed(1)
    return MinibatchDiscrimination(features, kernels, dimensions)


DATA = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))


def test_closeness_by_hand() -> None:
    discrimination = layer()
    vectors = (discrimination.projection.weight.detach() @ DATA.T).T
    closeness = torch.zeros(5, 3)
    for i in range(5):
        for j in range(5):
            for b in range(3):
                distance = sum(
                    abs(float(vectors[i, 2 * b + c] - vectors[j, 2 * b + c])) for c in range(2)
                )
                if i != j:
                    closeness[i, b] += math.exp(-distance) / 4
    torch.testing.assert_close(discrimination(DATA), torch.cat([DATA, closeness], 1))


def test_closeness_is_permutation_equivariant() -> None:
    discrimination, order = layer(), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(discrimination(DATA[order]), discrimination(DATA)[order])


def test_closeness_is_1_in_a_collapsed_minibatch_and_0_in_a_wide_one() -> None:
    discrimination = layer()
    torch.testing.assert_close(discrimination(DATA[:1].expand(6, 4))[:, 4:], torch.ones(6, 3))
    assert discrimination(1e4 * DATA)[:, 4:].max() < 1e-3
    assert torch.equal(discrimination(DATA[:1])[:, 4:], torch.zeros(1, 3))


def test_closeness_is_a_mean_over_the_minibatch() -> None:
    discrimination = layer()
    pair = DATA[:2]
    twins = discrimination(torch.cat([pair, pair, pair]))[:2, 4:]
    other = discrimination(pair)[:, 4:]
    torch.testing.assert_close(twins, (2 * 1 + 3 * other) / 5)


def test_gradients_reach_every_sample_and_the_kernels() -> None:
    discrimination, data = layer(), DATA.clone().requires_grad_(True)
    discrimination(data)[0, 4:].sum().backward()
    assert data.grad is not None
    assert (data.grad.abs().sum(1) > 0).all()
    assert discrimination.projection.weight.grad is not None
    assert discrimination.projection.weight.grad.abs().sum() > 0


def test_closeness_is_computed_in_float32() -> None:
    discrimination = layer().bfloat16()
    assert discrimination(DATA.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(
        discrimination(DATA.bfloat16()).float(), layer()(DATA), rtol=0.05, atol=0.05
    )


# --- packs


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2,), (3, 4, 5)], ids=str)
def test_packs_concatenate_neighbouring_samples(size: int, shape: Shape) -> None:
    data = torch.randn(6, *shape)
    packed = Pack(size)(data)
    assert packed.shape == (6 // size, size * shape[0], *shape[1:])
    for number, pack in enumerate(packed):
        expected = torch.cat(list(data[number * size : (number + 1) * size]))
        assert torch.equal(pack, expected)


def test_a_minibatch_that_does_not_fill_its_packs_raises() -> None:
    with pytest.raises(ValueError, match=r"minibatch of 7 .* packs of 3; set data.batch_size"):
        Pack(3)(torch.randn(7, 2))


@families
@pytest.mark.parametrize("packing", [2, 4])
@pytest.mark.parametrize("kernels", [0, 3])
def test_every_family_supports_packing_and_minibatch_discrimination(
    name: str, packing: int, kernels: int
) -> None:
    made = family(name, packing=packing, minibatch_kernels=kernels, minibatch_dimensions=2)
    shape = shape_of(name)
    plain = family(name).encoder(shape)
    encoder, discriminator = made.encoder(shape), made.discriminator(shape)
    data = torch.randn(8, *shape, requires_grad=True)
    assert encoder.features == plain.features + kernels
    assert encoder(data).shape == (8 // packing, encoder.features)
    scores: Tensor = discriminator(data)
    assert scores.shape == (8 // packing,)
    scores.square().sum().backward()
    assert data.grad is not None
    assert (data.grad.flatten(1).abs().sum(1) > 0).all()
    assert all(weight.grad is not None for weight in discriminator.parameters())


def test_a_score_depends_on_its_own_pack_only() -> None:
    discriminator = family("mlp", packing=2).discriminator((2,))
    data = torch.randn(6, 2, requires_grad=True)
    discriminator(data)[1].backward()
    assert data.grad is not None
    assert (data.grad.abs().sum(1) > 0).tolist() == [False, False, True, True, False, False]


@families
def test_discriminator_options_do_not_change_the_generator(name: str) -> None:
    options = {"packing": 2, "minibatch_kernels": 3, "spectral_norm": name != "salimans"}
    plain, other = (
        family(name, **chosen).generator(6, shape_of(name)).state_dict() for chosen in ({}, options)
    )
    assert plain.keys() == other.keys()
    assert all(torch.equal(plain[key], other[key]) for key in plain)


@pytest.mark.parametrize(
    ("option", "value"),
    [("packing", 0), ("minibatch_dimensions", 0), ("minibatch_kernels", -1)],
)
def test_options_out_of_range_raise(option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{option} is {value}; it must be at least"):
        family("mlp", **{option: value})
