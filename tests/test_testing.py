"""The checks of own classes: each finds a class with a planted fault, and says which."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.data import BaseDataModule, DataConfig
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.networks import MLP, Encoder, MLPConfig, NetworkFamily, Shape
from gan_lightning.testing import check_datamodule, check_gan, check_network
from gan_lightning.types import Batch, Condition, DataSpec, Sample
from gan_lightning.utils.settings import setting


@dataclass
class PlainConfig(GANConfig):
    """Config of the GANs of this file."""

    weight: float = setting(1.0, "Weight of the generator's loss.", above=0)


class PlainGAN(GAN):
    """A GAN without a fault, in a module that another process can import."""

    Config: ClassVar[type[Any]] = PlainConfig
    config: PlainConfig


# --- planted faults of GANs


class ForeignStep(PlainGAN):
    """Its generator's loss moves the discriminator."""

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        with torch.no_grad():
            next(self.discriminator.parameters()).add_(0.01)
        return super().generator_loss(real, fake)


class ForeignPlayer(PlainGAN):
    """Its generator's optimizer has the discriminator's weights."""

    def generator_players(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}


class UnusedParameter(PlainGAN):
    """A module of the generator that no loss depends on."""

    def build(self, networks: NetworkFamily[Any]) -> None:
        super().build(networks)
        self.unused = nn.Linear(2, 2)

    def generator_players(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "unused": self.unused}


class ForgottenParameter(PlainGAN):
    """A module of no player."""

    def build(self, networks: NetworkFamily[Any]) -> None:
        super().build(networks)
        self.forgotten = nn.Linear(2, 2)


class HiddenRandomness(PlainGAN):
    """Its loss draws from Python's random numbers, which the seed does not determine."""

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        return {"adversarial": random.uniform(1, 2) * self.discriminate(fake.data).square().mean()}


class HiddenState(PlainGAN):
    """Its loss has a weight that a checkpoint does not hold."""

    count = 0

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        self.count += 1
        return {"adversarial": self.count * super().generator_loss(real, fake)["adversarial"]}


class SameWeights(PlainGAN):
    """Its players ignore the seed."""

    def build(self, networks: NetworkFamily[Any]) -> None:
        torch.manual_seed(0)
        super().build(networks)

    def training_condition(self, real: Batch, rng: torch.Generator) -> Condition:
        return Condition(latent=torch.ones(len(real.data), self.config.latent_size))

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        constant = real._replace(data=torch.ones_like(real.data))
        return super().discriminator_loss(constant, fake)


class UnscaledImages(PlainGAN):
    """Its images lie in [-3, 3]."""

    def generate(self, condition: Condition) -> Tensor:
        samples = 3 * super().generate(condition)
        return samples if self.data.is_image else samples / 3


class WrongShape(PlainGAN):
    """Its samples are flat."""

    def generate(self, condition: Condition) -> Tensor:
        return super().generate(condition)[:, 0]


class DetachedLoss(PlainGAN):
    """A term of its discriminator's loss has no gradient."""

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        terms = super().discriminator_loss(real, fake)
        return {**terms, "watched": terms["adversarial"].detach()}


class VectorLoss(PlainGAN):
    """Its generator's loss is one number a sample."""

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        return {"adversarial": self.discriminate(fake.data)}


class ExplodingLoss(PlainGAN):
    """Its generator's loss is infinite."""

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        return {"adversarial": self.discriminate(fake.data).mean() / 0}


class UnsavedTensor(PlainGAN):
    """Its generator uses a random tensor that is no buffer."""

    def build(self, networks: NetworkFamily[Any]) -> None:
        super().build(networks)
        self.shift = torch.rand(())

    def generate(self, condition: Condition) -> Tensor:
        samples = super().generate(condition)
        return samples * self.shift if self.data.is_image else samples + self.shift


class OwnGenerator(PlainGAN):
    """It generates by a module that is not averaged."""

    def build(self, networks: NetworkFamily[Any]) -> None:
        super().build(networks)
        self.mapping = networks.generator(self.config.latent_size, self.data.shape)
        self.generator = nn.Identity()

    def generator_players(self) -> Mapping[str, nn.Module]:
        return {"mapping": self.mapping}

    def generate(self, condition: Condition) -> Tensor:
        samples: Tensor = self.mapping(condition.latent)
        return samples


