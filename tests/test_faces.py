"""The classifier of attributes of faces, what it measures of GANs, and what codes tell of them."""

from __future__ import annotations

import io
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Once
from factories import make_config, train_model, weights_equal
from image_trees import COUNT, make_store, prepared_root
from PIL import Image
from process_pool import ForkedProcess, wait_for_success
from torch import Tensor

from gan_lightning.assets import loader
from gan_lightning.classifiers.attributes import AttributeClassifier, shipped_face_network
from gan_lightning.config.load import load_config
from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.faces import Faces
from gan_lightning.distributed.sharding import Shard
from gan_lightning.errors import UserError
from gan_lightning.evaluation import arithmetic, evaluate
from gan_lightning.evaluation.codes import CodeEvaluator
from gan_lightning.evaluation.faces import FaceEvaluator, read_attributes
from gan_lightning.metrics import (
    AttributeAccuracy,
    AttributeDivergence,
    MutualInformationGap,
    ValueAccuracy,
)
from gan_lightning.store.faces import ATTRIBUTES, IMAGES, FaceDrawings, draw_attributes
from gan_lightning.training.build import build
from gan_lightning.types import Condition, DataSpec, Sample

CPU = torch.device("cpu")
NAMES = list(ATTRIBUTES)
SIZES = [len(values) for values in ATTRIBUTES.values()]
DRAWN = 60
"""Test faces that are drawn."""

DCGAN = {"name": "dcgan", "width": 4}


def open_faces(root: Path | None = None, **settings: Any) -> Faces:
    return Faces(Faces.Config(root=str(root or prepared_root("faces")), **settings))


