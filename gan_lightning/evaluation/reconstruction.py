"""Evaluation of a generator by how closely it can generate given data."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.errors import UserError
from gan_lightning.evaluation.base import GANEvaluator
from gan_lightning.gans import GAN
from gan_lightning.gans.ema import ema_generator
from gan_lightning.types import Condition

__all__ = ["ReconstructionEvaluator", "reconstruction_errors"]

TARGETS = 200
"""Training data that are reconstructed."""

CHUNK = 50
"""Data reconstructed at a time; a signal is handled after at most one such chunk."""

STARTS, STEPS, RATE = 3, 300, 0.1
"""Initial latents of each datum, steps of Adam from each, and the rate of the first step."""

SUPPORT = {"uniform": (-1.0, 1.0), "unit_uniform": (0.0, 1.0)}
"""Bounds of the latents of a prior; others have none."""


class ReconstructionEvaluator(GANEvaluator):
    """Computes how close the nearest generated samples come to training data.

    A generator that leaves out a part of the data cannot reconstruct it. For each of 200 training
    data the latent is found whose sample is nearest, by gradient descent from three draws of the
    prior, of which the best counts.

    Args:
        gan: the model, whose generator takes a latent and nothing else.
        data: its dataset.
        shard: this process's part of the work, which every process does in full.

    Raises:
        UserError: the generator takes labels, codes or sources.

    Source: Metz, Poole, Pfau, Sohl-Dickstein 2017 (arXiv:1611.02163), section 3.4.1, "inference via
        optimization".
    Deviations: the paper descends by L-BFGS; here 300 steps of Adam, whose rate falls to 0, keep
        the latents in the support of the prior.
    """

    uses_discriminator = False

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data, self._shard = gan, data, shard
        if gan.condition_fields() != ("latent",):
            inputs = ", ".join(gan.condition_fields())
            raise UserError(
                f"evaluation.measures has reconstruction, and the generator takes {inputs}, not "
                f"the latent alone; leave it out"
            )

    def compute(self) -> dict[str, float]:
        """Return the mean over the data of the mean squared error; images are in [-1, 1]."""
        data, _ = self._data.training_data()
        rng = torch.Generator().manual_seed(derived_seed(0, "reconstruction"))
        rows = torch.randperm(len(data), generator=rng)[:TARGETS]
        errors = [
            reconstruction_errors(self._gan, to_float_nchw(data[part]), seed)
            for seed, part in self._shard.undivided().iterate([*enumerate(rows.split(CHUNK))])
        ]
        return {"reconstruction/error": torch.cat(errors).double().mean().item()}


def reconstruction_errors(gan: GAN, targets: Tensor, seed: int) -> Tensor:
    """Return the smallest mean squared error that a latent has been found for, float32 (N,).

    Args:
        gan: the model; its weights, modes and random states are unchanged.
        targets: (N, *shape).
        seed: of the initial latents.
    """
    rng = torch.Generator(gan.device)
    rng.manual_seed(derived_seed(gan.seed, "reconstruction", seed))
    latents = gan.prior(STARTS * len(targets), rng).latent
    assert latents is not None
    wanted = targets.to(gan.device).repeat(STARTS, *[1] * (targets.ndim - 1))
    low, high = SUPPORT.get(gan.config.latent_prior, (None, None))
    optimizer = torch.optim.Adam([latents], lr=RATE)
    best = torch.full((len(latents),), torch.inf, device=gan.device)
    with ema_generator(gan), evaluation_mode(gan):
        for step in range(STEPS):
            with torch.enable_grad():
                samples = gan.generate(Condition(latent=latents.requires_grad_()))
                errors = (samples.float() - wanted).square().flatten(1).mean(1)
                (latents.grad,) = torch.autograd.grad(errors.sum(), latents)
            best = torch.minimum(best, errors.detach())
            optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
            optimizer.step()
            if low is not None:
                latents.detach().clamp_(low, high)
    return best.view(STARTS, -1).amin(0)
