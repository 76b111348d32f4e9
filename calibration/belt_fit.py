"""From ways that were seen to the belt's speed, its ripple, and the travel of an encoder's tick."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PIECE_MM = 200.0
"""Ways are cut into pieces of about this length, which are compared with each other."""
PERIODS_S = (0.3, 8.0)
"""Ripple is looked for between these: a small roller's turn, and a long belt's. Slower swings would need longer to be
told from a belt that speeds up."""
PERIODS = 240
WAVE_LEAVES = 0.6
"""A wave is one when it leaves no more than this share of what strays from an even way, squared."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """What was seen of one thing that rode with the belt: at `time_s` (N,), rising, it had come to `seen_mm` (N,) from
    wherever it began, and the belt's travel was told as `told_mm` (N,)."""

    time_s: Doubles
    told_mm: Doubles
    seen_mm: Doubles

    @property
    def length_mm(self) -> float:
        return float(self.seen_mm[-1] - self.seen_mm[0])

    def pieces(self) -> list[Way]:
        """Itself cut into pieces of about `PIECE_MM`; neighbours share a point."""
        count = max(round(self.length_mm / PIECE_MM), 1)
        ends = np.searchsorted(self.seen_mm, self.seen_mm[0] + self.length_mm * np.arange(1, count) / count)
        bounds = [0, *(int(end) for end in ends), len(self.seen_mm) - 1]
        return [self._between(a, b) for a, b in itertools.pairwise(bounds) if b > a]

    def _between(self, first: int, last: int) -> Way:
        cut = slice(first, last + 1)
        return Way(self.time_s[cut], self.told_mm[cut], self.seen_mm[cut])


@dataclass(frozen=True, slots=True, eq=False)
class BeltFit:
    """The belt by its ways.

    Attributes:
        mm_per_s: mean speed.
        ripple: amplitude of the strongest wave of the speed, as a share of it.
        period_s: of that wave.
        wave_mm: (2,) of the way, its sine and cosine at time 0.
        seen_per_told: seen mm per told mm.
        uncertain: standard error of that, as a share, by how the pieces differ.
        slip: by how much the pieces' own ratios differ at most, as a share.
        stray_mm: standard deviation of what was seen from what the told travel says.
    """

    mm_per_s: float
    ripple: float
    period_s: float
    wave_mm: Doubles
    seen_per_told: float
    uncertain: float
    slip: float
    stray_mm: float


def fit_ways(ways: Sequence[Way]) -> BeltFit:
    """Fits the belt to its ways (least squares, each way with a beginning of its own)."""
    time_s, told_mm, seen_mm = (
        np.concatenate([getattr(way, name) - getattr(way, name).mean() for way in ways])
        for name in ("time_s", "told_mm", "seen_mm")
    )
    ratio = float(told_mm @ seen_mm / (told_mm @ told_mm))
    speed, period_s, wave = _speed(ways, time_s, seen_mm)
    ripple = 2 * math.pi / period_s * float(np.hypot(*wave)) / speed if period_s else 0.0
    own = np.array([_ratio(group) for group in _groups(ways)])
    uncertain = float(own.std(ddof=1) / math.sqrt(len(own)) / ratio) if len(own) > 1 else math.inf
    return BeltFit(
        mm_per_s=speed,
        ripple=ripple,
        period_s=period_s,
        wave_mm=wave,
        seen_per_told=ratio,
        uncertain=uncertain,
        slip=float(np.ptp(own) / ratio),
        stray_mm=float(np.std(seen_mm - ratio * told_mm)),
    )


def _groups(ways: Sequence[Way]) -> list[list[Way]]:
    """The pieces of all ways, short ones put together to the length of a piece."""
    groups: list[list[Way]] = []
    room_mm = 0.0
    for piece in (piece for way in ways for piece in way.pieces()):
        if room_mm <= 0:
            groups.append([])
            room_mm = 0.75 * PIECE_MM
        groups[-1].append(piece)
        room_mm -= piece.length_mm
    return groups if room_mm <= 0 or len(groups) < 2 else groups[:-1]


def _ratio(pieces: Sequence[Way]) -> float:
    """Seen by told way, each piece with a beginning of its own."""
    product = square = 0.0
    for piece in pieces:
        told_mm, seen_mm = piece.told_mm - piece.told_mm.mean(), piece.seen_mm - piece.seen_mm.mean()
        product += float(told_mm @ seen_mm)
        square += float(told_mm @ told_mm)
    return product / max(square, 1e-9)


def _speed(ways: Sequence[Way], time_s: Doubles, seen_mm: Doubles) -> tuple[float, float, Doubles]:
    """Mean speed, and the period and the wave of its strongest swing: a way of a + v t + s sin ωt + c cos ωt."""
    plain = float(time_s @ seen_mm / (time_s @ time_s))
    whole_s = max(float(way.time_s[-1] - way.time_s[0]) for way in ways)
    longest_s = min(PERIODS_S[1], whole_s / 2)
    best = plain, 0.0, np.zeros(2)
    if longest_s <= PERIODS_S[0]:
        return best
    left = WAVE_LEAVES * float(np.sum((seen_mm - plain * time_s) ** 2))
    for period_s in np.geomspace(PERIODS_S[0], longest_s, PERIODS):
        basis = np.column_stack([time_s, *_waves(ways, 2 * math.pi / period_s)])
        found, *_ = np.linalg.lstsq(basis, seen_mm, rcond=None)
        error = float(np.sum((seen_mm - basis @ found) ** 2))
        if error < left:
            left, best = error, (float(found[0]), float(period_s), np.asarray(found[1:], np.float64))
    return best


def _waves(ways: Sequence[Way], turn_per_s: float) -> list[Doubles]:
    """Sine and cosine over all ways, each way's mean taken off as that of what was seen."""
    both: list[Doubles] = []
    for wave in (np.sin, np.cos):
        own = (wave(turn_per_s * way.time_s) for way in ways)
        both.append(np.concatenate([values - values.mean() for values in own]))
    return both
