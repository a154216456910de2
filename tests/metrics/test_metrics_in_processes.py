"""Every metric gives the same value over two processes as in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Once
from process_pool import ForkedProcess, wait_for_success
from torch import Tensor, nn
from torchmetrics import Metric

from gan_lightning import metrics
from gan_lightning.metrics import (
    AttributeAccuracy,
    AttributeDivergence,
    ClassConditionalAccuracy,
    ClassCoverage,
    CodeAccuracy,
    CodeCorrelation,
    ColourRetrieval,
    DuplicateRate,
    EqualSizeFrechetDistance,
    ExactWasserstein,
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    KernelDistance,
    ModeCoverage,
    MutualInformationBound,
    MutualInformationGap,
    NearestNeighbourError,
    ParzenLikelihood,
    PixelAgreement,
    PrecisionRecall,
    SlicedWasserstein,
    ValueAccuracy,
    WithinClassSimilarity,
)
from gan_lightning.metrics.sliced_wasserstein import PatchProjector, band_deviations

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


def split(*tensors: Tensor) -> Updates:
    # unequal sizes, so that a mean of means would fail
    return list(zip(*(tensor.tensor_split([5, 35, 55]) for tensor in tensors), strict=True))


DIGITS = torch.rand(64, 1, 28, 28, generator=GENERATOR) * 2 - 1
VALUES = torch.randint(3, (64, 2), generator=GENERATOR)
COLOURS = torch.rand(64, 3, 8, 8, generator=GENERATOR) * 2 - 1
CODES = torch.randn(64, 2, generator=GENERATOR)
INDEXED = [(part, start) for (part,), start in zip(split(POINTS), (0, 5, 35, 55), strict=True)]
LABELLED = [
    (*part, start) for part, start in zip(split(DIGITS, LABELS % 2), (0, 5, 35, 55), strict=True)
]
DIGIT_PATCHES = [(part, start) for part, _, start in LABELLED]
PROJECTOR = PatchProjector((1, 28, 28), band_deviations(DIGITS), 50)
BOTH_SIDES = [(part, index % 2 == 0) for index, (part,) in enumerate(split(IMAGES))]

CASES: dict[str, tuple[Callable[[], Metric], Updates]] = {
    "frechet": (with_reference, split(IMAGES)),
    "frechet, both sides": (lambda: FrechetDistance(Linear(), 5), BOTH_SIDES),
    "frechet, equal sizes": (lambda: EqualSizeFrechetDistance(POINTS.flip(0)[:60]), INDEXED),
    "sliced_wasserstein": (
        lambda: SlicedWasserstein(PROJECTOR, PROJECTOR(DIGITS.flip(0), 0)),
        DIGIT_PATCHES,
    ),
    "wasserstein": (lambda: ExactWasserstein(POINTS.flip(0)[:40]), INDEXED),
    "kernel": (lambda: KernelDistance(POINTS.flip(0)[:60], 5, 20), INDEXED),
    "precision_recall": (lambda: PrecisionRecall(POINTS.flip(0)[:60] + 0.3), INDEXED),
    "inception_score": (lambda: InceptionScore(5), split(LOG_PROBABILITIES)),
    "modes": (lambda: ModeCoverage(CENTRES, 0.15), split(POINTS)),
    "classes": (lambda: ClassCoverage(Linear(), 5), split(IMAGES)),
    "codes": (lambda: CodeAccuracy(5, 5), split(LOG_PROBABILITIES.argmax(1), LABELS)),
    "information": (lambda: MutualInformationBound(5), split(LOG_PROBABILITIES, LABELS)),
    "class_accuracy": (ClassConditionalAccuracy, split(LOG_PROBABILITIES.argmax(1), LABELS)),
    "colours": (lambda: ColourRetrieval(COLOURS), split(COLOURS.flip(0), COLOURS)),
    "attribute_accuracy": (lambda: AttributeAccuracy(["a", "b"]), split(VALUES, VALUES.flip(0))),
    "value_accuracy": (
        lambda: ValueAccuracy({"a": ["x", "y", "z"], "b": ["x", "y", "z"]}),
        split(VALUES, VALUES.flip(0)),
    ),
    "attribute_divergence": (
        lambda: AttributeDivergence(torch.arange(6) + 1, [3, 3]),
        split(VALUES),
    ),
    "information_gap": (
        lambda: MutualInformationGap([5], ["a", "b"], [3, 3]),
        split(LABELS[:, None], VALUES),
    ),
    "agreement": (PixelAgreement, split(IMAGES, IMAGES.flip(0))),
    "parzen": (lambda: ParzenLikelihood(POINTS[:20], POINTS[20:40], 60), INDEXED),
    "neighbours": (
        lambda: NearestNeighbourError(POINTS, LABELS, POINTS.flip(0), LABELS),
        [(part, LABELS[start : start + len(part)], start) for part, start in INDEXED],
    ),
    "ms_ssim": (lambda: WithinClassSimilarity(DIGITS[:60], LABELS[:60] % 2), LABELLED),
    "duplicates": (lambda: DuplicateRate(POINTS), split(POINTS.flip(0))),
    "code_correlation": (lambda: CodeCorrelation(2, 2), split(CODES, LABELS % 2, DIGITS)),
}

cases = pytest.mark.parametrize(("build", "updates"), CASES.values(), ids=list(CASES))


def test_every_metric_has_a_case() -> None:
    exported = [getattr(metrics, name) for name in metrics.__all__]
    classes = {item for item in exported if isinstance(item, type) and issubclass(item, Metric)}
    assert {type(build()) for build, _ in CASES.values()} == classes


def updated(build: Callable[[], Metric], updates: Updates) -> Metric:
    metric = build()
    for arguments in updates:
        metric.update(*arguments)
    return metric


@cases
def test_merged_metrics_equal_one_metric(build: Callable[[], Metric], updates: Updates) -> None:
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
    # afterwards each rank has its own state again
    for rank, state in zip(ranks, states, strict=True):
        for name, value in state.items():
            assert torch.equal(getattr(rank, name), value)


@cases
def test_states_are_summed_and_forward_returns_the_value_of_the_batch(
    build: Callable[[], Metric], updates: Updates
) -> None:
    metric = build()
    for reduction in metric._reductions.values():
        assert callable(reduction)
        assert reduction(torch.ones(4)) == 4
    if build is CASES["frechet, both sides"][0]:
        pytest.skip("a batch has one side only")
    alone = updated(build, updates[1:2]).compute()
    metric.update(*updates[0])
    torch.testing.assert_close(metric(*updates[1]), alone)
    torch.testing.assert_close(metric.compute(), updated(build, updates[:2]).compute())


# --- the same with two real processes

SHARDS = {"in parts": (slice(1), slice(1, None)), "rank 0 only": (slice(None), slice(0))}
"""Updates of each of two processes; in the second case, one process has none."""


def compute_all(rank: int, folder: Path) -> None:
    """Compute every metric on the shards of this process, and write the values."""
    import torch.distributed as dist

    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    values = {
        f"{name} {shard}": updated(build, updates[parts[rank]]).compute()
        for name, (build, updates) in CASES.items()
        for shard, parts in SHARDS.items()
    }
    torch.save(values, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def values(once: Once) -> list[dict[str, Any]]:
    def make(folder: Path) -> list[dict[str, Any]]:
        wait_for_success([ForkedProcess.start(compute_all, rank, folder) for rank in (0, 1)])
        return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]

    return once("metrics", make)


@pytest.mark.parametrize("shard", SHARDS)
@pytest.mark.parametrize("name", CASES)
def test_two_real_processes_equal_one(name: str, shard: str, values: list[dict[str, Any]]) -> None:
    build, updates = CASES[name]
    whole = updated(build, updates).compute()
    for rank in values:
        torch.testing.assert_close(rank[f"{name} {shard}"], whole)
