"""The looks at a part fused as the machine fuses them, through the machine's own `edge.fusion.evidence`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.fusion.evidence import Evidence, Method, posterior

Floats = NDArray[np.float32]


def collect(looks: Floats, method: Method, exponent: float) -> list[Evidence]:
    """The evidence of P parts from (P, L, K) log-probabilities of their looks, each of weight 1."""
    collected = []
    for part in looks:
        evidence = Evidence(method, exponent, looks.shape[2])
        for look in part:
            evidence.add(look, 1.0)
        collected.append(evidence)
    return collected


def posteriors(collected: Sequence[Evidence]) -> Floats:
    """(P, K) probabilities that the evidence of P parts amounts to."""
    return np.stack([posterior(evidence.log_scores()) for evidence in collected])


def fuse(looks: Floats, method: Method, exponent: float) -> Floats:
    """(P, K) probabilities from (P, L, K) log-probabilities of the looks at P parts."""
    return posteriors(collect(looks, method, exponent))


def accuracy_by_looks(
    looks: Floats, families: NDArray[np.int64], method: Method, exponent: float
) -> NDArray[np.float64]:
    """(L,) share of parts right after the first 1, 2 … L looks.

    Args:
        looks: (P, L, K) log-probabilities.
        families: (P,) what each part is.
        method: how to fuse.
        exponent: of the tempered product.
    """
    right = np.zeros(looks.shape[:2], np.bool_)
    for p, part in enumerate(looks):
        evidence = Evidence(method, exponent, looks.shape[2])
        for n, look in enumerate(part):
            evidence.add(look, 1.0)
            right[p, n] = evidence.log_scores().argmax() == families[p]
    return right.mean(0)
