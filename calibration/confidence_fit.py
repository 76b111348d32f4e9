"""What a model's scores are worth on one machine, from few parts of its own and many of its bundle.

*Temperature*: forty parts of four kinds hold some two errors, which say next to nothing about a temperature (its
logarithm would be off by 0.3). So three things are weighed against each other as a posterior over the logarithm: what
is held possible beforehand; how likely the named kinds are; and how far the scores of a kind stand out from the others'
against the same kind in the bundle's reference, which goes with the temperature and hardly differs from part to part.
The fusion's exponent is fitted along, from where the bundle has it.

*Purity*: the error among sorted parts is the mean of what the reference's verdicts promise and of what came true of
them, times a factor by which this machine's own parts were more or less often wrong: of a gamma distribution, so that
as many errors as were expected leave it at 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle.reference import UNKNOWN, SeenParts
from edge.bundle.size import SizeEvidence, load_size_evidence
from edge.catalogue.prior import read_prior, shares
from edge.config.calibration import WorkingPoint
from edge.fusion.verdict import FusionSettings
from edge.machine import Plans
from edge.routing.router import Router
from edge.routing.rules import NOBODY

LOG_TEMPERATURES = np.linspace(-0.7, 0.7, 71)
TEMPERATURE_SIGMA = 0.25
"""Of the logarithm, beforehand."""
STANDS_OUT_SIGMA = 0.1
"""Of the logarithm of how far scores stand out, for other reasons than the temperature, such as blur."""
EXPONENTS, EXPONENT_SIGMA = np.linspace(-0.06, 0.09, 6), 0.03
"""Added to the bundle's."""
FEW_OF_KIND = 4
"""With fewer of a kind in the reference, all of it is compared with."""
LEAST = 1e-4
"""A named kind counts as no less likely: one brick in the wrong box must not decide."""
ERRORS_BEFOREHAND = 12.0
"""As if so many errors had been expected and had come."""
THRESHOLDS = 1 - np.geomspace(0.5, 1e-4, 90)
FEWEST_SORTED = 25
"""A threshold that fewer parts of the reference reach promises nothing."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sharpness:
    """Temperature and exponent with the standard deviation of the temperature's logarithm."""

    temperature: float
    exponent: float
    log_sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the bins make of N parts: `mass` (N,) of the best bin, 0 for one that may not be sorted; `right` (N,) how
    likely the part belongs there, 0 or 1 where its colour is known; `wanted` (N,) likewise, that some bin wants it."""

    mass: Doubles
    right: Doubles
    wanted: Doubles


class Judge:
    """Fuses and sorts seen parts as the machine does, at any temperature."""

    def __init__(self, plans: Plans) -> None:
        bundle, wanted = plans.bundle, plans.config.fusion
        self._settings = FusionSettings()
        evidence, parts = bundle.size_evidence, len(bundle.parts)
        self._size: SizeEvidence | None = load_size_evidence(evidence, parts) if evidence else None
        prior = shares(wanted.prior or read_prior(bundle.prior), plans.catalogue)
        self._log_prior = np.log(prior.astype(np.float64) + 1e-12)
        self._router = Router(plans.bins, plans.catalogue, plans.colours, wanted.sure_above)

    def posteriors(self, seen: SeenParts, temperature: float, exponent: float) -> Doubles:
        """(N, K) of the parts."""
        return _normalised(self._beside(seen) + self._looks(seen, temperature, exponent))

    def log_likelihood(self, seen: SeenParts, temperatures: Doubles, exponents: Doubles) -> Doubles:
        """(T, A) of the named kinds, together."""
        beside, own = self._beside(seen), np.arange(len(seen))
        table = np.zeros((len(temperatures), len(exponents)))
        for row, temperature in enumerate(temperatures.tolist()):
            for column, exponent in enumerate(exponents.tolist()):
                parts = _normalised(beside + self._looks(seen, temperature, exponent))
                table[row, column] = np.log(parts[own, seen.kinds] * (1 - LEAST) + LEAST).sum()
        return table

    def judge(self, seen: SeenParts, sharpness: Sharpness) -> Judged:
        """What becomes of each part."""
        table = self._router.table
        parts = self.posteriors(seen, sharpness.temperature, sharpness.exponent)
        tempered = seen.colours * seen.colour_weights[:, np.newaxis] ** self._settings.colour_exponent
        colours = _normalised(tempered.astype(np.float64))
        mass, right, wanted = np.zeros((3, len(seen)))
        for row in range(len(seen)):
            known = colours[row]
            by_bin = self._router.group_masses(parts[row].astype(np.float32), known.astype(np.float32)) @ table.members
            best = int(by_bin.argmax())
            if seen.true_colours[row] != UNKNOWN:
                known = np.eye(len(known))[seen.true_colours[row]]
            groups = table.group_of[seen.kinds[row]]
            mass[row] = by_bin[best] if seen.sortable[row] else 0.0
            right[row] = known @ table.members[groups, best]
            wanted[row] = known @ (groups != NOBODY)
        return Judged(mass, right, wanted)

    def _looks(self, seen: SeenParts, temperature: float, exponent: float) -> Doubles:
        weights = seen.weights[:, np.newaxis].astype(np.float64)
        return weights**exponent * seen.scores.astype(np.float64) / temperature

    def _beside(self, seen: SeenParts) -> Doubles:
        """(N, K) what prior and measured size say."""
        if self._size is None:
            return np.tile(self._log_prior, (len(seen), 1))
        sizes = [
            self._size.log_likelihood(*sides) if sides[0] > 0 else np.zeros(len(self._log_prior))
            for sides in seen.sides_mm.tolist()
        ]
        return self._log_prior + self._settings.size_exponent * np.array(sizes, np.float64)


def fit_sharpness(judge: Judge, seen: SeenParts, reference: SeenParts | None, exponent: float) -> Sharpness:
    """The likeliest temperature and exponent.

    Args:
        seen: this machine's parts, named.
        exponent: the one that holds so far.
    """
    exponents = np.unique(np.clip(exponent + EXPONENTS, 0.01, 1.0))
    logs = judge.log_likelihood(seen, np.exp(LOG_TEMPERATURES), exponents)
    logs -= 0.5 * (LOG_TEMPERATURES[:, np.newaxis] / TEMPERATURE_SIGMA) ** 2
    logs -= 0.5 * ((exponents - exponent) / EXPONENT_SIGMA) ** 2
    if reference is not None:
        logs -= 0.5 * ((LOG_TEMPERATURES - stands_out(seen, reference)) / STANDS_OUT_SIGMA)[:, np.newaxis] ** 2
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    of_temperature, of_exponent = weights.sum(axis=1), weights.sum(axis=0)
    mean = float(of_temperature @ LOG_TEMPERATURES)
    sigma = float(np.sqrt(of_temperature @ (LOG_TEMPERATURES - mean) ** 2))
    return Sharpness(float(np.exp(mean)), float(of_exponent @ exponents), sigma)


def stands_out(seen: SeenParts, reference: SeenParts) -> float:
    """Logarithm of how much more the scores stand out than those of the same kinds in the reference."""
    ratios: list[float] = []
    for kind in np.unique(seen.kinds).tolist():
        alike = reference.stands_out[reference.kinds == kind]
        usual = alike if len(alike) >= FEW_OF_KIND else reference.stands_out
        ratios.append(float(np.log(seen.stands_out[seen.kinds == kind].mean() / usual.mean())))
    return float(np.mean(ratios))


def error_factor(own: Judged) -> float:
    """By how much more often than promised this machine's parts were wrong, leaned towards 1."""
    decided = own.mass >= THRESHOLDS[0]
    expected, came = float((1 - own.mass[decided]).sum()), float((1 - own.right[decided]).sum())
    return (ERRORS_BEFOREHAND + came) / (ERRORS_BEFOREHAND + expected)


def curve(many: Judged, factor: float, thresholds: Sequence[float] = tuple(THRESHOLDS.tolist())) -> list[WorkingPoint]:
    """Purity and recovery from threshold to threshold, purity never falling; as far as enough parts reach."""
    points: list[WorkingPoint] = []
    purity = 0.0
    for least in thresholds:
        decided = many.mass >= least
        if decided.sum() < FEWEST_SORTED and points:
            break
        wrong = ((1 - many.right[decided]) + (1 - many.mass[decided])).mean() / 2 if decided.any() else 0.0
        purity = max(purity, 1 - min(factor * float(wrong), 1.0))
        recovery = float(many.right[decided].sum() / max(float(many.wanted.sum()), 1.0))
        points.append(WorkingPoint(sure_above=round(least, 5), purity=round(purity, 5), recovery=round(recovery, 5)))
    return points


def working_point(points: Sequence[WorkingPoint], purity: float) -> WorkingPoint | None:
    """The one that sorts most of those as pure; None: none is."""
    return next((point for point in points if point.purity >= purity), None)


def _normalised(log_scores: Doubles) -> Doubles:
    shares = np.exp(log_scores - log_scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
