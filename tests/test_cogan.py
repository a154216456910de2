"""The coupled GAN: what its branches share, and that nobody shows it a pair."""

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
from gan_lightning.distributed.sharding import SINGLE_PROCESS
from gan_lightning.errors import UserError
from gan_lightning.evaluation import PairEvaluator
from gan_lightning.evaluation.classification import gan_classifier_accuracies
from gan_lightning.gans import CoupledGAN
from gan_lightning.metrics import PixelAgreement
from gan_lightning.networks import DCGAN, DCGANConfig
from gan_lightning.networks.coupled import SharedFirst, SharedLast
from gan_lightning.training.build import build
from gan_lightning.types import Condition, DataSpec

WORLD = ("network.width=4", "data.batch_size=8")


def learner(**labelled: int | float) -> CoupledGAN:
    torch.manual_seed(0)
    spec = DataSpec((1, 28, 28), classes=2, labelled_classes=10 if labelled else None)
    made = CoupledGAN(CoupledGAN.Config(latent_size=6), DCGAN(DCGANConfig(width=4)), spec)
    return made


def touched(network: nn.Module) -> set[str]:
    return {
        name
        for name, weight in network.named_parameters()
        if weight.grad is not None and weight.grad.abs().sum() > 0
    }


def test_generators_share_their_first_layers_and_own_the_last() -> None:
    generator = learner().generator
    assert isinstance(generator, SharedFirst)
    images = generator(torch.randn(4, 6), torch.zeros(4, dtype=torch.int64))
    images.square().sum().backward()
    found = touched(generator)
    assert {name.rpartition(".")[0] for name in found if name.startswith("own")} == {"own.0.7"}
    shared = {name for name, _ in generator.named_parameters() if name.startswith("shared")}
    assert shared <= found
    # the last layer draws the image, and all that draws is a domain's own
    assert generator.own[0][0].weight.shape[1] == 1


def test_discriminators_own_their_first_layer_and_share_the_last() -> None:
    """Sharing the first ones, as in public code, would be the wrong way round."""
    made = learner()
    assert isinstance(made.encoder, SharedLast)
    domains = torch.ones(4, dtype=torch.int64)
    made.discriminate(torch.randn(4, 1, 28, 28), Condition(labels=domains)).sum().backward()
    own = {name for name in touched(made.encoder) if name.startswith("own")}
    assert own == {"own.1.0.weight", "own.1.0.bias"}
    shared = {name for name, _ in made.encoder.named_parameters() if name.startswith("shared")}
    assert shared
    assert shared <= touched(made.encoder)
    assert touched(made.score) == {name for name, _ in made.score.named_parameters()}
    assert made.encoder.own[0][0].weight.shape[1] == 1
    assert all(weight.shape[1:2] != (1,) for weight in made.encoder.shared.parameters())


def test_branches_differ_by_their_own_layers_only() -> None:
    made = learner()
    latents, zeros = torch.randn(4, 6), torch.zeros(4, dtype=torch.int64)
    made.eval()
    assert not torch.equal(made.generator(latents, zeros), made.generator(latents, zeros + 1))
    made.generator.own[1].load_state_dict(made.generator.own[0].state_dict())
    assert torch.equal(made.generator(latents, zeros), made.generator(latents, zeros + 1))


def test_a_row_goes_through_its_own_branch_in_a_mixed_minibatch() -> None:
    made = learner().eval()
    latents, domains = torch.randn(6, 6), torch.tensor([0, 1, 1, 0, 1, 0])
    mixed = made.generator(latents, domains)
    for row, domain in enumerate(domains):
        alone = made.generator(latents[row : row + 1], domain[None])
        torch.testing.assert_close(mixed[row : row + 1], alone)


def test_a_latent_is_drawn_in_each_domain_side_by_side() -> None:
    made = learner()
    sample = made.sample_across(5, seed=3)
    assert sample.condition.latent is not None
    assert sample.condition.labels is not None
    assert torch.equal(sample.condition.latent[0::2], sample.condition.latent[1::2])
    assert sample.condition.labels.tolist() == [0, 1] * 5
    assert torch.equal(sample.data, made.sample_across(5, seed=3).data)


def test_the_classifier_learns_from_labelled_data_in_their_domain() -> None:
    made = learner(labelled=1)
    real = make_real_batch(made, 8)
    terms = made.discriminator_loss(real, made.generate_from_prior(8).detach())
    terms["class"].backward()
    assert {name for name in touched(made.encoder) if name.startswith("own.1")} == set()
    assert made.classify is not None
    assert touched(made.classify) == {name for name, _ in made.classify.named_parameters()}
    assert touched(made.score) == set()
    assert set(made.generator_loss(real, made.generate_from_prior(8))) == {"adversarial"}
    one, other = (made.classified(real.data, domain) for domain in (0, 1))
    assert not torch.equal(one, other)


