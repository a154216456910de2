"""Rounds as CUDA graphs: all steps of a round of small networks in a single launch.

A graph repeats the same operations on the same tensors. So a round is captured with copies of its
minibatches, into which those of later rounds are copied, and a generator of the prior that is
seeded anew for each round. A graph belongs to the numbers of the config that an update uses, such
as a learning rate, and to the shapes of the minibatches; a round with others is another graph, or
is played eagerly. `reason_against_graphs` says what cannot be captured at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gan_lightning.core.compile import any_compiled
from gan_lightning.core.cuda_graphs import BACKENDS
from gan_lightning.core.fast_paths import reason_against_direct_steps
from gan_lightning.core.optim import scheduled_values
from gan_lightning.errors import UserError
from gan_lightning.gans.round import step_players
from gan_lightning.gans.update_rules.base import BothTerms, detached
from gan_lightning.types import Batch

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN

__all__ = ["GraphedRounds", "frozen_numbers", "graphed_rounds", "reason_against_graphs"]

WARM_UP = 3
"""Rounds that are played eagerly before one is captured, so that all states and buffers exist."""

MAX_GRAPHS = 4
"""Graphs of a training, each of which keeps the memory of a round."""

MAX_COUNTED = 16
"""Kinds of rounds whose eager rounds are counted, the latest ones."""

Key = tuple[Any, ...]


def graphed_rounds(gan: GAN) -> GraphedRounds | None:
    """Return what plays the rounds of a training as CUDA graphs, or None with a line in the log.

    Args:
        gan: at the start of its training.
    """
    log = logging.getLogger("gan_lightning")
    if reason := reason_against_graphs(gan):
        log.info("CUDA graphs are not used: %s", reason)
        return None
    log.info("CUDA graphs are used after %d rounds", WARM_UP)
    return GraphedRounds(gan)


def reason_against_graphs(gan: GAN) -> str:
    """Say why no round of a GAN can be captured; empty where rounds can be.

    Args:
        gan: at the start of its training.
    """
    if gan.device.type not in BACKENDS:
        return f"the device is {gan.device.type}, and they need {' or '.join(BACKENDS)}"
    if reason := reason_against_direct_steps(gan):
        return reason
    if torch.is_anomaly_enabled():
        return "detect_anomaly looks at the values of each step"
    if any_compiled():
        return "networks are compiled, and may be compiled again in a round that is captured"
    return gan.update_rule.reason_against_graphs or gan.reason_against_graphs()


def frozen_numbers(gan: GAN) -> Key:
    """Return the numbers of the config that change with the update, as a graph freezes them."""
    config, update = gan.config, gan.updates
    optimizers = (config.discriminator_optimizer, config.generator_optimizer)
    scheduled = [tuple(scheduled_values(part, update).values()) for part in optimizers]
    return (*scheduled, *config.regularisation.values_at(update))


@dataclass(frozen=True)
class _Captured:
    """A round that has been captured.

    Attributes:
        inputs: tensors of its minibatches.
        terms: loss terms of both players, which each replay overwrites.
        replay: runs the operations.
    """

    inputs: list[Tensor]
    terms: BothTerms
    replay: Callable[[], None]

    def play(self, minibatches: list[Batch]) -> BothTerms:
        """Play a round of other minibatches; return copies of the loss terms."""
        torch._foreach_copy_(self.inputs, _tensors(minibatches))
        self.replay()
        discriminator, generator = (
            {name: term.clone() for name, term in terms.items()} for terms in self.terms
        )
        return discriminator, generator


class GraphedRounds:
    """Plays rounds as CUDA graphs; the first of each kind eagerly.

    Args:
        gan: at the start of its training.
    """

    def __init__(self, gan: GAN) -> None:
        self._gan = gan
        self._rng = torch.Generator(gan.device)
        optimizers = [player.optimizer for player in gan.player_optimizers()]
        self._backend = BACKENDS[gan.device.type](gan.device, [self._rng], optimizers)
        self._captured: dict[Key, _Captured] = {}
        self._played: dict[Key, int] = {}

    @property
    def count(self) -> int:
        """Number of graphs."""
        return len(self._captured)

    def __call__(self, minibatches: list[Batch], seed: int) -> BothTerms:
        """Make all steps of a round; return the loss terms of the last step of each player.

        Args:
            minibatches: real samples, each (N, *shape).
            seed: seed of the prior in this round.

        Raises:
            UserError: the round cannot be captured.
        """
        self._rng.manual_seed(seed)
        key = (frozen_numbers(self._gan), _shapes(minibatches))
        if key not in self._captured:
            if not self._is_due(key):
                with self._backend.warm_up():
                    return step_players(self._gan, minibatches, self._rng)
            self._captured[key] = self._capture(minibatches)
        return self._captured[key].play(minibatches)

    def _is_due(self, key: Key) -> bool:
        """Count a round of a kind that has no graph; tell whether it is to be captured."""
        played = self._played.pop(key, 0)
        if played >= WARM_UP:
            return len(self._captured) < MAX_GRAPHS
        self._played[key] = played + 1  # the latest kind is last
        if len(self._played) > MAX_COUNTED:
            del self._played[next(iter(self._played))]
        return False

    def _capture(self, minibatches: list[Batch]) -> _Captured:
        """Capture a round, of copies of the minibatches; no step is made."""
        copies = [minibatch.clone() for minibatch in minibatches]
        terms: list[BothTerms] = []

        def play() -> None:
            torch.clear_autocast_cache()  # low-precision copies of weights must be made in a graph
            discriminator, generator = step_players(self._gan, copies, self._rng)
            torch.clear_autocast_cache()
            terms.append((detached(discriminator), detached(generator)))

        try:
            replay = self._backend.capture(play)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"a round of this GAN cannot be captured as a CUDA graph ({reason}); set "
                f"trainer.cuda_graphs to false"
            ) from error
        return _Captured(_tensors(copies), terms[0], replay)


def _tensors(minibatches: list[Batch]) -> list[Tensor]:
    return [tensor for minibatch in minibatches for tensor in minibatch.tensors()]


def _shapes(minibatches: list[Batch]) -> Key:
    return tuple((*tensor.shape, tensor.dtype) for tensor in _tensors(minibatches))
