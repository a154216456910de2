"""Every network family fulfils its interface at every supported shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d
from torch.nn.functional import pad as pad_zeros

from gan_lightning.networks import NETWORKS, DCGANConfig, NetworkFamily, Shape
from gan_lightning.networks.base import INITIALISATIONS
from gan_lightning.networks.dropout import Dropout
from gan_lightning.testing import check_network

INPUTS = 12
BATCH = 4
POINTS: Shape = (2,)
TRANSLATORS = ("pix2pix", "cyclegan")
GAMES = ("dirac", "bilinear")
IMAGE_FAMILIES = [name for name in NETWORKS if name not in (*GAMES, "cogan", *TRANSLATORS)]
IMAGES: list[Shape] = [(1, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 64), (3, 128, 128)]
SUPPORTED = [(name, shape) for name in IMAGE_FAMILIES for shape in IMAGES]
SUPPORTED += [("mlp", POINTS), ("dirac", (1,)), ("bilinear", POINTS), ("cogan", (1, 28, 28))]
SUPPORTED += [(name, (3, 32, 32)) for name in TRANSLATORS]
# skipped: infogan's dense layers have 512 MiB of weights at 128 pixels
SUPPORTED.remove(("infogan", (3, 128, 128)))
UNSUPPORTED: list[tuple[str, Shape]] = [
    ("salimans", (28, 28)),
    ("mlp", (28, 28)),
    ("mlp", ()),
    ("dcgan", POINTS),
    ("dcgan", (1, 30, 30)),
    ("dcgan", (1, 32, 64)),
    ("dcgan", (0, 32, 32)),
    ("dirac", POINTS),
    ("dirac", (1, 28, 28)),
    ("bilinear", (1, 28, 28)),
    ("infogan", POINTS),
    ("cogan", POINTS),
    ("cogan", (1, 32, 32)),
    ("infogan", (1, 30, 28)),
    ("resnet", POINTS),
    ("resnet", (1, 36, 36)),
    ("resnet", (1, 32, 64)),
    ("resnet", (3, 512, 512)),
]

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 8},
    "cogan": {"width": 4},
    "pix2pix": {"width": 4},
    "cyclegan": {"width": 4, "blocks": 1},
    "resnet": {"width": 2},
    "salimans": {"generator_hidden": [16], "discriminator_hidden": [16, 16]},
}
"""Config values that make a family small."""

families = pytest.mark.parametrize(("name", "shape"), SUPPORTED, ids=str)


def build(name: str, **options: object) -> NetworkFamily[Any]:
    torch.manual_seed(0)
    family = NETWORKS[name]
    return family(family.Config(**{**SMALL.get(name, {}), **options}))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@families
def test_every_family_has_the_properties_of_networks(name: str, shape: Shape) -> None:
    check_network(NETWORKS[name], config=SMALL.get(name), shapes=[shape])


@pytest.mark.parametrize(("name", "shape"), UNSUPPORTED, ids=str)
def test_unsupported_shape_raises_a_one_line_message(name: str, shape: Shape) -> None:
    family = build(name)
    for make in (lambda: family.generator(INPUTS, shape), lambda: family.encoder(shape)):
        with pytest.raises(ValueError, match="do not support shape") as caught:
            make()
        message = str(caught.value)
        assert message.startswith(name)
        assert str(shape) in message
        assert "valid: " in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {"activation": "maxout"}),
        ("mlp", {"initialisation": "zeros"}),
        ("dcgan", {"generator_norm": "layer"}),
        ("dcgan", {"discriminator_norm": "group"}),
        ("infogan", {"initialisation": "zeros"}),
    ],
)
def test_unknown_option_raises_with_the_valid_ones(name: str, options: dict[str, str]) -> None:
    option, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=rf"{option} is '{value}'; valid are [a-z]"):
        build(name, **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_config_survives_omegaconf(name: str) -> None:
    config = NETWORKS[name].Config
    merged = OmegaConf.merge(OmegaConf.structured(config), {"initialisation": "orthogonal"})
    restored = OmegaConf.to_object(merged)
    assert restored == config(initialisation="orthogonal")
    shapes = {**dict.fromkeys(GAMES, (1,)), **dict.fromkeys(TRANSLATORS, (1, 32, 32))}
    shape = shapes.get(name, (1, 28, 28))
    assert NETWORKS[name](restored).encoder(shape).features > 0


def test_infogan_parameter_counts_are_those_of_table_1() -> None:
    family = build("infogan")
    shape = (1, 28, 28)
    map_size = 7 * 7 * 128
    dense = 74 * 1024 + 2 * 1024 + 1024 * map_size + 2 * map_size
    up_convolutions = 128 * 64 * 16 + 2 * 64 + 64 * 1 * 16 + 1
    assert parameters(family.generator(74, shape)) == dense + up_convolutions
    convolutions = 1 * 64 * 16 + 64 + 64 * 128 * 16 + 2 * 128
    trunk = map_size * 1024 + 2 * 1024
    assert parameters(family.encoder(shape)) == convolutions + trunk
    assert parameters(family.score_head(1024)) == 1024 + 1
    assert parameters(family.recognition_head(1024, 12)) == 1024 * 128 + 2 * 128 + 128 * 12 + 12


@pytest.mark.parametrize(
    ("size", "features"), [(28, 16 * 49), (32, 32 * 16), (64, 64 * 16), (128, 128 * 16)]
)
def test_dcgan_features_are_the_last_map(size: int, features: int) -> None:
    assert build("dcgan").encoder((3, size, size)).features == features


def test_cogan_parameter_counts_are_those_of_the_authors() -> None:
    torch.manual_seed(0)
    family = NETWORKS["cogan"](NETWORKS["cogan"].Config())
    trunk = 20 * 25 + 20 + 50 * 20 * 25 + 50 + 500 * 50 * 16 + 500 + 1
    assert parameters(family.encoder((1, 28, 28))) == trunk
    transposed = 100 * 1024 * 16 + (1024 * 512 + 512 * 256 + 256 * 128) * 9 + 128 * 36 + 1
    norms = 2 * (1024 + 512 + 256 + 128) + 4
    assert parameters(family.generator(100, (1, 28, 28))) == transposed + norms


def test_dcgan_norms_follow_the_config() -> None:
    def norms(network: nn.Module, kind: type[nn.Module]) -> int:
        return sum(isinstance(module, kind) for module in network.modules())

    shape = (3, 64, 64)
    usual = build("dcgan")
    assert norms(usual.generator(INPUTS, shape), nn.BatchNorm2d) == 4
    assert norms(usual.encoder(shape), nn.BatchNorm2d) == 3
    critic = build("dcgan", discriminator_norm="layer").encoder(shape)
    assert (norms(critic, nn.GroupNorm), norms(critic, nn.BatchNorm2d)) == (3, 0)
    bare = build("dcgan", generator_norm="none", discriminator_norm="none")
    assert norms(bare.generator(INPUTS, shape), nn.BatchNorm2d) == 0
    assert norms(bare.encoder(shape), nn.BatchNorm2d) == 0


def test_dcgan_may_have_a_fully_connected_generator() -> None:
    shape = (1, 28, 28)
    family = build("dcgan", generator_hidden=[16, 8])
    generator = family.generator(INPUTS, shape)
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in generator.modules())
    assert parameters(generator) == 12 * 16 + 16 + 16 * 8 + 8 + 8 * 784 + 784
    # the discriminator is not changed
    assert parameters(family.encoder(shape)) == parameters(build("dcgan").encoder(shape))
    check_network(NETWORKS["dcgan"], config={"width": 4, "generator_hidden": [16]}, shapes=[shape])


PACGAN = {"width": 64, "kernel": 5, "smallest_map": 2}
"""Options of the networks of PacGAN's code for stacked MNIST."""


