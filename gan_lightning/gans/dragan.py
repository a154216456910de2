"""The standard GAN with DRAGAN's gradient penalty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import GAN
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.regularisation import RegularisationConfig

__all__ = ["DRAGAN", "DRAGANConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(learning_rate=1e-4, betas=[0.5, 0.9])


@dataclass
class DRAGANConfig(AdversarialConfig):
    """Config of DRAGAN; the defaults are those of the authors' code.

    The weight of the penalty is `regularisation.gradient_penalty`.
    """

    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    regularisation: RegularisationConfig = field(
        default_factory=lambda: RegularisationConfig(
            gradient_penalty=10.0, gradient_penalty_points="around_real"
        )
    )


class DRAGAN(GAN):
    """The standard GAN whose discriminator has gradients of norm 1 around real samples.

    The paper's view: training fails at poor local equilibria, at which the discriminator is steep
    near real samples. The base class adds the penalty on the norm of its gradient there
    (`regularisation.py`); every other variant has it by
    `regularisation.gradient_penalty_points=around_real`. Networks and losses are the defaults of
    the base class; the config chooses the objective.

    Source: Kodali, Abernethy, Hays, Kira 2017 (arXiv:1705.07215), and the authors' code
        (github.com/kodalinaveen3/DRAGAN).
    Deviations: the last discriminator step of a round and the generator's step share their noise,
        for which the code draws twice; the distribution of the points is that of the code, not of
        the paper, see `perturb`.
    """

    Config: ClassVar[type[Any]] = DRAGANConfig
    config: DRAGANConfig
