"""From the looks at each track to one answer: a posterior over parts and colours, or "unsure" and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle.unknown import Familiarity, size_fit
from edge.fusion.evidence import Evidence, Method, posterior
from edge.records import UNFILLED, Prediction, Scores, Verdict

SURELY_TWO, MISFIT, MOST_MISFIT = 5.5, 1.2, 100.0
"""Two parts hide in a track when its `twofold`, and the logarithm of how badly its size fits what the looks show, come
to more together; fitted with the weights of `edge.tracking.twofold`, which tells how."""
COMPACT = 0.05
"""A part that leaves so much of its rectangle free, as most do, is not known by that. What it leaves more is its own
shape, an arch's say, and no sign of two parts: the measure of `twofold` counted it as one."""
TOUCHING = "touching parts"
"""The reason of a verdict on what is taken for two parts."""
MOST_TRACKS = 4096
"""Tracks remembered at once; far more than fit on a belt, so that a caller who never forgets stays
bounded."""


class SizeLikelihood(Protocol):
    """(K,) log-likelihood of a measured rectangle for each part, such as the bundle's `SizeEvidence`."""

    def log_likelihood(self, length_mm: float, width_mm: float) -> Scores: ...

    def best_pose(self, length_mm: float, width_mm: float) -> tuple[Scores, Scores]:
        """(K,) squared error for each part, in standard deviations, and (K,) what it leaves free of its rectangle."""
        ...


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """`exponent` tempers the product over parts, `colour_exponent` that over colours, whose errors (lamp,
    camera) repeat from look to look, `size_exponent` the measured size, whose proportions the looks show as well.
    `sure_above` is the least posterior of the best part, or of the bin
    where the caller knows one; `min_looks` the least number of looks for any answer."""

    method: Method = Method.TEMPERED_PRODUCT
    exponent: float = 0.5
    colour_exponent: float = 0.25
    size_exponent: float = 0.5
    min_looks: int = 1
    sure_above: float = 0.0

    def __post_init__(self) -> None:
        for name in ("exponent", "colour_exponent", "size_exponent", "sure_above"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must lie between 0 and 1")
        if self.min_looks < 1:
            raise ValueError(f"min_looks is {self.min_looks}: it must be at least 1")


@dataclass(slots=True)
class _TrackEvidence:
    parts: Evidence
    colours: Evidence
    size_mm: tuple[float, float] | None = None
    size_scores: NDArray[np.float64] | None = None
    """Log-likelihood of the size for each part."""
    size_fit: float | None = None
    """How well it fits what the looks show; None: not yet computed for these looks and this size."""
    best_pose: tuple[Scores, Scores] | None = None
    """How badly the size fits each part, `MOST_MISFIT` at most, and what each leaves free of its rectangle."""
    touching: bool = False
    twofold: float = 0.0
    too_long: bool = False
    familiar: float = 0.0
    """Sum over the looks of how familiar each is, times its weight."""


class Fusion:
    """Collects predictions by track. One thread; `forget` a track once it is decided.

    Args:
        parts: K, the number of parts that a prediction scores.
        colours: C, the number of colours; 0 when none are measured.
        settings: how to fuse, and when to be sure.
        size: how likely each part is to show a measured rectangle; None where sizes are not known.
        part_prior: (K,) prior probabilities; None for a uniform prior.
        familiarity: tells parts that the network was never taught, with the size where it can; None: it is not asked.
    """

    def __init__(
        self,
        parts: int,
        colours: int,
        settings: FusionSettings | None = None,
        size: SizeLikelihood | None = None,
        part_prior: Scores | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self._parts = parts
        self._colours = colours
        self._settings = settings or FusionSettings()
        self._size = size
        self._log_prior = np.zeros(parts) if part_prior is None else np.log(part_prior.astype(np.float64) + 1e-12)
        self._familiarity = familiarity
        self._tracks: dict[int, _TrackEvidence] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def add(self, prediction: Prediction) -> None:
        """Adds one look, weighted by its quality.

        Raises:
            ValueError: scores of another length than the parts or colours.
        """
        track = self._track(prediction.track_id)
        track.parts.add(prediction.part_log_scores, prediction.quality)
        track.size_fit = None
        if self._familiarity is not None:
            track.familiar += prediction.quality * self._familiarity.of(prediction.part_log_scores)
        if prediction.colour_log_scores.size:
            track.colours.add(prediction.colour_log_scores, prediction.quality)

    def set_size(self, track_id: int, length_mm: float, width_mm: float) -> None:
        """The track's measured rectangle, best as the median over its frames; the newest one counts, once."""
        track = self._track(track_id)
        if track.size_mm != (length_mm, width_mm):
            track.size_mm = (length_mm, width_mm)
            track.size_scores = track.size_fit = track.best_pose = None

    def set_touching(self, track_id: int, touching: bool = True, twofold: float = 0.0) -> None:
        """Two parts may hide in this track: its verdict is unsure while that holds.

        Args:
            touching: whether they surely do.
            twofold: how much its outline and colours look like it; what the looks show may not fit its size either.
        """
        track = self._track(track_id)
        track.touching, track.twofold = touching, twofold

    def is_touching(self, track_id: int) -> bool:
        """Whether two parts may hide in this track, by its outline, its colours, and its size against what the looks
        show."""
        track = self._tracks.get(track_id)
        return track is not None and self._is_touching(track)

    def set_too_long(self, track_id: int) -> None:
        """It reaches from one edge of the picture to the other: its verdict stays unsure."""
        self._track(track_id).too_long = True

    def looks(self, track_id: int) -> int:
        """Looks that counted for a track."""
        track = self._tracks.get(track_id)
        return track.parts.looks if track else 0

    def verdict(self, track_id: int) -> Verdict:
        """The fused answer so far; for an unknown track the prior, unsure."""
        track = self._tracks.get(track_id) or self._new_track()
        sized = self._settings.size_exponent * self._size_scores(track)
        parts = posterior(self._log_prior + track.parts.log_scores() + sized)
        colours = posterior(track.colours.log_scores()) if track.colours.looks else np.zeros(0, np.float32)
        doubt = self._doubt(track, float(parts.max()))
        reason = doubt or f"posterior {parts.max():.2f} after {_looks(track.parts.looks)}"
        return Verdict(track_id, parts, colours, track.parts.looks, bool(doubt), reason)

    def certain(self, track_id: int, mass: float) -> bool:
        """Whether to stop looking: enough looks at one part, and `mass`, the posterior of the choice at hand
        (a bin's, or the best part's), reaches `sure_above`."""
        track = self._tracks.get(track_id)
        return track is not None and not self._doubt(track, mass)

    def forget(self, track_id: int) -> None:
        """Drops what is known of a track; unknown tracks are no error."""
        self._tracks.pop(track_id, None)

    def _doubt(self, track: _TrackEvidence, mass: float) -> str:
        settings = self._settings
        if track.too_long:
            return "longer than the picture"
        if self._is_touching(track):
            return TOUCHING
        if track.parts.looks < settings.min_looks:
            return f"too few looks: {track.parts.looks} of {settings.min_looks}"
        if self._is_unknown(track):
            return "unknown part"
        if mass < settings.sure_above:
            return f"low posterior: {mass:.2f}, sure above {settings.sure_above:.2f}"
        return ""

    def _is_touching(self, track: _TrackEvidence) -> bool:
        if track.touching or self._size is None or track.size_mm is None or not track.parts.looks:
            return track.touching
        if track.best_pose is None:
            misfit, unfilled = self._size.best_pose(*track.size_mm)
            track.best_pose = np.minimum(misfit, MOST_MISFIT), unfilled
        misfit, unfilled = track.best_pose
        seen = posterior(self._log_prior + track.parts.log_scores())
        own = UNFILLED * max(float(seen @ unfilled) - COMPACT, 0.0)
        return track.twofold - own + MISFIT * float(np.log1p(seen @ misfit)) > SURELY_TWO

    def _is_unknown(self, track: _TrackEvidence) -> bool:
        """Whether its looks are, on the mean, less familiar than those at known parts, by its size as well where that
        is measured."""
        familiarity, weight = self._familiarity, track.parts.weight
        if familiarity is None or weight == 0:
            return False
        fit = self._size_fit(track) if familiarity.knows_size else None
        return familiarity.is_unknown(track.familiar / weight, track.parts.looks, fit)

    def _size_fit(self, track: _TrackEvidence) -> float | None:
        if self._size is None or track.size_mm is None:
            return None
        if track.size_fit is None:
            seen = posterior(track.parts.log_scores())
            track.size_fit = size_fit(seen, self._size_scores(track), *track.size_mm)
        return track.size_fit

    def _size_scores(self, track: _TrackEvidence) -> NDArray[np.float64]:
        if self._size is None or track.size_mm is None:
            return np.zeros(self._parts)
        if track.size_scores is None:
            track.size_scores = self._size.log_likelihood(*track.size_mm).astype(np.float64)
        return track.size_scores

    def _track(self, track_id: int) -> _TrackEvidence:
        track = self._tracks.get(track_id)
        if track is None:
            while len(self._tracks) >= MOST_TRACKS:
                del self._tracks[next(iter(self._tracks))]
            track = self._tracks[track_id] = self._new_track()
        return track

    def _new_track(self) -> _TrackEvidence:
        settings = self._settings
        return _TrackEvidence(
            Evidence(settings.method, settings.exponent, self._parts),
            Evidence(settings.method, settings.colour_exponent, self._colours),
        )


def _looks(count: int) -> str:
    return "1 look" if count == 1 else f"{count} looks"
