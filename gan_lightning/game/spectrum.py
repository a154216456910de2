"""Eigenvalues of the Jacobian of a game's dynamics, which decide how it behaves near a point."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gan_lightning.core.seeding import derived_seed
from gan_lightning.game.field import GradientField

__all__ = ["Complexes", "eigenvalues", "jacobian", "summarise_spectrum"]

Complexes = np.ndarray[Any, np.dtype[np.complex128]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

DENSE_UP_TO = 64
"""Weights up to which all eigenvalues are computed from the whole matrix."""


MIN_VECTORS = 12
"""Vectors of the subspace in which Arnoldi iterations look for eigenvalues, at least."""


def jacobian(field: GradientField) -> Floats:
    """Return the Jacobian of the dynamics -v at the field's start, (W, W), float64.

    Args:
        field: of at most a few thousand weights, each of which costs two gradients of both players.
    """
    count = len(field.start)
    columns = [-field.derivative(direction) for direction in torch.eye(count).to(field.start)]
    return torch.stack(columns, 1).cpu().numpy()


def eigenvalues(field: GradientField, count: int, tolerance: float = 1e-2) -> Complexes:
    """Return the largest eigenvalues of the Jacobian of the dynamics -v at the field's start.

    A game whose players descend their gradients with small steps converges near the point where all
    real parts are negative; imaginary parts make it rotate. Of larger networks the eigenvalues are
    found by Arnoldi iterations, which multiply the Jacobian by vectors and never hold it.

    Args:
        field: at the point of interest.
        count: number of eigenvalues, of the largest magnitude; all of at most 64 weights.
        tolerance: relative accuracy of the Arnoldi iterations; 0 for that of float64.

    Returns:
        Complex, (count,) or fewer, by falling magnitude.

    Source: Berard et al. 2020 (arXiv:1906.04848), section 4; Mescheder, Geiger, Nowozin 2018
        (arXiv:1801.04406), section 3, for what they mean. The signs are those of the dynamics.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    size = len(field.start)
    if size <= max(DENSE_UP_TO, count + 2):
        found: Complexes = np.linalg.eigvals(jacobian(field)).astype(np.complex128)
        return _by_magnitude(found)

    def product(direction: Floats) -> Floats:
        vector = torch.from_numpy(direction.reshape(-1)).to(field.start)
        values: Floats = -field.derivative(vector).cpu().numpy()
        return values

    rng = np.random.default_rng(derived_seed(0, "arnoldi"))
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = rng.standard_normal(size)
    try:
        found = eigs(
            operator,
            count,
            which="LM",
            v0=start,
            ncv=min(size, max(2 * count + 2, MIN_VECTORS)),
            tol=tolerance,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence as error:
        found = np.asarray(error.eigenvalues)
    return _by_magnitude(found)


def _by_magnitude(values: Complexes) -> Complexes:
    """Sort eigenvalues by falling magnitude, of a conjugate pair the positive part first."""
    return values[np.lexsort((-values.imag, -np.abs(values).round(12)))]


def summarise_spectrum(values: Complexes) -> dict[str, float]:
    """Summarise eigenvalues of the dynamics.

    Returns:
        game/eigenvalue_real, the largest real part, positive where the game moves away from its
        point; game/eigenvalue_imaginary, the largest imaginary part; game/rotation, the share of
        imaginary parts in the squared magnitudes, 0 for a minimisation and 1 for a rotation.
        Nothing without eigenvalues.
    """
    if not len(values):
        return {}
    squared = float((np.abs(values) ** 2).sum())
    return {
        "game/eigenvalue_real": float(values.real.max()),
        "game/eigenvalue_imaginary": float(np.abs(values.imag).max()),
        "game/rotation": float((values.imag**2).sum()) / squared if squared else 0.0,
    }
