"""`play` with faces: a control for each attribute of a class, and attributes to add."""

from __future__ import annotations

from typing import Any

import factories
import numpy as np
import pytest
import torch
from image_trees import prepared_root
from torch import Tensor

from gan_lightning.callbacks.figures import to_uint8
from gan_lightning.data import BaseDataModule
from gan_lightning.evaluation import faces
from gan_lightning.gans import GAN
from gan_lightning.play.attribute_directions import attribute_directions
from gan_lightning.play.playground import Playground
from gan_lightning.store.faces import ATTRIBUTES
from gan_lightning.training.build import build
from gan_lightning.types import Condition

GLASSES = [*ATTRIBUTES].index("accessory")


def on_faces(model: str, **settings: Any) -> tuple[GAN, BaseDataModule]:
    data = {"name": "faces", "root": str(prepared_root("faces")), "batch_size": 8, **settings}
    gan, module = build(factories.make_config(model, data=data))
    assert isinstance(gan, GAN)
    return gan, module


def test_each_attribute_of_a_class_has_a_control() -> None:
    gan, data = on_faces("cgan", attributes=["mouth", "accessory"])
    ground = Playground(gan, data, directions=0)
    controls = {control.label: control for control in ground.controls}
    assert controls["Accessory"].options == ("none", "glasses", "eyepatch")  # type: ignore[union-attr]
    values = [{"Mouth": 2.0, "Accessory": 1.0}.get(label, 0.0) for label in controls]
    pictures = ground.generate(3, 1, 0.0, values)
    assert len(pictures.alternatives) == len(ATTRIBUTES["mouth"])
    latent = gan.prior(1, torch.Generator().manual_seed(3)).latent
    labels = torch.tensor([2 + len(ATTRIBUTES["mouth"])])
    expected = to_uint8(gan.sample(1, Condition(latent=latent, labels=labels), seed=0).data)[0]
    assert np.abs(pictures.main[0].astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(pictures.alternatives[2], pictures.main[0])


@pytest.fixture
def glasses_along_the_first_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the classifier see glasses where the first element of the latent is large."""
    latents: list[Tensor] = []
    sample = GAN.sample

    def remembering(self: GAN, count: int, given: Condition | None = None, **words: Any) -> Any:
        if given is not None and given.latent is not None:
            latents.append(given.latent)
        return sample(self, count, given, **words)

    def read_attributes(images: Tensor) -> Tensor:
        read = torch.zeros(len(images), len(ATTRIBUTES), dtype=torch.int64)
        read[:, GLASSES] = (latents[-1][:, 0] > 0.5).long()
        return read

    monkeypatch.setattr(GAN, "sample", remembering)
    monkeypatch.setattr(faces, "read_attributes", read_attributes)


@pytest.mark.usefixtures("glasses_along_the_first_axis")
def test_the_direction_of_an_attribute_is_found_and_added() -> None:
    gan, data = on_faces("gan")
    directions = attribute_directions(gan, data)
    assert {*directions} == {"accessory: none", "accessory: glasses"}
    direction = directions["accessory: glasses"]
    assert direction.norm().item() == pytest.approx(1)
    assert direction[0] > 0.95
    torch.testing.assert_close(directions["accessory: none"], -direction)

    ground = Playground(gan, data, directions=1)
    labels = [control.label for control in ground.controls]
    assert labels == ["Attribute to add", "How much of it", "Direction 1"]
    assert ground.choice is None
    assert not ground.has_codes
    plain = ground.generate(0, 1, 0.0, [0, 3, 0]).main[0]
    glasses = ground.generate(0, 1, 0.0, [2, 3, 0]).main[0]
    np.testing.assert_array_equal(plain, ground.generate(0, 1, 0.0, [2, 0, 0]).main[0])
    assert not np.array_equal(plain, glasses)


def test_other_data_have_none() -> None:
    assert attribute_directions(*build(factories.make_config("gan"))) == {}  # type: ignore[arg-type]
