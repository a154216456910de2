"""The GANs of `examples/`: written outside of the package, with all commands and all properties."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT, TINY_OVERRIDES, Once, run_cli
from torch import nn
from torch.nn.functional import cosine_similarity

from gan_lightning.data import DATASETS
from gan_lightning.data.mnist.translations import edges
from gan_lightning.testing import check_datamodule, check_gan, check_network
from gan_lightning.types import Batch, Condition, DataSpec, Sample

EXAMPLES = CHECKOUT / "examples"

NARROW = {
    "lsgan": ("network.width=4",),
    "bigan": ("network.hidden=8", "model.joint_features=8"),
    "cut": ("network.width=4", "network.blocks=2", "model.patches=16", "model.features=8"),
}
"""Overrides that make the networks of each example small."""

NO_TRAVERSAL = "translates images and has no codes to vary; use `sample`"


@pytest.fixture(autouse=True)
def _examples_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the modules of `examples/` be imported, as pytest does for a file next to its test."""
    monkeypatch.syspath_prepend(EXAMPLES)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name in NARROW:
            del sys.modules[name]


def words(name: str) -> list[str]:
    tiny = [word for word in TINY_OVERRIDES if not word.startswith("trainer.")]
    return [
        str(EXAMPLES / f"{name}.yaml"),
        *tiny,
        *NARROW[name],
        "pictures.every_n_updates=2",
        "log.wandb=disabled",
    ]


