"""Parts that the network was never shown: how many it notices, and by which score.

Each score is large for known parts: the greatest posterior (Hendrycks & Gimpel 2017, arXiv:1610.02136), the negative
free energy T · ln Σ exp(logit / T) (Liu et al. 2020, arXiv:2010.03759), the greatest logit (Hendrycks et al. 2022,
arXiv:1911.11132), the generalised entropy −Σ p^γ (1 − p)^γ (Liu et al., CVPR 2023) and the greatest logit in standard
deviations above the mean (after Zhang & Xiang, CVPR 2023). A look below a threshold is rejected; the threshold is set
where 5 % of the looks at known parts are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.unknown import SCORES as ON_THE_MACHINE
from quantization.evaluate.scores import CHUNK, ModelScores

Floats = NDArray[np.float32]
FALSE_REJECTION = 0.05
CURVE_POINTS = 51


def _greatest_logit(logits: Floats, _temperature: float) -> Floats:
    return logits.max(1)


def _energy(logits: Floats, temperature: float) -> Floats:
    greatest = logits.max(1)
    return greatest + temperature * np.log(np.exp((logits - greatest[:, np.newaxis]) / temperature).sum(1))


def _on_the_machine(name: str) -> Callable[[Floats, float], Floats]:
    """The machine's own score, of logits by chunks: of thousands of parts and looks they fill the memory."""
    score = ON_THE_MACHINE[name]

    def of_logits(logits: Floats, temperature: float) -> Floats:
        chunks = (logits[start : start + CHUNK] for start in range(0, len(logits), CHUNK))
        return np.concatenate([score(log_softmax(chunk, temperature)) for chunk in chunks]).astype(np.float32)

    return of_logits


SCORES: dict[str, Callable[[Floats, float], Floats]] = {
    **{name: _on_the_machine(name) for name in ON_THE_MACHINE},
    "energy": _energy,
    "max logit": _greatest_logit,
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A score and the value below which a look is taken for an unknown part."""

    score: str
    threshold: float

    def rejected(self, logits: Floats, temperature: float) -> NDArray[np.bool_]:
        """(N,) the looks that are rejected."""
        return SCORES[self.score](logits, temperature) < self.threshold


def fit_rejections(known: Floats, temperature: float) -> list[Rejection]:
    """For each score the threshold that rejects 5 % of the looks at known parts, from their (N, K) logits."""
    return [
        Rejection(name, float(np.quantile(score(known, temperature), FALSE_REJECTION)))
        for name, score in SCORES.items()
    ]


def fit(fitting: Floats, scores: ModelScores) -> dict[str, Any]:
    """The score that serves best, its threshold, and how it does on looks that chose neither.

    Thresholds come from the looks at known parts that the temperature is fitted on, the choice of the score from every
    other unknown part, among those that the machine can tell from probabilities alone; the figures from the remaining
    ones and from unseen looks at known parts.

    Args:
        fitting: (N, K) logits of looks at known parts.
        scores: of the model.

    Returns:
        score, threshold, rejected, false_rejection, and rejected_by_score.
    """
    temperature, strange = scores.temperature, scores.unknown
    choosing = strange.families % 2 == 0
    judging = ~choosing if (~choosing).any() else choosing
    rejections = fit_rejections(fitting, temperature)

    def rejected(rejection: Rejection, looks: NDArray[np.bool_]) -> float:
        return float(rejection.rejected(strange.logits[looks], temperature).mean())

    usable = [rejection for rejection in rejections if rejection.score in ON_THE_MACHINE]
    best = max(usable, key=lambda rejection: rejected(rejection, choosing))
    return {
        "score": best.score,
        "threshold": best.threshold,
        "rejected": rejected(best, judging),
        "false_rejection": float(best.rejected(scores.unseen.logits, temperature).mean()),
        "rejected_by_score": {rejection.score: rejected(rejection, judging) for rejection in rejections},
    }


def rejection_curve(known: Floats, unknown: Floats) -> NDArray[np.float64]:
    """(51,) share of unknown looks rejected where 0, 2, … 100 % of the known ones are, by their (N,) scores."""
    thresholds = np.quantile(known, np.linspace(0, 1, CURVE_POINTS))
    return (unknown[np.newaxis] < thresholds[:, np.newaxis]).mean(1)


def rejection_by_looks(score: str, scores: ModelScores) -> list[float]:
    """Share of unknown parts rejected after 1, 2 … looks, by the mean of their scores, where 5 % of known parts are."""
    means = []
    for looks in (scores.unseen, scores.unknown):
        single = SCORES[score](looks.logits, scores.temperature).reshape(-1, looks.looks_a_part)
        means.append(single.cumsum(1) / np.arange(1, looks.looks_a_part + 1))
    known, strange = means
    thresholds = np.quantile(known, FALSE_REJECTION, axis=0)
    return [float(share) for share in (strange < thresholds[: strange.shape[1]]).mean(0)]