class OtherGenerator(OwnGenerator):
    """It generates by a module that is not averaged, and trains the one that is."""

    def build(self, networks: NetworkFamily[Any]) -> None:
        super().build(networks)
        self.generator = networks.generator(self.config.latent_size, self.data.shape)

    def generator_players(self) -> Mapping[str, nn.Module]:
        return {"mapping": self.mapping, "generator": self.generator}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        other = self.discriminate(self.generator(fake.condition.latent))
        return {**super().generator_loss(real, fake), "other": -other.mean()}


class LocalMean(PlainGAN):
    """Its loss squares a mean over the samples of one process."""

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        return {"adversarial": (self.discriminate(fake.data).mean() - real.data.mean()).square()}


class Broken(PlainGAN):
    """Its loss raises an error."""

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        raise KeyError("reals")


class NoDocstring(PlainGAN):
    pass


NoDocstring.__doc__ = None


class NoDataclass(PlainGAN):
    """Its Config is a plain class."""

    class Config:  # type: ignore[assignment]
        pass


@dataclass
class BareConfig(PlainConfig):
    """A config with an undeclared key."""

    power: float = 2.0


class BareKey(PlainGAN):
    """A key of its Config has neither a description nor a range."""

    Config: ClassVar[type[Any]] = BareConfig


FAULTS: list[tuple[type[GAN], str]] = [
    (ForeignStep, r"discriminator\.0\..* moves between two steps, for example in generator_loss"),
    (ForeignPlayer, r"of the other player|belongs? to both players"),
    (UnusedParameter, r"unused\.bias and 1 others has no gradient in the loss of the generator"),
    (ForgottenParameter, r"forgotten\.bias and 1 others belongs to no player"),
    (HiddenRandomness, "two trainings with the same seed differ in"),
    (HiddenState, "a resumed training differs from an uninterrupted one"),
    (SameWeights, "another seed gives the same weights"),
    (UnscaledImages, r"images with values of .*, beyond \[-1, 1\]"),
    (WrongShape, r"generate returns \(8,\), not \(8, 2\)"),
    (DetachedLoss, "term 'watched' of discriminator_loss has no gradient"),
    (VectorLoss, "term 'adversarial' of generator_loss is no scalar"),
    (ExplodingLoss, "term 'adversarial' of generator_loss is -?inf"),
    (UnsavedTensor, "with the same state_dict it generates other samples"),
    (OwnGenerator, "self.generator has no parameters"),
    (OtherGenerator, "sample does not use the running average"),
    (Broken, "training fails with KeyError: 'reals'"),
    (NoDocstring, "it has no docstring"),
    (NoDataclass, "its Config is no dataclass"),
    (BareKey, r"Config\.power has no description"),
]


