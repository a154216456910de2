"""What evaluation asks of the players, alone and in several processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from factories import copy_weights, make_config, make_gan, weights_equal
from inception_worlds import Photographs, judged, pictures
from process_pool import ForkedProcess, wait_for_success
from torch import nn

from gan_lightning.callbacks.histograms import draw_histogram
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import DATASETS, BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation import (
    SampleEvaluator,
    discriminator_weights,
    evaluate,
    evaluators_for,
    points,
)
from gan_lightning.evaluation.discriminator import Divergence, discriminated, weights_at_bound
from gan_lightning.gans import GAN, StandardGAN
from gan_lightning.losses import discriminator_cross_entropy
from gan_lightning.training.build import build
from gan_lightning.types import Condition
from gan_lightning.utils.hardware import allow_tf32

CPU = torch.device("cpu")


def standard(*overrides: str) -> tuple[StandardGAN, BaseDataModule]:
    learner, data = build(make_config("gan", *overrides))
    assert isinstance(learner, StandardGAN)
    return learner, data


def generated(learner: GAN, counts: list[int]) -> torch.Tensor:
    """Generate what evaluation generates."""
    parts = [
        learner.sample(count, seed=derived_seed(learner.seed, "evaluation", chunk)).data
        for chunk, count in enumerate(counts)
    ]
    return torch.cat(parts)


def test_the_divergence_is_that_of_all_scores() -> None:
    learner, data = standard()
    found = evaluate(learner, data, 700)
    fake, real = generated(learner, [500, 200]), data.test_data().data
    with torch.no_grad():
        loss = discriminator_cross_entropy(learner.discriminate(real), learner.discriminate(fake))
    expected = torch.tensor(2.0).log() - loss / 2
    assert found["divergence/jensen_shannon"] == pytest.approx(expected.item(), abs=1e-6)


def test_a_gan_that_estimates_nothing_is_not_asked_for_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learner, data = standard("model.objective=hinge")
    monkeypatch.setattr(learner, "discriminate", None)
    assert not any(name.startswith("divergence") for name in evaluate(learner, data, 10))


@pytest.mark.parametrize("allowed", [True, False])
def test_a_measure_takes_no_tf32(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def now() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before, seen = now(), []
    learner, data = standard()
    draw = learner.generate_from_prior
    monkeypatch.setattr(
        learner, "generate_from_prior", lambda *given: seen.append(now()) or draw(*given)
    )
    try:
        allow_tf32(allowed)
        assert now() == (("high", True) if allowed else ("highest", False))
        evaluate(learner, data, 10)
        assert seen == [("highest", False)]
        assert now() == (("high", True) if allowed else ("highest", False))
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_packs_are_filled_and_what_is_left_is_left_out() -> None:
    learner, data = standard("network.packing=3", "data.batch_size=6")
    scores = discriminated(learner, torch.randn(500, 2))
    assert scores.shape == (166,)
    assert discriminated(learner, torch.randn(2, 2)).shape == (0,)
    assert "divergence/jensen_shannon" in evaluate(learner, data, 20)
    assert "divergence/jensen_shannon" not in evaluate(learner, data, 2)


def test_scores_are_of_evaluation_mode_and_leave_the_modes() -> None:
    learner, _ = standard("network.dropout=0.5")
    learner.train()
    before = copy_weights(learner)
    points = torch.randn(50, 2)
    assert torch.equal(discriminated(learner, points), discriminated(learner, points))
    assert all(part.training for part in learner.modules())
    assert weights_equal(before, copy_weights(learner))
    learner.eval()
    assert torch.equal(discriminated(learner, points), learner.discriminate(points).detach())


def test_conditional_discriminators_get_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, _ = standard()
    seen: list[Condition | None] = []

    def discriminate(data: torch.Tensor, given: Condition | None = None) -> torch.Tensor:
        seen.append(given)
        return data[:, 0]

    monkeypatch.setattr(learner, "discriminate", discriminate)
    divergence = Divergence(learner)
    labels = torch.arange(5)
    divergence.update(torch.zeros(5, 2), Condition(labels=labels), real=True)
    assert seen[0] is not None
    assert seen[0].labels is not None
    assert torch.equal(seen[0].labels, labels)


@pytest.mark.parametrize("name", ["ring", "grid", "swissroll"])
def test_every_plane_measures_its_transport(name: str) -> None:
    world = DATASETS[name](DATASETS[name].Config())
    (judge,) = evaluators_for(world, CPU)
    assert isinstance(judge, SampleEvaluator)
    data, _ = world.training_data()
    assert isinstance(data, torch.Tensor)
    judge.update(data[:500], 0)
    near = judge.compute()["wasserstein/exact"]
    (shifted,) = evaluators_for(world, CPU)
    shifted.update(data[:500] + 3, 0)
    far = shifted.compute()["wasserstein/exact"]
    assert 0 < near < 0.6
    assert far == pytest.approx(3 * 2**0.5, abs=near)


def test_digits_have_both_scores() -> None:
    mnist = DATASETS["mnist"](DATASETS["mnist"].Config())
    (judge,) = evaluators_for(mnist, CPU)
    judge.update(mnist.test_data().data[:300], 0)
    found = judge.compute()
    assert 9 < found["digit_score"] <= 10
    assert found["modified_digit_score"] > 5
    (blank,) = evaluators_for(mnist, CPU)
    blank.update(-torch.ones(20, 1, 28, 28), 0)
    assert blank.compute()["digit_score"] == pytest.approx(1, abs=1e-6)


def test_weights_are_those_of_matrices_only() -> None:
    learner = make_gan("wgan")
    expected = [layer.weight for layer in learner.discriminator.modules() if has_matrix(layer)]
    found = discriminator_weights(learner)
    assert torch.equal(found, torch.cat([weight.detach().flatten() for weight in expected]))
    assert not found.requires_grad


def has_matrix(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear)


def test_the_share_of_weights_at_the_bound() -> None:
    learner = make_gan("wgan")
    assert 0 < weights_at_bound(learner)["critic/weights_at_bound"] < 0.1
    with torch.no_grad():
        for weight in learner.discriminator.parameters():
            weight.sign_().mul_(0.01)
    assert weights_at_bound(learner) == {"critic/weights_at_bound": 1}
    with torch.no_grad():
        for weight in learner.discriminator.parameters():
            if weight.ndim > 1:
                weight.view(-1)[: weight.numel() // 2] = 0.005
    assert weights_at_bound(learner)["critic/weights_at_bound"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("model", "watched"), [("gan", False), ("wgan", True), ("wgan_gp", True)])
def test_weights_are_watched_where_the_variant_asks(model: str, watched: bool) -> None:
    learner, data = build(make_config(model))
    assert ("critic/weights_at_bound" in evaluate(learner, data, 10)) == watched


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, float("nan")])
def test_any_weights_can_be_drawn(size: int, scale: float) -> None:
    picture = draw_histogram((torch.randn(size) * scale).numpy(), "after all")
    assert picture.shape[2] == 3


SAMPLES = (40, 1100)
"""Fewer than a chunk, so that one process of two has none; more than the transport takes."""

TRANSPORTED = 600
"""Points that the transport takes here: its cost grows with the square of them, at least."""


def measure(rank: int, world: int, folder: Path) -> None:
    """Evaluate this process's share of GANs on a ring and of pictures, and write the measures."""
    import torch.distributed as dist

    if world > 1:
        meeting = f"file://{folder}/meeting"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    points.TRANSPORT_POINTS = TRANSPORTED  # of a process that does nothing else
    measures = {
        f"{model} {samples} {name}": value
        for model in ("wgan", "gan")
        for samples in SAMPLES
        for name, value in evaluate(*build(make_config(model)), samples, Shard(rank, world)).items()
    }
    # more than are compared one by one, in chunks that two processes cannot share evenly
    seen = judged(Photographs(), pictures(1200, 1, 0.25), Shard(rank, world), samples=650)
    measures |= {f"pictures 1200 {name}": value for name, value in seen.items()}
    (folder / f"{world}-{rank}.json").write_text(json.dumps(measures))


def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    places = [(0, 1), (0, 2), (1, 2)]
    wait_for_success(
        [ForkedProcess.start(measure, rank, world, tmp_path) for rank, world in places]
    )
    one, first, second = (
        json.loads((tmp_path / f"{world}-{rank}.json").read_text()) for rank, world in places
    )
    assert first == pytest.approx(one, rel=1e-6, nan_ok=True)
    assert second == pytest.approx(one, rel=1e-6, nan_ok=True)
    measured = {name.split()[2] for name in one}
    assert {"wasserstein/exact", "divergence/wasserstein", "modes/covered"} <= measured
    assert {"fid/tf_bilinear", "kid/tf_bilinear", "recall/tf_bilinear"} <= measured
