"""Parts that the network was never shown, as the machine notices them: by all looks at a part, and by its size.

For several numbers of looks and several shares of known parts that may be lost: the thresholds that such a share of
rendered tracks at known parts does not reach, for `edge.bundle.unknown.FamiliarityTable`. The looks count by the mean
of a score; the size by how well it fits what they show, both in their standard deviations on known parts. Sizes are
those that a machine would measure (`quantization.evaluate.machine_sizes`).

The figures are of thresholds from half the known tracks, tried on the other half and on unknown parts. The thresholds
that are shipped come from all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.size import SizeEvidence
from edge.bundle.unknown import SCORES, size_fit
from edge.fusion.evidence import Method
from quantization.evaluate.fusions import fuse
from quantization.evaluate.machine_sizes import as_measured
from quantization.evaluate.scores import LookScores
from quantization.evaluate.unknown import FALSE_REJECTION

LOOKS = (1, 2, 3, 5, 8)
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1)
SHOWN = (1, 3, 8)
"""Of the numbers of looks those that stand in a manifest's figures."""
SIZE_DRAWS = 4
"""Sizes that are drawn for each track, so that the rare large errors come in."""
BALANCED_AT = 3
"""Looks at which a standard deviation of the looks is to count as much as one of the size."""
SEED = 6151

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ridden:
    """What a model saw of parts that rode past.

    Attributes:
        known: looks at its own parts.
        unknown: looks at others.
        size: how long and wide its own parts lie.
        strange: how long and wide the others lie.
        temperature: of the model.
        fusion_exponent: of the model.
    """

    known: LookScores
    unknown: LookScores
    size: SizeEvidence
    strange: SizeEvidence
    temperature: float
    fusion_exponent: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a number of looks tells, in N runs of so many looks.

    Attributes:
        tracks: (N,) the track that each is of.
        familiar: (N,) mean score.
        fits: (N, SIZE_DRAWS) how well its sizes fit.
    """

    tracks: NDArray[np.int64]
    familiar: Doubles
    fits: Doubles

    def values(self, size_weight: float | None) -> Doubles:
        """(N, 1 or SIZE_DRAWS) what is compared with a threshold; a weight of None leaves the size out."""
        alone = self.familiar[:, np.newaxis]
        return alone if size_weight is None else alone + size_weight * self.fits

    def of(self, tracks: NDArray[np.bool_]) -> Told:
        """The runs of some tracks."""
        rows = tracks[self.tracks]
        return Told(self.tracks[rows], self.familiar[rows], self.fits[rows])


def fit(score: str, ridden: Ridden, errors: Doubles) -> dict[str, Any]:
    """Thresholds by looks, share and size, and what they do.

    Args:
        score: how familiar a look is, by its name in `edge.bundle.unknown.SCORES`.
        ridden: what there is to go by.
        errors: of measured sizes, see `machine_errors`.

    Returns:
        The fields of `FamiliarityTable` but its score, and `belt`: for `shares` by `looks` the share `rejected` of
        unknown parts and the `false_rejection` of known ones, and the same `with_size`.
    """
    counts = [count for count in LOOKS if count <= ridden.known.looks_a_part]
    known = _told(score, ridden.known, ridden.size, counts, ridden, errors)
    unknown = _told(score, ridden.unknown, ridden.strange, counts, ridden, errors)
    balanced = known[counts.index(max(count for count in counts if count <= BALANCED_AT))]
    weight = float(balanced.familiar.std() / max(balanced.fits.std(), 1e-6))
    return {
        "looks": counts,
        "shares": list(SHARES),
        "least": _thresholds(known, None).tolist(),
        "size_weight": weight,
        "least_with_size": _thresholds(known, weight).tolist(),
        "belt": _judged(known, unknown, None, "") | _judged(known, unknown, weight, "_with_size"),
    }


def figures(fitted: dict[str, Any]) -> dict[str, float]:
    """What `fit` found at the share that is asked about, by the names of the manifest."""
    row = SHARES.index(FALSE_REJECTION)
    told = {key.removeprefix("rejected"): shares[row] for key, shares in fitted["belt"].items() if "false" not in key}
    return {
        f"unknown_belt_{count}_look{'s' if count > 1 else ''}{suffix}_rejected": share
        for suffix, shares in told.items()
        for count, share in zip(fitted["looks"], shares, strict=True)
        if count in SHOWN
    }


def _told(
    score: str,
    looks: LookScores,
    size: SizeEvidence,
    counts: Sequence[int],
    ridden: Ridden,
    errors: Doubles,
) -> list[Told]:
    """What each number of looks tells of tracks."""
    each, rng = looks.looks_a_part, np.random.default_rng(SEED)
    tracks = len(looks.families) // each
    seen_mm = np.median(looks.sizes_mm.reshape(tracks, each, 2), axis=1)
    drawn_mm = [as_measured(seen_mm, looks.families[::each], size, errors, rng) for _ in range(SIZE_DRAWS)]
    found: list[list[Told]] = [[] for _ in counts]
    for track in range(tracks):
        log_scores = log_softmax(looks.logits[track * each : (track + 1) * each], ridden.temperature)
        familiar = SCORES[score](log_scores).astype(np.float64)
        sides_mm = [drawn[track] for drawn in drawn_mm]
        likelihoods = [ridden.size.log_likelihood(*sides.tolist()) for sides in sides_mm]
        for place, count in enumerate(counts):
            runs = each // count
            whole = log_scores[: runs * count].reshape(runs, count, -1)
            shown = fuse(whole, Method.TEMPERED_PRODUCT, ridden.fusion_exponent)
            fits = [
                [size_fit(p, likely, *sides.tolist()) for likely, sides in zip(likelihoods, sides_mm, strict=True)]
                for p in shown
            ]
            means = familiar[: runs * count].reshape(runs, count).mean(axis=1)
            found[place].append(Told(np.full(runs, track), means, np.array(fits)))
    return [_joined(told) for told in found]


def _joined(told: Sequence[Told]) -> Told:
    return Told(
        np.concatenate([one.tracks for one in told]),
        np.concatenate([one.familiar for one in told]),
        np.concatenate([one.fits for one in told]),
    )


def _thresholds(known: Sequence[Told], size_weight: float | None) -> Doubles:
    """(shares, counts) what such shares of the known do not reach."""
    return np.stack([np.quantile(told.values(size_weight), SHARES) for told in known], axis=1)


def _judged(known: Sequence[Told], unknown: Sequence[Told], size_weight: float | None, suffix: str) -> dict[str, Any]:
    """(shares, counts) shares rejected by thresholds from every other known track: of the rest, and of the unknown."""
    even = np.arange(int(known[0].tracks.max()) + 1) % 2 == 0
    falsely, rejected = [], []
    for fitting in (even, ~even):
        judging = [told.of(~fitting) for told in known]
        least = _thresholds([told.of(fitting) for told in known], size_weight)
        falsely.append(_below(judging, least, size_weight))
        rejected.append(_below(unknown, least, size_weight))
    return {
        f"rejected{suffix}": np.mean(rejected, axis=0).tolist(),
        f"false_rejection{suffix}": np.mean(falsely, axis=0).tolist(),
    }


def _below(told: Sequence[Told], least: Doubles, size_weight: float | None) -> Doubles:
    """(shares, counts) share of the runs below each threshold."""
    return np.stack(
        [
            (one.values(size_weight)[np.newaxis] < least[:, place, np.newaxis, np.newaxis]).mean(axis=(1, 2))
            for place, one in enumerate(told)
        ],
        axis=1,
    )
