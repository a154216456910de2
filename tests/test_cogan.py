"""The coupled GAN: shared and own layers of its branches, its data and its metrics."""

from __future__ import annotations

import bz2
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TinyRun
from factories import make_config, make_real_batch
from PIL import Image
from scipy.ndimage import grey_dilation
from torch import nn

from gan_lightning.data.mnist import MNIST, DigitDomains, DigitDomainsConfig, MNISTConfig
from gan_lightning.data.mnist.translations import edges, negative
from gan_lightning.errors import UserError
from gan_lightning.evaluation import PairEvaluator
from gan_lightning.evaluation.classification import AdaptationEvaluator
from gan_lightning.gans import CoupledGAN
from gan_lightning.metrics import PixelAgreement
from gan_lightning.networks import DCGAN, DCGANConfig
from gan_lightning.networks.coupled import SharedFirst, SharedLast
from gan_lightning.training.build import build
from gan_lightning.types import Condition, DataSpec

WORLD = ("network.width=4", "data.batch_size=8")


def make_cogan(**labelled: int | float) -> CoupledGAN:
    torch.manual_seed(0)
    spec = DataSpec((1, 28, 28), classes=2, labelled_classes=10 if labelled else None)
    gan = CoupledGAN(CoupledGAN.Config(latent_size=6), DCGAN(DCGANConfig(width=4)), spec)
    return gan


def parameters_with_gradient(network: nn.Module) -> set[str]:
    return {
        name
        for name, weight in network.named_parameters()
        if weight.grad is not None and weight.grad.abs().sum() > 0
    }


def test_generators_share_their_first_layers_and_own_the_last() -> None:
    generator = make_cogan().generator
    assert isinstance(generator, SharedFirst)
    images = generator(torch.randn(4, 6), torch.zeros(4, dtype=torch.int64))
    images.square().sum().backward()
    found = parameters_with_gradient(generator)
    assert {name.rpartition(".")[0] for name in found if name.startswith("own")} == {"own.0.7"}
    shared = {name for name, _ in generator.named_parameters() if name.startswith("shared")}
    assert shared <= found
    # the last layer has the image's one channel and belongs to one domain
    assert generator.own[0][0].weight.shape[1] == 1


@pytest.mark.parametrize("count", range(3))
def test_generators_share_as_many_first_layers_as_the_config_says(count: int) -> None:
    networks = DCGAN(DCGANConfig(width=4))
    config = CoupledGAN.Config(latent_size=6, shared_generator_layers=count)
    generator = CoupledGAN(config, networks, DataSpec((1, 28, 28), classes=2)).generator
    assert isinstance(generator, SharedFirst)
    stack = networks.generator(6, (1, 28, 28))
    kinds = (nn.Linear, nn.ConvTranspose2d)
    for part, expected in ((generator.shared, count), *((own, 3 - count) for own in generator.own)):
        assert sum(isinstance(layer, kinds) for layer in part.modules()) == expected
    # of equal own layers, all domains generate what one stack of the same weights does
    weights = [*generator.shared.parameters(), *generator.own[1].parameters()]
    with torch.no_grad():
        for weight, value in zip(stack.parameters(), weights, strict=True):
            weight.copy_(value)
    latents = torch.randn(4, 6)
    found = generator.eval()(latents, torch.ones(4, dtype=torch.int64))
    assert torch.equal(found, stack.eval()(latents))


def test_each_generator_has_a_layer_of_its_own() -> None:
    sections = {"data": {"name": "mnist_domains"}, "network": {"name": "dcgan", "width": 4}}
    config = make_config("cogan", "model.shared_generator_layers=3", **sections)
    with pytest.raises(UserError, match=r"shared_generator_layers is 3.*valid are 0 to 2"):
        build(config)


def test_discriminators_own_their_first_layer_and_share_the_last() -> None:
    """Some public code shares the first layers instead."""
    gan = make_cogan()
    assert isinstance(gan.encoder, SharedLast)
    domains = torch.ones(4, dtype=torch.int64)
    gan.discriminate(torch.randn(4, 1, 28, 28), Condition(labels=domains)).sum().backward()
    own = {name for name in parameters_with_gradient(gan.encoder) if name.startswith("own")}
    assert own == {"own.1.0.weight", "own.1.0.bias"}
    shared = {name for name, _ in gan.encoder.named_parameters() if name.startswith("shared")}
    assert shared
    assert shared <= parameters_with_gradient(gan.encoder)
    assert parameters_with_gradient(gan.score) == {name for name, _ in gan.score.named_parameters()}
    assert gan.encoder.own[0][0].weight.shape[1] == 1
    assert all(weight.shape[1:2] != (1,) for weight in gan.encoder.shared.parameters())


