"""Adversarial training of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_lightning.classifiers.attacks import AttackConfig, perturb
from gan_lightning.classifiers.base import Classifier
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.networks.madry_net import INITIALISATIONS, MadryNet
from gan_lightning.types import DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["AdversarialClassifier", "AdversarialClassifierConfig"]


@dataclass
class AdversarialClassifierConfig:
    """Madry's values for MNIST."""

    optimizer: OptimizerConfig = setting(
        OptimizerConfig(learning_rate=1e-4, betas=[0.9, 0.999]), "Optimizer of the classifier."
    )
    initialisation: str = setting(
        "default",
        "Initialisation of the network: PyTorch's default, or the authors' truncated_normal of "
        "standard deviation 0.1 with biases 0.1.",
        choices=INITIALISATIONS,
        initial=True,
    )
    training: AttackConfig = setting(AttackConfig(), "Attack on each training minibatch.")
    warmup_updates: int = setting(
        0,
        "Updates in which the training attack grows linearly to its full epsilon and step; 0 means "
        "the full attack from the start.",
        minimum=0,
    )
    clean_weight: float = setting(
        0.0,
        "Weight alpha of the loss on clean images; that of adversarial ones is 1 - alpha.",
        minimum=0,
        maximum=1,
    )
    attacks: list[AttackConfig] = setting(
        [],
        "Attacks under which the classifier is evaluated, on evaluation.samples test images each.",
    )

    def validate(self) -> None:
        """Raise a ValueError unless the attacks have different names."""
        names = [attack.name for attack in self.attacks]
        if len(set(names)) < len(names):
            raise ValueError(f"attacks have the names {', '.join(names)}; the names must differ")


class AdversarialClassifier(Classifier):
    """Minimises alpha J(x) + (1 - alpha) J(x'), where x' are adversarial examples of x.

    With alpha 0 and projected gradient descent this is the robust optimisation of Madry et al.,
    with alpha 0.5 and a single step of length epsilon the training of Goodfellow et al., and with
    alpha 1 standard training.

    Under the full attack the loss stays at log 10 for a while at the start of training. A warm-up,
    which neither paper has, increases the attack linearly from 0.

    Source: Goodfellow, Shlens, Szegedy 2015 (arXiv:1412.6572), section 6; Madry et al. 2018
        (arXiv:1706.06083), equation 2.1 and section 5.
    Deviations: the training image is the clean one where that has the larger loss; the code of
        Madry et al. takes the last step's. Their initialisation is an option.
    """

    Config: ClassVar[type[Any]] = AdversarialClassifierConfig
    config: AdversarialClassifierConfig

    def __init__(
        self, config: AdversarialClassifierConfig, data: DataSpec, updates: int, seed: int = 0
    ) -> None:
        super().__init__(config, data, updates, seed)
        if data.shape != (1, 28, 28):
            raise ValueError(
                f"adversarial_classifier needs images of shape (1, 28, 28), not {data.shape}; set "
                f"data.size=28"
            )
        self.network = MadryNet(config.initialisation)

    def attacks(self) -> Sequence[AttackConfig]:
        """Return the attacks of the config."""
        return self.config.attacks

    def pictures(self) -> tuple[str, ...]:
        """Return the adversarial examples."""
        return ("adversarial_examples",)

    def attack(self) -> AttackConfig:
        """Return the attack of this update: that of the config, scaled down in the warm-up."""
        full = self.config.training
        factor = min(1.0, (1 + self.updates) / max(1, self.config.warmup_updates))
        return replace(full, epsilon=factor * full.epsilon, step=factor * full.step)

    def loss_terms(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Compute the weighted cross-entropies of the clean and of the adversarial images."""
        alpha, terms = self.config.clean_weight, {}
        if alpha > 0:
            terms["clean"] = alpha * cross_entropy(self.network(images).float(), labels)
        if alpha < 1:
            attacked = perturb(self.network, images, labels, self.attack())
            loss = cross_entropy(self.network(attacked).float(), labels)
            terms["attacked"] = (1 - alpha) * loss
        return terms