def test_domains_are_needed_and_plain_stacks() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        learner().discriminate(torch.randn(2, 1, 28, 28))
    with pytest.raises(UserError, match="shares layers of plain stacks"):
        build(make_config("cogan", "network.packing=2"))


def test_no_digit_is_in_both_domains() -> None:
    world = DigitDomains(DigitDomainsConfig(second="negative"))
    images, domains = world.training_data()
    digits, _ = MNIST(MNISTConfig()).training_data()
    assert torch.equal(torch.bincount(domains), torch.tensor([30_000, 30_000]))
    assert torch.equal(images[domains == 0], digits[:30_000])
    assert torch.equal(255 - images[domains == 1], digits[30_000:])


def test_edges_are_the_dilation_less_the_digit() -> None:
    images, _ = MNIST(MNISTConfig()).training_data()
    for image, found in zip(images[:5], edges(images[:5]), strict=True):
        pixels = image[..., 0].numpy()
        expected = grey_dilation(pixels, size=(3, 3), mode="constant", cval=0) - pixels
        assert np.array_equal(found[..., 0].numpy(), expected)
    assert torch.equal(negative(negative(images[:5])), images[:5])


@pytest.mark.parametrize("second", ["edges", "negative"])
def test_what_the_world_translates_is_its_second_domain(second: str) -> None:
    world = DigitDomains(DigitDomainsConfig(second=second, size=32))
    first, other = MNIST(MNISTConfig(size=32)).test_data(), world.target_test_data()
    assert first.labels is not None
    assert other.labels is not None
    assert torch.equal(first.labels, other.labels)
    translated = world.translate(first.data[:20])
    assert translated is not None
    torch.testing.assert_close(translated, other.data[:20])
    judge = PairEvaluator(world, torch.device("cpu"))
    judge.update(torch.stack([first.data[:40], other.data[:40]], 1).flatten(0, 1), 0)
    found = judge.compute()
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
    world = DigitDomains(DigitDomainsConfig(**settings))  # type: ignore[arg-type]  # mixed values
    images, domains = world.training_data()
    assert torch.equal(torch.bincount(domains), torch.tensor([30, 30]))
    assert images.shape == (60, 28, 28, 1)
    frame = images[domains == 1][0, ..., 0]
    assert frame[4:24, 4:24].min() == 255
    assert frame.sum() == 255 * 400
    assert world.target_test_data().labels is not None
    assert world.target_test_data().labels.tolist() == digits  # type: ignore[union-attr]  # seen above
    assert world.translate(images[:1].float()) is None


@pytest.mark.parametrize("kind", ["unset", "missing", "damaged"])
def test_without_a_whole_copy_of_usps_one_line_says_where_to_put_it(
    kind: str, tmp_path: Path
) -> None:
    if kind == "damaged":
        (tmp_path / "usps.bz2").write_bytes(bz2.compress(b"1 1:0.5")[:-4])
    root = "" if kind == "unset" else str(tmp_path)
    world = DigitDomains(DigitDomainsConfig(second="usps", root=root))
    line = {"unset": "data.root is not set", "missing": "does not exist", "damaged": "is damaged"}
    with pytest.raises(UserError, match=line[kind]):
        world.training_data()


@pytest.mark.parametrize(("weight", "branch"), [(1.0, 1), (0.0, 0)])
def test_adaptation_is_measured_by_the_branch_that_was_taught(weight: float, branch: int) -> None:
    """The target's own where the game has taught it, else the one that the labels have."""
    words = ("data.labelled=20", f"model.adversarial_weight={weight}", "network.width=4")
    run = make_config("cogan", *words, network={"name": "dcgan"}, data={"name": "mnist_domains"})
    made, data = build(run)
    assert isinstance(made, CoupledGAN)
    assert isinstance(data, DigitDomains)
    target = data.target_test_data()
    assert target.labels is not None
    right = [(made.classified(target.data, side).argmax(1) == target.labels) for side in (0, 1)]
    shares = [side.float().mean().item() for side in right]
    assert shares[0] != shares[1]
    found = gan_classifier_accuracies(made, data, SINGLE_PROCESS)["adaptation/accuracy"]
    assert found == pytest.approx(shares[branch])


def test_a_run_draws_its_pairs(trained: Callable[[str], TinyRun]) -> None:
    with Image.open(trained("cogan_edges").folder / "samples" / "pairs_0000004.png") as picture:
        assert picture.size == (16 * 66 + 2, 5 * 66 + 2)
    with Image.open(trained("cgan_edges").folder / "samples" / "pairs_0000004.png") as same:
        assert same.size == picture.size
