"""Least squares by Levenberg and Marquardt (Marquardt 1963), with differences for derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
STEP = 1e-4
"""Of a difference, against what a value is expected to vary by."""
SMALL = 1e-5
"""Relative gain below which it has come to an end."""


def least_squares(
    residuals: Callable[[Doubles], Doubles],
    start: Doubles,
    scale: Doubles,
    together: Sequence[Sequence[int]] = (),
    belongs: Callable[[int], NDArray[np.bool_]] | None = None,
    most: int = 40,
) -> tuple[Doubles, Doubles]:
    """The parameters (P,) at which the sum of the squared residuals is least, and their standard errors (P,).

    Args:
        residuals: (N,) of parameters (P,).
        start: first guess (P,).
        scale: (P,) what each may be expected to vary by.
        together: groups of parameters of which no two act on the same residual: they are varied together.
        belongs: which residuals (N,) a parameter of such a group acts on.
        most: iterations.
    """
    at, now = start.astype(np.float64), residuals(start)
    damping = 1e-3
    slopes = _slopes(residuals, at, now, scale, together, belongs)
    for _ in range(most):
        square, pull = slopes.T @ slopes, slopes.T @ now
        step = np.linalg.solve(square + damping * np.diag(np.diag(square) + 1e-12), -pull)
        tried = residuals(at + scale * step)
        if (tried**2).sum() >= (now**2).sum():
            damping *= 10
            if damping > 1e8:
                break
            continue
        gain = 1 - (tried**2).sum() / (now**2).sum()
        at, now, damping = at + scale * step, tried, max(damping / 10, 1e-12)
        if gain < SMALL:
            break
        slopes = _slopes(residuals, at, now, scale, together, belongs)
    spread = (now**2).sum() / max(len(now) - len(at), 1)
    covariance = np.linalg.pinv(slopes.T @ slopes) * spread
    return at, scale * np.sqrt(np.maximum(np.diag(covariance), 0))


def _slopes(
    residuals: Callable[[Doubles], Doubles],
    at: Doubles,
    now: Doubles,
    scale: Doubles,
    together: Sequence[Sequence[int]],
    belongs: Callable[[int], NDArray[np.bool_]] | None,
) -> Doubles:
    """(N, P) derivatives by parameters in units of their scale."""
    slopes = np.zeros((len(now), len(at)))
    grouped = {index for group in together for index in group}
    for group in [*([index] for index in range(len(at)) if index not in grouped), *together]:
        varied = at.copy()
        varied[list(group)] += STEP * scale[list(group)]
        change = (residuals(varied) - now) / STEP
        if len(group) == 1:
            slopes[:, group[0]] = change
            continue
        assert belongs is not None
        for index in group:
            slopes[:, index] = np.where(belongs(index), change, 0)
    return slopes