def test_dcgan_parameter_counts_are_those_of_pacgan() -> None:
    family = build("dcgan", **PACGAN)
    shape = (3, 28, 28)
    kernels = 25 * (64 * 128 + 128 * 256 + 256 * 512)
    norms = 2 * (64 + 128 + 256 + 512)
    # the code has biases before its batch norms, which have no effect
    dense = 100 * 2 * 2 * 512
    assert parameters(family.generator(100, shape)) == dense + kernels + norms + 25 * 3 * 64 + 3
    trunk = 25 * 3 * 64 + 64 + kernels + norms - 2 * 64
    assert parameters(family.encoder(shape)) == trunk
    assert family.encoder(shape).features == 2 * 2 * 512


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("smallest_map", [1, 2, 4, 7])
@pytest.mark.parametrize("size", [16, 28, 36])
def test_dcgan_has_the_properties_with_every_kernel(
    kernel: int, smallest_map: int, size: int
) -> None:
    config = {"width": 4, "kernel": kernel, "smallest_map": smallest_map}
    if size == 28 or smallest_map == 1:
        check_network(NETWORKS["dcgan"], config=config, shapes=[(3, size, size)])
    network = NETWORKS["dcgan"](DCGANConfig(**config))
    sides, side = [], size
    while side > smallest_map:
        side = (side + 1) // 2
        sides.append(side)
    found: list[int] = []
    encoder = network.encoder((3, size, size))
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, maps: found.append(maps.shape[-1]))
    encoder(torch.zeros(2, 3, size, size))
    assert found == sides


