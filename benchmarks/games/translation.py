"""Hand-written GANs that translate images: pix2pix and CycleGAN."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, softplus

from games.contract import GeneratorInput, Real, cross_entropies
from games.standard import StandardGAN
from gan_lightning.core.seeding import derived_seed

__all__ = ["CycleGAN", "Pix2Pix"]


class Pix2Pix(StandardGAN):
    """pix2pix: an adversarial loss on pairs plus the L1 distance to the target."""

    objectives = ("non_saturating",)

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> GeneratorInput:
        """Return the source images of the minibatch."""
        assert real.source is not None
        return GeneratorInput(real.source)

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return half of the cross-entropies of real and generated pairs."""
        pairs = [torch.cat([inputs.tensor, data], 1) for data in (real.data, fake)]
        return 0.5 * cross_entropies(*map(self.discriminator, pairs))

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the weighted non-saturating loss plus the weighted L1 distance."""
        logits = self.discriminator(torch.cat([inputs.tensor, fake], 1))
        adversarial = self.config.adversarial_weight * softplus(-logits.float()).mean()
        loss: Tensor = adversarial + self.config.l1_weight * l1_loss(fake.float(), real.data)
        return loss


class CycleGAN(StandardGAN):
    """CycleGAN: least squares losses in two domains, cycles, and pools of earlier images.

    The pools draw the random numbers of the framework's.
    """

    objectives = ("least_squares",)

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.inverse, self.source_discriminator = model.inverse, model.source_discriminator
        self.target_pool, self.source_pool = model.targets.images, model.sources.images
        self.seed, self.updates = model.seed, 0

    def supported_options(self) -> dict[str, Any]:
        """The pools are exchanged once in a round."""
        return {"discriminator_steps": 1}

    def discriminator_players(self) -> list[nn.Module]:
        """The discriminators of both domains."""
        return [self.discriminator, self.source_discriminator]

    def generator_players(self) -> list[nn.Module]:
        """The translators of both directions."""
        return [self.generator, self.inverse]

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> GeneratorInput:
        """Return the source images of the minibatch."""
        assert real.source is not None
        return GeneratorInput(real.source)

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the squared distances of scores from 1 for real and 0 for pooled images."""
        with torch.no_grad():
            back = self.inverse(real.data)
        rng = torch.Generator(fake.device)
        rng.manual_seed(derived_seed(self.seed, "pool", self.updates))
        fake = self.pooled(fake, self.target_pool, rng)
        back = self.pooled(back, self.source_pool, rng)
        target = self.squared_distances(real.data, fake, self.discriminator)
        return target + self.squared_distances(inputs.tensor, back, self.source_discriminator)

    @staticmethod
    def squared_distances(real: Tensor, fake: Tensor, discriminator: nn.Module) -> Tensor:
        """Return half of the mean squares of D(x) - 1 and D(G(z))."""
        real_scores, fake_scores = discriminator(real).float(), discriminator(fake).float()
        loss: Tensor = 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())
        return loss

    @torch.no_grad()
    def pooled(self, images: Tensor, pool: Tensor, rng: torch.Generator) -> Tensor:
        """Fill the pool with images, then exchange half of them with earlier ones."""
        count, filled = len(images), self.updates * len(images)
        if not len(pool):
            return images
        if filled + count <= len(pool):
            pool[filled : filled + count] = images
            return images
        filled = len(pool) // count * count
        places = torch.randperm(filled, generator=rng, device=images.device)[:count]
        kept = (torch.rand(count, generator=rng, device=images.device) < 0.5).view(-1, 1, 1, 1)
        earlier = pool[places]
        pool[places] = torch.where(kept, images, earlier)
        return torch.where(kept, earlier, images)

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the adversarial losses of both translators, and the weighted distances."""
        source, target, config = inputs.tensor, real.data, self.config
        back = self.inverse(target)
        scores, back_scores = self.discriminator(fake), self.source_discriminator(back)
        loss: Tensor = 0.5 * (scores.float() - 1).square().mean()
        loss = loss + 0.5 * (back_scores.float() - 1).square().mean()
        cycle = l1_loss(self.inverse(fake).float(), source)
        cycle = cycle + l1_loss(self.generator(back).float(), target)
        loss = loss + config.cycle_weight * cycle
        if config.identity_weight:
            same = l1_loss(self.generator(target).float(), target)
            same = same + l1_loss(self.inverse(source).float(), source)
            loss = loss + config.identity_weight * same
        return loss

    def after_generator_step(self) -> None:
        """Count the updates."""
        super().after_generator_step()
        self.updates += 1
