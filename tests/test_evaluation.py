"""Evaluation of models, in one process and in several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from factories import copy_weights, make_config, make_gan, weights_equal
from inception_fakes import FakeImages, evaluate_images, random_images
from process_pool import ForkedProcess, wait_for_success
from torch import nn

from gan_lightning.callbacks.histograms import draw_histogram
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import DATASETS, BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation import (
    EvaluationContext,
    SampleEvaluator,
    discriminator_weights,
    evaluate,
    evaluators_for,
    points,
)
from gan_lightning.evaluation.discriminator import (
    DivergenceEvaluator,
    discriminator_scores,
    weights_at_bound,
)
from gan_lightning.evaluation.duplicates import DuplicateEvaluator
from gan_lightning.gans import GAN, StandardGAN
from gan_lightning.losses import discriminator_cross_entropy
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition, DataSpec, Sample
from gan_lightning.utils.hardware import allow_tf32

CPU = torch.device("cpu")


def standard(*overrides: str) -> tuple[StandardGAN, BaseDataModule]:
    model, data = build(make_config("gan", *overrides))
    assert isinstance(model, StandardGAN)
    return model, data


def generated(model: GAN, counts: list[int]) -> torch.Tensor:
    """Generate the same samples as evaluation."""
    parts = [
        model.sample(count, seed=derived_seed(model.seed, "evaluation", chunk)).data
        for chunk, count in enumerate(counts)
    ]
    return torch.cat(parts)


def test_the_divergence_is_computed_over_all_scores() -> None:
    model, data = standard()
    values = evaluate(model, data, 700)
    fake, real = generated(model, [500, 200]), data.test_data().data
    with torch.no_grad():
        loss = discriminator_cross_entropy(model.discriminate(real), model.discriminate(fake))
    expected = torch.tensor(2.0).log() - loss / 2
    assert values["divergence/jensen_shannon"] == pytest.approx(expected.item(), abs=1e-6)


def test_no_scores_are_computed_if_no_divergence_is_defined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, data = standard("model.objective=hinge")
    monkeypatch.setattr(model, "discriminate", None)
    assert not any(name.startswith("divergence") for name in evaluate(model, data, 10))


@pytest.mark.parametrize("allowed", [True, False])
def test_evaluation_uses_no_tf32(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def current_precision() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before, during = current_precision(), []
    model, data = standard()
    generate = model.generate_from_prior
    monkeypatch.setattr(
        model,
        "generate_from_prior",
        lambda *args: during.append(current_precision()) or generate(*args),
    )
    try:
        allow_tf32(allowed)
        assert current_precision() == (("high", True) if allowed else ("highest", False))
        evaluate(model, data, 10)
        assert during == [("highest", False)]
        assert current_precision() == (("high", True) if allowed else ("highest", False))
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_samples_in_low_precision_are_measured_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The distance changes by less than that of other samples of the same model."""
    digits = {
        "network": {"name": "dcgan", "width": 4},
        "data": {"name": "mnist", "batch_size": 8},
    }
    model, data = build(make_config("gan", **digits))
    assert isinstance(model, GAN)
    seen: list[Sample] = []
    duplicates = DuplicateEvaluator.update
    monkeypatch.setattr(
        DuplicateEvaluator,
        "update",
        lambda self, sample, first: (seen.append(sample), duplicates(self, sample, first))[1],
    )
    distances = []
    for seed in range(3):
        model.seed = seed
        distances.append(evaluate(model, data, 100)["fd_digits"])
    low = evaluate(model, data, 100, precision="bf16-mixed")["fd_digits"]
    assert {sample.data.dtype for sample in seen} == {torch.float32}
    full, rounded = (sample.data for sample in seen[2:])
    assert 0 < (full - rounded).abs().max() < 0.05
    assert 0 < abs(low - distances[2]) < (max(distances) - min(distances)) / 2


def test_samples_that_do_not_fill_a_pack_are_ignored() -> None:
    model, data = standard("network.packing=3", "data.batch_size=6")
    scores = discriminator_scores(model, torch.randn(500, 2))
    assert scores.shape == (166,)
    assert discriminator_scores(model, torch.randn(2, 2)).shape == (0,)
    assert "divergence/jensen_shannon" in evaluate(model, data, 20)
    assert "divergence/jensen_shannon" not in evaluate(model, data, 2)


