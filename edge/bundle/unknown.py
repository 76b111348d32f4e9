"""Whether a look shows a part that the model was never taught: how familiar the network's answer is.

A network shares all probability among the parts that it knows, whatever it sees. Of a known part it mostly has few in
mind, of a strange one many. Each score here is large for known parts, and so is how well the measured size fits what
the looks show. Below a threshold that a small share of the known parts does not reach, a part counts as unknown. All
goes by probabilities before any prior: how common parts are says nothing about strange ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.records import Scores

COSTS_LITTLE = 0.01
"""Share of the known parts that may be lost to the test where nobody says how many."""
LEAST_SHARE, MOST_SHARE = 0.005, 0.1
"""Of fewer parts no threshold is known, and who gives more away hardly sorts."""
GAMMA = 0.1
"""The paper's. All classes count, where the paper takes the likeliest 100 of 1,000: with 10, 20 and all of the
starter's 102 it noticed 15, 23 and 39 % of the looks at unknown parts."""


def greatest_posterior(log_scores: Scores) -> NDArray[np.floating]:
    """Probability of the likeliest class, along the last axis (Hendrycks & Gimpel 2017, arXiv:1610.02136)."""
    return np.exp(log_scores.max(axis=-1))


def generalised_entropy(log_scores: Scores) -> NDArray[np.floating]:
    """−Σ p^γ (1 − p)^γ along the last axis (Liu et al., CVPR 2023)."""
    p = np.exp(log_scores)
    return -((p * (1 - p)) ** GAMMA).sum(axis=-1)


def standardised_logit(log_scores: Scores) -> NDArray[np.floating]:
    """How far the likeliest class is above the mean of all, in their standard deviations, along the last axis: the
    direction of the logits without their length (Zhang & Xiang, CVPR 2023). Neither shift nor temperature matters."""
    return (log_scores.max(axis=-1) - log_scores.mean(axis=-1)) / (log_scores.std(axis=-1) + 1e-6)


SCORES: dict[str, Callable[[Scores], NDArray[np.floating]]] = {
    "max posterior": greatest_posterior,
    "generalised entropy": generalised_entropy,
    "standardised logit": standardised_logit,
}


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What a part must come to so that it counts as known.

    Attributes:
        score: its name.
        looks: numbers of looks, ascending, for which there are thresholds; between them they are interpolated.
        least: for each of those, the least mean over the looks of a known part.
        size_weight: what is added to the mean for each unit of `size_fit`.
        least_with_size: thresholds of that sum; empty where none were fitted.
    """

    score: str
    looks: tuple[int, ...]
    least: tuple[float, ...]
    size_weight: float = 0.0
    least_with_size: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        values = (*self.least, *self.least_with_size, self.size_weight)
        if self.score not in SCORES or not np.isfinite(values).all():
            raise ValueError(f"unknown = {self.score!r} from {self.least} (scores: {', '.join(SCORES)})")
        ascending = bool(self.looks) and self.looks == tuple(sorted(set(self.looks)))
        if not ascending or {len(self.least), len(self.least_with_size) or len(self.looks)} != {len(self.looks)}:
            raise ValueError(f"unknown: looks {self.looks} and its thresholds do not fit together")

    def of(self, log_scores: Scores) -> float:
        """How familiar one look is, from its (K,) log-probabilities."""
        return float(SCORES[self.score](log_scores))

    @property
    def knows_size(self) -> bool:
        """Whether the size's fit counts."""
        return bool(self.least_with_size)

    def is_unknown(self, mean: float, looks: float, fit: float | None = None) -> bool:
        """Whether a part falls below the threshold.

        Args:
            mean: of what `of` says of its looks.
            looks: how many those are.
            fit: of its size; None where it is not known, and without a meaning where `knows_size` is false.
        """
        if fit is None or not self.knows_size:
            return mean < float(np.interp(looks, self.looks, self.least))
        return mean + self.size_weight * fit < float(np.interp(looks, self.looks, self.least_with_size))


@dataclass(frozen=True, slots=True)
class FamiliarityTable:
    """What known parts come to, by the share of them that may be lost; fitted with the model.

    Attributes:
        score: as in `Familiarity`, like `looks` and `size_weight`.
        shares: of the known parts that fall below, ascending.
        least: for each share as in `Familiarity`, like `least_with_size`, which is empty where there is no size.
    """

    score: str
    looks: tuple[int, ...]
    shares: tuple[float, ...]
    least: tuple[tuple[float, ...], ...]
    size_weight: float = 0.0
    least_with_size: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        rising = all(0 < low < high for low, high in zip(self.shares, (*self.shares[1:], 1.0), strict=True))
        rows = {len(self.least), len(self.least_with_size) or len(self.shares)}
        if not self.shares or not rising or rows != {len(self.shares)}:
            raise ValueError(f"unknown: shares {self.shares} and its thresholds do not fit together")
        for share in self.shares:
            self.losing(share)

    def losing(self, share: float) -> Familiarity:
        """The thresholds that such a share of the known parts does not reach, interpolated over the logarithm of the
        share; beyond the table those of its nearest end."""
        sized = self._at(share, self.least_with_size) if self.least_with_size else ()
        return Familiarity(self.score, self.looks, self._at(share, self.least), self.size_weight, sized)

    def _at(self, share: float, rows: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
        known = [math.log(own) for own in self.shares]
        return tuple(float(np.interp(math.log(share), known, column)) for column in zip(*rows, strict=True))


def size_fit(posterior: Scores, log_likelihood: NDArray[np.floating], length_mm: float, width_mm: float) -> float:
    """How well a measured rectangle fits what the looks show: ln(Σ p · likelihood · area). The likelihood is one per
    area of what could have been measured, so that the area makes small parts comparable with large ones.

    Args:
        posterior: (K,) of the looks alone, without size or prior.
        log_likelihood: (K,) of the rectangle for each part.
        length_mm: of the rectangle.
        width_mm: of the rectangle.
    """
    greatest = float(log_likelihood.max())
    fitting = float(posterior @ np.exp(log_likelihood - greatest))
    return greatest + math.log(max(fitting, 1e-30) * max(length_mm * width_mm, 1e-6))
