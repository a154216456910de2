"""The classifier on a discriminator's features: its fit, its features and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from factories import make_config
from scipy.optimize import minimize
from torch.nn.functional import leaky_relu

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS
from gan_lightning.errors import UserError
from gan_lightning.evaluation import discriminator_features as module
from gan_lightning.evaluation import gan_evaluators
from gan_lightning.evaluation.discriminator_features import discriminator_features
from gan_lightning.gans import GAN
from gan_lightning.metrics.linear_svm import fit_linear_svm
from gan_lightning.training.build import build
from gan_lightning.training.checks import check_measured_players, check_measures

DIGITS = {"network": {"name": "dcgan", "width": 2}, "data": {"name": "mnist", "batch_size": 8}}
MEASURE = "evaluation.measures=[discriminator_features]"


def digits(model: str = "gan", *overrides: str, **sections: Any) -> tuple[GAN, BaseDataModule]:
    gan, data = build(make_config(model, *overrides, **{**DIGITS, **sections}))
    assert isinstance(gan, GAN)
    return gan, data


@pytest.mark.parametrize("penalty", [0.02, 5.0])
def test_the_support_vector_machine_minimises_its_objective(penalty: float) -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 3
    features = torch.randn(40, 4, generator=rng) + labels[:, None]
    machine = fit_linear_svm(features, labels, 3, penalty)
    samples = features.double().numpy()
    for number in range(3):
        signs = np.where(labels.numpy() == number, 1.0, -1.0)

        def objective(values: np.ndarray[Any, Any], signs: np.ndarray[Any, Any] = signs) -> float:
            margins = np.maximum(0, 1 - signs * (samples @ values[:-1] + values[-1]))
            return float(values @ values / 2 + penalty * (margins**2).sum())

        expected = minimize(objective, np.zeros(5), options={"gtol": 1e-8}).x
        found = [*machine.weights[:, number].tolist(), machine.bias[number].item()]
        np.testing.assert_allclose(found, expected, atol=1e-4)
    scores = features.double() @ machine.weights + machine.bias
    assert torch.equal(machine.predict(features), scores.argmax(1))


def test_features_are_the_pooled_maps_of_all_layers() -> None:
    gan, _ = digits("gan", "network.discriminator_norm=none")
    images = torch.randn(3, 1, 28, 28)
    first, second = gan.discriminator[0].layers[0], gan.discriminator[0].layers[2]
    one = leaky_relu(first(images), 0.2)
    maps = [one, leaky_relu(second(one), 0.2)]
    # by hand: rows i N / 4 to (i + 1) N / 4, rounded outwards
    expected = []
    for values in maps:
        side = values.shape[-1]
        edges = [(side * i // 4, -(-side * (i + 1) // 4)) for i in range(4)]
        cells = [
            values[..., top:bottom, left:right].amax((2, 3))
            for top, bottom in edges
            for left, right in edges
        ]
        expected.append(torch.stack(cells, 2).flatten(1))
    gan.train()
    found = discriminator_features(gan, images)
    torch.testing.assert_close(found, torch.cat(expected, 1))
    assert gan.training
    assert not any(layer._forward_hooks for layer in gan.modules())


def test_accuracies_are_those_of_three_kinds_of_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LABELS_PER_CLASS", 4)
    monkeypatch.setattr(
        module, "iterate_test_data", lambda data, device, _: [few_test_images(data)]
    )
    gan, data = digits()
    with torch.no_grad():
        gan.discriminator[0].layers[0].weight.zero_()
    *others, evaluator = gan_evaluators(gan, data, SINGLE_PROCESS, ["discriminator_features"])
    assert [type(other) for other in others] == [
        type(other) for other in gan_evaluators(gan, data, SINGLE_PROCESS)
    ]
    found = evaluator.compute()
    # a dead first layer leaves nothing to classify by; the weights before training are alive
    assert found["features/accuracy"] == pytest.approx(0.1, abs=0.05)
    assert found["features/untrained_accuracy"] > 0.3
    assert found["features/pixel_accuracy"] > 0.3
    for other, name in (("untrained", "untrained"), ("pixel", "pixels")):
        gain = found["features/accuracy"] - found[f"features/{other}_accuracy"]
        assert found[f"features/gain_over_{name}"] == gain


def few_test_images(data: BaseDataModule) -> Any:
    return data.test_data().part(slice(0, 200), torch.device("cpu"))


@pytest.mark.parametrize(
    ("model", "overrides", "sections", "reason"),
    [
        ("gan", ["network.packing=2"], {}, "scores several samples jointly"),
        ("gan", [], {"network": {"name": "mlp"}}, "has no feature maps"),
        ("cgan", [], {}, "takes labels or sources"),
        ("cogan", [], {"data": {"name": "mnist_domains"}}, "no images with classes"),
    ],
)
def test_what_has_no_features_is_refused_before_training(
    model: str, overrides: list[str], sections: dict[str, Any], reason: str
) -> None:
    config = make_config(model, MEASURE, *overrides, **{**DIGITS, **sections})
    with pytest.raises(UserError, match=reason):
        check_measures(config, *build(config))


def test_a_classifier_has_no_measure_of_gans() -> None:
    config = make_config("gan", MEASURE)
    with pytest.raises(UserError, match="a measure of GANs, and model"):
        check_measured_players(config, torch.nn.Linear(1, 1))