def test_scores_use_evaluation_mode_and_restore_the_modes() -> None:
    model, _ = standard("network.dropout=0.5")
    model.train()
    before = copy_weights(model)
    points = torch.randn(50, 2)
    assert torch.equal(discriminator_scores(model, points), discriminator_scores(model, points))
    assert all(part.training for part in model.modules())
    assert weights_equal(before, copy_weights(model))
    model.eval()
    assert torch.equal(discriminator_scores(model, points), model.discriminate(points).detach())


def test_conditional_discriminators_receive_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = standard()
    conditions: list[Condition | None] = []

    def discriminate(data: torch.Tensor, given: Condition | None = None) -> torch.Tensor:
        conditions.append(given)
        return data[:, 0]

    monkeypatch.setattr(model, "discriminate", discriminate)
    divergence = DivergenceEvaluator(model, data)
    labels = torch.arange(5)
    divergence.update(Sample(torch.zeros(5, 2), Condition(labels=labels)))
    assert conditions[0] is not None
    assert conditions[0].labels is not None
    assert torch.equal(conditions[0].labels, labels)


@pytest.mark.parametrize("name", ["ring", "grid", "swissroll"])
def test_every_toy_dataset_has_the_exact_distance(name: str) -> None:
    dataset = DATASETS[name](DATASETS[name].Config())
    (evaluator,) = evaluators_for(EvaluationContext(dataset, CPU))
    assert isinstance(evaluator, SampleEvaluator)
    data, _ = dataset.training_data()
    assert isinstance(data, torch.Tensor)
    evaluator.update(data[:500], 0)
    near = evaluator.compute()["wasserstein/exact"]
    (shifted,) = evaluators_for(EvaluationContext(dataset, CPU))
    shifted.update(data[:500] + 3, 0)
    far = shifted.compute()["wasserstein/exact"]
    assert 0 < near < 0.6
    assert far == pytest.approx(3 * 2**0.5, abs=near)


def test_digits_have_both_scores() -> None:
    mnist = DATASETS["mnist"](DATASETS["mnist"].Config())
    (evaluator,) = evaluators_for(EvaluationContext(mnist, CPU))
    evaluator.update(mnist.test_data().data[:300], 0)
    values = evaluator.compute()
    assert 9 < values["digit_score"] <= 10
    assert values["modified_digit_score"] > 5
    (blank,) = evaluators_for(EvaluationContext(mnist, CPU))
    blank.update(-torch.ones(20, 1, 28, 28), 0)
    assert blank.compute()["digit_score"] == pytest.approx(1, abs=1e-6)


def test_precision_and_recall_tell_missing_modes_from_points_that_lie_nowhere() -> None:
    ring = DATASETS["ring"](DATASETS["ring"].Config())

    def shares(points: torch.Tensor) -> dict[str, float]:
        (evaluator,) = evaluators_for(EvaluationContext(ring, CPU, samples=len(points)))
        evaluator.update(points, 0)
        return {
            name.removesuffix("/points"): value
            for name, value in evaluator.compute().items()
            if name.endswith("/points")
        }

    real = ring.training_data()[0][torch.arange(400)]
    fair, one_mode, outside = (
        shares(real),
        shares(real[real[:, 0] > 0.8 * real.max()]),
        shares(real * 3),
    )
    assert set(fair) == {"precision", "recall", "density", "coverage"}
    assert min(fair["precision"], fair["recall"], fair["coverage"]) > 0.9
    assert one_mode["precision"] > 0.9
    assert one_mode["recall"] < 0.3
    assert one_mode["coverage"] < 0.3
    assert outside["precision"] < 0.1
    assert outside["coverage"] < 0.1


def test_precision_and_recall_of_digits_are_in_the_features_of_the_classifier() -> None:
    mnist = DATASETS["mnist"](DATASETS["mnist"].Config())
    test = mnist.test_data()
    (evaluator,) = evaluators_for(EvaluationContext(mnist, CPU, samples=500))
    assert test.labels is not None
    evaluator.update(test.data[test.labels == 3][:500], 0)
    threes = evaluator.compute()
    assert threes["precision/digits"] > 0.8
    assert threes["coverage/digits"] < 0.25


def test_weights_are_those_of_matrices_only() -> None:
    model = make_gan("wgan")
    expected = [layer.weight for layer in model.discriminator.modules() if has_matrix(layer)]
    values = discriminator_weights(model)
    assert torch.equal(values, torch.cat([weight.detach().flatten() for weight in expected]))
    assert not values.requires_grad


def has_matrix(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear)