def real_faces(data: Faces) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return all training faces in [-1, 1], the values of their attributes, and their classes."""
    images, labels = data.training_data()
    return to_float_nchw(images[torch.arange(len(images))]), data.training_attributes, labels


def classifier_config(*overrides: str, attributes: list[str] | None = None) -> Any:
    data = {
        "name": "faces",
        "root": str(prepared_root("faces")),
        "batch_size": 8,
        "smaller_size": 32,
        "attributes": NAMES if attributes is None else attributes,
    }
    source = {
        "model": {"name": "attribute_classifier"},
        "data": data,
        "trainer": {"max_updates": 6, "precision": "32-true"},
    }
    return load_config(source, overrides)


@pytest.mark.parametrize("sizes", [SIZES, [3], [2, 5, 4]])
def test_classes_number_all_combinations(sizes: list[int]) -> None:
    spec = DataSpec((2,), attribute_sizes=tuple(sizes))
    rng = torch.Generator().manual_seed(0)
    values = torch.stack([torch.randint(size, (50,), generator=rng) for size in sizes], 1)
    classes = spec.combination_of(values)
    assert torch.equal(spec.values_of(classes), values)
    assert classes.min() >= 0
    assert classes.max() < math.prod(sizes)
    first, last = torch.zeros_like(values[:1]), torch.tensor([[size - 1 for size in sizes]])
    assert spec.combination_of(torch.cat([first, last])).tolist() == [0, math.prod(sizes) - 1]


def test_batches_carry_all_attributes() -> None:
    _, data = build(classifier_config())
    assert isinstance(data, Faces)
    assert data.spec.classes == math.prod(SIZES)
    (batch,) = list(data.train_dataloader())[:1]
    assert batch.labels is not None
    rows = {tuple(row) for row in data.training_attributes.tolist()}
    assert {tuple(row) for row in data.spec.values_of(batch.labels[0, 0]).tolist()} <= rows


def test_smaller_faces_follow_the_others_enlarged() -> None:
    both, large, small = open_faces(smaller_size=32), open_faces(), open_faces(size=32)
    images, _ = both.training_data()
    assert len(images) == 2 * COUNT
    rows = torch.tensor([[0, COUNT, 1], [COUNT + 1, 2, 2 * COUNT - 1]])
    is_small = rows >= COUNT
    found, faces = images[rows], rows % COUNT
    assert found.shape == (2, 3, 64, 64, 3)
    assert torch.equal(found[~is_small], large.training_data()[0][faces[~is_small]])
    averaged = found[is_small].unflatten(2, (32, 2)).unflatten(1, (32, 2)).double().mean((2, 4))
    smaller = small.training_data()[0][faces[is_small]].double()
    assert (averaged - smaller).abs().mean() < 5
    attributes = ["mouth", "skin"]
    _, labels = open_faces(smaller_size=32, attributes=attributes).training_data()
    _, expected = open_faces(attributes=attributes).training_data()
    assert labels is not None
    assert expected is not None
    assert torch.equal(labels[rows], expected[faces])
    with pytest.raises(ValueError, match="smaller_size is 64; it must be below size = 64"):
        open_faces(smaller_size=64)


def test_gans_take_few_combinations_only() -> None:
    data = {"name": "faces", "root": str(prepared_root("faces")), "batch_size": 8}
    message = "hair, eyes, skin, which make 280 classes; choose attributes with at most 64"
    for model in ("gan", "cgan"):
        attributes = {**data, "attributes": ["hair", "eyes", "skin"]}
        with pytest.raises(UserError, match=message):
            build(make_config(model, network=DCGAN, data=attributes))


@pytest.mark.parametrize("overrides", [["data.attributes=[]"], ["data.labelled=8"]])
def test_the_classifier_needs_attributes_of_all_faces(overrides: list[str]) -> None:
    with pytest.raises(UserError, match="attribute_classifier needs colour images with attributes"):
        build(classifier_config(*overrides, attributes=["accessory"]))


def test_training_lowers_the_loss_and_repeats_bit_for_bit() -> None:
    config = classifier_config("trainer.max_updates=12", attributes=["background", "skin"])
    models = [train_model(config) for _ in range(2)]
    assert weights_equal(models[0].state_dict(), models[1].state_dict())
    model, data = build(config)
    assert isinstance(model, AttributeClassifier)
    assert isinstance(data, Faces)
    images, _, labels = real_faces(data)
    assert labels is not None
    trained = models[0]
    assert isinstance(trained, AttributeClassifier)
    before, after = (
        each.loss_terms(images, labels)["cross_entropy"].item() for each in (model, trained)
    )
    assert after < 0.8 * before


def test_accuracies_of_the_classifier() -> None:
    model, data = build(classifier_config())
    model.network = shipped_face_network()
    values = evaluate(model, data, 10)
    for suffix in ("", "_32"):
        accuracies = [values[f"classifier/accuracy{suffix}/{name}"] for name in NAMES]
        assert values[f"classifier/least_attribute_accuracy{suffix}"] == min(accuracies) > 0.8


@pytest.fixture(scope="session")
def store_of(once: Once) -> Any:
    """Return a function that gives the root of a few faces of some size."""

    def root(size: int) -> Path:
        def make(folder: Path) -> Path:
            return make_store("faces", folder / "faces", size).parent / "faces"

        is_prepared = size in (32, 64)
        return prepared_root("faces") if is_prepared else once(f"faces-{size}", make)

    return root


def drawn_faces(size: int) -> tuple[Tensor, Tensor]:
    """Draw faces of the test split of the complete dataset, and return their attributes, too."""
    attributes = draw_attributes(sum(IMAGES))
    source, first = FaceDrawings(attributes, size), IMAGES[0]
    numbers = range(first, first + DRAWN)
    files = [io.BytesIO(source.read(f"face {number:05d}")) for number in numbers]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    values = torch.from_numpy(attributes[first : first + DRAWN]).long()
    return to_float_nchw(torch.from_numpy(pixels)), values


@pytest.mark.parametrize("size", [32, 64, 128])
def test_real_faces_are_read_correctly(size: int, store_of: Any) -> None:
    """A generator that returns faces of the test split, some of which the classifier misreads."""
    data = open_faces(store_of(size), size=size, attributes=["mouth", "clothes"])
    assert "faces" in data.evaluators()
    images, attributes = drawn_faces(size)
    assert (read_attributes(images) == attributes).double().mean(0).min() >= 0.99
    labels = data.spec.combination_of(attributes[:, [NAMES.index("mouth"), NAMES.index("clothes")]])
    judge = FaceEvaluator(data, CPU, conditional=True)
    judge.update(images, 0, labels)
    values = judge.compute()
    assert values["attribute/least_accuracy"] >= 0.99
    names = ("attribute/mouth/accuracy", "attribute/clothes/accuracy")
    assert values["attribute/least_accuracy"] == min(values[name] for name in names)
    closed = attributes[:, NAMES.index("mouth")] == [*ATTRIBUTES["mouth"]].index("closed smile")
    assert ("attribute/mouth/closed_smile/accuracy" in values) == bool(closed.any())
    others = FaceEvaluator(data, CPU, conditional=True)
    others.update(images, 0, labels.roll(1))
    assert others.compute()["attribute/least_accuracy"] < 0.5


def test_collapse_is_seen_in_the_divergence_of_attributes() -> None:
    data = open_faces()
    images, _, _ = real_faces(data)

    def divergence(faces: Tensor) -> float:
        judge = FaceEvaluator(data, CPU)
        judge.update(faces, 0)
        return judge.compute()["attribute/kl"]

    assert divergence(images) < 0.05
    assert divergence(images[:4].repeat(6, 1, 1, 1)) > 0.3


def test_the_distance_is_0_of_the_test_faces_and_rises_with_damage() -> None:
    data = open_faces()
    images = to_float_nchw(data.test_faces()[0][torch.arange(COUNT // 4)])
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))

    def distance(faces: Tensor) -> float:
        judge = FaceEvaluator(data, CPU)
        judge.update(faces, 0)
        return judge.compute()["fd_faces"]

    real, slightly, badly = (distance(images + noise * level) for level in (0, 0.1, 0.5))
    assert real == pytest.approx(0, abs=1e-3)
    assert real < slightly < badly


def test_faces_that_are_too_small_are_not_judged(store_of: Any) -> None:
    assert "faces" not in open_faces(store_of(16), size=16).evaluators()


def test_accuracy_of_each_attribute() -> None:
    metric = AttributeAccuracy(["a", "b"])
    metric.update(torch.tensor([[0, 1], [1, 1]]), torch.tensor([[0, 1], [0, 1]]))
    assert {name: value.item() for name, value in metric.compute().items()} == {"a": 0.5, "b": 1}
    with pytest.raises(ValueError, match=r"both must be \(N, 2\)"):
        metric.update(torch.zeros(3, 1), torch.zeros(3, 1))


def test_accuracy_of_each_value() -> None:
    """The values of an attribute have its accuracy as their mean, weighted by the requests."""
    rng = torch.Generator().manual_seed(0)
    sizes = {"hair": 3, "skin": 2}
    requested = torch.stack([torch.randint(size, (40,), generator=rng) for size in (2, 2)], 1)
    read = torch.where(torch.rand(40, 2, generator=rng) < 0.3, 1 - requested, requested)
    by_value = ValueAccuracy({name: [f"v{n}" for n in range(sizes[name])] for name in sizes})
    by_attribute = AttributeAccuracy([*sizes])
    for part in range(3):
        for metric in (by_value, by_attribute):
            metric.update(read[part::3], requested[part::3])
    values = {name: value.item() for name, value in by_value.compute().items()}
    assert list(values) == ["hair/v0", "hair/v1", "hair/v2", "skin/v0", "skin/v1"]
    assert math.isnan(values.pop("hair/v2"))  # never requested
    for column, (name, accuracy) in enumerate(by_attribute.compute().items()):
        shares = torch.bincount(requested[:, column]) / len(requested)
        mean = sum(values[f"{name}/v{n}"] * shares[n].item() for n in range(2))
        assert mean == pytest.approx(accuracy.item())
    with pytest.raises(ValueError, match="the shapes must be equal"):
        by_value.update(read, requested[:3])
    with pytest.raises(ValueError, match=r"it must be \(N, 2\)"):
        by_value.update(read[:, :1], requested[:, :1])


def test_the_divergence_of_attributes_by_hand() -> None:
    # one more real image of each value: (1/2, 1/2) and (3/4, 1/4)
    metric = AttributeDivergence(torch.tensor([9, 9, 14, 4]), [2, 2])
    metric.update(torch.tensor([[0, 0], [0, 1], [0, 0], [0, 1]]))
    second = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert metric.compute().item() == pytest.approx((math.log(2) + second) / 2)


COUNT_OF_CODES = 20_000


def planted(shuffle: bool = False, error: float = 0.0) -> dict[str, float]:
    """Return the information of two codes on two attributes, each of which one code determines.

    Args:
        shuffle: permute the rows of the codes.
        error: probability that the second attribute is drawn anew.
    """
    rng = torch.Generator().manual_seed(0)
    codes = torch.randint(4, (COUNT_OF_CODES, 2), generator=rng)
    values = torch.stack([codes[:, 1], codes[:, 0] // 2], 1)
    wrong = torch.rand(len(codes), generator=rng) < error
    values[wrong, 1] = torch.randint(2, (int(wrong.sum()),), generator=rng)
    if shuffle:
        codes = codes[torch.randperm(len(codes), generator=rng)]
    metric = MutualInformationGap([4, 4], ["first", "second"], [4, 2])
    for part in range(4):
        metric.update(codes[part::4], values[part::4])
    return {name: value.item() for name, value in metric.compute().items()}


def test_codes_of_known_information() -> None:
    exact = planted()
    assert exact["code/mutual_information_gap"] == pytest.approx(1, abs=2e-3)
    assert exact["code/information/first"] == pytest.approx(1)
    assert exact["code/information/second"] == pytest.approx(1)  # of the attribute, not the code
    assert exact["code2/information/first"] == pytest.approx(1)
    assert exact["code1/information/second"] == pytest.approx(1)
    assert max(exact["code1/information/first"], exact["code2/information/second"]) < 2e-3
    # a binary channel that errs in a quarter of the images
    channel = 1 + (0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    assert planted(error=0.5)["code/information/second"] == pytest.approx(channel, abs=0.02)


def test_shuffled_codes_tell_nothing() -> None:
    assert all(0 <= value < 2e-3 for value in planted(shuffle=True).values())


def test_an_attribute_that_two_codes_determine_has_no_gap() -> None:
    codes = torch.arange(4)[:, None].repeat(10, 2)
    metric = MutualInformationGap([4, 4], ["both"], [4])
    metric.update(codes, codes[:, :1])
    values = metric.compute()
    assert values["code/information/both"].item() == pytest.approx(1)
    assert values["code/mutual_information_gap"].item() == pytest.approx(0)


def test_what_does_not_vary_tells_nothing_and_one_code_has_no_second() -> None:
    metric = MutualInformationGap([3], ["constant", "same"], [2, 3])
    codes = torch.arange(3)[:, None]
    metric.update(codes, torch.cat([torch.ones_like(codes), codes], 1))
    values = metric.compute()
    assert values["code/information/constant"] == 0
    assert values["code/mutual_information_gap"].item() == pytest.approx(0.5)
    assert not [name for name in values if name.startswith("code1/")]  # that of all codes


@pytest.mark.parametrize("shuffled", [False, True])
def test_codes_that_choose_real_faces(shuffled: bool) -> None:
    """A generator whose category is the background and whose continuous code is the skin."""
    data = open_faces()
    images, attributes, _ = real_faces(data)
    images, attributes = images.repeat(5, 1, 1, 1), attributes.repeat(5, 1)
    background, skin = (attributes[:, NAMES.index(name)] for name in ("background", "skin"))
    categorical, continuous = background[:, None], (skin[:, None] / 5 + 0.1) * 2 - 1
    if shuffled:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        categorical, continuous = categorical[order], continuous[order]
    gan = SimpleNamespace(
        has_discriminator=True,
        config=SimpleNamespace(categorical_codes=[4], continuous_codes=1),
        device=CPU,
        recognised=lambda x: SimpleNamespace(categorical=[torch.zeros(len(x), 4)]),
    )
    judge = CodeEvaluator(gan, data)
    judge.update(Sample(images, Condition(categorical=categorical, continuous=continuous)))
    values = judge.compute()
    for name in NAMES:
        each = [values[f"code{number}/information/{name}"] for number in (1, 2)]
        assert values[f"code/information/{name}"] == max(each)
    if shuffled:
        assert values["code/information/background"] < 0.2
        assert values["code/information/skin"] < 0.2
        assert values["code/mutual_information_gap"] < 0.1
    else:
        assert values["code/information/background"] == pytest.approx(1)
        assert values["code/information/skin"] == pytest.approx(1)


def measure(rank: int, world: int, root: str, folder: Path) -> None:
    """Evaluate this process's shard of GANs and of a classifier, and write the metrics."""
    import torch.distributed as dist

    if world > 1:
        meeting = f"file://{folder}/meeting"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    data = {"name": "faces", "root": root, "size": 32, "batch_size": 8}
    codes = ["model.categorical_codes=[4]", "model.continuous_codes=1"]
    configs = {
        "cgan": make_config("cgan", network=DCGAN, data={**data, "attributes": ["skin"]}),
        "infogan": make_config("infogan", *codes, network=DCGAN, data=data),
        "gan": make_config("gan", network=DCGAN, data=data),
        "attribute_classifier": classifier_config(f"data.root={root}"),
    }
    named, arithmetic.SAMPLES = ("faces", "arithmetic"), 200
    measures: dict[str, float] = {}
    for name, config in configs.items():
        model, faces = build(config)
        faces.evaluators = lambda conditional=False: named  # type: ignore[method-assign]
        values = evaluate(model, faces, 520, Shard(rank, world))
        measures |= {f"{name} {key}": value for key, value in values.items()}
    (folder / f"{world}-{rank}.json").write_text(json.dumps(measures))


