"""Classifiers, for the discriminative models of the lecture, and the table of all of them."""

from __future__ import annotations

from gan_lightning.classifiers.adversarial import AdversarialClassifier
from gan_lightning.classifiers.attributes import AttributeClassifier
from gan_lightning.classifiers.base import Classifier
from gan_lightning.classifiers.digits import DigitClassifier

CLASSIFIERS: dict[str, type[Classifier]] = {
    "digit_classifier": DigitClassifier,
    "adversarial_classifier": AdversarialClassifier,
    "attribute_classifier": AttributeClassifier,
}

__all__ = [
    "CLASSIFIERS",
    "AdversarialClassifier",
    "AttributeClassifier",
    "Classifier",
    "DigitClassifier",
]
