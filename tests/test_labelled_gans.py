"""Class-conditional GANs: inputs and losses of both players, and class accuracy."""

from __future__ import annotations

import math
import re

import pytest
import torch
from factories import make_config, make_gan, train_model
from pytorch_lightning import seed_everything
from torch.nn.functional import one_hot, softplus

from gan_lightning.evaluation import evaluate
from gan_lightning.gans import GANS, AuxiliaryClassifierGAN, ConditionalGAN, InfoGAN
from gan_lightning.metrics import ClassConditionalAccuracy
from gan_lightning.networks import NETWORKS
from gan_lightning.networks.labels import LabelMaps, LabelVector
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition

LABELLED = ["acgan", "cgan"]
FAMILIES = {"mlp": (1, 8, 8), "dcgan": (1, 28, 28), "infogan": (1, 28, 28), "resnet": (1, 16, 16)}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_everything(0, verbose=False)


def test_labels_are_concatenated_to_the_data() -> None:
    images, labels = torch.randn(3, 2, 4, 5), torch.tensor([1, 0, 2])
    joined = LabelMaps(3)(images, labels)
    assert joined.shape == (3, 5, 4, 5)
    assert torch.equal(joined[:, :2], images)
    for row, label in enumerate(labels):
        for kind in range(3):
            assert (joined[row, 2 + kind] == float(kind == label)).all()
    vector = LabelVector(3)(images, labels)
    assert torch.equal(vector, torch.cat([images.flatten(1), one_hot(labels, 3).float()], 1))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_network_family_has_a_conditional_encoder(family: str) -> None:
    shape = FAMILIES[family]
    networks = NETWORKS[family](NETWORKS[family].Config())
    encoder = networks.conditional_encoder(shape, 10).eval()
    images = torch.randn(4, *shape)
    one, other = (encoder(images, torch.full((4,), label)) for label in (3, 7))
    assert one.shape == (4, encoder.features)
    assert (one != other).any(dim=1).all()


@pytest.mark.parametrize("model", LABELLED)
def test_samples_depend_on_the_class(model: str) -> None:
    gan = make_gan(model)
    fixed = gan.generate_from_prior(
        5, Condition(labels=torch.zeros(5, dtype=torch.int64))
    ).condition
    other = fixed.updated(Condition(labels=torch.full((5,), 3)))
    assert not torch.equal(gan.generate(fixed), gan.generate(other))
    drawn = gan.prior(4000).labels
    assert drawn is not None
    assert torch.bincount(drawn, minlength=8).min() > 400


def test_only_the_conditional_discriminator_takes_the_class() -> None:
    data = torch.randn(6, 2)
    one, other = (Condition(labels=torch.full((6,), label)) for label in (0, 1))
    conditional, auxiliary = make_gan("cgan"), make_gan("acgan")
    assert (conditional.discriminate(data, one) != conditional.discriminate(data, other)).all()
    assert torch.equal(auxiliary.discriminate(data, one), auxiliary.discriminate(data, other))
    with pytest.raises(ValueError, match="needs labels"):
        conditional.discriminate(data)


def test_conditional_losses_by_hand() -> None:
    gan = make_gan("cgan")
    assert isinstance(gan, ConditionalGAN)
    real, fake = Batch(torch.randn(5, 2), torch.arange(5)), gan.generate_from_prior(5)
    real_logits = gan.discriminate(real.data, real.condition)
    fake_logits = gan.discriminate(fake.data, fake.condition)
    found = gan.discriminator_loss(real, fake)
    expected = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    torch.testing.assert_close(found["adversarial"], expected)
    found = gan.generator_loss(real, fake)
    torch.testing.assert_close(found["adversarial"], softplus(-fake_logits).mean())


def test_auxiliary_class_loss_is_one_softmax_of_logits_on_real_and_generated() -> None:
    """A softmax before the cross-entropy, as in public code, gives another number."""
    gan = make_gan("acgan", "model.class_weight=0.5")
    assert isinstance(gan, AuxiliaryClassifierGAN)
    real, fake = Batch(torch.randn(5, 2), torch.arange(5)), gan.generate_from_prior(5)

    def by_hand(data: torch.Tensor, labels: torch.Tensor | None) -> float:
        assert labels is not None
        logits = gan.classify(gan.encoder(data))
        rows = [
            math.log(sum(math.exp(value) for value in row)) - row[label]
            for row, label in zip(logits.tolist(), labels.tolist(), strict=True)
        ]
        return 0.5 * sum(rows) / len(rows)

    on_real, on_fake = by_hand(real.data, real.labels), by_hand(fake.data, fake.condition.labels)
    found = gan.discriminator_loss(real, fake)["class"].item()
    assert found == pytest.approx(on_real + on_fake, rel=1e-5)
    found = gan.generator_loss(real, fake)["class"].item()
    assert found == pytest.approx(on_fake, rel=1e-5)


@pytest.mark.parametrize("model", LABELLED)
def test_data_without_classes_are_an_error(model: str) -> None:
    from gan_lightning.errors import UserError

    with pytest.raises(UserError, match="needs the class of every sample"):
        build(make_config(model, data={"name": "swissroll"}))


@pytest.mark.parametrize("model", LABELLED)
def test_data_without_classes_in_a_script_are_described_without_config_keys(model: str) -> None:
    with pytest.raises(ValueError, match="and the data have no classes; pass for") as caught:
        GANS[model]({}, "dcgan", (3, 32, 32))
    assert not re.search(r"data\.|--|sub-folder|dcgan", str(caught.value))


def test_acgan_needs_packing_1() -> None:
    from gan_lightning.errors import UserError

    with pytest.raises(UserError, match=r"network\.packing is 2: set it to 1"):
        build(make_config("acgan", "network.packing=2"))


@pytest.mark.parametrize("model", LABELLED)
def test_samples_have_the_requested_class_after_training(model: str) -> None:
    """On a wide ring of four, after a few hundred updates."""
    run = make_config(
        model,
        "trainer.max_updates=400",
        "data.modes=4",
        "data.standard_deviation=0.1",
        "data.points=2000",
        "data.batch_size=64",
        "network.generator_hidden=[64]",
        "network.discriminator_hidden=[64]",
        "model.generator_optimizer.learning_rate=0.003",
        "model.discriminator_optimizer.learning_rate=0.003",
    )
    _, data = build(run)
    before = evaluate(build(run)[0], data, 400)["class/accuracy"]
    after = evaluate(train_model(run), data, 400)["class/accuracy"]
    assert before < 0.6
    assert after > 0.9


def test_class_conditional_accuracy() -> None:
    metric = ClassConditionalAccuracy()
    metric.update(torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3]))
    metric.update(torch.tensor([4]), torch.tensor([4]))
    assert metric.compute()["class/accuracy"].item() == 0.75
    with pytest.raises(ValueError, match="shapes must be equal"):
        metric.update(torch.tensor([1]), torch.tensor([1, 2]))


def test_without_reward_the_information_term_trains_qs_head_only() -> None:
    gan = make_gan("infogan", "model.reward=false")
    assert isinstance(gan, InfoGAN)
    real, fake = Batch(torch.randn(6, 2)), gan.generate_from_prior(6)
    assert set(gan.generator_loss(real, fake)) == {"adversarial"}
    terms = gan.discriminator_loss(real, fake.detach())
    terms["information"].backward()
    assert all(weight.grad is not None for weight in gan.recognition.parameters())
    assert all(weight.grad is None for weight in gan.encoder.parameters())
    assert all(weight.grad is None for weight in gan.generator.parameters())
