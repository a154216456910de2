"""DataModules on the image store: splits, classes, order, mirroring."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_trees import (
    COUNT,
    TREES,
    attributes,
    celeba,
    encode_image,
    make_store,
    prepared_root,
    smooth_image,
)
from PIL import Image

from gan_lightning.data import (
    DATASETS,
    ImageStoreDataModule,
    LoaderConfig,
    MemoryMappedImages,
    RoundLoader,
)
from gan_lightning.data import image_store as stored_module
from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.data.crop_and_mirror import crop_images, mirror_images
from gan_lightning.gans.cgan import ConditionalGAN, ConditionalGANConfig
from gan_lightning.networks import DCGAN, DCGANConfig
from gan_lightning.store import ImageTransform
from gan_lightning.types import Batch, DataSpec


def data_of(kind: str, **settings: Any) -> ImageStoreDataModule:
    dataset = DATASETS[kind]
    module = dataset(dataset.Config(root=str(prepared_root(kind)), batch_size=4, **settings))
    assert isinstance(module, ImageStoreDataModule)
    return module


def train_batches(data: ImageStoreDataModule, updates: int, **parts: Any) -> list[Batch]:
    """Return the batches of a run as networks get them."""
    data.loader_config = LoaderConfig(updates, seed=parts.pop("seed", 0))
    rows, labels = data.training_data()
    loader = RoundLoader(
        rows,
        labels,
        source=data.source_data(),
        random_mirror=data.random_mirror,
        crop_margin=data.crop_margin,
        batch_size=data.config.batch_size,
        loader_config=data.loader_config,
        **parts,
    )
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


@pytest.mark.parametrize("kind", TREES)
def test_training_and_test_images_are_disjoint(kind: str) -> None:
    data = data_of(kind)
    rows, _ = data.training_data()
    training = to_float_nchw(rows[torch.arange(len(rows))]).flatten(1)
    test = data.test_data()
    assert test.data.shape[1:] == data.spec.shape == (3, 64, 64)
    assert -1 <= test.data.min() < test.data.max() <= 1
    assert torch.cdist(test.data.flatten(1), training).min() > 1


def test_splits_of_celeba() -> None:
    data = data_of("celeba")
    assert len(data.training_data()[0]) == COUNT * 2 // 3
    assert len(data.test_data().data) == COUNT // 6  # the other sixth is the validation split
    first = data.reference_images[torch.tensor([0])][0]
    expected, *_ = ImageTransform("celeba").decode(encode_image(smooth_image(0), quality=90))
    assert np.array_equal(first.numpy(), expected)


def test_combinations_of_attributes_are_classes() -> None:
    data = data_of("celeba", attributes=["Smiling", "Male"])
    _, labels = data.training_data()
    assert labels is not None
    expected = [attributes(n)[2] + 2 * attributes(n)[1] for n in range(COUNT * 2 // 3)]
    assert labels.tolist() == expected
    assert data.spec.classes == 4
    counts = np.bincount(expected, minlength=4) / len(expected)
    assert data.spec.class_shares == pytest.approx(counts)
    assert data.test_data().labels is not None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Beard"], "attributes: one is 'Beard'; valid are"),
        (["Male", "Male"], "attributes is Male, Male; it must name each attribute once"),
        (["Male"] * 7, "attributes has 7 names, which make 128 classes; give at most 6"),
    ],
)
def test_wrong_attributes(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data_of("celeba", attributes=names)


def test_images_are_held_out_without_a_test_split() -> None:
    data = data_of("folder")
    rows, labels = data.training_data()
    assert labels is not None
    assert len(rows) == len(labels) == COUNT - 2
    assert data.spec.classes == 2
    assert len(data.test_data().data) == 2


@pytest.mark.parametrize("side", ["left", "right"])
def test_pairs(side: str) -> None:
    data = data_of("pairs", source=side)
    source = data.source_data()
    assert source is not None
    assert len(source) == len(data.reference_images) == COUNT // 2
    test = data.test_data()
    assert test.source is not None
    turned = data_of("pairs", source=["left", "right"][side == "left"])
    other = turned.test_data()
    assert torch.equal(test.source, other.data)
    assert torch.equal(test.data, other.source)
    every = torch.arange(COUNT // 2)
    assert torch.equal(source[every], turned.reference_images[every])
    flatness = [len(rows[every].flatten(1).unique()) for rows in (source, data.reference_images)]
    assert (flatness[0] < flatness[1]) == (side == "right")  # labels have few colours
    assert data.spec.source_shape == data.spec.shape


@pytest.mark.parametrize("mirror", [False, True])
def test_an_epoch_has_every_image_once_for_any_number_of_processes(mirror: bool) -> None:
    data = data_of("celeba", mirror=mirror)
    whole = torch.cat([batch.data[0, 0] for batch in train_batches(data, 4)])
    parts = [[b.data[0, 0] for b in train_batches(data, 4, rank=r, world_size=2)] for r in range(2)]
    shared = torch.cat([torch.cat(pair) for pair in zip(*parts, strict=True)])
    assert torch.equal(whole, shared)
    assert len(torch.unique(whole.flatten(1), dim=0)) == len(whole) == 16


def test_prior_has_the_class_frequencies_of_the_data() -> None:
    spec = DataSpec((3, 32, 32), classes=4, class_shares=(0.1, 0.2, 0.3, 0.4))
    networks = DCGAN(DCGANConfig(width=2))
    gan = ConditionalGAN(ConditionalGANConfig(latent_size=2), networks, spec)
    labels = gan.prior(10_000, torch.Generator().manual_seed(0)).labels
    assert labels is not None
    shares = torch.bincount(labels, minlength=4) / 10_000
    assert shares.tolist() == pytest.approx(spec.class_shares, abs=0.015)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    data = data_of("celeba")
    once, again, other = (train_batches(data, 8, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a.data, b.data) for a, b in zip(once, again, strict=True))
    assert not all(torch.equal(a.data, b.data) for a, b in zip(once, other, strict=True))
    first, second = once[:4], once[4:]
    assert not all(torch.equal(a.data, b.data) for a, b in zip(first, second, strict=True))
    resumed = train_batches(data, 8, first_update=5)
    assert all(torch.equal(a.data, b.data) for a, b in zip(once[5:], resumed, strict=True))


def test_half_of_the_images_are_mirrored_with_their_sources() -> None:
    data, plain = data_of("pairs"), data_of("pairs", mirror=False)
    swapped = 0
    for one, other in zip(train_batches(data, 40), train_batches(plain, 40), strict=True):
        assert one.mirror_mask is None
        assert one.source is not None
        assert other.source is not None
        for image, source, was, source_was in zip(
            one.data[0, 0], one.source[0, 0], other.data[0, 0], other.source[0, 0], strict=True
        ):
            turned = not torch.equal(image, was)
            swapped += turned
            assert torch.equal(image, was.flip(-1) if turned else was)
            assert torch.equal(source, source_was.flip(-1) if turned else source_was)
    assert 60 <= swapped <= 100  # of 160, within three standard deviations


def test_mirror_images() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 4, 3), dtype=torch.uint8)
    mask = torch.tensor([[True, False, False], [False, True, True]])
    mirrored = mirror_images(images, mask)
    for row in range(2):
        for column in range(3):
            expected = images[row, column]
            if mask[row, column]:
                expected = expected.flip(1)
            assert torch.equal(mirrored[row, column], expected)


def test_crop_images() -> None:
    """Compare with Pillow, of each pixel of the enlarged image."""
    images = torch.randint(0, 256, (2, 3, 8, 8, 3), dtype=torch.uint8)
    offsets = torch.randint(0, 3, (2, 3, 2))
    cropped = crop_images(images, offsets, 2)
    assert cropped.dtype == torch.uint8
    for row in range(2):
        for column in range(3):
            picture = Image.fromarray(images[row, column].numpy())
            enlarged = np.asarray(picture.resize((10, 10), Image.Resampling.BILINEAR), np.int64)
            top, left = offsets[row, column].tolist()
            expected = enlarged[top : top + 8, left : left + 8]
            assert np.abs(cropped[row, column].numpy() - expected).max() <= 1


def test_jitter_crops_sources_like_targets_by_seed_and_update() -> None:
    data = data_of("pairs", jitter=True, mirror=False)
    assert data.crop_margin == 8
    plain = train_batches(data_of("pairs", mirror=False), 3)
    batches = train_batches(data, 3)
    offsets = set()
    for one, other in zip(batches, plain, strict=True):
        assert one.crop_offsets is None
        assert one.source is not None
        assert other.source is not None
        for row in range(4):
            images = [
                to_uint8_nhwc(part[0, 0, row : row + 1]) for part in (other.data, other.source)
            ]
            found = [to_uint8_nhwc(part[0, 0, row : row + 1]) for part in (one.data, one.source)]
            places = [
                (top, left)
                for top in range(9)
                for left in range(9)
                if all(
                    torch.equal(crop_images(image, torch.tensor([[top, left]]), 8), crop)
                    for image, crop in zip(images, found, strict=True)
                )
            ]
            assert len(places) == 1
            offsets |= {*places}
    assert len(offsets) > 6
    resumed = train_batches(data, 3, first_update=2)
    parts = [train_batches(data, 3, rank=rank, world_size=2) for rank in range(2)]
    for index, batch in enumerate(batches):
        halves = [torch.cat([p[index].data[0, 0], p[index].source[0, 0]]) for p in parts]  # type: ignore[index]  # there is a source
        whole = [half.split(2) for half in halves]
        assert torch.equal(batch.data[0, 0], torch.cat([data for data, _ in whole]))
    assert torch.equal(resumed[0].data, batches[2].data)
    assert torch.equal(data.test_data().data, data_of("pairs").test_data().data)


def test_rows_over_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_lightning.store import blocks, layout

    prepare_module = import_module("gan_lightning.store.prepare")

    for module in (layout, blocks, prepare_module, stored_module):
        if hasattr(module, "SHARD"):
            monkeypatch.setattr(module, "SHARD", 10)
        if hasattr(module, "BLOCK"):
            monkeypatch.setattr(module, "BLOCK", 5)
    make_store("celeba", celeba(tmp_path / "celeba"), size=16)
    dataset = DATASETS["celeba"]
    data = dataset(dataset.Config(root=str(tmp_path / "celeba"), size=16))
    assert isinstance(data, ImageStoreDataModule)
    assert len(data.manifest.shards) == 3
    rows = data.reference_images
    wanted = torch.tensor([[15, 0, 11], [9, 10, 0]])
    rows.prefetch(wanted)
    found = rows[wanted]
    assert found.shape == (2, 3, 16, 16, 3)
    # what a run reads that was stopped after its last update and is resumed to be evaluated
    assert rows[torch.empty(0, 2, 3, dtype=torch.int64)].shape == (0, 2, 3, 16, 16, 3)
    for place, number in zip(wanted.flatten().tolist(), found.flatten(0, 1), strict=True):
        expected, *_ = ImageTransform("celeba", 16).decode(
            encode_image(smooth_image(place), quality=90)
        )
        assert np.array_equal(number.numpy(), expected)


def test_next_batch_is_prefetched(monkeypatch: pytest.MonkeyPatch) -> None:
    prefetched: list[torch.Tensor] = []
    read: list[torch.Tensor] = []
    monkeypatch.setattr(MemoryMappedImages, "prefetch", lambda self, rows: prefetched.append(rows))
    take = MemoryMappedImages.__getitem__
    monkeypatch.setattr(
        MemoryMappedImages,
        "__getitem__",
        lambda self, rows: (read.append(rows), take(self, rows))[1],
    )
    train_batches(data_of("celeba"), 5)
    assert len(read) == 5
    assert all(torch.equal(a, b) for a, b in zip(prefetched, read[1:], strict=True))
