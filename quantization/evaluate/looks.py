"""Unseen synthetic looks: pictures from renders that training never drew from, and what is fitted on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edge.bundle.dequantize import log_softmax
from quantization.data.augment import Augmenter
from quantization.data.layers import LayerSet

LOOKS_A_PART = 3


@dataclass(frozen=True, slots=True)
class TestLooks:
    """`pictures` (N, S, S, 3) uint8 RGB, `families` (N,). Each run of `looks_a_part` looks shows one part."""

    pictures: NDArray[np.uint8]
    families: NDArray[np.int64]
    looks_a_part: int


def make_test_looks(looks: LayerSet, size_px: int, parts: int, seed: int) -> TestLooks:
    """Pictures of `parts` simulated parts. Those of one part share the augmentation's random draws, so that what goes
    wrong in one look tends to go wrong in the others, as on a machine."""
    augmenter = Augmenter(looks, size_px, seed + 1)
    rng = np.random.default_rng([seed, 4])
    by_family = [np.flatnonzero(looks.family == k) for k in range(len(looks.families))]
    pictures, families = [], []
    for part in range(parts):
        family = part % len(by_family)
        for index in rng.choice(by_family[family], LOOKS_A_PART):
            pictures.append(augmenter.picture(int(index), np.random.default_rng([seed, 5, part])))
            families.append(family)
    return TestLooks(np.stack(pictures), np.array(families, np.int64), LOOKS_A_PART)


def top1(logits: NDArray[np.float32], families: NDArray[np.int64]) -> float:
    """Share of looks whose best score is the right family's."""
    return float((logits.argmax(1) == families).mean())


def negative_log_likelihood(log_scores: NDArray[np.float32], families: NDArray[np.int64]) -> float:
    """Mean −ln p of the right family."""
    return float(-log_scores[np.arange(len(families)), families].mean())


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a loss is least between two bounds."""
    found: Any = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(found.x)


def fit_temperature(logits: NDArray[np.float32], families: NDArray[np.int64]) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(log_softmax(logits, float(np.exp(log_temperature))), families)

    return float(np.exp(_least(loss, -2.5, 2.5)))


def fuse(log_scores: NDArray[np.float32], exponent: float, looks_a_part: int) -> NDArray[np.float32]:
    """(N / looks_a_part, K) log-posteriors of the tempered product n^a · mean ln p, as `edge.fusion` has it."""
    looks = log_scores.reshape(-1, looks_a_part, log_scores.shape[1])
    return log_softmax((looks.mean(1) * looks_a_part**exponent).astype(np.float32))


def fit_fusion_exponent(log_scores: NDArray[np.float32], families: NDArray[np.int64], looks_a_part: int) -> float:
    """The exponent with the least negative log-likelihood of the fused looks."""
    truth = families[::looks_a_part]

    def loss(exponent: float) -> float:
        return negative_log_likelihood(fuse(log_scores, exponent, looks_a_part), truth)

    return _least(loss, 0.0, 1.0)


def fit_unsure_below(log_scores: NDArray[np.float32], families: NDArray[np.int64], precision: float = 0.95) -> float:
    """The least posterior above which the share of right answers reaches `precision`."""
    best = np.exp(log_scores.max(1))
    right = log_scores.argmax(1) == families
    order = np.argsort(-best)
    precise = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision)
    return float(best[order][precise[-1]]) if len(precise) else 0.99


def expected_calibration_error(log_scores: NDArray[np.float32], families: NDArray[np.int64], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins (Naeini et al. 2015)."""
    confidence = np.exp(log_scores.max(1))
    right = log_scores.argmax(1) == families
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(right[bin_of == b].mean() - confidence[bin_of == b].mean()) * (bin_of == b).mean()
        for b in range(bins)
        if (bin_of == b).any()
    ]
    return float(sum(gaps))
