"""What is fitted to a model's scores, and how well its confidence holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edge.bundle.dequantize import log_softmax
from edge.fusion.evidence import Method
from quantization.evaluate.fusions import collect, posteriors

Floats = NDArray[np.float32]
Classes = NDArray[np.int64]

CALIBRATION_BINS = 15


def top1(scores: Floats, families: Classes) -> float:
    """Share of rows whose best score is the right family's."""
    return float((scores.argmax(1) == families).mean())


def top(scores: Floats, families: Classes, count: int) -> float:
    """Share of rows with the right family among the best `count` scores."""
    right = families[:, np.newaxis]
    own = np.take_along_axis(scores, right, axis=1)
    # Of equal scores, which int8 often gives, the first counts as the better one, as for argmax.
    ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < right))
    return float((ahead.sum(1) < count).mean())


def negative_log_likelihood(log_scores: Floats, families: Classes) -> float:
    """Mean −ln p of the right family."""
    return float(-log_scores[np.arange(len(families)), families].mean())


def fit_temperature(logits: Floats, families: Classes) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(log_softmax(logits, float(np.exp(log_temperature))), families)

    return float(np.exp(_least(loss, -2.5, 2.5)))


def fit_fusion_exponent(log_scores: Floats, families: Classes, looks_a_part: int) -> float:
    """The exponent of the tempered product with the least negative log-likelihood of the fused looks."""
    looks = log_scores.reshape(-1, looks_a_part, log_scores.shape[1])
    collected = collect(looks, Method.TEMPERED_PRODUCT, 1.0)
    truth = families[::looks_a_part]

    def loss(exponent: float) -> float:
        for evidence in collected:
            evidence.exponent = exponent
        return negative_log_likelihood(np.log(posteriors(collected) + np.float32(1e-30)), truth)

    return _least(loss, 0.0, 1.0)


def fit_unsure_below(log_scores: Floats, families: Classes, precision: float = 0.95) -> float:
    """The least posterior above which the share of right answers reaches `precision`."""
    best = np.exp(log_scores.max(1))
    right = log_scores.argmax(1) == families
    order = np.argsort(-best)
    precise = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision)
    return float(best[order][precise[-1]]) if len(precise) else 0.99


def reliability(log_scores: Floats, families: Classes, bins: int = CALIBRATION_BINS) -> NDArray[np.float64]:
    """(bins, 3): share of the rows, mean confidence and share right in each of `bins` equal ranges of the confidence.

    Empty ranges have a share of 0 and their middle as both others (Naeini et al. 2015).
    """
    confidence = np.exp(log_scores.max(1).astype(np.float64))
    right = log_scores.argmax(1) == families
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    table = np.zeros((bins, 3))
    table[:, 1:] = ((np.arange(bins) + 0.5) / bins)[:, np.newaxis]
    for b in np.unique(bin_of):
        chosen = bin_of == b
        table[b] = chosen.mean(), confidence[chosen].mean(), right[chosen].mean()
    return table


def expected_calibration_error(log_scores: Floats, families: Classes, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy over the ranges of `reliability` (Naeini et al. 2015)."""
    share, confidence, right = reliability(log_scores, families, bins).T
    return float((share * np.abs(right - confidence)).sum())


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a loss is least between two bounds."""
    found: Any = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(found.x)
