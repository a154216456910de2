"""Packing and minibatch discrimination, alone and in every network family."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.networks import NETWORKS, NetworkFamily, Shape
from gan_lightning.networks.minibatch import (
    MeanMinibatchDiscrimination,
    MinibatchDiscrimination,
    Pack,
)

SHAPES: dict[str, Shape] = {"mlp": (2,), "dcgan": (3, 28, 28), "infogan": (1, 8, 8)}
WITHOUT_FEATURES = ("dirac", "bilinear", "pix2pix", "cyclegan")
"""Families whose discriminator has no features of a complete sample."""
families = pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in WITHOUT_FEATURES]
)

OWN_SCALES = ("salimans", "resnext")
"""Families that refuse spectral normalisation."""


def family(name: str, **options: object) -> NetworkFamily[Any]:
    torch.manual_seed(0)
    small = {"width": 4} if name == "dcgan" else {}
    return NETWORKS[name](NETWORKS[name].Config(**{**small, **options}))


def shape_of(name: str) -> Shape:
    return SHAPES.get(name, (1, 28, 28))


def layer(features: int = 4, kernels: int = 3, dimensions: int = 2) -> MinibatchDiscrimination:
    torch.manual_seed(1)
    return MinibatchDiscrimination(features, kernels, dimensions)


def mean_layer() -> MeanMinibatchDiscrimination:
    torch.manual_seed(1)
    return MeanMinibatchDiscrimination(4, 3, 2)


DATA = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))


def distances_by_hand(weight: Tensor) -> Tensor:
    """Distances (i, j, b) of the samples of DATA by a weight (B C, A), C = 2."""
    vectors = (weight @ DATA.T).T
    values = torch.zeros(5, 5, 3)
    for i in range(5):
        for j in range(5):
            for b in range(3):
                values[i, j, b] = sum(
                    abs(float(vectors[i, 2 * b + c] - vectors[j, 2 * b + c])) for c in range(2)
                )
    return values


def closeness_by_hand(distances: Tensor) -> Tensor:
    """Sum over the other samples, (i, b)."""
    return torch.stack(
        [
            torch.stack([(-distances[i, j]).exp() for j in range(5) if j != i]).sum(0)
            for i in range(5)
        ]
    )


def test_first_minibatch_sets_scale_and_bias_as_the_authors_code_does() -> None:
    discrimination = layer()
    rows = discrimination.direction.detach()
    distances = distances_by_hand(rows / rows.square().sum(1, keepdim=True).sqrt())
    nearest = (distances + 1e6 * torch.eye(5)[:, :, None]).min(1).values.mean(0)
    expected = closeness_by_hand(distances / (0.5 * nearest))
    output = discrimination(DATA)
    torch.testing.assert_close(output, torch.cat([DATA, expected - expected.mean(0)], 1))
    scales = -(0.5 * nearest).log()
    torch.testing.assert_close(discrimination.log_scale.detach(), scales[:, None].expand(3, 2))
    torch.testing.assert_close(discrimination.bias.detach(), -expected.mean(0))
    assert discrimination.others == 4


def test_only_the_first_minibatch_in_training_sets_them() -> None:
    discrimination = layer().eval()
    before = copy.deepcopy(discrimination.state_dict())
    discrimination(DATA)
    discrimination.train()(DATA[:1])  # a single sample has no neighbour
    assert all(torch.equal(before[k], v) for k, v in discrimination.state_dict().items())
    discrimination(DATA)
    first = copy.deepcopy(discrimination.state_dict())
    assert not torch.equal(before["log_scale"], first["log_scale"])
    discrimination(3 * DATA)
    assert all(torch.equal(first[k], v) for k, v in discrimination.state_dict().items())
    again = layer()
    again.load_state_dict(first)
    assert torch.equal(again(3 * DATA), discrimination(3 * DATA))
    assert torch.equal(copy.deepcopy(again)(DATA), discrimination(DATA))


def test_closeness_is_comparable_between_sizes_of_minibatches() -> None:
    discrimination = layer()
    discrimination(DATA)
    torch.testing.assert_close(
        discrimination(torch.cat([DATA[:2]] * 8))[:2, 4:] - discrimination.bias,
        # 7 twins of closeness 1 and 8 copies of the other sample
        4 / 15 * (7 + 8 * (discrimination(DATA[:2])[:, 4:] - discrimination.bias) / 4),
    )


def test_equal_samples_keep_the_scale_finite() -> None:
    discrimination = layer()
    assert discrimination(DATA[:1].expand(6, 4)).isfinite().all()


def test_mean_closeness_by_hand() -> None:
    discrimination = mean_layer()
    closeness = closeness_by_hand(distances_by_hand(discrimination.projection.weight.detach())) / 4
    torch.testing.assert_close(discrimination(DATA), torch.cat([DATA, closeness], 1))


def test_mean_closeness_is_1_in_a_collapsed_minibatch_and_0_in_a_wide_one() -> None:
    discrimination = mean_layer()
    torch.testing.assert_close(discrimination(DATA[:1].expand(6, 4))[:, 4:], torch.ones(6, 3))
    assert discrimination(1e4 * DATA)[:, 4:].max() < 1e-3
    assert torch.equal(discrimination(DATA[:1])[:, 4:], torch.zeros(1, 3))


@pytest.mark.parametrize("make", [layer, mean_layer])
def test_closeness_is_permutation_equivariant(make: Callable[[], nn.Module]) -> None:
    discrimination, order = make(), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(discrimination(DATA)[order], discrimination(DATA[order]))


@pytest.mark.parametrize("make", [layer, mean_layer])
def test_gradients_reach_every_sample_and_all_weights(make: Callable[[], nn.Module]) -> None:
    discrimination, data = make(), DATA.clone().requires_grad_(True)
    discrimination(data)[0, 4:].sum().backward()
    assert data.grad is not None
    assert (data.grad.abs().sum(1) > 0).all()
    for weight in discrimination.parameters():
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("make", [layer, mean_layer])
def test_closeness_is_computed_in_float32(make: Callable[[], nn.Module]) -> None:
    discrimination = make().bfloat16()
    assert discrimination(DATA.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(
        discrimination(DATA.bfloat16()).float(), make()(DATA), rtol=0.05, atol=0.05
    )


def test_autocast_does_not_round_distances() -> None:
    discrimination = layer()
    expected = discrimination(DATA)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(discrimination(DATA), expected)


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
    options = {"packing": 2, "minibatch_kernels": 3, "spectral_norm": name not in OWN_SCALES}
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
