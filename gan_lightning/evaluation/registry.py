"""The table of evaluators, of which a dataset and a GAN name those that measure them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.arithmetic import ArithmeticEvaluator
from gan_lightning.evaluation.base import GANEvaluator, SampleEvaluator
from gan_lightning.evaluation.classification import AdaptationEvaluator, ClassifierEvaluator
from gan_lightning.evaluation.codes import CodeEvaluator
from gan_lightning.evaluation.digits import (
    ClothesEvaluator,
    DigitEvaluator,
    PixelEvaluator,
    StackedDigitEvaluator,
)
from gan_lightning.evaluation.discriminator import (
    DivergenceEvaluator,
    EquilibriumEvaluator,
    WeightBoundEvaluator,
)
from gan_lightning.evaluation.discriminator_features import FeatureEvaluator
from gan_lightning.evaluation.duplicates import DuplicateEvaluator
from gan_lightning.evaluation.faces import FaceEvaluator
from gan_lightning.evaluation.image_classes import ImageClassEvaluator
from gan_lightning.evaluation.images import ImageEvaluator
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.pictures import InceptionEvaluator
from gan_lightning.evaluation.points import ModeEvaluator, WassersteinEvaluator
from gan_lightning.evaluation.reconstruction import ReconstructionEvaluator
from gan_lightning.evaluation.translation import (
    ColourEvaluator,
    PairEvaluator,
    TargetEvaluator,
    TranslationEvaluator,
)
from gan_lightning.gans import GAN
from gan_lightning.utils.import_path import import_object

__all__ = [
    "EVALUATORS",
    "GAN_EVALUATORS",
    "EvaluationContext",
    "evaluators_for",
    "gan_evaluators",
    "has_evaluator",
    "uses_inception",
]


@dataclass(frozen=True)
class EvaluationContext:
    """What an evaluator of samples is built from.

    Attributes:
        data: the dataset; an evaluator uses the attributes that it needs.
        device: device of the generated samples.
        shard: this process's part of the work.
        conditional: whether each sample is generated for a requested class.
        inception: the Inception network for colour images; None to skip its metrics.
        samples: number of generated samples, over all processes.
        pixels: whether digits are evaluated in pixel space too.
        features: name of the features of image measures; None for the random ones, of data that
            name these measures.
    """

    data: Any
    device: torch.device
    shard: Shard = SINGLE_PROCESS
    conditional: bool = False
    inception: Inception | None = None
    samples: int = 10_000
    pixels: bool = False
    features: str | None = None


def _inception(context: EvaluationContext) -> SampleEvaluator | None:
    if context.inception is None:
        return None
    network, resizer = context.inception
    real = context.data.reference_images
    return InceptionEvaluator(
        real, network, context.device, context.shard, context.samples, resizer
    )


def _digit_pixels(context: EvaluationContext) -> SampleEvaluator | None:
    if not context.pixels:
        return None
    return PixelEvaluator(context.data, context.device, context.conditional)


def _images(context: EvaluationContext) -> SampleEvaluator:
    features = context.features or "random"
    return ImageEvaluator(context.data, context.device, context.shard, context.samples, features)


def _images_without_inception(context: EvaluationContext) -> SampleEvaluator | None:
    return _images(context) if context.inception is None or context.features else None


def _image_classes(context: EvaluationContext) -> SampleEvaluator | None:
    if not context.conditional or context.data.spec.classes is None:
        return None
    return ImageClassEvaluator(context.data, context.device, context.shard)


EVALUATORS: dict[str, Callable[[EvaluationContext], SampleEvaluator | None]] = {
    "digits": lambda c: DigitEvaluator(
        c.data, c.device, c.shard, c.conditional, c.conditional, c.samples
    ),
    "clothes": lambda c: ClothesEvaluator(
        c.data, c.device, c.shard, c.conditional, c.conditional, c.samples
    ),
    "digit_pixels": _digit_pixels,
    "digit_translations": lambda c: TranslationEvaluator(c.data, c.device, c.shard),
    "digit_pairs": lambda c: PairEvaluator(c.data, c.device, c.shard),
    "stacked_digits": lambda c: StackedDigitEvaluator(c.device),
    "modes": lambda c: ModeEvaluator(c.data, c.device, c.conditional, c.samples),
    "wasserstein": lambda c: WassersteinEvaluator(c.data, c.device, c.samples),
    "inception": _inception,
    "images": _images,
    "images_without_inception": _images_without_inception,
    "image_classes": _image_classes,
    "faces": lambda c: FaceEvaluator(c.data, c.device, c.shard, c.conditional),
    "targets": lambda c: TargetEvaluator(c.data, c.device),
    "target_colours": lambda c: ColourEvaluator(c.data, c.device),
}
"""Name -> function that builds an evaluator of samples, or returns None where it is switched off.

