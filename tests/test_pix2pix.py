"""pix2pix: its networks, losses, data and sample images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import TinyRun
from factories import make_config, make_gan, make_real_batch
from PIL import Image
from torch.nn.functional import softplus

from gan_lightning.data.mnist import DigitPairs, DigitPairsConfig
from gan_lightning.errors import UserError
from gan_lightning.evaluation import TranslationEvaluator
from gan_lightning.gans import Pix2Pix
from gan_lightning.networks import Pix2PixNetworks, Pix2PixNetworksConfig
from gan_lightning.networks.pix2pix import UNet
from gan_lightning.training.build import build
from gan_lightning.types import Condition


def make_pix2pix(*overrides: str) -> Pix2Pix:
    torch.manual_seed(0)
    gan = make_gan("pix2pix", *overrides)
    assert isinstance(gan, Pix2Pix)
    return gan


def networks(**options: object) -> Pix2PixNetworks:
    torch.manual_seed(0)
    config = Pix2PixNetworksConfig(**{"width": 4, "norm": "none", **options})  # type: ignore[arg-type]  # a mapping of options
    return Pix2PixNetworks(config)


@pytest.mark.parametrize("patch", [16, 34, 70])
def test_a_score_depends_on_a_patch_of_its_size(patch: int) -> None:
    discriminator = networks(patch=patch).discriminator((1, 256, 256))
    image = torch.randn(1, 1, 256, 256, requires_grad=True)
    scores = discriminator(image)
    side = int(len(scores) ** 0.5)
    assert side * side == len(scores)
    scores.view(side, side)[side // 2, side // 2].backward()
    assert image.grad is not None
    rows, columns = image.grad[0, 0].nonzero(as_tuple=True)
    assert int(rows.max() - rows.min()) + 1 == patch
    assert int(columns.max() - columns.min()) + 1 == patch


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_a_translator_keeps_the_size_and_uses_every_weight(size: int, norm: str) -> None:
    translator = networks(norm=norm).translator((3, size, size), (1, size, size))
    out = translator(torch.randn(2, 3, size, size))
    assert out.shape == (2, 1, size, size)
    assert out.abs().max() <= 1
    out.square().sum().backward()
    silent = [name for name, weight in translator.named_parameters() if weight.grad is None]
    assert silent == []


def test_a_minibatch_of_one_image_is_translated() -> None:
    for norm in ("batch", "instance"):
        translator = networks(norm=norm).translator((1, 32, 32), (1, 32, 32))
        assert translator(torch.randn(1, 1, 32, 32)).isfinite().all()


def test_skip_connections_bypass_the_bottleneck() -> None:
    translator = networks(dropout=0.0).translator((1, 32, 32), (1, 32, 32))
    with torch.no_grad():
        for weight in translator.down[-1].parameters():
            weight.zero_()
    one, other = (translator(torch.randn(1, 1, 32, 32)) for _ in range(2))
    assert not torch.allclose(one, other)
    for deeper, layer in zip(translator.up[:-1], translator.up[1:], strict=True):
        assert layer[0].in_channels == 2 * deeper[0].out_channels


@pytest.mark.parametrize("rectified", [False, True])
def test_rectified_skips_leave_the_decoder_no_negative_input(rectified: bool) -> None:
    torch.manual_seed(0)
    config = Pix2PixNetworksConfig(width=2, rectified_skips=rectified)
    network = Pix2PixNetworks(config).translator((1, 32, 32), (1, 32, 32))
    assert isinstance(network, UNet)
    inputs: list[torch.Tensor] = []
    for layer in network.up:
        layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    network(torch.randn(2, 1, 32, 32))
    assert [bool((maps < 0).any()) for maps in inputs] == [not rectified] * 5


def test_dropout_is_the_noise_of_sampling() -> None:
    gan = make_pix2pix()
    source = Condition(source=torch.randn(3, 1, 32, 32))
    one, again, other = (gan.sample(3, source, seed=seed).data for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    still = make_pix2pix("network.dropout=0")
    assert torch.equal(*(still.sample(3, source, seed=seed).data for seed in (1, 2)))


def test_losses_by_hand() -> None:
    gan = make_pix2pix("model.l1_weight=7", "model.adversarial_weight=3")
    real = make_real_batch(gan, 4)
    fake = gan.generate_from_prior(4, real.condition)
    pairs = [torch.cat([real.source, side.data], 1) for side in (real, fake)]  # type: ignore[list-item]  # there is a source
    on_real, on_fake = (gan.discriminator(pair) for pair in pairs)
    assert len(on_real) > 4
    found = gan.discriminator_loss(real, fake)
    expected = 0.5 * (softplus(-on_real).mean() + softplus(on_fake).mean())
    torch.testing.assert_close(found["adversarial"], expected)
    found = gan.generator_loss(real, fake)
    torch.testing.assert_close(found["adversarial"], 3 * softplus(-on_fake).mean())
    torch.testing.assert_close(found["l1"], 7 * (fake.data - real.data).abs().mean())


@pytest.mark.parametrize(
    ("word", "terms"),
    [
        ("model.l1_weight=0", {"adversarial"}),
        ("model.adversarial_weight=0", {"l1"}),
        ("model.l1_weight=10", {"adversarial", "l1"}),
    ],
)
def test_a_weight_of_0_removes_its_term(word: str, terms: set[str]) -> None:
    gan = make_pix2pix(word)
    real = make_real_batch(gan, 2)
    assert set(gan.generator_loss(real, gan.generate_from_prior(2, real.condition))) == terms


def test_scores_depend_on_the_source() -> None:
    gan = make_pix2pix()
    data, sources = torch.randn(2, 1, 32, 32), torch.randn(2, 2, 1, 32, 32)
    one, other = (gan.discriminate(data, Condition(source=source)) for source in sources)
    assert not torch.equal(one, other)
    with pytest.raises(ValueError, match="needs their sources"):
        gan.discriminate(data)


def test_sources_and_targets_stay_together() -> None:
    gan, data = build(make_config("pix2pix"))
    assert isinstance(data, DigitPairs)
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    real = batch.unbind()[0].unbind()[0]
    assert real.source is not None
    digit = real.data > 0
    # an outline lies outside of what it outlines, one pixel away
    assert (real.source[digit] < 0.5).float().mean() > 0.95
    assert (real.source.mean(dim=(1, 2, 3)) > -1).all()
    assert isinstance(gan, Pix2Pix)
    assert gan.examples is not None
    drawn = gan.prior(3).source
    assert drawn is not None
    assert any(torch.equal(drawn[0], example) for example in gan.examples)


def test_metrics_of_a_perfect_translation() -> None:
    data = DigitPairs(DigitPairsConfig())
    evaluator = TranslationEvaluator(data, torch.device("cpu"))
    test = data.test_data()
    assert test.labels is not None
    for start in (0, 200):
        rows = slice(start, start + 200)
        evaluator.update(test.data[rows], start, test.labels[rows])
    found = evaluator.compute()
    assert found["translation/l1"] == 0
    assert found["class/accuracy"] > 0.98


@pytest.mark.parametrize(
    ("model", "sections", "line"),
    [
        ("pix2pix", {"network": {"name": "dcgan"}}, "cannot translate images; set network"),
        ("pix2pix", {"data": {"name": "mnist"}}, "these data have no sources; choose data.name"),
        ("gan", {"network": {"name": "pix2pix"}, "data": {"name": "mnist"}}, "not from noise"),
        ("pix2pix", {"data": {"name": "mnist_pairs", "size": 28}}, "S of 32, 64, 128, 256"),
        ("pix2pix", {"network": {"name": "pix2pix", "patch": 20}}, "valid are 16, 34, 70"),
    ],
)
def test_invalid_combinations(
    model: str, sections: dict[str, dict[str, object]], line: str
) -> None:
    with pytest.raises(UserError, match=line):
        build(make_config(model, **sections))


def test_a_run_draws_sources_translations_and_targets(trained: Callable[[str], TinyRun]) -> None:
    folder = trained("pix2pix_edges_mnist").folder / "samples"
    with Image.open(folder / "translations_0000004.png") as picture:
        assert picture.size == (10 * 66 + 2, 6 * 66 + 2)
        pixels = np.asarray(picture)
    rows = [pixels[2 + 66 * row : 66 * row + 66] for row in range(6)]
    digits = DigitPairs(DigitPairsConfig()).test_data()
    assert digits.source is not None
    for row, images in ((0, digits.source), (2, digits.data), (3, digits.source[10:])):
        expected = images[0, 0].add(1).mul(127.5).round().numpy().repeat(2, 0).repeat(2, 1)
        np.testing.assert_array_equal(rows[row][:, 2:66, 0], expected)