def test_branches_differ_in_their_own_layers_only() -> None:
    gan = make_cogan()
    latents, zeros = torch.randn(4, 6), torch.zeros(4, dtype=torch.int64)
    gan.eval()
    assert not torch.equal(gan.generator(latents, zeros), gan.generator(latents, zeros + 1))
    gan.generator.own[1].load_state_dict(gan.generator.own[0].state_dict())
    assert torch.equal(gan.generator(latents, zeros), gan.generator(latents, zeros + 1))


def test_rows_of_a_mixed_minibatch_pass_through_their_own_branch() -> None:
    gan = make_cogan().eval()
    latents, domains = torch.randn(6, 6), torch.tensor([0, 1, 1, 0, 1, 0])
    mixed = gan.generator(latents, domains)
    for row, domain in enumerate(domains):
        alone = gan.generator(latents[row : row + 1], domain[None])
        torch.testing.assert_close(mixed[row : row + 1], alone)


def test_sample_across_generates_each_latent_in_each_domain() -> None:
    gan = make_cogan()
    sample = gan.sample_across(5, seed=3)
    assert sample.condition.latent is not None
    assert sample.condition.labels is not None
    assert torch.equal(sample.condition.latent[0::2], sample.condition.latent[1::2])
    assert sample.condition.labels.tolist() == [0, 1] * 5
    assert torch.equal(sample.data, gan.sample_across(5, seed=3).data)


def test_the_classifier_learns_from_labelled_data_in_their_domain() -> None:
    gan = make_cogan(labelled=1)
    real = make_real_batch(gan, 8)
    terms = gan.discriminator_loss(real, gan.generate_from_prior(8).detach())
    terms["class"].backward()
    assert {
        name for name in parameters_with_gradient(gan.encoder) if name.startswith("own.1")
    } == set()
    assert gan.classify is not None
    assert parameters_with_gradient(gan.classify) == {
        name for name, _ in gan.classify.named_parameters()
    }
    assert parameters_with_gradient(gan.score) == set()
    assert set(gan.generator_loss(real, gan.generate_from_prior(8))) == {"adversarial"}
    one, other = (gan.classified(real.data, domain) for domain in (0, 1))
    assert not torch.equal(one, other)


def test_labels_and_stacks_of_layers_are_required() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        make_cogan().discriminate(torch.randn(2, 1, 28, 28))
    with pytest.raises(UserError, match="shares layers of plain stacks"):
        build(make_config("cogan", "network.packing=2"))


def test_no_digit_is_in_both_domains() -> None:
    dataset = DigitDomains(DigitDomainsConfig(second="negative"))
    images, domains = dataset.training_data()
    digits, _ = MNIST(MNISTConfig()).training_data()
    assert torch.equal(torch.bincount(domains), torch.tensor([30_000, 30_000]))
    assert torch.equal(images[domains == 0], digits[:30_000])
    assert torch.equal(255 - images[domains == 1], digits[30_000:])


def test_edges_are_the_dilation_minus_the_digit() -> None:
    images, _ = MNIST(MNISTConfig()).training_data()
    for image, found in zip(images[:5], edges(images[:5]), strict=True):
        pixels = image[..., 0].numpy()
        expected = grey_dilation(pixels, size=(3, 3), mode="constant", cval=0) - pixels
        assert np.array_equal(found[..., 0].numpy(), expected)
    assert torch.equal(negative(negative(images[:5])), images[:5])


@pytest.mark.parametrize("second", ["edges", "negative"])
def test_translate_maps_to_the_second_domain(second: str) -> None:
    dataset = DigitDomains(DigitDomainsConfig(second=second, size=32))
    first, other = MNIST(MNISTConfig(size=32)).test_data(), dataset.target_test_data()
    assert first.labels is not None
    assert other.labels is not None
    assert torch.equal(first.labels, other.labels)
    translated = dataset.translate(first.data[:20])
    assert translated is not None
    torch.testing.assert_close(translated, other.data[:20])
    evaluator = PairEvaluator(dataset, torch.device("cpu"))
    evaluator.update(torch.stack([first.data[:40], other.data[:40]], 1).flatten(0, 1), 0)
    found = evaluator.compute()
    assert found["pairs/agreement"] == 1
    assert found["pairs/agreement_mismatched"] < 0.95


