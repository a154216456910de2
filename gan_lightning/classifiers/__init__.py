"""The discriminative side of the lecture; the table of all classifiers."""

from __future__ import annotations

from gan_lightning.classifiers.digits import DigitClassifier

CLASSIFIERS: dict[str, type[DigitClassifier]] = {"digit_classifier": DigitClassifier}

__all__ = ["CLASSIFIERS", "DigitClassifier"]
