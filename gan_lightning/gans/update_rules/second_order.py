"""Rules that differentiate the vector field of the game: consensus, symplectic adjustment."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.autograd import grad

from gan_lightning.core.compile import eager_mode
from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.distributed.collectives import process_count
from gan_lightning.distributed.strategy import average_in_place
from gan_lightning.gans.update_rules.base import BothTerms, UpdateRule, detached, generate
from gan_lightning.types import Batch, Condition

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["Consensus", "Symplectic", "jacobian_product", "transposed_jacobian_product"]

Tensors = Sequence[Tensor]

ALIGNMENT_BIAS = 0.1
"""epsilon: without a clear sign the adjustment is added, not subtracted."""


class _SecondOrder(UpdateRule):
    """Steps both players by the vector field and a product with its Jacobian.

    The field v has the gradient of each player's loss in its own weights. Samples have the
    generator's graph in both losses, and neither player is frozen, so that the Jacobian J of v has
    all its blocks. Both losses are computed in float32 and without compiled networks. With several
    processes v and J are those of the global minibatch.

    What a loss detaches counts as a constant in J, such as the features of labels in InfoGAN.
    """

    is_second_order: ClassVar[bool] = True

    def end_round(
        self, gan: GAN, real: Batch, condition: Condition, discriminator_terms: LossTerms | None
    ) -> BothTerms:
        """Compute the field and what is added to it, then step both players."""
        own = [optimizer_parameters(player.optimizer) for player in gan.player_optimizers()]
        weights = [weight for player in own for weight in player]
        with eager_mode(), torch.autocast(gan.device.type, enabled=False):
            seen, fake = gan.preprocess_for_discriminator(real, generate(gan, condition))
            terms = gan.discriminator_terms(seen, fake), gan.generator_loss(seen, fake)
            field = [
                part
                for loss_terms, player in zip(terms, own, strict=True)
                for part in _gradient(reduce(add, loss_terms.values()), player)
            ]
            mean_field = _mean_over_processes([part.detach() for part in field])
            added = self.addition(field, weights, mean_field)
        for weight, part, change in zip(weights, field, added, strict=True):
            weight.grad = part.detach() + change  # the step averages them over the processes
        self.step_both(gan)
        return detached(terms[0]), detached(terms[1])

    @abstractmethod
    def addition(self, field: Tensors, weights: Tensors, mean_field: Tensors) -> Tensors:
        """Return what is added to the field of this process.

        Args:
            field: v of this process's minibatch, one tensor for each weight, with its graph.
            weights: of both players.
            mean_field: v of the global minibatch, without graph.
        """


class Consensus(_SecondOrder):
    """Step by v + gamma J^T v: both players also lower half the squared norm of the field.

    J^T v is the gradient of L(w) = |v(w)|^2 / 2, which is 0 at every fixed point of the game.

    Source: Mescheder, Nowozin, Geiger 2017 (arXiv:1705.10461), section 4 and algorithm 2.
    Deviations: L is that of all loss terms, penalties included.
    """

    def addition(self, field: Tensors, weights: Tensors, mean_field: Tensors) -> Tensors:
        """Return gamma J^T v."""
        descent = transposed_jacobian_product(field, weights, mean_field)
        return [self.config.weight * part for part in descent]


class Symplectic(_SecondOrder):
    """Step by v + lambda A^T v: the adjustment by the antisymmetric part A of the Jacobian.

    A = (J - J^T) / 2 is the part that makes a game turn, so A^T v = (J^T v - J v) / 2 points
    inwards where v turns, and is 0 where the players have one common loss. With `align` the sign of
    lambda is that of <v, h> <A^T v, h> / d + 0.1, where h = J^T v is the gradient of |v|^2 / 2 and
    d the number of weights: the adjustment then attracts to stable fixed points and repels from
    unstable ones.

    Source: Balduzzi et al. 2018 (arXiv:1802.05642), definition of the adjustment and algorithm 1
        with its alignment.
    """

    def addition(self, field: Tensors, weights: Tensors, mean_field: Tensors) -> Tensors:
        """Return lambda A^T v, with the sign of the alignment."""
        descent = transposed_jacobian_product(field, weights, mean_field)
        product = jacobian_product(field, weights, mean_field)
        adjustment: Tensors = [
            (first - second) / 2 for first, second in zip(descent, product, strict=True)
        ]
        weight: float | Tensor = self.config.weight
        if self.config.align:
            adjustment = _mean_over_processes(adjustment)
            weight = weight * _alignment(mean_field, _mean_over_processes(descent), adjustment)
        return [weight * part for part in adjustment]


def transposed_jacobian_product(
    field: Tensors, weights: Tensors, vector: Tensors, *, create_graph: bool = False
) -> list[Tensor]:
    """Return J^T u, where J has the derivatives of a field in the weights.

    Args:
        field: one tensor for each weight, with its graph, which is kept.
        weights: the weights.
        vector: u, one tensor for each weight.
        create_graph: whether the result has a graph, too.
    """
    pairs = [(part, other) for part, other in zip(field, vector, strict=True) if part.requires_grad]
    if not pairs:  # a constant field
        return [torch.zeros_like(weight) for weight in weights]
    outputs, given = zip(*pairs, strict=True)
    return list(
        grad(
            outputs,
            weights,
            given,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
    )


def jacobian_product(field: Tensors, weights: Tensors, vector: Tensors) -> list[Tensor]:
    """Return J u: the derivative of J^T a in a, which is linear in a, times u.

    Args:
        field: one tensor for each weight, with its graph, which is kept.
        weights: the weights.
        vector: u, one tensor for each weight.
    """
    argument = [torch.zeros_like(part, requires_grad=True) for part in field]
    linear = transposed_jacobian_product(field, weights, argument, create_graph=True)
    return transposed_jacobian_product(linear, argument, vector)


def _gradient(loss: Tensor, weights: Tensors) -> list[Tensor]:
    """Return the gradient of a loss, with its graph; 0 for weights without."""
    return list(grad(loss, weights, create_graph=True, allow_unused=True, materialize_grads=True))


def _mean_over_processes(tensors: Tensors) -> Tensors:
    """Return the means of tensors without graph over all processes."""
    if process_count() == 1:
        return tensors
    means = [tensor.clone() for tensor in tensors]
    average_in_place(means)
    return means


def _alignment(field: Tensors, descent: Tensors, adjustment: Tensors) -> Tensor:
    """Return the sign of <v, h> <A^T v, h> / d + epsilon, a scalar."""
    size = sum(part.numel() for part in field)
    product = _inner(field, descent) * _inner(adjustment, descent) / size
    return torch.sign(product + ALIGNMENT_BIAS)


def _inner(first: Tensors, second: Tensors) -> Tensor:
    """Return the inner product of two vectors that are lists of tensors."""
    return torch.stack([(a * b).sum() for a, b in zip(first, second, strict=True)]).sum()
