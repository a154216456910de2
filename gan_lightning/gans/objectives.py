"""The adversarial objective as a config key, for variants whose paper allows several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from gan_lightning.gans.config import GANConfig
from gan_lightning.losses import OBJECTIVES, Objective
from gan_lightning.utils.settings import setting

__all__ = ["AdversarialConfig"]


@dataclass
class AdversarialConfig(GANConfig):
    """Config of a GAN whose objective can be chosen."""

    objective: str = setting(
        "non_saturating", "Adversarial losses of both players.", choices=lambda: OBJECTIVES
    )
    label_smoothing: float = setting(
        0.0,
        "One-sided label smoothing: how much the label of real samples is below 1.",
        minimum=0,
        maximum=0.5,
    )

    def validate(self) -> None:
        """Check that the objective has labels where they are smoothed.

        Raises:
            ValueError: it has none.
        """
        super().validate()
        if self.label_smoothing and not OBJECTIVES[self.objective].smooth:
            raise ValueError(
                f"label_smoothing is {self.label_smoothing}, and the {self.objective} objective "
                f"has no labels: set it to 0"
            )

    def build_objective(self) -> Objective:
        """Return the adversarial losses of both players, with smoothed labels where configured."""
        objective = OBJECTIVES[self.objective]
        if not self.label_smoothing:
            return objective
        smoothed = partial(objective.discriminator, real_label=1 - self.label_smoothing)
        return objective._replace(discriminator=smoothed)
