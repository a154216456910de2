"""A limited number of training data: nested choices, the same for all seeds, with labels."""

from __future__ import annotations

import pytest
import torch
from bad_inputs import assert_mistake
from conftest import run_cli, tiny_overrides
from torch import Tensor

from gan_lightning.data import LoaderConfig
from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig
from gan_lightning.data.mnist.domains import DigitDomains, DigitDomainsConfig
from gan_lightning.data.mnist.pairs import DigitPairs, DigitPairsConfig
from gan_lightning.data.round_loader import RoundLoader
from gan_lightning.data.subsets import RowSubset


def rows(data: MNIST) -> tuple[Tensor, Tensor]:
    images, labels, _ = data.used_data()
    assert labels is not None
    return images[torch.arange(len(images))], labels


def test_a_smaller_choice_is_part_of_a_larger_one_and_has_its_labels() -> None:
    small, small_labels = rows(MNIST(MNISTConfig(training_samples=50)))
    large, large_labels = rows(MNIST(MNISTConfig(training_samples=120)))
    assert (len(small), len(large)) == (50, 120)
    assert torch.equal(small, large[:50])
    assert torch.equal(small_labels, large_labels[:50])
    everything, _ = rows(MNIST(MNISTConfig()))
    assert len(everything) == 60_000


class Announced:
    """Rows that note which of them are prefetched and read."""

    def __init__(self) -> None:
        self.prefetched: list[Tensor] = []
        self.read: list[Tensor] = []

    def __len__(self) -> int:
        return 64

    def __getitem__(self, rows: Tensor) -> Tensor:
        self.read.append(rows)
        return rows.double()

    def prefetch(self, rows: Tensor) -> None:
        self.prefetched.append(rows)


def test_the_next_batch_of_a_choice_is_prefetched() -> None:
    """As without a choice: images are decoded while the step before is trained."""
    data, chosen = Announced(), torch.arange(63, 0, -2)
    subset = RowSubset(data, chosen)
    loader = RoundLoader(subset, None, source=subset, batch_size=8, loader_config=LoaderConfig(5))
    assert len(list(loader)) == 5
    assert all(torch.equal(a, b) for a, b in zip(data.prefetched, data.read[2:], strict=True))
    RowSubset(torch.zeros(4), torch.arange(2)).prefetch(torch.tensor([1]))  # in memory already


def test_training_sees_these_data_only_with_any_seed() -> None:
    seen = []
    for seed in (0, 1):
        data = MNIST(MNISTConfig(training_samples=16, batch_size=16))
        data.loader_config = LoaderConfig(4, seed=seed)
        batches = torch.cat([batch.data.flatten(0, 2) for batch in data.train_dataloader()])
        chosen = {tuple(image.flatten().tolist()) for image in rows(data)[0]}
        seen.append({tuple(image.flatten().tolist()) for image in batches})
        assert seen[-1] == chosen
    assert seen[0] == seen[1]


def test_sources_stay_with_their_targets() -> None:
    pairs = DigitPairs(DigitPairsConfig(training_samples=10))
    targets, _, sources = pairs.used_data()
    all_targets, all_sources = pairs.training_data()[0], pairs.source_data()
    assert sources is not None
    assert all_sources is not None
    some = torch.arange(10)
    for target, source in zip(targets[some], sources[some], strict=True):
        place = (all_targets[torch.arange(60_000)] == target).flatten(1).all(1).nonzero()[0]
        assert torch.equal(all_sources[place][0], source)


@pytest.mark.usefixtures("empty_folder")
def test_too_many_are_one_line() -> None:
    words = [*tiny_overrides("dcgan_mnist"), "data.training_samples=60001"]
    outcome = run_cli("train", "dcgan_mnist", *words)
    assert_mistake(outcome, "training_samples is 60001", "there are 60000 training data")


def test_labelled_digits_of_a_domain_come_from_all_of_its_images() -> None:
    domains = DigitDomains(DigitDomainsConfig(training_samples=100, labelled=10))
    with pytest.raises(ValueError, match="labelled is 10 and training_samples is 100"):
        domains.labelled_data()