def succeed(*arguments: str) -> str:
    outcome = run_cli(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out


@pytest.fixture(scope="module")
def runs(once: Once) -> dict[str, Path]:
    """Train every example for four updates."""

    def train(folder: Path) -> dict[str, Path]:
        for name in NARROW:
            output = str(folder / name)
            succeed("train", *words(name), "trainer.max_updates=4", "--output", output)
        return {name: folder / name for name in NARROW}

    return once("examples", train)


def test_they_have_the_properties_of_gans() -> None:
    """One of them in two processes, too; the others share the code that would differ."""
    from bigan import BiGAN, BiGANNetworks
    from cut import CUT, CUTNetworks
    from lsgan import LeastSquaresGAN

    check_gan(LeastSquaresGAN)
    perceptrons = BiGANNetworks(BiGANNetworks.Config(hidden=8))
    check_gan(BiGAN, config={"joint_features": 8}, networks=perceptrons, processes=False)
    small = CUTNetworks(CUTNetworks.Config(width=2, blocks=2, patch=16))
    check_gan(CUT, config={"patches": 16, "features": 8}, networks=small, processes=False)


def test_their_networks_and_data_have_the_properties_of_these() -> None:
    from bigan import BiGANNetworks
    from cut import CUTNetworks, UnpairedDigits

    check_network(BiGANNetworks, config={"hidden": 8})
    check_network(CUTNetworks, config={"width": 4, "blocks": 2}, shapes=[(1, 32, 32)])
    check_datamodule(UnpairedDigits)


def test_lsgan_returns_the_losses_of_equation_2() -> None:
    from lsgan import squared_distance

    scores = torch.tensor([1.0, 3.0])
    assert squared_distance(scores, 0.0) == 5
    assert squared_distance(scores, 1.0) == 2


def test_bigan_returns_the_losses_of_equation_3_and_those_of_swapped_labels() -> None:
    from bigan import BiGAN

    gan = BiGAN({"latent_size": 3, "joint_features": 4}, "mlp", (2,))
    real, latent = Batch(torch.randn(5, 2)), torch.randn(5, 3)
    fake = Sample(gan.generator(latent), Condition(latent=latent))
    encoded = gan.discriminator(real.data, gan.encoder(real.data)).sigmoid()
    generated = gan.discriminator(fake.data, latent).sigmoid()
    losses = gan.discriminator_loss(real, fake)
    assert torch.allclose(losses["encoded"], -encoded.log().mean())
    assert torch.allclose(losses["generated"], -(1 - generated).log().mean())
    losses = gan.generator_loss(real, fake)
    assert torch.allclose(losses["encoded"], -(1 - encoded).log().mean())
    assert torch.allclose(losses["generated"], -generated.log().mean())


def test_an_encoder_that_inverts_its_generator_has_no_error() -> None:
    from bigan import BiGAN, EncoderEvaluator

    gan = BiGAN({"latent_size": 2, "joint_features": 4, "latent_prior": "normal"}, "mlp", (2,))
    gan.generator, gan.encoder = nn.Identity(), nn.Identity()
    values = EncoderEvaluator(gan, DATASETS["ring"](DATASETS["ring"].Config())).compute()
    assert values["encoder/error"] == 0
    assert values["encoder/error_mismatched"] > 0.1
    assert values["encoder/neighbour_accuracy"] > 0.99


def test_patch_nce_is_the_cross_entropy_of_equation_2() -> None:
    from cut import patch_nce

    queries, keys = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    by_hand = []
    for image in range(2):
        for place in range(3):
            query = queries[image, place]
            likeness = [float(cosine_similarity(query, key, 0)) / 0.07 for key in keys[image]]
            total = sum(math.exp(value) for value in likeness)
            by_hand.append(-math.log(math.exp(likeness[place]) / total))
    assert float(patch_nce(queries, keys, 0.07)) == pytest.approx(sum(by_hand) / 6, rel=1e-4)


def test_cut_compares_all_maps_and_weighs_both_contrasts() -> None:
    from cut import CUT, CUTNetworks

    networks = CUTNetworks(CUTNetworks.Config(width=2, blocks=2, patch=16))
    image = (1, 32, 32)
    gan = CUT({"patches": 16, "features": 8}, networks, DataSpec(image, source_shape=image))
    real = Batch(torch.rand(2, *image), source=torch.rand(2, *image))
    fake = Sample(gan.generator(real.source), Condition(source=real.source))
    terms = gan.generator_loss(real, fake)
    scores = gan.discriminator(fake.data)
    assert torch.allclose(terms["adversarial"], (scores - 1).square().mean() / 2)
    contrast = gan.contrast(real.source, fake.data)
    assert torch.allclose(terms["contrastive"], 0.25 * contrast)
    identity = gan.contrast(real.data, gan.generator(real.data))
    assert torch.allclose(terms["identity"], 0.25 * identity)
    contrast.backward()
    assert all(weights.grad is not None for weights in gan.heads.parameters())


def test_cut_shares_no_image_between_its_domains() -> None:
    from cut import UnpairedDigits

    data = UnpairedDigits(UnpairedDigits.Config())
    targets, sources = edges(data.training_data()[0]), data.source_data()
    keys = [{row.numpy().tobytes() for row in part} for part in (targets, sources)]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("name", ["bigan", "cut"])
@pytest.mark.usefixtures("empty_folder")
def test_a_resumed_run_equals_an_uninterrupted_one(name: str, runs: dict[str, Path]) -> None:
    succeed("train", *words(name), "trainer.max_updates=2", "--output", "half")
    succeed("train", *words(name), "trainer.max_updates=4", "--resume", "half")
    weights = Path("half", "generator.safetensors").read_bytes()
    assert weights == (runs[name] / "generator.safetensors").read_bytes()


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.usefixtures("empty_folder")
def test_every_command_works_with_it(name: str, runs: dict[str, Path]) -> None:
    run = str(runs[name])
    assert "samples/duplicates" in succeed("evaluate", run)
    succeed("sample", run, "--count", "4", "--output", "samples.npz")
    traversal = run_cli("traverse", run, "--output", "traversal.png")
    if name == "cut":
        assert NO_TRAVERSAL in traversal.err
    else:
        assert traversal.code == 0, traversal.err
    succeed("report", run, "--output", "report.html")
    succeed("timelapse", run, "--output", "timelapse.gif")
    succeed("export", run, "--output", "exported")


@pytest.mark.usefixtures("empty_folder")
def test_a_translator_is_verified() -> None:
    verified = run_cli("verify", *words("cut"), "trainer.max_updates=2", "--seeds", "0")
    assert verified.code in (0, 1), verified.err  # the claim needs longer training
    assert "seed 0" in verified.out


@pytest.mark.usefixtures("empty_folder")
def test_runs_of_different_classes_are_compared(runs: dict[str, Path]) -> None:
    compared = succeed("compare", str(runs["lsgan"]), str(runs["bigan"]))
    assert "lsgan" in compared
    assert "bigan" in compared


def test_a_translator_has_a_playground(runs: dict[str, Path]) -> None:
    serving: Any = pytest.importorskip("gan_lightning.play.serving")
    assert serving.build_page(str(runs["cut"]), directions=2) is not None
