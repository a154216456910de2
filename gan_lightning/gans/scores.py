"""Scores of a step of the discriminator that several loss terms use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor

from gan_lightning.types import Condition

if TYPE_CHECKING:
    from gan_lightning.gans.contract import GANContract

__all__ = ["scores_computed_once"]


@contextmanager
def scores_computed_once(gan: GANContract) -> Iterator[None]:
    """Let `gan.discriminate` compute scores once for the same tensors inside the block.

    So a regulariser that needs the scores of a loss costs no further evaluation of the
    discriminator, and sees the same dropout.

    Args:
        gan: whose weights do not change inside the block.
    """
    own = gan.__dict__.get("discriminate")
    compute = gan.discriminate
    known: dict[tuple[int, ...], tuple[Tensor, Condition | None, Tensor]] = {}

    def discriminate(data: Tensor, given: Condition | None = None) -> Tensor:
        parts = () if given is None else given.parts().values()
        key = (id(data), *map(id, parts))  # of tensors that `known` keeps alive
        if key not in known:
            known[key] = data, given, compute(data, given)
        return known[key][2]

    gan.discriminate = discriminate  # type: ignore[method-assign]
    try:
        yield
    finally:
        if own is None:
            del gan.__dict__["discriminate"]
        else:
            gan.__dict__["discriminate"] = own