`BaseDataModule.evaluators` names those of a dataset.
"""

IMAGE_MEASURES = {"images", "images_without_inception"}
"""Names of the evaluators that `EvaluationContext.features` belongs to."""

GAN_EVALUATORS: dict[str, Callable[[Any, BaseDataModule, Shard], GANEvaluator]] = {
    "codes": CodeEvaluator,
    "arithmetic": ArithmeticEvaluator,
    "duplicates": DuplicateEvaluator,
    "divergence": DivergenceEvaluator,
    "classifier": ClassifierEvaluator,
    "adaptation": AdaptationEvaluator,
    "equilibrium": EquilibriumEvaluator,
    "weights_at_bound": WeightBoundEvaluator,
    "discriminator_features": FeatureEvaluator,
    "reconstruction": ReconstructionEvaluator,
}
"""Name -> evaluator of a GAN itself, in the order of the metrics.

`GAN.evaluators` and `BaseDataModule.evaluators` name those of a GAN on a dataset, and
`evaluation.measures` further ones.
"""


def uses_inception(data: BaseDataModule) -> bool:
    """Return whether samples are evaluated in the features of the Inception network."""
    return "inception" in data.evaluators()


def has_evaluator(data: BaseDataModule, inception: Inception | None) -> bool:
    """Return whether generated samples can be evaluated without the model that generated them."""
    missing = () if inception is not None else ("inception",)
    return any(name not in (*GAN_EVALUATORS, *missing) for name in data.evaluators())


def evaluators_for(context: EvaluationContext) -> list[SampleEvaluator]:
    """Build the evaluators of samples that a dataset names; an empty list if there are none.

    Raises:
        UserError: an import path leads to no evaluator.
    """
    names = context.data.evaluators(context.conditional)
    if context.features and context.data.spec.is_image and not IMAGE_MEASURES & {*names}:
        names = (*names, "images")
    factories = [
        EVALUATORS.get(name) or import_object(name) for name in names if name not in GAN_EVALUATORS
    ]
    built = [factory(context) for factory in factories]
    return [evaluator for evaluator in built if evaluator is not None]


def gan_evaluators(
    gan: GAN, data: BaseDataModule, shard: Shard, measures: Sequence[str] = ()
) -> list[GANEvaluator]:
    """Build the evaluators of a GAN itself, those of the table in its order.

    Of a saved model, of which only the generator was kept, these do not look at the discriminator.

    Args:
        gan: the model.
        data: its dataset.
        shard: this process's part of the work.
        measures: names of evaluators in addition to those that the GAN and the dataset name.

    Raises:
        UserError: an import path leads to no evaluator, or one of `measures` does not fit.
    """
    named = {*gan.evaluators(), *data.evaluators("labels" in gan.condition_fields()), *measures}
    own = [name for name in gan.evaluators() if name not in GAN_EVALUATORS]
    factories = [factory for name, factory in GAN_EVALUATORS.items() if name in named]
    factories += [import_object(name) for name in own]
    if not gan.has_discriminator:
        factories = [f for f in factories if not getattr(f, "uses_discriminator", True)]
    return [factory(gan, data, shard) for factory in factories]
