"""A classifier that is trained on adversarial examples of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_lightning.classifiers.attacks import AttackConfig, perturbed
from gan_lightning.classifiers.base import Classifier
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.networks.madry_net import MadryNet
from gan_lightning.types import DataSpec

__all__ = ["AdversarialClassifier", "AdversarialClassifierConfig"]


@dataclass
class AdversarialClassifierConfig:
    """Madry's values for MNIST."""

    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-4, betas=[0.9, 0.999])
    )
    # of the attack on each minibatch in training
    training: AttackConfig = field(default_factory=AttackConfig)
    # updates in which that attack grows linearly to its full length; 0 for the full one at once
    warmup_updates: int = 0
    # alpha: weight of the loss on unchanged images, the rest being that of attacked ones, in [0, 1]
    clean_weight: float = 0.0
    # under which the test digits are classified too; evaluation.samples of them
    attacks: list[AttackConfig] = field(default_factory=list)

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        if not 0 <= self.clean_weight <= 1:
            raise ValueError(f"clean_weight is {self.clean_weight}; it must lie in [0, 1]")
        if self.warmup_updates < 0:
            raise ValueError(f"warmup_updates is {self.warmup_updates}; it must be at least 0")
        for number, attack in enumerate(self.attacks):
            try:
                attack.validate()
            except ValueError as error:
                raise ValueError(f"attacks[{number}].{error}") from error
        names = [attack.name for attack in self.attacks]
        if len(set(names)) < len(names):
            raise ValueError(f"attacks have the names {', '.join(names)}; each needs its own")


class AdversarialClassifier(Classifier):
    """Minimises alpha J(x) + (1 - alpha) J(x'), x' being the attacked minibatch.

    With alpha 0 and projected gradient descent it is the robust optimisation of Madry et al.; with
    alpha 0.5 and one step of length epsilon the training of Goodfellow et al.; with alpha 1 a plain
    classifier.

    Under the full attack the loss stands at log 10 for a while before anything is learnt. A
    warm-up, which neither paper has, grows the attack from nothing.

    Source: Goodfellow, Shlens, Szegedy 2015 (arXiv:1412.6572), section 6; Madry et al. 2018
        (arXiv:1706.06083), equation 2.1 and section 5.
    """

    Config: ClassVar[type[Any]] = AdversarialClassifierConfig
    config: AdversarialClassifierConfig

    def __init__(
        self, config: AdversarialClassifierConfig, data: DataSpec, updates: int, seed: int = 0
    ) -> None:
        super().__init__(config, data, updates, seed)
        if data.shape != (1, 28, 28):
            raise ValueError(f"this network needs digits of 28 pixels, not {data.shape}")
        self.network = MadryNet()

    def attack(self) -> AttackConfig:
        """Return the attack of this update: the config's, or a shorter one in the warm-up."""
        full = self.config.training
        share = min(1.0, (1 + self.updates) / max(1, self.config.warmup_updates))
        return replace(full, epsilon=share * full.epsilon, step=share * full.step)

    def losses_of(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Return the cross-entropies of the unchanged and of the attacked images, weighted."""
        alpha, terms = self.config.clean_weight, {}
        if alpha > 0:
            terms["clean"] = alpha * cross_entropy(self.network(images).float(), labels)
        if alpha < 1:
            attacked = perturbed(self.network, images, labels, self.attack())
            loss = cross_entropy(self.network(attacked).float(), labels)
            terms["attacked"] = (1 - alpha) * loss
        return terms
