"""Own data: torch datasets, Hugging Face's datasets, LightningDataModules, tensors."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import any_datasets
import numpy as np
import pytest
import torch
from any_datasets import COUNT, Listed, PictureModule, Pictures, pixels, save_for_hugging_face
from bad_inputs import SHORT, mistake
from conftest import CHECKOUT, NARROW_NETWORKS, TINY_OVERRIDES, Once, run_cli
from image_trees import smooth_image
from interrupted import compare_on_two
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, WeightedRandomSampler

from gan_lightning.config.experiments import read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.data import HuggingFace, LoaderConfig, TorchDataset, as_data_module
from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.items import ItemFormat, class_of
from gan_lightning.data.map_style import held_out_rows
from gan_lightning.data.opening import open_dataset
from gan_lightning.data.reading import make_reader
from gan_lightning.errors import UserError
from gan_lightning.store import ImageTransform
from gan_lightning.testing import check_datamodule
from gan_lightning.utils.optional import install_command


def torch_data(name: str = "Pictures", **keys: Any) -> TorchDataset:
    return TorchDataset(TorchDataset.Config(dataset=f"any_datasets:{name}", **keys))


def all_images(data: Any) -> torch.Tensor:
    rows, _ = data.training_data()
    return rows[torch.arange(len(rows))]


COLOUR = pixels(0, 12, 8)
GREY = COLOUR[..., 0]
UNIT = torch.from_numpy(COLOUR / 255).movedim(-1, 0)

SAME_IMAGE: dict[str, tuple[Any, np.ndarray[Any, Any]]] = {
    "pillow": (Image.fromarray(COLOUR), COLOUR),
    "pillow, grey": (Image.fromarray(GREY), GREY[..., None]),
    "pillow, opaque": (Image.fromarray(COLOUR).convert("RGBA"), COLOUR),
    "pillow, 16 bits": (Image.fromarray(GREY.astype(np.uint16) * 257), GREY[..., None]),
    "array": (COLOUR, COLOUR),
    "array, grey": (GREY, GREY[..., None]),
    "array, channels first": (COLOUR.transpose(2, 0, 1), COLOUR),
    "array of integers": (COLOUR.astype(np.int64), COLOUR),
    "array of booleans": (GREY > 99, (GREY > 99)[..., None] * np.uint8(255)),
    "tensor": (torch.from_numpy(COLOUR).movedim(-1, 0), COLOUR),
    "tensor, channels last": (torch.from_numpy(COLOUR), COLOUR),
    "tensor, floats": (UNIT.float(), COLOUR),
    "tensor, doubles": (UNIT, COLOUR),
    "tensor, with gradient": (UNIT.clone().requires_grad_(), COLOUR),
}


@pytest.mark.parametrize("kind", SAME_IMAGE)
def test_an_image_of_any_type_has_the_same_pixels(kind: str) -> None:
    image, expected = SAME_IMAGE[kind]
    found = ItemFormat().pixels(image)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def test_values_outside_of_the_unit_interval_have_a_range() -> None:
    signed = ItemFormat(value_range=(-1, 1)).pixels(UNIT * 2 - 1)
    masks = ItemFormat(value_range=(0, 2)).pixels(np.array([[0, 1, 2]], np.uint8))
    assert np.array_equal(signed, COLOUR)
    assert masks.flatten().tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "form", "expected", "warns"),
    [
        (np.array([0, 1, 1], np.uint8), ItemFormat(), [0, 255, 255], True),
        (np.array([0, 1, 0], np.int64), ItemFormat(), [0, 255, 0], True),
        (np.array([1, 1, 1], np.int32), ItemFormat(), [255, 255, 255], True),
        (np.array([0, 0, 0], np.uint8), ItemFormat(), [0, 0, 0], False),
        (np.array([0, 1, 2], np.uint8), ItemFormat(), [0, 1, 2], False),
        (np.array([0, 1, 1], np.uint8), ItemFormat(value_range=(0, 255)), [0, 1, 1], False),
        (np.array([0, 1, 1], bool), ItemFormat(), [0, 255, 255], False),
    ],
)
def test_whole_numbers_0_and_1_are_black_and_white(
    values: Any,
    form: ItemFormat,
    expected: list[int],
    warns: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reader = make_reader(open_dataset([values.reshape(1, 3)] * 4), form)
    assert reader.read(3)[0].flatten().tolist() == expected
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == warns
    assert not warns or "are whole numbers 0 and 1, read as black and white" in lines[0]


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("width", [178, 300])
def test_images_are_fitted_as_those_of_folders(fit: str, width: int) -> None:
    image, file = smooth_image(0, width, 218), io.BytesIO()
    image.save(file, "PNG")
    stored = ImageTransform("folder", 32, fit=fit).decode(file.getvalue()).pixels
    assert np.array_equal(ItemFormat(32, fit).pixels(image), stored)


@pytest.mark.parametrize("label", [2, np.int64(2), np.array(2), torch.tensor(2), torch.tensor([2])])
def test_a_label_of_any_integer_type_is_a_class(label: Any) -> None:
    assert class_of(label, 3) == 2


def test_shape_classes_and_test_data() -> None:
    data = torch_data("Listed", test_init={"train": False}, batch_size=8)
    _, labels = data.training_data()
    assert data.spec.shape == (3, 16, 16)
    assert data.class_names == ("one", "two", "three")
    assert labels is not None
    assert labels.tolist() == [row % 3 for row in range(COUNT)]
    assert np.array_equal(all_images(data).numpy(), [pixels(row) for row in range(COUNT)])
    test = data.test_data()
    expected = np.stack([pixels(1000 + row) for row in range(COUNT)])
    assert torch.equal(test.data, to_float_nchw(torch.from_numpy(expected)))
    assert test.labels is not None
    assert torch.equal(test.labels, labels)


@pytest.mark.parametrize("count", [2, 5, 60, 3000, 200_000])
def test_some_images_are_held_out(count: int) -> None:
    rows = held_out_rows(count)
    assert len(rows) == len(rows.unique()) == {2: 1, 5: 1, 60: 10, 3000: 60, 200_000: 1000}[count]
    assert 0 <= rows.min() <= rows.max() < count


def test_items_that_are_not_kept_have_the_properties_of_a_data_module() -> None:
    keys = {"dataset": "any_datasets:Listed", "batch_size": 8, "size": 12}
    check_datamodule(TorchDataset, config={**keys, "cache": False, "readers": 3})


def test_labels_are_listed_or_read() -> None:
    listed = as_data_module(Listed())
    assert isinstance(listed, TorchDataset.__mro__[1])
    source = listed._training.reader.source.dataset  # type: ignore[attr-defined]
    assert len(set(source.reads)) < COUNT
    unlabelled = as_data_module(Listed(), labels=False)
    assert unlabelled.spec.classes is None
    read = as_data_module(Pictures())
    assert torch.equal(read.training_data()[1], listed.training_data()[1])  # type: ignore[arg-type]
    assert read.class_names == ("0", "1", "2")


def test_a_list_that_differs_from_the_items_is_not_used() -> None:
    wrong = as_data_module(Listed(offset=1)).training_data()[1]
    right = as_data_module(Listed()).training_data()[1]
    assert wrong is not None
    assert right is not None
    assert torch.equal(wrong, right)


def test_an_item_is_decoded_once() -> None:
    dataset = Listed()
    data = as_data_module(dataset)
    all_images(data)
    dataset.reads.clear()
    all_images(data)
    data.test_data()
    assert set(dataset.reads) <= set(held_out_rows(COUNT).tolist())


@pytest.mark.parametrize("keys", [{"cache": False}, {"readers": 4}, {"cache": False, "readers": 4}])
def test_cache_and_readers_do_not_change_batches(keys: dict[str, Any]) -> None:
    def batches(**keys: Any) -> torch.Tensor:
        data = torch_data("Listed", batch_size=8, **keys)
        data.loader_config = LoaderConfig(12, 2, 3)
        return torch.cat([batch.data.flatten(0, 2) for batch in data.train_dataloader()])

    assert torch.equal(batches(**keys), batches())


def test_random_items_are_a_function_of_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(())
    torch.manual_seed(3)
    first = torch_data(init={"kind": "global draws"})
    images = all_images(first)
    assert torch.rand(()) == expected  # the state of the training is not touched
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "are random; each is drawn once" in lines[0]
    assert torch.equal(images, all_images(torch_data(init={"kind": "global draws"}, cache=False)))


def test_items_that_cannot_be_repeated_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    torch_data(init={"kind": "own draws"})
    assert "a resumed run will differ" in capsys.readouterr().err


def test_a_config_names_a_function_an_object_or_a_module() -> None:
    expected = all_images(torch_data())
    assert torch.equal(all_images(torch_data("pictures", init={"root": "x"})), expected)
    assert torch.equal(all_images(torch_data("LISTED")), expected)
    module = torch_data("PictureModule")
    assert len(all_images(module)) == len(module.test_data().data) == COUNT


def test_init_takes_any_key_from_file_and_command_line() -> None:
    source = read_yaml(CHECKOUT / "examples" / "torch_dataset.yaml")
    config = load_config(source, ["data.init.count=90", "data.init.root=a b", "data.size=16"])
    assert config.data.init == {"count": 90, "size": 32, "root": "a b"}
    assert TorchDataset.Config().init == {}


def test_two_processes_that_are_stopped_equal_an_uninterrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("experiments").mkdir()
    Path("experiments/draws.yaml").write_text(
        "model: {name: gan, latent_size: 4}\n"
        "network: {name: mlp, generator_hidden: [8], discriminator_hidden: [8]}\n"
        'data: {name: torch, dataset: "any_datasets:Pictures", init: {kind: global draws}}\n'
    )
    compare_on_two({"draws": (2, 5)}, tmp_path)


@pytest.fixture
def run(once: Once) -> str:
    """Train the example through the command line, and return the run."""

    def train(folder: Path) -> str:
        words = ["train", str(CHECKOUT / "examples" / "torch_dataset.yaml"), *TINY_OVERRIDES]
        words += [*NARROW_NETWORKS["dcgan"], "data.init.count=60", "log.wandb=disabled"]
        outcome = run_cli(*words, "--output", str(folder / "run"))
        assert outcome.code == 0, outcome.err
        assert "60 training images of torch_dataset:Shapes" in outcome.err
        assert "0.2 MB as uint8 in memory; 60 test images" in outcome.err
        return str(folder / "run")

    return once("any data", train)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(
    "words",
    [
        ("evaluate",),
        ("sample", "--count", "4", "--output", "s.png"),
        ("neighbours", "--count", "3", "--neighbours", "2", "--output", "n.png"),
        ("report", "--output", "r.html"),
        ("export", "--output", "model"),
    ],
)
def test_every_command_works_with_a_run(words: tuple[str, ...], run: str) -> None:
    command, *options = words
    outcome = run_cli(command, run, *options)
    assert outcome.code == 0, outcome.err
    assert command == "evaluate" or any(Path().iterdir())


NOT_A_DATASET = {
    "Nothing": ("any_datasets", "Nothing"),
    "Network": ("any_datasets:Network", "has no __getitem__", "torch.utils.data.Dataset"),
    "NoLength": ("any_datasets:NoLength", "has no length", "add __len__"),
    "Stream": ("any_datasets:Stream", "iterable dataset", "__len__ and __getitem__"),
    "COUNT": ("any_datasets:COUNT", "has no __getitem__"),
    "Named": ("row 2 of any_datasets:Named", "label 2", "0 to 1", "data.labels=false"),
}


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("name", NOT_A_DATASET)
def test_a_class_that_is_no_dataset(name: str) -> None:
    refused([f"data.dataset=any_datasets:{name}"], *NOT_A_DATASET[name])


BAD_PICTURES = {
    "empty": ("any_datasets:Pictures", "is empty"),
    "single": ("has 1 image", "at least 2"),
    "raises": ("row 37 of any_datasets:Pictures", "any_datasets.py", "KeyError", "gone"),
    "sizes": ("row ", "17x16", "unlike", "16x16", "set data.size"),
    "text": ("row 0", "is a str, not an image"),
    "five channels": ("row 0", "(5, 8, 8)", "1 channel, 3"),
    "wide range": ("row 0", "values from 7 to 7", "set data.value_range"),
    "fraction": ("row ", "label 0.5", "no whole number", "data.labels=false"),
    "attributes": ("row ", "Tensor of shape (40,)", "data.labels=false"),
    "negative": ("row 0", "label -1", "valid are 0, 1, 2"),
    "gaps": ("labels of", "run to 10", "8 of them do not occur", "data.labels=false"),
    "other keys": ("row 0", "without the key 'image'", "img, label", "data.image_key"),
    "no files": ("RuntimeError", "Dataset not found", "any_datasets.py", "correct data.init"),
}


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_items_that_are_no_images_or_classes(kind: str) -> None:
    refused(["data.dataset=any_datasets:Pictures", f"data.init.kind={kind}"], *BAD_PICTURES[kind])


BAD_KEYS = {
    "no path": ([], "data.dataset is empty", "torchvision.datasets:CIFAR10"),
    "argument": (["data.init.roof=x"], "data.init.roof", "Pictures", "valid are root"),
    "missing": (["data.dataset=any_datasets:Downloadable"], "needs root", "data.init.root"),
    "download": (
        ["data.dataset=any_datasets:Downloadable", "data.init.root=x"],
        *("Dataset not found", "data.init.download=true"),
    ),
    "mapping": (["data.init=3"], "data.init is 3", "key: value"),
    "range": (["data.value_range=[1,0]"], "data.value_range is [1.0, 0.0]", "less than"),
    "colour": (["data.background=greenish"], "data.background", "colour"),
    "fit": (["data.fit=squash"], "data.fit is 'squash'", "crop, pad, stretch"),
    "batch": (["data.batch_size=51"], "batch_size is 51", "1..50"),
}


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("case", BAD_KEYS)
def test_keys_that_do_not_fit(case: str) -> None:
    words, *parts = BAD_KEYS[case]
    path = [] if case == "no path" else ["data.dataset=any_datasets:Pictures"]
    refused([*path, *words], *parts)


def refused(words: list[str], *parts: str) -> None:
    """Check that an experiment with these data ends in one line, and leaves nothing behind."""
    Path("own.yaml").write_text("model: {name: gan}\nnetwork: {name: mlp}\ndata: {name: torch}\n")
    mistake(["train", "own.yaml", *SHORT, *words], *parts)


@pytest.fixture
def saved(once: Once) -> Path:
    """Return a folder with datasets of Hugging Face."""
    return once("hugging face", lambda folder: (save_for_hugging_face(folder), folder)[1])


def hugging_face(path: Path | str, **keys: Any) -> HuggingFace:
    return HuggingFace(HuggingFace.Config(path=str(path), **keys))


def test_hugging_face_reads_saved_datasets_and_folders(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    data = hugging_face(saved / "splits", test_split="test", batch_size=8)
    assert np.array_equal(all_images(data).numpy(), [pixels(row) for row in range(COUNT)])
    assert data.class_names == ("cat", "dog", "emu")
    labels = data.training_data()[1]
    assert labels is not None
    assert labels.tolist() == [row % 3 for row in range(COUNT)]
    assert len(data.test_data().data) == 9
    check_datamodule(HuggingFace, config=data.config)
    single = hugging_face(saved / "saved", labels=False)
    assert single.spec.classes is None
    assert len(single.test_data().data) == 10
    folder = hugging_face("imagefolder", init={"data_dir": str(saved / "photos")}, size=8)
    assert folder.spec.shape == (3, 8, 8)
    assert folder.class_names == ("a", "b", "c")
    assert not datasets.config.HF_HUB_OFFLINE  # is restored


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"split": "trian"}, "data.split is 'trian'.*train, test"),
        ({"test_split": "val"}, "data.test_split is 'val'.*test, train"),
        ({"image_key": "pictures"}, "data.image_key is 'pictures'.*picture"),
        ({"image_key": "note"}, "row 0.*is a str, not an image"),
        ({"label_key": "note"}, "row 0.*label 'text', which is no whole number"),
        ({"path": "nobody/nothing"}, "nobody/nothing.*Offline.*data.download=true"),
        ({"path": ""}, "data.path is empty"),
    ],
)
def test_a_wrong_key_of_hugging_face(keys: dict[str, Any], parts: str, saved: Path) -> None:
    with pytest.raises(UserError, match=parts):
        hugging_face(**{"path": saved / "splits", **keys})


def test_hugging_face_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="datasets is not installed") as error:
        hugging_face("anything")
    assert install_command("huggingface") in str(error.value)


def test_what_users_have_becomes_a_data_module() -> None:
    images = torch.from_numpy(np.stack([pixels(row) for row in range(COUNT)]))
    labels = torch.arange(COUNT) % 3
    dataset = TensorDataset(images.movedim(-1, 1) / 255, labels)
    given: list[tuple[Any, int]] = [
        ((images, labels), 64),
        ((images.numpy(), labels.numpy()), 64),
        (dataset, 64),
        (DataLoader(dataset, 5, shuffle=True), 5),
    ]
    for data, batch_size in given:
        module = as_data_module(data)
        assert module.config.batch_size == batch_size
        assert len(module.training_data()[0]) == COUNT - 10
        kept = torch.ones(COUNT, dtype=torch.bool)
        kept[held_out_rows(COUNT)] = False
        assert torch.equal(all_images(module), images[kept])
        assert torch.equal(module.training_data()[1], labels[kept])  # type: ignore[arg-type]
        assert as_data_module(module) is module
    grey = as_data_module(torch.rand(30, 8, 8) * 2 - 1, batch_size=3)
    assert (grey.spec.shape, grey.spec.classes) == ((1, 8, 8), None)
    assert all_images(grey).float().std() > 60  # the values between -1 and 0 are kept


def test_a_lightning_data_module_is_set_up_and_read() -> None:
    given = PictureModule(batch_size=6)
    module = as_data_module(given, size=8)
    assert given.calls[:3] == ["init", "prepare_data", "fit"]
    assert module.config.batch_size == 6
    assert module.spec.shape == (3, 8, 8)
    assert module.class_names == Listed.classes
    assert len(all_images(module)) == len(module.test_data().data) == COUNT


def test_a_subset_keeps_its_classes_and_labels() -> None:
    rows = [*range(0, 30, 2)]
    data = as_data_module(Subset(Listed(), rows))
    assert data.class_names == Listed.classes
    kept = [row for number, row in enumerate(rows) if number not in held_out_rows(len(rows))]
    assert data.training_data()[1].tolist() == [row % 3 for row in kept]  # type: ignore[union-attr]


class Endless(Dataset[Any]):
    def __len__(self) -> int:
        raise TypeError("endless")

    def __getitem__(self, row: int) -> Any:
        return pixels(row)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (5, "int is no Dataset"),
        ([], "list is empty"),
        (torch.rand(7), r"row 0.*shape \(\)"),
        ((torch.rand(7, 8, 8), torch.arange(6)), r"lengths \[6, 7\]"),
        (DataLoader(any_datasets.Stream()), "Stream.*iterable"),
        (DataLoader(Pictures(), 4, sampler=WeightedRandomSampler([1.0] * COUNT, 9)), "Weighted"),
        (Endless(), r"len\(\) of .*Endless.*TypeError"),
    ],
)
def test_what_cannot_become_a_data_module(data: Any, parts: str) -> None:
    with pytest.raises(UserError, match=parts):
        as_data_module(data)


def test_an_unknown_setting_of_given_data() -> None:
    with pytest.raises(UserError, match=r"data\.batchsize is unknown; valid are batch_size"):
        as_data_module(Pictures(), batchsize=4)
