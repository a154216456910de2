"""Every metric: the parts of two processes, reduced as torchmetrics does, equal the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Once
from process_pool import Forked, end_well
from torch import Tensor, nn
from torchmetrics import Metric

from gan_lightning import metrics
from gan_lightning.metrics import (
    ClassConditionalAccuracy,
    ClassCoverage,
    CodeAccuracy,
    CodeCorrelation,
    DuplicateRate,
    ExactWasserstein,
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    KernelDistance,
    ModeCoverage,
    MutualInformationBound,
    NearestNeighbourError,
    ParzenLikelihood,
    PixelAgreement,
    PrecisionRecall,
    WithinClassSimilarity,
)

Updates = list[tuple[Any, ...]]
GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(12, 5, generator=GENERATOR)
CENTRES = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))
IMAGES = torch.rand(64, 3, 2, 2, generator=GENERATOR) * 2 - 1
LABELS = torch.randint(5, (64,), generator=GENERATOR)
POINTS = CENTRES[torch.randint(6, (64,), generator=GENERATOR)]
POINTS = POINTS + 0.4 * torch.randn(64, 2, generator=GENERATOR)
LOG_PROBABILITIES = torch.randn(64, 5, generator=GENERATOR).log_softmax(dim=1)


class Linear(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ WEIGHT


def with_reference() -> Metric:
    features = Linear()(IMAGES.flip(0) * 0.5)
    return FrechetDistance(Linear(), 5, FeatureStatistics.from_features(features))


def in_parts(*tensors: Tensor) -> Updates:
    # of unequal sizes: a mean of means would show
    return list(zip(*(tensor.tensor_split([5, 35, 55]) for tensor in tensors), strict=True))


DIGITS = torch.rand(64, 1, 28, 28, generator=GENERATOR) * 2 - 1
CODES = torch.randn(64, 2, generator=GENERATOR)
NUMBERED = [(part, first) for (part,), first in zip(in_parts(POINTS), (0, 5, 35, 55), strict=True)]
LABELLED = [
    (*part, first) for part, first in zip(in_parts(DIGITS, LABELS % 2), (0, 5, 35, 55), strict=True)
]
BOTH_SIDES = [(part, index % 2 == 0) for index, (part,) in enumerate(in_parts(IMAGES))]

CASES: dict[str, tuple[Callable[[], Metric], Updates]] = {
    "frechet": (with_reference, in_parts(IMAGES)),
    "frechet, both sides": (lambda: FrechetDistance(Linear(), 5), BOTH_SIDES),
    "transport": (lambda: ExactWasserstein(POINTS.flip(0)[:40]), NUMBERED),
    "kernel": (lambda: KernelDistance(POINTS.flip(0)[:60], 5, 20), NUMBERED),
    "manifold": (lambda: PrecisionRecall(POINTS.flip(0)[:60] + 0.3), NUMBERED),
    "scores": (lambda: InceptionScore(5), in_parts(LOG_PROBABILITIES)),
    "modes": (lambda: ModeCoverage(CENTRES, 0.15), in_parts(POINTS)),
    "classes": (lambda: ClassCoverage(Linear(), 5), in_parts(IMAGES)),
    "codes": (lambda: CodeAccuracy(5, 5), in_parts(LOG_PROBABILITIES.argmax(1), LABELS)),
    "information": (lambda: MutualInformationBound(5), in_parts(LOG_PROBABILITIES, LABELS)),
    "asked": (ClassConditionalAccuracy, in_parts(LOG_PROBABILITIES.argmax(1), LABELS)),
    "agreement": (PixelAgreement, in_parts(IMAGES, IMAGES.flip(0))),
    "parzen": (lambda: ParzenLikelihood(POINTS[:20], POINTS[20:40], 60), NUMBERED),
    "neighbours": (
        lambda: NearestNeighbourError(POINTS, LABELS, POINTS.flip(0), LABELS),
        [(part, LABELS[first : first + len(part)], first) for part, first in NUMBERED],
    ),
    "diversity": (lambda: WithinClassSimilarity(DIGITS[:60], LABELS[:60] % 2), LABELLED),
    "duplicates": (lambda: DuplicateRate(POINTS), in_parts(POINTS.flip(0))),
    "strokes": (lambda: CodeCorrelation(2, 2), in_parts(CODES, LABELS % 2, DIGITS)),
}

cases = pytest.mark.parametrize(("build", "updates"), CASES.values(), ids=list(CASES))


def test_every_metric_has_a_case() -> None:
    parts = [getattr(metrics, name) for name in metrics.__all__]
    kinds = {part for part in parts if isinstance(part, type) and issubclass(part, Metric)}
    assert {type(build()) for build, _ in CASES.values()} == kinds


def updated(build: Callable[[], Metric], updates: Updates) -> Metric:
    metric = build()
    for arguments in updates:
        metric.update(*arguments)
    return metric


@cases
def test_merged_metrics_equal_the_whole(build: Callable[[], Metric], updates: Updates) -> None:
    first, second = updated(build, updates[:1]), updated(build, updates[1:])
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), updated(build, updates).compute())


@cases
def test_two_processes_equal_one(
    build: Callable[[], Metric], updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = [updated(build, updates[:1]), updated(build, updates[1:])]
    whole = updated(build, updates).compute()
    states = [{name: getattr(rank, name).clone() for name in rank._defaults} for rank in ranks]
    for rank in ranks:
        # torchmetrics gathers the states one by one, in the order in which they were added
        names = iter(rank._defaults)

        def gather(state: Tensor, group: object, names: Any = names) -> list[Tensor]:
            name = next(names)
            return [other[name] for other in states]

        monkeypatch.setattr(rank, "dist_sync_fn", gather)
        monkeypatch.setattr(rank, "distributed_available_fn", lambda: True)
        torch.testing.assert_close(rank.compute(), whole)
    # what a rank had accumulated is its own again afterwards
    for rank, state in zip(ranks, states, strict=True):
        for name, value in state.items():
            assert torch.equal(getattr(rank, name), value)


@cases
def test_states_are_sums_and_the_batch_value_is_right(
    build: Callable[[], Metric], updates: Updates
) -> None:
    metric = build()
    for reduction in metric._reductions.values():
        assert callable(reduction)
        assert reduction(torch.ones(4)) == 4
    if build is CASES["frechet, both sides"][0]:
        pytest.skip("one batch holds one side only")
    alone = updated(build, updates[1:2]).compute()
    metric.update(*updates[0])
    torch.testing.assert_close(metric(*updates[1]), alone)
    torch.testing.assert_close(metric.compute(), updated(build, updates[:2]).compute())


# --- and in two processes indeed

SHARES = {"in parts": (slice(1), slice(1, None)), "of one": (slice(None), slice(0))}
"""What each of two processes has of the data: also all, and nothing."""


def compute_all(rank: int, folder: Path) -> None:
    """Compute every metric of this process's shares, and write the values."""
    import torch.distributed as dist

    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    values = {
        f"{name} {share}": updated(build, updates[parts[rank]]).compute()
        for name, (build, updates) in CASES.items()
        for share, parts in SHARES.items()
    }
    torch.save(values, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def values(once: Once) -> list[dict[str, Any]]:
    def make(folder: Path) -> list[dict[str, Any]]:
        end_well([Forked.of(compute_all, rank, folder) for rank in (0, 1)])
        return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]

    return once("metrics", make)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", CASES)
def test_two_real_processes_equal_one(name: str, share: str, values: list[dict[str, Any]]) -> None:
    build, updates = CASES[name]
    whole = updated(build, updates).compute()
    for rank in values:
        torch.testing.assert_close(rank[f"{name} {share}"], whole)