def test_two_processes_give_the_metrics_of_one(tmp_path: Path) -> None:
    root, ranks = str(prepared_root("faces")), [(0, 1), (0, 2), (1, 2)]
    wait_for_success(
        [ForkedProcess.start(measure, rank, world, root, tmp_path) for rank, world in ranks]
    )
    one, first, second = (
        json.loads((tmp_path / f"{world}-{rank}.json").read_text()) for rank, world in ranks
    )
    assert first == pytest.approx(one, rel=1e-6, nan_ok=True)
    assert second == pytest.approx(one, rel=1e-6, nan_ok=True)
    assert {"cgan fd_faces", "cgan attribute/kl", "cgan attribute/skin/accuracy"} <= one.keys()
    assert {"cgan attribute/least_accuracy", "infogan fd_faces"} <= one.keys()
    assert {key.split()[0] for key in one if "arithmetic" in key} == {"gan"}
    assert {"infogan code/mutual_information_gap", "infogan code/information/skin"} <= one.keys()
    assert "attribute_classifier classifier/least_attribute_accuracy_32" in one


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    shutil.copy(loader.CLASSIFIERS["face"].path, path)
    assert path.stat().st_size <= 2 * 2**20
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setitem(loader.CLASSIFIERS, "face", replace(loader.CLASSIFIERS["face"], path=path))
    with pytest.raises(UserError, match=r"the face classifier's weights .* reinstall"):
        shipped_face_network.__wrapped__()
