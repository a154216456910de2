"""DataModules of drawings: attributes as classes, pairs and unpaired domains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from image_trees import COUNT, prepared_root

from gan_lightning.data import DATASETS
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.data.faces import Faces
from gan_lightning.data.image_pairs import OpenMoji
from gan_lightning.store.faces import ATTRIBUTES, draw_attributes


def open_faces(**settings: Any) -> Faces:
    data = DATASETS["faces"](Faces.Config(root=str(prepared_root("faces")), **settings))
    assert isinstance(data, Faces)
    return data


def open_emojis(**settings: Any) -> OpenMoji:
    data = DATASETS["openmoji"](OpenMoji.Config(root=str(prepared_root("openmoji")), **settings))
    assert isinstance(data, OpenMoji)
    return data


def test_faces_know_their_attributes() -> None:
    data = open_faces()
    assert data.spec.classes is None
    drawn = torch.from_numpy(draw_attributes(COUNT + COUNT // 4)).long()
    assert torch.equal(data.training_attributes, drawn[:COUNT])
    assert torch.equal(data.test_attributes, drawn[COUNT:])
    assert data.attribute_values == {name: (*values,) for name, values in ATTRIBUTES.items()}


def test_combinations_of_attributes_are_the_classes_of_faces() -> None:
    data = open_faces(attributes=["accessory", "skin"])
    _, labels = data.training_data()
    assert labels is not None
    columns = [list(ATTRIBUTES).index(name) for name in ("accessory", "skin")]
    accessory, skin = data.training_attributes[:, columns].T
    assert torch.equal(labels, accessory + 3 * skin)
    assert data.spec.classes == len(data.class_names) == 15
    accessories, skins = (list(ATTRIBUTES[name]) for name in ("accessory", "skin"))
    for label, first, second in zip(labels, accessory, skin, strict=True):
        assert data.class_names[label] == f"{accessories[first]}, {skins[second]}"
    assert data.test_data().labels is not None
    assert open_faces(attributes=["mouth"]).class_names == (*ATTRIBUTES["mouth"],)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nose"], "attributes: one is 'nose'; valid are"),
        (["skin", "skin"], "attributes is skin, skin; it must name each attribute once"),
    ],
)
def test_wrong_attributes(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_faces(attributes=names)


def test_faces_are_mirrored_only_if_asked() -> None:
    assert not open_faces().random_mirror
    assert open_faces(mirror=True).random_mirror


def test_emojis_are_paired_with_their_line_art() -> None:
    data = open_emojis()
    rows = torch.arange(len(data.training_data()[0]))
    targets, sources = data.training_data()[0][rows], data.source_data()[rows]
    assert data.spec.source_shape == data.spec.shape == (3, 64, 64)
    assert _is_line_art_of(sources, targets).all()
    test = data.test_data()
    assert test.source is not None
    assert _is_line_art_of(to_uint8_nhwc(test.source), to_uint8_nhwc(test.data)).all()


def test_unpaired_domains_have_the_same_images_in_another_order() -> None:
    paired, unpaired = open_emojis(), open_emojis(paired=False)
    rows = torch.arange(len(paired.training_data()[0]))
    assert torch.equal(paired.training_data()[0][rows], unpaired.training_data()[0][rows])
    partners = unpaired.partners
    assert torch.equal(partners.sort().values, rows)
    assert (partners != rows).all()
    assert torch.equal(unpaired.source_data()[rows], paired.source_data()[partners])
    assert torch.equal(unpaired.source_data()[partners.argsort()], paired.source_data()[rows])
    for mine, other in zip(unpaired.test_data(), paired.test_data(), strict=True):
        assert mine is None or torch.equal(mine, other)  # the truth stays known


def _is_line_art_of(lines: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Tell of each pair, (N, H, W, 3), whether what is black in the line art is dark in colour."""
    black = lines.float().amax(-1) < 40
    dark = colours.float().amax(-1) < 120
    return (black & dark).sum((1, 2)) >= 0.9 * black.sum((1, 2))
