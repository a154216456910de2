"""What each measure of the evaluator sees: real test digits with planted defects.

The test digits of MNIST stand for a perfect generator, and each defect changes them in one known
way. Prints a table: a row a defect, a column a measure, in the features of the shipped classifier
of digits.

    .venv/bin/python benchmarks/planted_defects.py --count 2000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan_lightning.data.mnist import MNIST, MNISTConfig
from gan_lightning.inference.extractors import open_extractor
from gan_lightning.inference.image_measures import Measure, measure_features
from gan_lightning.inference.image_sources import Shape
from gan_lightning.metrics.frechet import FeatureStatistics
from gan_lightning.utils.hardware import format_machine, machine_info

__all__ = ["COLUMNS", "DEFECTS", "Digits", "measure_defects"]

KEPT_CLASSES = 5
NOISE = 50.0
"""Standard deviation of the noise, in levels of 0..255."""
COPIED_SHARE = 0.5

COLUMNS = (
    *("fd", "fd_infinity", "kid", "mind", "precision", "recall", "density", "coverage"),
    *("ct", "authenticity", "vendi"),
)


class Digits:
    """Training digits as the reference, and test digits as a perfect generator.

    Args:
        count: number of samples, at most 5,000: the other half of the test digits is held out.
        reference: number of training digits.
        seed: of the choice of digits.
    """

    def __init__(self, count: int, reference: int = 60_000, seed: int = 0) -> None:
        data = MNIST(MNISTConfig())
        images, self.train_labels = data.training_data()
        test = data.test_data()
        assert test.labels is not None
        pixels = ((test.data + 1) * 127.5).round().to(torch.uint8).movedim(1, -1)
        self.rng = np.random.RandomState(seed)
        order = torch.from_numpy(self.rng.permutation(len(pixels)))
        chosen, others = order[:5_000], order[5_000:6_000]
        self.pool, self.pool_labels = pixels[chosen], test.labels[chosen]
        self.held_out = pixels[others]
        rows = torch.from_numpy(self.rng.permutation(len(images))[:reference])
        self.train = images[rows]
        self.count = count

    def perfect(self) -> Tensor:
        """Return test digits as they are."""
        return self.pool[: self.count]

    def few_modes(self) -> Tensor:
        """Return test digits of five classes only."""
        return self.pool[self.pool_labels < KEPT_CLASSES].repeat(2, 1, 1, 1)[: self.count]

    def imbalanced(self) -> Tensor:
        """Return test digits of which half are ones."""
        ones = self.pool[self.pool_labels == 1].repeat(9, 1, 1, 1)
        half = self.count // 2
        return torch.cat([ones[:half], self.pool[: self.count - half]])

    def blurred(self) -> Tensor:
        """Return test digits, each pixel the mean of 3 x 3."""
        digits = self.perfect().movedim(-1, 1).float()
        return avg_pool2d(digits, 3, 1, 1).round().to(torch.uint8).movedim(1, -1)

    def noisy(self) -> Tensor:
        """Return test digits with Gaussian noise."""
        digits = self.perfect().numpy()
        noise = self.rng.standard_normal(digits.shape) * NOISE
        return torch.from_numpy((digits + noise).clip(0, 255).astype(np.uint8))

    def copied(self) -> Tensor:
        """Return test digits, half of which are replaced by training digits."""
        half = int(self.count * COPIED_SHARE)
        return torch.cat([self.train[:half], self.perfect()[half:]])

    def one_image(self) -> Tensor:
        """Return ten test digits, each of them many times."""
        return self.pool[:10].repeat(-(-self.count // 10), 1, 1, 1)[: self.count]


DEFECTS: dict[str, Callable[[Digits], Tensor]] = {
    "none (test digits)": Digits.perfect,
    "digits 0 to 4 only": Digits.few_modes,
    "half are ones": Digits.imbalanced,
    "blurred 3 x 3": Digits.blurred,
    "noise": Digits.noisy,
    "half copied from training": Digits.copied,
    "ten digits, repeated": Digits.one_image,
}
"""Name -> digits with this defect."""


def measure_defects(digits: Digits) -> dict[str, dict[str, Measure]]:
    """Measure the digits with each defect.

    Returns:
        Defect -> measure -> value with its interval.
    """
    extractor = open_extractor("digits", Shape(28, 1))
    real, held_out = extractor(digits.train), extractor(digits.held_out)
    statistics = FeatureStatistics.from_features(real)
    return {
        name: {
            measure.name: measure
            for measure in measure_features(extractor(planted(digits)), real, held_out, statistics)
        }
        for name, planted in DEFECTS.items()
    }


def _cell(measure: Measure) -> str:
    """Write a value and half the width of its interval."""
    return f"{measure.value:.3g} ± {(measure.high - measure.low) / 2:.1g}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="number of samples")
    parser.add_argument("--reference", type=int, default=60_000, help="number of training digits")
    options = parser.parse_args()
    start = time.perf_counter()
    table = measure_defects(Digits(options.count, options.reference))
    print(f"| defect | {' | '.join(f'`{column}`' for column in COLUMNS)} |")
    print(f"| --- |{' --- |' * len(COLUMNS)}")
    for defect, measures in table.items():
        cells = [_cell(measures[column]) for column in COLUMNS]
        print(f"| {defect} | {' | '.join(cells)} |")
    of_real = next(iter(table.values()))
    for name in ("authenticity/real", "vendi/real"):
        print(f"{name}: {of_real[name].value:.3g}")
    seconds = time.perf_counter() - start
    print(f"{options.count:,} samples, {options.reference:,} reference digits, {seconds:.0f} s")
    print(format_machine(machine_info()))


if __name__ == "__main__":
    main()
