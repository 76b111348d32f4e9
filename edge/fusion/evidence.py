"""What the looks at one part add up to: weighted sums that take any number of looks in constant memory.

With p_i(k) the probability of class k in look i and w_i its quality, the fused score of class k is

    tempered product   n^a · Σ w_i ln p_i(k) / Σ w_i        with n = Σ w_i
    mean               ln(Σ w_i p_i(k) / Σ w_i)
    majority           ln((Σ w_i [k = argmax p_i] + ½/K) / (Σ w_i + ½))

The product is that of n^a independent looks: `a = 1` takes every look at one part for independent, `a = 0`
takes all of them for one look. Real looks lie between, so that `a` is fitted (a logarithmic opinion pool;
Genest & Zidek 1986). None of the three depends on the order of the looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.records import Scores

FLOOR = -30.0
"""Least log-probability of a class in one look, so that a rounded zero is no veto."""


class Method(StrEnum):
    TEMPERED_PRODUCT = "tempered-product"
    MEAN = "mean"
    MAJORITY = "majority"


@dataclass(slots=True)
class Evidence:
    """Running sums over looks for `classes` classes."""

    method: Method
    exponent: float
    classes: int
    looks: int = 0
    weight: float = 0.0
    _sum: NDArray[np.float64] | None = None

    def add(self, log_scores: Scores, weight: float) -> None:
        """One look: (classes,) log-probabilities and a weight; a weight of 0 changes nothing.

        Raises:
            ValueError: another number of classes, a weight below 0, or scores that are not numbers.
        """
        if log_scores.shape != (self.classes,):
            raise ValueError(f"a look scores {log_scores.shape} classes, expected ({self.classes},)")
        if not weight >= 0 or np.isnan(log_scores).any():
            raise ValueError(f"a look of weight {weight} holds no usable scores")
        if weight == 0:
            return
        if self._sum is None:
            self._sum = np.zeros(self.classes)
        if self.method is Method.TEMPERED_PRODUCT:
            self._sum += weight * np.maximum(log_scores, FLOOR)
        elif self.method is Method.MEAN:
            self._sum += weight * np.exp(log_scores)
        else:
            self._sum[int(np.argmax(log_scores))] += weight
        self.looks += 1
        self.weight += weight

    def log_scores(self) -> NDArray[np.float64]:
        """(classes,) fused log-scores, up to a constant; zeros before the first look."""
        if self._sum is None:
            return np.zeros(self.classes)
        if self.method is Method.TEMPERED_PRODUCT:
            return self._sum * (self.weight ** (self.exponent - 1))
        if self.method is Method.MEAN:
            return np.log(self._sum / self.weight + 1e-12)
        return np.log((self._sum + 0.5 / self.classes) / (self.weight + 0.5))


def posterior(log_scores: NDArray[np.float64]) -> Scores:
    """Probabilities that sum to 1 from log-scores up to a constant."""
    shares = np.exp(log_scores - log_scores.max())
    return (shares / shares.sum()).astype(np.float32)
