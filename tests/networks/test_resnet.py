"""SNGAN's residual networks: parameter counts, class-conditional norms, projection, training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import compare
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, one_hot, relu
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.export import FORMATS, GeneratorFunction
from gan_lightning.gans import GAN, GANS, ConditionalGAN
from gan_lightning.networks import DCGAN, DCGANConfig, ResNet, ResNetConfig, Shape
from gan_lightning.networks.heads import ProjectionScore
from gan_lightning.networks.labels import ProjectionEncoder
from gan_lightning.networks.residual import (
    ConditionalBatchNorm,
    DiscriminatorBlock,
    GeneratorBlock,
)
from gan_lightning.testing import check_gan, check_network
from gan_lightning.types import Condition, DataSpec

CIFAR: Shape = (3, 32, 32)
SMALL: Shape = (1, 16, 16)
CLASSES = 4
NARROW: dict[str, Any] = {"name": "resnet", "width": 1}


def family(**options: Any) -> ResNet:
    torch.manual_seed(0)
    return ResNet(ResNetConfig(**options))


def parameters(*networks: nn.Module) -> int:
    return sum(weight.numel() for network in networks for weight in network.parameters())


def conditional_gan(model: str = "cgan", **options: Any) -> GAN:
    data = DataSpec(SMALL, classes=CLASSES)
    return GANS[model]({"latent_size": 5, **options}, {"name": "resnet", "width": 2}, data)


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel**2 + outputs


def test_parameter_counts_for_cifar_10_are_those_of_the_paper() -> None:
    """As in the networks of 32 pixels in github.com/kwotsin/mimicry, counted by hand."""
    norms = 2 * 2 * 256
    block = 2 * convolution(256, 256, 3) + convolution(256, 256, 1) + norms
    ends = (128 + 1) * 256 * 16 + 2 * 256 + convolution(256, 3, 3)
    assert parameters(family().generator(128, CIFAR)) == 3 * block + ends == 4_276_739
    first = convolution(3, 128, 3) + convolution(128, 128, 3) + convolution(3, 128, 1)
    blocks = 3 * 2 * convolution(128, 128, 3) + convolution(128, 128, 1)
    assert parameters(family().discriminator(CIFAR)) == first + blocks + 129 == 1_053_825


def test_parameter_counts_with_classes_are_those_of_the_paper() -> None:
    """Every norm of a block has a scale and a shift per class, the discriminator a vector."""
    generator = family().conditional_generator(128, 10, CIFAR)
    assert parameters(generator) == 4_276_739 + 3 * 2 * 2 * 256 * 9
    encoder = family().conditional_encoder(CIFAR, 10)
    head = family().conditional_score_head(encoder.features)
    assert parameters(encoder, head) == 1_053_825 + 10 * 128


@pytest.mark.parametrize(
    ("size", "generator", "discriminator"),
    [
        (28, [4, 4, 4], [2, 2, 2, 2]),
        (48, [8, 4, 2, 1], [1, 2, 4, 8, 16]),
        (64, [16, 8, 4, 2, 1], [1, 2, 4, 8, 16]),
        (128, [16, 16, 8, 4, 2, 1], [1, 2, 4, 8, 16, 16]),
        (256, [16, 16, 8, 8, 4, 2, 1], [1, 2, 4, 8, 8, 16, 16]),
    ],
)
def test_widths_are_those_of_the_authors(
    size: int, generator: list[int], discriminator: list[int]
) -> None:
    networks = family(width=1)
    shape = (3, size, size)
    built = networks.generator(3, shape)
    widths = [
        block.shortcut.in_channels for block in built.modules() if isinstance(block, GeneratorBlock)
    ]
    assert widths == generator[:-1]
    trunk = networks.discriminator_trunk(shape)
    blocks = [block for block in trunk.modules() if isinstance(block, DiscriminatorBlock)]
    assert [last_width(block) for block in blocks] == discriminator
    assert trunk.features == discriminator[-1]


def last_width(block: DiscriminatorBlock) -> int:
    return [part for part in block.layers if isinstance(part, nn.Conv2d)][-1].out_channels


@pytest.mark.parametrize("size", [16, 28, 40, 56])
def test_sizes_beside_those_of_the_authors(size: int) -> None:
    check_network(ResNet, config={"width": 2}, shapes=[(1, size, size)])


def test_initial_weights_are_those_of_the_authors() -> None:
    block = DiscriminatorBlock(64, 128, halve=True)
    for layer in (part for part in block.modules() if isinstance(part, nn.Conv2d)):
        pixels = layer.kernel_size[0] ** 2
        variance = 2 / ((layer.in_channels + layer.out_channels) * pixels)
        variance *= 2 if pixels == 9 else 1
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
        assert layer.bias is not None
        assert not layer.bias.any()


def test_another_initialisation_reaches_all_layers() -> None:
    networks = family(width=1, initialisation="normal_0.02")
    for network in (
        networks.conditional_generator(40, CLASSES, SMALL),
        networks.discriminator_trunk(SMALL),
    ):
        weights = [
            layer.weight.flatten()
            for layer in network.modules()
            if isinstance(layer, nn.Linear | nn.Conv2d)
        ]
        assert torch.cat(weights).std().item() == pytest.approx(0.02, rel=0.1)


def test_a_block_of_the_discriminator_by_hand() -> None:
    torch.manual_seed(0)
    block, maps = DiscriminatorBlock(2, 3, halve=True), torch.randn(4, 2, 6, 6)
    first, second, change = (part for part in block.modules() if isinstance(part, nn.Conv2d))
    inner = conv2d(relu(maps), first.weight, first.bias, padding=1)
    expected = avg_pool2d(conv2d(relu(inner), second.weight, second.bias, padding=1), 2)
    expected = expected + avg_pool2d(conv2d(maps, change.weight, change.bias), 2)
    torch.testing.assert_close(block(maps), expected)


def test_a_block_of_the_generator_by_hand() -> None:
    torch.manual_seed(0)
    block, maps = GeneratorBlock(2, 3, classes=0), torch.randn(4, 2, 5, 5)

    def doubled(values: Tensor) -> Tensor:
        return values.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def normalised(values: Tensor) -> Tensor:
        centred = values - values.mean((0, 2, 3), keepdim=True)
        return centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()

    first, second = block.convolutions
    expected = relu(normalised(first(doubled(relu(normalised(maps))))))
    expected = second(expected) + block.shortcut(doubled(maps))
    torch.testing.assert_close(block(maps, None), expected)


def test_each_class_has_its_scale_and_shift() -> None:
    torch.manual_seed(0)
    layer, maps = ConditionalBatchNorm(2, CLASSES), torch.randn(6, 2, 3, 3)
    labels = torch.tensor([0, 1, 2, 3, 1, 0])
    plain = ConditionalBatchNorm(2, 0)(maps, None)
    torch.testing.assert_close(layer(maps, one_hot(labels, CLASSES).float()), plain)
    assert layer.scales is not None
    assert layer.shifts is not None
    with torch.no_grad():
        layer.scales.normal_()
        layer.shifts.normal_()
    found = layer(maps, one_hot(labels, CLASSES).float())
    for row, label in enumerate(labels):
        scale, shift = (values[label][:, None, None] for values in (layer.scales, layer.shifts))
        torch.testing.assert_close(found[row], plain[row] * scale + shift)


def test_the_class_enters_the_norms_only() -> None:
    generator = family(width=2).conditional_generator(5, CLASSES, SMALL).eval()
    inputs = torch.cat([torch.randn(2, 5), torch.eye(CLASSES)[:2]], 1)
    other = torch.cat([inputs[:, :5], torch.eye(CLASSES)[2:]], 1)
    assert torch.equal(generator(inputs), generator(other))  # all classes have the same scale
    with torch.no_grad():
        for layer in generator.modules():
            if isinstance(layer, ConditionalBatchNorm) and layer.shifts is not None:
                layer.shifts.normal_()
    assert (generator(inputs) != generator(other)).flatten(1).any(1).all()


def test_the_score_is_that_of_a_projection_discriminator() -> None:
    gan = conditional_gan().eval()
    assert isinstance(gan, ConditionalGAN)
    data, labels = torch.rand(6, *SMALL), torch.tensor([0, 1, 2, 3, 1, 0])
    encoder, head = gan.encoder, gan.score
    assert isinstance(encoder, ProjectionEncoder)
    assert isinstance(head, ProjectionScore)
    features = encoder.encoder(data)
    unit = features @ head.linear.weight[0] + head.linear.bias
    expected = unit + (features * encoder.embedding.weight[labels]).sum(1)
    torch.testing.assert_close(gan.discriminate(data, Condition(labels=labels)), expected)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_discriminator_is_spectrally_normalised_by_default(normalised: bool) -> None:
    networks = family(width=1, **({} if normalised else {"spectral_norm": False}))
    encoder = networks.conditional_encoder(SMALL, CLASSES)
    head = networks.conditional_score_head(encoder.features)
    kinds = (nn.Conv2d, nn.Linear, nn.Embedding)
    layers = [
        part for network in (encoder, head) for part in network.modules() if isinstance(part, kinds)
    ]
    assert len(layers) == 3 + 3 + 2 + 2 + 2
    assert all(is_parametrized(layer, "weight") is normalised for layer in layers)
    generator = networks.generator(5, SMALL)
    assert not any(is_parametrized(part) for part in generator.modules())


def test_packing_and_projection_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"packing is 2, .* set it to 1"):
        family(packing=2).conditional_encoder(SMALL, CLASSES)


@pytest.mark.parametrize(("model", "classes"), [("cgan", CLASSES), ("gan", None)])
def test_training_has_the_properties_of_a_gan(model: str, classes: int | None) -> None:
    """Gradients, seeds, exact resume; two processes have batch norms of their own."""
    check_gan(
        GANS[model],
        config={"objective": "hinge", "latent_size": 4},
        networks=NARROW,
        data=DataSpec(SMALL, classes=classes),
        processes=False,
    )


def test_a_conditional_run_that_is_stopped_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    options = ("network.name=resnet", "network.width=1", "model.objective=hinge")
    compare("dcgan_conditional_mnist", tmp_path, *options, stops=[3])


@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_exported_conditional_generator_agrees_with_the_gan(kind: str, tmp_path: Path) -> None:
    gan = conditional_gan()
    with torch.no_grad():
        for weight in gan.generator.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    function = GeneratorFunction(gan)
    assert function.inputs == {"latent": (5,), "labels": ()}
    path = tmp_path / FORMATS[kind].file
    FORMATS[kind].write(function, path, {"title": "cgan"})
    generate = FORMATS[kind].read(path)
    for count in (1, 7):
        inputs = function.sample_inputs(count, seed=count)
        assert (generate(inputs) - function(**inputs)).abs().max() < 1e-4
    other = {**inputs, "labels": (inputs["labels"] + 1) % CLASSES}
    assert (generate(other) - generate(inputs)).abs().max() > 1e-3


def test_samples_of_each_class_differ_for_one_latent() -> None:
    gan = conditional_gan()
    with torch.no_grad():
        for weight in gan.generator.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    labels = torch.arange(CLASSES)
    shown = gan.sample_across(3, seed=0)
    assert shown.data.shape == (3 * CLASSES, *SMALL)
    assert shown.condition.latent is not None
    latent = shown.condition.latent[:1].expand(CLASSES, -1)
    again = gan.sample(CLASSES, Condition(latent=latent, labels=labels), seed=0)
    torch.testing.assert_close(again.data, shown.data[:CLASSES])
    assert (again.data[0] != again.data[1:]).flatten(1).any(1).all()


def test_the_default_generator_of_classes_is_that_of_the_concatenated_input() -> None:
    """Weights and their names are those of versions without this hook."""
    networks = DCGAN(DCGANConfig(width=4))
    torch.manual_seed(0)
    expected = networks.generator(5 + CLASSES, SMALL).state_dict()
    torch.manual_seed(0)
    found = networks.conditional_generator(5, CLASSES, SMALL).state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