@pytest.mark.parametrize(
    ("cls", "sentence"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_planted_fault_of_a_gan_is_named(cls: type[GAN], sentence: str) -> None:
    with pytest.raises(AssertionError, match=f"^{cls.__name__}: .*{sentence}") as caught:
        check_gan(cls, processes=False)
    assert "\n" not in str(caught.value)


def test_two_processes_are_compared_with_one() -> None:
    check_gan(PlainGAN)
    with pytest.raises(AssertionError, match="LocalMean: two processes differ from one"):
        check_gan(LocalMean)


def test_a_class_that_another_process_cannot_import_is_named() -> None:
    class Inner(PlainGAN):
        """A class inside a function."""

    with pytest.raises(ValueError, match=r"Inner .* or pass processes=False"):
        check_gan(Inner)


def test_a_gan_that_fits_no_data_is_named() -> None:
    with pytest.raises(AssertionError, match=r"PlainGAN: it cannot be built \(mlp .*data=…"):
        check_gan(PlainGAN, data=(2, 2), processes=False)


# --- planted faults of networks


class BrightMLP(MLP):
    """Its images lie in [-2, 2]."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        return nn.Sequential(super().generator(inputs, shape), Doubled())


class Doubled(nn.Module):
    def forward(self, data: Tensor) -> Tensor:
        return 2 * data


class SilentMLP(MLP):
    """A layer of its trunk is not used."""

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        encoder = super().discriminator_trunk(shape)
        encoder.register_module("spare", nn.Linear(2, 2))
        return encoder


class WideMLP(MLP):
    """Its encoder names another number of features."""

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        encoder = super().discriminator_trunk(shape)
        return Encoder(encoder.layers, encoder.features + 1)


class FixedMLP(MLP):
    """Its initial weights ignore the seed."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        torch.manual_seed(0)
        return super().generator(inputs, shape)


class HiddenMLP(MLP):
    """Its initial weights come from NumPy's random numbers."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        network = super().generator(inputs, shape)
        with torch.no_grad():
            next(network.parameters()).add_(random.random())
        return network


class UncheckedMLP(MLP):
    """It does not check its config."""

    def __init__(self, config: MLPConfig) -> None:
        self.config = config
        self._initialise = lambda module: None
        self._activation = nn.ReLU


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        (BrightMLP, r"the generator for shape \(1, 28, 28\) returns values of .*; images must lie"),
        (SilentMLP, r"no gradient reaches spare\.weight, spare\.bias of the discriminator trunk"),
        (WideMLP, r"discriminator trunk .* its features 17"),
        (FixedMLP, r"the generator for shape .* has the same initial weights with another seed"),
        (HiddenMLP, r"the generator for shape .* has other initial weights with the same seed"),
        (UncheckedMLP, r"it accepts .*=0, which is out of the range of its Config"),
    ],
)
def test_a_planted_fault_of_a_network_is_named(cls: type[MLP], sentence: str) -> None:
    small = {"generator_hidden": [16], "discriminator_hidden": [16]}
    with pytest.raises(AssertionError, match=f"^{cls.__name__}: .*{sentence}"):
        check_network(cls, config=small)


# --- planted faults of data


class Squares(BaseDataModule):
    """Images of 4 x 4 pixels with two classes, without a fault."""

    Config: ClassVar[type[Any]] = DataConfig
    spec = DataSpec((1, 4, 4), classes=2)

    def images(self, seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return torch.randint(256, (40, 4, 4, 1), generator=rng, dtype=torch.uint8)

    def training_data(self) -> tuple[Any, Tensor | None]:
        return self.images(0), torch.arange(40) % 2

    def test_data(self) -> Batch:
        scaled: Batch = self.on_after_batch_transfer(Batch(self.images(1)), 0)
        return scaled


class Leaking(Squares):
    """Its test data are training data."""

    def test_data(self) -> Batch:
        scaled: Batch = self.on_after_batch_transfer(Batch(self.images(0)[:5]), 0)
        return scaled


class Unscaled(Squares):
    """Its batches lie in [0, 1]."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        scaled = super().on_after_batch_transfer(batch, dataloader_idx)
        return scaled._replace(data=(scaled.data + 1) / 2)


class Shifted(Squares):
    """Its labels start at 1."""

    def training_data(self) -> tuple[Any, Tensor | None]:
        return self.images(0), 1 + torch.arange(40) % 2


class Mistaken(Squares):
    """Its spec has another shape."""

    spec = DataSpec((1, 5, 5), classes=2)


class Restless(Squares):
    """Its data change with every object."""

    def training_data(self) -> tuple[Any, Tensor | None]:
        return self.images(random.getrandbits(30)), torch.arange(40) % 2


class Shuffled(Squares):
    """Its loader mixes the rows of a minibatch by the global random state."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        scaled = super().on_after_batch_transfer(batch, dataloader_idx)
        return scaled._replace(data=scaled.data[..., torch.randperm(4)])


class Jittered(Squares):
    """It changes the data by the position in its loader, which a resumed one has not."""

    def train_dataloader(self) -> Any:
        loader = super().train_dataloader()
        return (batch._replace(data=batch.data + number) for number, batch in enumerate(loader))


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        (Leaking, "5 of 40 training data are test data"),
        (Unscaled, r"pixels in \[.*, 1\]; scale images to \[-1, 1\]"),
        (Shifted, r"training_data has labels in 1\.\.2, and the spec has 2 classes"),
        (
            Mistaken,
            r"training_data returns rows of shape \(4, 4, 1\), and the spec says \(5, 5, 1\)",
        ),
        (Restless, "two objects with the same config have other data"),
        (Shuffled, "two loaders with the same seed give other data"),
        (Jittered, "a loader that is resumed after 3 updates gives other data"),
    ],
)
def test_a_planted_fault_of_data_is_named(cls: type[Squares], sentence: str) -> None:
    check_datamodule(Squares, config={"batch_size": 4})
    with pytest.raises(AssertionError, match=f"^{cls.__name__}: .*{sentence}"):
        check_datamodule(cls, config={"batch_size": 4})