def test_agreement_by_hand() -> None:
    metric = PixelAgreement()
    translated = torch.tensor([[[[-1.0, 0.9]]], [[[0.2, 0.2]]]])
    second = torch.tensor([[[[-0.1, -0.9]]], [[[1.0, 0.5]]]])
    metric.update(translated, second)
    found = {name: value.item() for name, value in metric.compute().items()}
    assert found == {"pairs/agreement": 0.75, "pairs/agreement_mismatched": 0.25}
    with pytest.raises(ValueError, match="must be equal"):
        metric.update(translated, second[:1])


def usps_line(digit: int, brightness: float) -> bytes:
    pixels = " ".join(f"{place}:{brightness}" for place in range(1, 257))
    return f"{digit + 1} {pixels} \n".encode()


def test_usps_is_read_from_the_users_copy(tmp_path: Path) -> None:
    digits = list(range(10)) * 3
    for name in ("usps.bz2", "usps.t.bz2"):
        (tmp_path / name).write_bytes(bz2.compress(b"".join(usps_line(d, 1.0) for d in digits)))
    settings = {"second": "usps", "root": str(tmp_path), "labelled": 10}
    dataset = DigitDomains(DigitDomainsConfig(**settings))  # type: ignore[arg-type]  # mixed values
    images, domains = dataset.training_data()
    assert torch.equal(torch.bincount(domains), torch.tensor([30, 30]))
    assert images.shape == (60, 28, 28, 1)
    frame = images[domains == 1][0, ..., 0]
    assert frame[4:24, 4:24].min() == 255
    assert frame.sum() == 255 * 400
    assert dataset.target_test_data().labels is not None
    assert dataset.target_test_data().labels.tolist() == digits  # type: ignore[union-attr]  # seen above
    assert dataset.translate(images[:1].float()) is None


@pytest.mark.parametrize("kind", ["unset", "missing", "damaged"])
def test_a_missing_or_damaged_usps_file_is_an_error_of_one_line(kind: str, tmp_path: Path) -> None:
    if kind == "damaged":
        (tmp_path / "usps.bz2").write_bytes(bz2.compress(b"1 1:0.5")[:-4])
    root = "" if kind == "unset" else str(tmp_path)
    dataset = DigitDomains(DigitDomainsConfig(second="usps", root=root))
    line = {"unset": "data.root is not set", "missing": "does not exist", "damaged": "is damaged"}
    with pytest.raises(UserError, match=line[kind]):
        dataset.training_data()


@pytest.mark.parametrize(("weight", "branch"), [(1.0, 1), (0.0, 0)])
def test_adaptation_uses_the_branch_of_the_labelled_domain(weight: float, branch: int) -> None:
    """The target's own where the game has taught it, else the one that the labels have."""
    words = ("data.labelled=20", f"model.adversarial_weight={weight}", "network.width=4")
    run = make_config("cogan", *words, network={"name": "dcgan"}, data={"name": "mnist_domains"})
    gan, data = build(run)
    assert isinstance(gan, CoupledGAN)
    assert isinstance(data, DigitDomains)
    target = data.target_test_data()
    assert target.labels is not None
    right = [(gan.classified(target.data, side).argmax(1) == target.labels) for side in (0, 1)]
    shares = [side.float().mean().item() for side in right]
    assert shares[0] != shares[1]
    found = AdaptationEvaluator(gan, data).compute()["adaptation/accuracy"]
    assert found == pytest.approx(shares[branch])


def test_a_run_draws_its_pairs(trained: Callable[[str], TinyRun]) -> None:
    with Image.open(trained("cogan_edges").folder / "samples" / "pairs_0000004.png") as picture:
        assert picture.size == (16 * 66 + 2, 5 * 66 + 2)
    with Image.open(trained("cgan_edges").folder / "samples" / "pairs_0000004.png") as same:
        assert same.size == picture.size
