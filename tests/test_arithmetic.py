"""Vector arithmetic of latents: of generators whose latents are attributes, and of others."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import factories
import pytest
import torch
from image_trees import prepared_root
from torch import Tensor

from gan_lightning.distributed.sharding import SINGLE_PROCESS
from gan_lightning.evaluation import arithmetic, gan_evaluators
from gan_lightning.evaluation.arithmetic import ArithmeticEvaluator, draw_trials
from gan_lightning.gans import GAN
from gan_lightning.store.faces import ATTRIBUTES
from gan_lightning.training.build import build
from gan_lightning.types import Condition, Sample

SIZE = len(ATTRIBUTES)


def measured(
    monkeypatch: pytest.MonkeyPatch,
    prior: Callable[[tuple[int, int], torch.Generator], Tensor],
    read: Callable[[Tensor], Tensor],
    seed: int = 0,
    fields: tuple[str, ...] = ("latent",),
) -> dict[str, float]:
    """Measure a generator whose faces are its latents, of one element for each attribute.

    Args:
        monkeypatch: of the test.
        prior: draws latents of a shape.
        read: maps faces to the values of their attributes.
        seed: of the GAN.
        fields: inputs of the generator.
    """
    monkeypatch.setattr(arithmetic, "read_attributes", lambda faces: read(faces).long())
    gan: Any = SimpleNamespace(
        seed=seed,
        device=torch.device("cpu"),
        condition_fields=lambda: fields,
        prior=lambda count, rng: Condition(latent=prior((count, SIZE), rng)),
        sample=lambda count, condition, seed: Sample(condition.latent, condition),
    )
    data: Any = None
    return ArithmeticEvaluator(gan, data).compute()


def signs(size: tuple[int, int], rng: torch.Generator) -> Tensor:
    return torch.randint(2, size, generator=rng) * 2.0 - 1


def normal(size: tuple[int, int], rng: torch.Generator) -> Tensor:
    return torch.randn(size, generator=rng)


def is_positive(faces: Tensor) -> Tensor:
    return faces > 0


def meaningless(faces: Tensor) -> Tensor:
    """Return digits of the squared latents that are far behind the point."""
    return (faces.double().square() * 1e5).floor() % 2


def test_latents_that_are_attributes_can_be_calculated_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = measured(monkeypatch, signs, is_positive)
    for name in ("added", "kept", "accuracy", "single_accuracy"):
        assert values[f"arithmetic/{name}"] == 1
    assert values["arithmetic/chance"] == pytest.approx(0.25, abs=0.02)
    assert values["arithmetic/excess"] == pytest.approx(1 - values["arithmetic/chance"])
    assert values["arithmetic/gain_over_single"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_latents_without_meaning_score_the_chance_level(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = measured(monkeypatch, normal, meaningless, seed)
    assert values["arithmetic/chance"] == pytest.approx(0.25, abs=0.02)
    assert values["arithmetic/excess"] == pytest.approx(0, abs=0.1)
    assert values["arithmetic/gain_over_single"] == pytest.approx(0, abs=0.12)
    assert values["arithmetic/added"] == pytest.approx(0.5, abs=0.1)
    assert values["arithmetic/kept"] == pytest.approx(0.5, abs=0.1)


def test_means_of_three_are_more_stable_than_single_latents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = measured(monkeypatch, normal, is_positive)
    assert values["arithmetic/accuracy"] > 0.8
    assert values["arithmetic/gain_over_single"] > 0.1
    assert values == measured(monkeypatch, normal, is_positive)
    assert values != measured(monkeypatch, normal, is_positive, seed=1)


def test_the_second_attribute_is_lost_where_it_has_no_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first attribute is an axis; the second one is the parity of two axes."""

    def read(faces: Tensor) -> Tensor:
        values = torch.zeros(len(faces), SIZE)
        values[:, 0] = faces[:, 0] > 0
        values[:, 1] = faces[:, 1] * faces[:, 2] > 0
        return values

    values = measured(monkeypatch, normal, read)
    both = [values["arithmetic/added"], values["arithmetic/kept"]]
    assert all(0.5 < value < 0.9 for value in both)  # in half of the trials each is the axis
    assert values["arithmetic/accuracy"] < 0.7


def test_a_generator_of_one_face_scores_0(monkeypatch: pytest.MonkeyPatch) -> None:
    values = measured(monkeypatch, normal, torch.zeros_like)
    assert {*values.values()} == {0.0}
    assert {"arithmetic/accuracy", "arithmetic/excess"} <= values.keys()


@pytest.mark.parametrize("fields", [("latent", "labels"), ("latent", "categorical"), ("source",)])
def test_generators_with_other_inputs_are_not_measured(
    fields: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measured(monkeypatch, normal, is_positive, fields=fields) == {}


def test_trials_are_of_frequent_values_and_have_the_faces_that_they_name() -> None:
    rng = torch.Generator().manual_seed(0)
    values = torch.randint(2, (500, 4), generator=rng)
    values[:10, 0] = 2  # too rare
    values[:, 3] = 1  # does not vary
    trials = draw_trials(values, rng)
    assert trials is not None
    count = len(trials.wanted)
    assert count == arithmetic.TRIALS
    assert trials.exemplars.shape == (count, 3, arithmetic.EXEMPLARS)
    assert {*trials.attributes.flatten().tolist()} == {0, 1, 2}
    assert (trials.attributes[:, 0] != trials.attributes[:, 1]).all()
    assert trials.wanted.max() == 1
    for faces, columns, (added, kept) in zip(
        trials.exemplars, trials.attributes, trials.wanted.tolist(), strict=True
    ):
        assert all(len({*rows.tolist()}) == arithmetic.EXEMPLARS for rows in faces)
        first, second, third = values[faces][..., columns].unbind(0)
        other, removed = second[0, 1], second[0, 0]
        assert other != kept
        assert removed != added
        assert (first == torch.stack([torch.tensor(added), other])).all()
        assert (second == torch.stack([removed, other])).all()
        assert (third == torch.stack([removed, torch.tensor(kept)])).all()


def test_concepts_without_three_faces_have_no_trial() -> None:
    """Two attributes that are always equal: no face has one value and not the other."""
    values = torch.arange(100)[:, None].expand(-1, 2) % 2
    assert draw_trials(values, torch.Generator().manual_seed(0)) is None


def test_faces_are_measured_and_random_states_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "SAMPLES", 40)
    data = {"name": "faces", "root": str(prepared_root("faces")), "size": 32, "batch_size": 8}
    gan, faces = build(
        factories.make_config("gan", network={"name": "dcgan", "width": 4}, data=data)
    )
    assert isinstance(gan, GAN)
    assert "arithmetic" in faces.evaluators()
    evaluators = gan_evaluators(gan, faces, SINGLE_PROCESS)
    (evaluator,) = [each for each in evaluators if isinstance(each, ArithmeticEvaluator)]
    weights, random = factories.copy_weights(gan), torch.get_rng_state()
    values = evaluator.compute()
    assert all(-1 <= value <= 1 for value in values.values())
    assert factories.weights_equal(weights, factories.copy_weights(gan))
    assert torch.equal(random, torch.get_rng_state())
