"""Mode and class coverage on sets made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor, nn

from gan_lightning.metrics import ClassCoverage, ModeCoverage

SD = 0.01
ANGLES = torch.arange(8) * (2 * math.pi / 8)
RING = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)
RIGHT = torch.tensor([1.0, 0.0])


def scores(samples: Tensor, centres: Tensor = RING, sd: float = SD) -> dict[str, float]:
    metric = ModeCoverage(centres, sd)
    metric.update(samples)
    return {name: value.item() for name, value in metric.compute().items()}


def test_the_target_itself_scores_perfectly() -> None:
    generator = torch.Generator().manual_seed(0)
    modes = torch.randint(8, (20_000,), generator=generator)
    samples = RING[modes] + SD * torch.randn(20_000, 2, generator=generator)
    found = scores(samples)
    assert found["modes/covered"] == 8
    # a Gaussian in the plane lies within 3 sd with probability 1 - exp(-9 / 2)
    assert found["modes/high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.002)
    assert 0 <= found["modes/reverse_kl"] < 0.001


def test_a_collapsed_generator_covers_one_mode() -> None:
    found = scores(RING[3].expand(100, 2))
    assert found["modes/covered"] == 1
    assert found["modes/high_quality"] == 1
    assert found["modes/reverse_kl"] == pytest.approx(math.log(8), rel=1e-6)


def test_reverse_kl_is_exact() -> None:
    counts = np.array([5, 1, 0, 0, 20, 3, 0, 1])
    samples = RING.repeat_interleave(torch.from_numpy(counts), dim=0)
    found = scores(samples)["modes/reverse_kl"]
    assert found == pytest.approx(entropy(counts / counts.sum(), np.full(8, 1 / 8)), rel=1e-6)
    # what PacGAN's code reports is the entropy of the histogram
    assert found == pytest.approx(math.log(8) - entropy(counts), rel=1e-6)


def test_three_standard_deviations_are_the_border() -> None:
    for direction in (RIGHT, -RIGHT, torch.tensor([0.6, 0.8])):
        near = scores((RING[0] + 2.9 * SD * direction)[None])
        far = scores((RING[0] + 3.1 * SD * direction)[None])
        assert (near["modes/covered"], near["modes/high_quality"]) == (1, 1)
        assert (far["modes/covered"], far["modes/high_quality"]) == (0, 0)


def test_low_quality_samples_cover_nothing_and_enter_no_histogram() -> None:
    samples = torch.cat([RING[:2].repeat(5, 1), (RING[4] + 3.1 * SD * RIGHT).expand(90, 2)])
    found = scores(samples)
    assert found["modes/covered"] == 2
    assert found["modes/high_quality"] == pytest.approx(0.1)
    assert found["modes/reverse_kl"] == pytest.approx(math.log(8 / 2), rel=1e-6)


def test_a_diverged_generator_is_scored() -> None:
    found = scores(torch.tensor([[math.nan, 0.0], [math.inf, 0.0], [7.0, 7.0]]))
    assert (found["modes/covered"], found["modes/high_quality"]) == (0, 0)
    assert math.isnan(found["modes/reverse_kl"])


def test_far_narrow_modes_are_told_exactly() -> None:
    centres = torch.tensor([[1000.0, 1000.0], [1000.0, 1001.0]])
    # 2 and 4 sd off, on a grid that float32 holds exactly there
    samples = centres[0] + torch.tensor([[2 / 64, 0.0], [4 / 64, 0.0]]).repeat(50, 1)
    assert scores(samples, centres, sd=1 / 64)["modes/high_quality"] == 0.5


def test_mode_coverage_names_wrong_values() -> None:
    with pytest.raises(ValueError, match="standard_deviation is 0"):
        ModeCoverage(RING, 0.0)
    with pytest.raises(ValueError, match=r"\(M, D\)"):
        ModeCoverage(RING[0], SD)
    metric = ModeCoverage(RING, SD)
    metric.update(torch.zeros(0, 2))
    with pytest.raises(ValueError, match="call update first"):
        metric.compute()
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        metric.update(torch.zeros(4, 3))
    assert metric.state_dict() == {}


class Brightness(nn.Module):
    """Logits that put an image of value v = -1 + 2 k / (classes - 1) into class k."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("levels", torch.linspace(-1, 1, classes))

    def forward(self, images: Tensor) -> Tensor:
        assert not torch.is_autocast_enabled("cpu")
        levels = self.levels
        assert isinstance(levels, Tensor)
        return -(images.flatten(1).mean(dim=1, keepdim=True) - levels).abs()


def pictures(counts: list[int]) -> Tensor:
    values = torch.linspace(-1, 1, len(counts)).repeat_interleave(torch.tensor(counts))
    return values[:, None, None, None].expand(-1, 1, 4, 4)


def test_class_coverage_is_exact() -> None:
    counts = [4, 0, 10, 1, 1]
    metric = ClassCoverage(Brightness(5), 5, batch_size=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        metric.update(pictures(counts))
    metric.update(pictures(counts)[:0])
    found = metric.compute()
    assert found["classes/covered"] == 4
    expected = entropy(np.array(counts) / 16, np.full(5, 0.2))
    assert found["classes/kl"].item() == pytest.approx(expected, rel=1e-6)
    assert metric.state_dict() == {}


def test_class_coverage_compares_with_the_data() -> None:
    reference = torch.tensor([40, 0, 100, 10, 10])
    metric = ClassCoverage(Brightness(5), 5, reference)
    metric.update(pictures([4, 0, 10, 1, 1]))
    assert metric.compute()["classes/kl"].item() == pytest.approx(0, abs=1e-6)
    metric.reset()
    metric.update(pictures([8, 0, 4, 2, 2]))
    expected = entropy(np.array([8, 4, 2, 2]) / 16, np.array([4, 10, 1, 1]) / 16)
    assert metric.compute()["classes/kl"].item() == pytest.approx(expected, rel=1e-6)
    metric.update(pictures([0, 1, 0, 0, 0]))
    assert metric.compute()["classes/kl"] == torch.inf


@pytest.mark.parametrize(
    "reference", [torch.ones(4), torch.zeros(5), torch.tensor([1.0, 1, 1, 1, -1])], ids=str
)
def test_class_coverage_refuses_a_wrong_reference(reference: Tensor) -> None:
    with pytest.raises(ValueError, match=r"must hold \(5,\)"):
        ClassCoverage(Brightness(5), 5, reference)


def test_class_coverage_names_wrong_values() -> None:
    metric = ClassCoverage(Brightness(5), 5)
    metric.update(pictures([1, 1])[:0])
    with pytest.raises(ValueError, match="call update first"):
        metric.compute()
    with pytest.raises(ValueError, match="the metric was told"):
        ClassCoverage(Brightness(5), 6).update(pictures([1, 1]))
    with pytest.raises(ValueError, match="classes is 0"):
        ClassCoverage(Brightness(5), 0)