def test_kernels_of_5_pixels_lie_as_those_of_tensorflow() -> None:
    """SAME: one zero before an even side and two behind it; the transpose is its gradient."""
    trunk, generator = (
        next(layer for layer in network.modules() if isinstance(layer, kind))
        for network, kind in (
            (build("dcgan", **PACGAN).encoder((3, 28, 28)), nn.Sequential),
            (build("dcgan", **PACGAN).generator(9, (3, 28, 28)), nn.Sequential),
        )
    )
    pad, convolution = trunk[0], trunk[1]
    images = torch.randn(2, 3, 28, 28)
    expected = conv2d(pad_zeros(images, (1, 2, 1, 2)), convolution.weight, convolution.bias, 2)
    torch.testing.assert_close(convolution(pad(images)), expected)
    transposed, crop = generator[-3], generator[-2]
    maps = torch.randn(2, 64, 14, 14)
    wide = conv_transpose2d(maps, transposed.weight, transposed.bias, 2)
    torch.testing.assert_close(crop(transposed(maps)), wide[..., 1:29, 1:29])


def test_pixels_from_0_are_those_from_minus_1_rescaled() -> None:
    """Generated pixels are 2 tanh - 1, and what the discriminator sees is the tanh."""
    shape = (3, 28, 28)
    usual, unit = build("dcgan"), build("dcgan", pixels="unit")
    torch.manual_seed(1)
    noise = torch.randn(BATCH, INPUTS)
    pair = [family.generator(INPUTS, shape) for family in (usual, unit)]
    pair[1].load_state_dict(pair[0].state_dict())
    plain, images = (generator(noise) for generator in pair)
    torch.testing.assert_close(images, 2 * plain - 1)
    trunks = [family.encoder(shape) for family in (usual, unit)]
    weights = list(trunks[0].parameters())
    with torch.no_grad():
        for weight, value in zip(trunks[1].parameters(), weights, strict=True):
            weight.copy_(value)
    torch.testing.assert_close(trunks[1](images), trunks[0](plain), rtol=1e-4, atol=1e-5)
    hidden = build("dcgan", pixels="unit", generator_hidden=[5]).generator(INPUTS, shape)
    assert hidden(100 * noise).min() < -1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert pair[1](noise).dtype == torch.float32


def test_mlp_options_change_the_layers_they_name() -> None:
    family = build("mlp", generator_hidden=[16, 8], batch_norm=True, dropout=0.5)
    generator, encoder = family.generator(INPUTS, POINTS), family.encoder(POINTS)
    assert sum(isinstance(module, nn.BatchNorm1d) for module in generator.modules()) == 2
    assert not any(isinstance(module, nn.BatchNorm1d) for module in encoder.modules())
    assert sum(isinstance(module, nn.Dropout) for module in encoder.modules()) == 2
    assert parameters(generator) == 12 * 16 + 2 * 16 + 16 * 8 + 2 * 8 + 8 * 2 + 2


def test_normal_initialisation_has_its_standard_deviation() -> None:
    encoder = build("infogan").encoder((1, 28, 28))
    weights = {name: weight for name, weight in encoder.named_parameters() if weight.ndim > 1}
    for weight in weights.values():
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_initial_weights_do_not_depend_on_the_number_of_threads(initialisation: str) -> None:
    """A QR decomposition in two threads rounds in another way."""
    weights = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        layer = torch.nn.Linear(512, 512)
        INITIALISATIONS[initialisation](layer)
        assert torch.get_num_threads() == threads
        weights.append(layer.weight)
    torch.set_num_threads(1)
    assert torch.equal(*weights)


def test_orthogonal_initialisation_is_scaled() -> None:
    encoder = build("mlp", initialisation="orthogonal_1.4").encoder(POINTS)
    weight = dict(encoder.named_parameters())["layers.3.weight"]
    torch.testing.assert_close(weight @ weight.T, 1.96 * torch.eye(128), atol=1e-5, rtol=0)


@pytest.mark.parametrize("precise", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("probability", [0.0, 0.4])
def test_dropout_zeroes_units_and_scales_the_others(
    probability: float, precise: torch.dtype
) -> None:
    torch.manual_seed(0)
    layer = Dropout(probability)
    data = torch.full((50, 2, 20, 20), 3.0, dtype=precise).to(memory_format=torch.channels_last)
    data.requires_grad_(True)
    dropped = layer(data)
    assert dropped.dtype == precise
    assert dropped.is_contiguous(memory_format=torch.channels_last)
    zeroed = dropped == 0
    assert zeroed.float().mean().item() == pytest.approx(probability, abs=0.01)
    torch.testing.assert_close(
        dropped[~zeroed],
        torch.full_like(dropped[~zeroed], 3 / (1 - probability)),
        rtol=1e-2,
        atol=0,
    )
    if probability:  # independently: neighbours in no direction are correlated
        for part in (zeroed[1:] & zeroed[:-1], zeroed[..., 1:] & zeroed[..., :-1]):
            assert part.float().mean().item() == pytest.approx(probability**2, abs=0.01)
    (gradient,) = torch.autograd.grad(dropped.float().sum(), data)
    assert torch.equal(gradient == 0, zeroed)
    layer.eval()
    assert layer(data) is data
