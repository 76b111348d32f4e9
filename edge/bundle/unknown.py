"""Whether a look shows a part that the model was never taught: how familiar the network's answer is.

A network shares all probability among the parts that it knows, whatever it sees. Of a known part it mostly has few in
mind, of a strange one many. Each score here is large for known parts; below a threshold that 5 % of the looks at known
parts do not reach, a part counts as unknown. The scores go by probabilities before any prior: how common parts are says
nothing about strange ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.records import Scores

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
    """A score's name and the least value of a known part; fitted with the model."""

    score: str
    least: float

    def __post_init__(self) -> None:
        if self.score not in SCORES or not np.isfinite(self.least):
            raise ValueError(f"unknown = {self.score!r} from {self.least} (scores: {', '.join(SCORES)})")

    def of(self, log_scores: Scores) -> float:
        """How familiar one look is, from its (K,) log-probabilities."""
        return float(SCORES[self.score](log_scores))
