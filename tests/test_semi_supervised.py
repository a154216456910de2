"""The semi-supervised GAN: K outputs for K + 1 classes."""

from __future__ import annotations

import math

import pytest
import torch
from factories import make_config, make_gan, make_real_batch, train_model

from gan_lightning.evaluation import evaluate
from gan_lightning.gans import SemiSupervisedGAN
from gan_lightning.losses import feature_matching
from gan_lightning.networks.salimans import (
    SalimansNetworks,
    SalimansNetworksConfig,
    WeightNormLinear,
)
from gan_lightning.training.build import build


def make_semi_supervised(*overrides: str) -> SemiSupervisedGAN:
    torch.manual_seed(0)
    gan = make_gan("semi_supervised", *overrides)
    assert isinstance(gan, SemiSupervisedGAN)
    return gan


def test_scores_are_the_logit_of_k_classes_against_a_class_of_logit_0() -> None:
    gan = make_semi_supervised()
    data = torch.randn(5, 2)
    logits = gan.classify(gan.encoder(data))
    with_fake = torch.cat([logits, torch.zeros(5, 1)], 1).softmax(1)
    real = 1 - with_fake[:, -1]
    torch.testing.assert_close(gan.discriminate(data).sigmoid(), real)


def test_losses_by_hand() -> None:
    """They have neither a second softmax nor a K + 1-th output."""
    gan = make_semi_supervised("model.unlabelled_weight=2")
    real, fake = make_real_batch(gan, 6), gan.generate_from_prior(6)
    assert real.labelled is not None
    assert real.labelled.labels is not None

    def logits_of(data: torch.Tensor) -> list[list[float]]:
        rows: list[list[float]] = gan.classify(gan.encoder(data)).tolist()
        return rows

    classes = [
        math.log(sum(map(math.exp, row))) - row[label]
        for row, label in zip(
            logits_of(real.labelled.data), real.labelled.labels.tolist(), strict=True
        )
    ]
    sums = [[sum(map(math.exp, row)) for row in logits_of(side.data)] for side in (real, fake)]
    on_real = [-math.log(total / (total + 1)) for total in sums[0]]
    on_fake = [-math.log(1 / (total + 1)) for total in sums[1]]
    found = gan.discriminator_loss(real, fake.detach())
    assert found["class"].item() == pytest.approx(sum(classes) / 6, rel=1e-5)
    expected = 2 * 0.5 * (sum(on_real) + sum(on_fake)) / 6
    assert found["adversarial"].item() == pytest.approx(expected, rel=1e-5)
    features = gan.encoder(real.data).mean(0) - gan.encoder(fake.data).mean(0)
    found = gan.generator_loss(real, fake)
    torch.testing.assert_close(found["features"], features.square().mean())


def test_feature_matching_compares_means() -> None:
    real, fake = torch.tensor([[0.0, 2.0], [2.0, 2.0]]), torch.tensor([[4.0, 1.0]])
    assert feature_matching(real, fake).item() == ((1 - 4) ** 2 + (2 - 1) ** 2) / 2
    assert feature_matching(real, real.flip(0)) == 0


def test_classified_uses_the_running_average() -> None:
    gan = train_model(make_config("semi_supervised", "model.classifier_ema_decay=0.5"))
    assert isinstance(gan, SemiSupervisedGAN)
    data = torch.randn(5, 2)
    averaged = gan.classified(data)
    assert not torch.allclose(averaged, gan.classify(gan.encoder(data)))
    assert not any(weight.requires_grad for weight in gan.averaged_classifier.parameters())
    last = train_model(make_config("semi_supervised", "model.classifier_ema_decay=0"))
    assert isinstance(last, SemiSupervisedGAN)
    torch.testing.assert_close(last.classified(data), last.classify(last.encoder(data)))


def test_eight_labels_and_unlabelled_points_train_a_classifier() -> None:
    """Four wide Gaussians; the error of a random guess is 0.75."""
    run = make_config(
        "semi_supervised",
        "trainer.max_updates=300",
        "data.modes=4",
        "data.standard_deviation=0.1",
        "data.points=2000",
        "data.batch_size=64",
        "network.generator_hidden=[64]",
        "network.discriminator_hidden=[64]",
        "model.classifier_ema_decay=0.9",
    )
    _, data = build(run)
    assert evaluate(train_model(run), data, 100)["classifier/test_error"] < 0.05


def test_rows_of_a_normed_layer_have_the_norm_of_their_scale() -> None:
    layer = WeightNormLinear(5, 3, scale=2.0)
    with torch.no_grad():
        layer.direction *= torch.tensor([[1.0], [10.0], [0.1]])
    rows = layer(torch.eye(5)).T
    torch.testing.assert_close(rows.norm(dim=1), torch.full((3,), 2.0))


def test_a_sigmoid_of_twice_the_input_is_the_tanh_of_it() -> None:
    latents, outputs = torch.randn(8, 3), {}
    for name in ("tanh", "sigmoid"):
        torch.manual_seed(0)
        networks = SalimansNetworks(SalimansNetworksConfig(generator_hidden=[4], output=name))
        generator = networks.generator(3, (1, 2, 2))
        output = generator[1]  # type: ignore[index]
        assert isinstance(output, WeightNormLinear)
        output.scale.data *= 2 if name == "sigmoid" else 1
        outputs[name] = generator(latents)
    torch.testing.assert_close(outputs["sigmoid"], outputs["tanh"])
