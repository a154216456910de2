"""Config keys that every GAN has."""

from __future__ import annotations

from dataclasses import dataclass

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.core.schedules import ScheduleConfig
from gan_lightning.gans.regularisation import RegularisationConfig
from gan_lightning.gans.update_rules import UPDATE_RULES, UpdateRule, UpdateRuleConfig
from gan_lightning.losses import OBJECTIVES, Objective
from gan_lightning.utils.settings import setting

__all__ = ["GANConfig"]


@dataclass
class GANConfig:
    """Config of a GAN; a variant overrides the defaults with those of its paper."""

    latent_size: int = setting(100, "Length of the noise vector.", minimum=1)
    latent_prior: str = setting(
        "uniform",
        "Distribution of the noise: uniform on [-1, 1], unit_uniform on [0, 1], or normal.",
        choices=("uniform", "unit_uniform", "normal"),
    )
    discriminator_steps: int = setting(
        1,
        "Steps of the discriminator in a round, each on a minibatch of its own.",
        minimum=1,
    )
    generator_steps: int = setting(
        1,
        "Steps of the generator at the end of a round, all from the same latents; a round remains "
        "one update.",
        minimum=1,
    )
    accumulate_gradients: int = setting(
        1,
        "Parts of each minibatch whose gradients are accumulated for one step; more parts take "
        "less memory, and batch statistics are those of a part.",
        minimum=1,
    )
    freeze_discriminator_layers: int = setting(
        0,
        "First layers of the discriminator whose weights are not trained (FreezeD), for a run that "
        "trainer.start_from begins; 0 trains all.",
        minimum=0,
    )
    ema_decay: float | None = setting(
        None,
        "Decay of the running average of the generator's weights, per update; it is at most "
        "(1 + n) / (10 + n) after n updates. null keeps no average.",
        above=0,
        below=1,
    )
    ema_schedule: ScheduleConfig | None = setting(
        None,
        "Schedule of the half-life of that average, log(1/2) / log(ema_decay) updates; null is "
        "constant.",
    )
    discriminator_optimizer: OptimizerConfig = setting(
        OptimizerConfig(), "Optimizer of the discriminator."
    )
    generator_optimizer: OptimizerConfig = setting(OptimizerConfig(), "Optimizer of the generator.")
    regularisation: RegularisationConfig = setting(
        RegularisationConfig(), "Regularisers of the discriminator."
    )
    update_rule: UpdateRuleConfig = setting(
        UpdateRuleConfig(), "How both players step on the last minibatch of a round."
    )

    def validate(self) -> None:
        """Check that there is an average where its half-life is scheduled, and the update rule.

        Raises:
            ValueError: there is none, or the rule cannot make these steps.
        """
        if self.ema_schedule is not None and self.ema_decay is None:
            raise ValueError(
                "ema_schedule is set, and ema_decay is null: set ema_decay, for example to 0.999"
            )
        rule = self.update_rule.name
        for key in ("generator_steps", "accumulate_gradients"):
            if UPDATE_RULES[rule].is_joint and getattr(self, key) > 1:
                raise ValueError(
                    f"{key} is {getattr(self, key)}, and update_rule.name is {rule}, by which both "
                    f"players step once from the same weights: set {key} to 1, or update_rule.name "
                    f"to alternating or lookahead"
                )

    @property
    def minibatches_per_round(self) -> int:
        """Number of real minibatches of a round: one for each step of the discriminator.

        One more where the generator's loss has real samples, on which the discriminator must not
        just have been trained; it has not where both players step at once.
        """
        is_joint = UPDATE_RULES[self.update_rule.name].is_joint
        return self.discriminator_steps + (self.build_objective().relativistic and not is_joint)

    def build_update_rule(self) -> UpdateRule:
        """Return the rule by which both players step, for `GAN.update_rule`."""
        return UPDATE_RULES[self.update_rule.name](self.update_rule)

    def build_objective(self) -> Objective:
        """Return the adversarial losses of both players, for `GAN.objective`."""
        return OBJECTIVES["non_saturating"]

    def check_minibatch(self, count: int) -> None:
        """Check that the losses are defined for minibatches of `count` samples.

        Raises:
            ValueError: a loss needs more samples.
        """