def test_the_fraction_of_weights_at_the_bound() -> None:
    model = make_gan("wgan")
    assert 0 < weights_at_bound(model)["critic/weights_at_bound"] < 0.1
    with torch.no_grad():
        for weight in model.discriminator.parameters():
            weight.sign_().mul_(0.01)
    assert weights_at_bound(model) == {"critic/weights_at_bound": 1}
    with torch.no_grad():
        for weight in model.discriminator.parameters():
            if weight.ndim > 1:
                weight.view(-1)[: weight.numel() // 2] = 0.005
    assert weights_at_bound(model)["critic/weights_at_bound"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("name", "expected"), [("gan", False), ("wgan", True), ("wgan_gp", True)])
def test_weights_at_the_bound_are_computed_for_critics(name: str, expected: bool) -> None:
    model, data = build(make_config(name))
    assert ("critic/weights_at_bound" in evaluate(model, data, 10)) == expected


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, float("nan")])
@pytest.mark.usefixtures("drawn_figures")
def test_histograms_of_any_weights_can_be_drawn(size: int, scale: float) -> None:
    picture = draw_histogram((torch.randn(size) * scale).numpy(), "after all")
    assert picture.shape[2] == 3


SAMPLES = (40, 1100)
"""Fewer than a chunk, so that one of two processes has none; more than the exact distance uses."""

WASSERSTEIN_POINTS = 600
"""Points of the exact distance in this test; its cost is at least quadratic in them."""


def measure(rank: int, world: int, folder: Path) -> None:
    """Evaluate this process's shard of GANs on a ring and of images, and write the metrics."""
    import torch.distributed as dist

    if world > 1:
        meeting = f"file://{folder}/meeting"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    points.WASSERSTEIN_POINTS = WASSERSTEIN_POINTS  # in a process of its own
    measures = {
        f"{model} {samples} {name}": value
        for model in ("wgan", "gan")
        for samples in SAMPLES
        for name, value in evaluate(*build(make_config(model)), samples, Shard(rank, world)).items()
    }
    # more images than the pairwise comparisons use, in an odd number of chunks
    fake = random_images(1200, 1, 0.25)
    of_images = evaluate_images(FakeImages(), fake, Shard(rank, world), samples=650)
    measures |= {f"images 1200 {name}": value for name, value in of_images.items()}
    (folder / f"{world}-{rank}.json").write_text(json.dumps(measures))


def test_two_processes_give_the_metrics_of_one(tmp_path: Path) -> None:
    processes = [(0, 1), (0, 2), (1, 2)]
    wait_for_success(
        [ForkedProcess.start(measure, rank, world, tmp_path) for rank, world in processes]
    )
    one, first, second = (
        json.loads((tmp_path / f"{world}-{rank}.json").read_text()) for rank, world in processes
    )
    assert first == pytest.approx(one, rel=1e-6, nan_ok=True)
    assert second == pytest.approx(one, rel=1e-6, nan_ok=True)
    names = {name.split()[2] for name in one}
    assert {"wasserstein/exact", "divergence/wasserstein", "modes/covered"} <= names
    assert {"fid/tf_bilinear", "kid/tf_bilinear", "recall/tf_bilinear"} <= names


class FewPairs:
    """A dataset of a few translations, whose sources repeat in an evaluation."""

    def __init__(self, pairs: int) -> None:
        self.spec = DataSpec((1, 8, 8), source_shape=(1, 8, 8))
        self.targets = torch.randn(pairs, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def test_data(self) -> Batch:
        return Batch(self.targets, None, -self.targets)


@pytest.mark.parametrize("pairs", [106, 3, 2])
def test_repeated_sources_are_no_copies(pairs: int) -> None:
    data: Any = FewPairs(pairs)
    evaluator = DuplicateEvaluator(make_gan("gan"), data)
    perfect = data.targets[torch.arange(500) % pairs]
    evaluator.update(Sample(perfect, Condition()), 0)
    assert evaluator.compute() == {"samples/duplicates": 0}
    collapsed = DuplicateEvaluator(make_gan("gan"), data)
    collapsed.update(Sample(data.targets[:1].expand(500, -1, -1, -1), Condition()), 0)
    assert collapsed.compute() == {"samples/duplicates": 1}


def test_duplicates_of_a_single_test_datum_are_undefined(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data: Any = FewPairs(1)
    evaluator = DuplicateEvaluator(make_gan("gan"), data)
    evaluator.update(Sample(data.targets, Condition()), 0)
    assert evaluator.compute() == {}
    assert capsys.readouterr().err.count("samples/duplicates is left out") == 1
