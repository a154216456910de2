"""Labelled subsets of the training data: which labels reach a model, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
import torch
from factories import copy_weights, make_config, quiet_trainer, train_model, weights_equal
from torch import Tensor

from gan_lightning.config.load import load_config
from gan_lightning.data import LoaderConfig, RoundLoader
from gan_lightning.data.mnist import MNIST, DigitDomains, DigitDomainsConfig, MNISTConfig
from gan_lightning.data.subsets import stratified_subset
from gan_lightning.data.toy2d import Ring
from gan_lightning.errors import UserError
from gan_lightning.training.build import build

LABELLED = (torch.arange(100, 106), torch.arange(6) % 3)


def make_loader(updates: int, steps: int = 1, **settings: int) -> RoundLoader:
    data = torch.arange(20)
    loader_config = LoaderConfig(updates, steps, 2, seed=0)
    return RoundLoader(
        data, None, labelled=LABELLED, batch_size=4, loader_config=loader_config, **settings
    )


def labelled_rows(batches: Iterator[Any] | RoundLoader) -> list[int]:
    return [row for batch in batches for row in batch.labelled.data.flatten().tolist()]


def test_labelled_minibatches_follow_one_permutation_after_another() -> None:
    rows = labelled_rows(make_loader(9))
    assert len(rows) == 9 * 4
    for epoch in range(6):
        assert sorted(rows[6 * epoch : 6 * epoch + 6]) == list(range(100, 106))
    assert rows[:6] != rows[6:12]
    for batch in make_loader(9, steps=3):
        assert batch.labels is None
        assert batch.labelled.data.shape == batch.data.shape
        assert torch.equal(batch.labelled.labels, (batch.labelled.data - 100) % 3)


@pytest.mark.parametrize("first", [0, 1, 3, 6, 7])
def test_resumed_loader_continues_its_labelled_data(first: int) -> None:
    rest = labelled_rows(make_loader(7, 2, first_update=first))
    assert rest == labelled_rows(make_loader(7, 2))[first * 2 * 4 :]


def test_processes_share_the_labelled_data_without_overlap() -> None:
    global_batches = [batch.labelled.data for batch in make_loader(6)]
    parts = [
        [b.labelled.data for b in make_loader(6, rank=rank, world_size=2)] for rank in range(2)
    ]
    for number, batch in enumerate(global_batches):
        assert torch.equal(torch.cat([part[number] for part in parts], -1), batch)


def test_subset_has_equally_many_of_each_class_and_depends_on_the_seed() -> None:
    labels = torch.arange(3).repeat_interleave(torch.tensor([10, 20, 30]))
    rows = stratified_subset(labels, 12, seed=0)
    assert torch.equal(torch.bincount(labels[rows]), torch.tensor([4, 4, 4]))
    assert len(rows.unique()) == 12
    assert torch.equal(rows, stratified_subset(labels, 12, seed=0))
    assert not torch.equal(rows, stratified_subset(labels, 12, seed=1))


@pytest.mark.parametrize("count", [10, 33])
def test_counts_that_classes_cannot_share(count: int) -> None:
    labels = torch.arange(3).repeat_interleave(10)
    with pytest.raises(ValueError, match="multiple of the 3 classes, at most 30"):
        stratified_subset(labels, count, seed=0)


def test_labelled_data_depend_on_the_seed_of_the_run_or_labelled_seed() -> None:
    def rows(seed: int, **settings: int) -> Tensor:
        digits = MNIST(MNISTConfig(labelled=100, **settings))
        digits.loader_config = LoaderConfig(1, seed=seed)
        labelled = digits.labelled_data()
        assert labelled is not None
        images, labels = labelled
        assert torch.equal(torch.bincount(labels), torch.full((10,), 10))
        return torch.as_tensor(images).flatten(1).float()

    assert not torch.equal(rows(0), rows(1))
    assert torch.equal(rows(0, labelled_seed=3), rows(1, labelled_seed=3))


def test_training_uses_the_given_labels_only() -> None:
    """Other labels of the remaining data give the same weights, bit for bit."""
    run = make_config("semi_supervised")
    _, data = build(run)
    given = data.labelled_data()
    points, labels = data.training_data()
    assert labels is not None

    def with_labels(others: Tensor) -> dict[str, Tensor]:
        patched = patch.multiple(
            Ring, labelled_data=lambda _: given, training_data=lambda _: (points, others)
        )
        with patched:
            return copy_weights(train_model(run))

    assert weights_equal(with_labels(labels), with_labels(torch.zeros_like(labels)))
    assert given is not None
    wrong = (given[0], given[1].flip(0))
    with patch.object(Ring, "labelled_data", lambda _: wrong):
        assert not weights_equal(with_labels(labels), copy_weights(train_model(run)))


@pytest.mark.parametrize(
    ("model", "overrides", "message"),
    [
        ("semi_supervised", ["data.labelled=0"], "needs a labelled subset of the data"),
        ("gan", ["data.labelled=8"], "cannot use a labelled subset of the data; set data.labelled"),
        ("cogan", ["data.labelled=8"], "needs the class of every sample; set data.labelled=0"),
        ("semi_supervised", ["network.packing=2"], "network.packing is 2: set it to 1"),
    ],
)
def test_settings_that_do_not_fit_together(model: str, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(make_config(model, *overrides))


def test_a_classifier_learns_from_the_labelled_data_alone() -> None:
    """The baseline: the labels of the remaining data never reach it."""
    run = load_config(
        {"model": {"name": "digit_classifier"}, "data": {"name": "mnist"}},
        ["data.labelled=20", "data.batch_size=20", "trainer.max_updates=1"],
    )
    classifier, data = build(run)
    seen: list[Tensor] = []
    original = type(classifier).loss_terms  # type: ignore[attr-defined]  # of classifiers

    def record(self: Any, images: Tensor, labels: Tensor) -> Any:
        seen.append(labels)
        return original(self, images, labels)

    with patch.object(type(classifier), "loss_terms", record):
        quiet_trainer().fit(classifier, datamodule=data)
    assert torch.equal(torch.bincount(seen[0]), torch.full((10,), 2))


def test_labels_of_the_remaining_data_are_not_in_batches() -> None:
    for labelled in (0, 8):
        _, data = build(make_config("gan" if not labelled else "semi_supervised"))
        batch = next(iter(data.train_dataloader()))
        assert (batch.labels is None) is bool(labelled)
        assert (batch.labelled is None) is not bool(labelled)


def test_labelled_data_belong_to_their_domain() -> None:
    for domain in (0, 1):
        dataset = DigitDomains(DigitDomainsConfig(labelled=20, labelled_domain=domain))
        labelled = dataset.labelled_data()
        assert labelled is not None
        images, _ = labelled
        everything, domains = dataset.training_data()
        in_domain = everything[domains == domain].flatten(1)
        assert all((in_domain == image.flatten()).all(1).any() for image in images)
        assert dataset.model_spec.labelled_domain == domain
        assert dataset.model_spec.classes == 2
