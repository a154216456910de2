"""Angle between a game's field and a straight path, which shows attraction and rotation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_lightning.game.field import GradientField

__all__ = ["PathAngle", "path_angle"]

POSITIONS = tuple(0.1 * step for step in range(6, 13))
"""Positions on the path, 0 at its start and 1 at its end, at which training stands."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


class PathAngle(NamedTuple):
    """The field along a path.

    Attributes:
        positions: 0 at the start of the path, 1 at its end, (P,).
        cosines: of the angle between the field and the path, (P,).
        norms: of the field, (P,).
    """

    positions: Floats
    cosines: Floats
    norms: Floats


def path_angle(
    field: GradientField, start: Tensor, positions: tuple[float, ...] = POSITIONS
) -> PathAngle:
    """Compute the field along the straight path through a starting point and the field's own.

    The gradients point against the path where training goes on along it (cosine -1), with it beyond
    an end that attracts (cosine 1). A bump of the cosine at the end is the sign of a rotation.

    Args:
        field: its `start` is the end of the path.
        start: weights at the start of the path, (W,), for example the initial ones.
        positions: on the path; 1 is its end.

    Source: Berard et al. 2020 (arXiv:1906.04848), section 4.
    """
    path = field.start - start
    length = path.norm()
    vectors = [field(start + position * path) for position in positions]
    norms = torch.stack([vector.norm() for vector in vectors])
    products = torch.stack([vector @ path for vector in vectors])
    cosines = torch.where(norms * length > 0, products / (norms * length), 0.0)
    return PathAngle(np.array(positions), cosines.cpu().numpy(), norms.cpu().numpy())
