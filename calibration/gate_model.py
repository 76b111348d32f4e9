"""What a gate's place and times have to do with how many parts it diverts, and what counts say of them.

Parts are tried in batches: the machine varies from part to part where it is, or when the gate is told to move, and
afterwards only the parts in the gate's bins are counted. Two kinds of trials tell the unknowns apart.

- *stand*: the belt stands, the part's middle `at_mm` beyond the station that machine.yaml names, while the gate moves.
  Then the belt goes on. Time plays no part: the part is diverted if it stood before the gate.
- *swing*: the belt runs, and the part's middle comes to that station `at_s` after the gate is told to move. It comes to
  the gate itself a little sooner or later, so what swings tell is the *lead* = latency − (place − station) / speed,
  and the place from the stands makes a latency of it. A swing diverts after lead + ½ travel. One that is *called back*
  `back_s` later, before it is over, turns round, and no longer diverts after lead + 2 back_s − ½ travel: the middle of
  these two moments has the lead alone, their distance the travel alone.

A pusher takes a part whose middle is in front of its face when the stroke begins, so that swings tell the lead, and a
part that comes too early tells where that ends. What becomes of one that comes too late is no measure of the stroke: it
lies against a pusher that is on its way or stands out, and is taken, turned or held up by it as it happens to lie. So a
pusher's travel is not measured, and nothing is tried that comes later than the pusher's middle. A chute that is turned
over all its bins lets the part fall into the one that it is nearest to.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.config.gates import GateBase

Array = NDArray[np.float64]

SIGMAS = 3.0
"""`repeatability_s` is the worst of a hundred: so many standard deviations."""
PLACE_MM = 0.42
"""Standard deviation of where a part's middle is taken to be."""
LAPSE = 0.01
"""Share of parts that go elsewhere for reasons of their own: they tumble, or hang on."""
BACK_JITTERS = 2.4
"""How much more the end of a movement that was called back scatters than a start: its own start counts twice, that of
the movement before it once, and so does most of that one's length."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One part past one gate.

    Attributes:
        gate: its name.
        kind: as the module explains.
        at: mm beyond the station for a stand, s from the command to the station for a swing.
        came: index of the position that the gate left.
        went: index of the position that it was told to go to.
        back_s: of a gate that was called back: how long after the command; None: it was not.
        part: number of the part, which may have been tried at gates before this one.
    """

    gate: str
    kind: Literal["stand", "swing"]
    at: float
    came: int
    went: int
    back_s: float | None = None
    part: int = 0


@dataclass(frozen=True, slots=True)
class GateShape:
    """What of a gate is known beforehand.

    Attributes:
        kind: gate, pusher, jet or chute.
        shares: (positions,) where along its whole travel each position is, 0 … 1.
        reach_mm: of a pusher's face or a jet's mouth, on either side.
        jitter_s: standard deviation of the start of a movement, and of its length.
        mm_per_s: the belt's speed.
    """

    kind: str
    shares: tuple[float, ...]
    reach_mm: float
    jitter_s: float
    mm_per_s: float

    @staticmethod
    def of(gate: GateBase, mm_per_s: float) -> GateShape:
        count = len(gate.positions)
        places = [gate.angle_deg[position] for position in gate.positions] if gate.angle_deg else list(range(count))
        least, most = min(places), max(places)
        shares = tuple((place - least) / (most - least) for place in places)
        return GateShape(gate.kind, shares, gate.reach_mm, gate.repeatability_s / SIGMAS, mm_per_s)

    @property
    def is_pusher(self) -> bool:
        return self.kind == "pusher"

    @property
    def tells_travel(self) -> bool:
        """Whether counts tell how long it moves."""
        return not self.is_pusher

    @property
    def place_s(self) -> float:
        """The belt's time for the standard deviation of a part's place."""
        return PLACE_MM / self.mm_per_s

    @property
    def ends(self) -> tuple[int, int]:
        """The positions at the ends of its travel."""
        return int(np.argmin(self.shares)), int(np.argmax(self.shares))

    def whole(self, came: int, went: int) -> float:
        """The share of the way that takes `travel_s`: all of a chute's, otherwise whatever the movement is."""
        return 1.0 if self.kind == "chute" else abs(self.shares[went] - self.shares[came])

    def way(self, came: int, went: int) -> list[int]:
        """Positions in the order in which the gate passes them."""
        order = sorted(range(len(self.shares)), key=lambda index: self.shares[index])
        first, last = order.index(came), order.index(went)
        return order[first : last + 1] if first <= last else order[last : first + 1][::-1]


def chances(shape: GateShape, trial: Trial, first: Array, travel_s: Array) -> dict[int, Array]:
    """How likely each position is that the part can meet.

    Args:
        first: (N,) mm from the station to the gate, for a stand; the lead in s, for a swing.
        travel_s: (N,) of the gate; plays no part in a stand, nor with a pusher.
    """
    if trial.kind == "stand":
        out = _stood(shape, trial, first)
    elif shape.is_pusher:
        out = _struck(shape, trial.at - first)
    elif trial.back_s is not None:
        out = _called_back(shape, trial, trial.at - first, travel_s)
    else:
        return _swung(shape, trial, trial.at - first, travel_s)
    return {trial.went: out, trial.came: 1 - out}


def _stood(shape: GateShape, trial: Trial, x_mm: Array) -> Array:
    if not shape.is_pusher:
        return normal((x_mm - trial.at) / PLACE_MM)
    before = normal((x_mm + shape.reach_mm - trial.at) / PLACE_MM)
    return before * normal((trial.at - x_mm + shape.reach_mm) / PLACE_MM)


def _struck(shape: GateShape, after_s: Array) -> Array:
    face_s = shape.reach_mm / shape.mm_per_s
    return normal((after_s + face_s) / np.hypot(shape.jitter_s, shape.place_s))


def _called_back(shape: GateShape, trial: Trial, after_s: Array, travel_s: Array) -> Array:
    assert trial.back_s is not None
    way_s = abs(shape.shares[trial.went] - shape.shares[trial.came]) / shape.whole(trial.came, trial.went) * travel_s
    # A whole stroke stands out until it is called back; one that is cut short is back past the middle the sooner.
    over_s = np.where(trial.back_s < way_s, 2 * trial.back_s - way_s / 2, trial.back_s + way_s / 2)
    jitters = np.where(trial.back_s < way_s, BACK_JITTERS, 1.12)
    out = normal((after_s - way_s / 2) / np.hypot(1.12 * shape.jitter_s, shape.place_s))
    return out * normal((over_s - after_s) / np.hypot(jitters * shape.jitter_s, shape.place_s))


def _swung(shape: GateShape, trial: Trial, after_s: Array, travel_s: Array) -> dict[int, Array]:
    came, whole = shape.shares[trial.came], shape.whole(trial.came, trial.went)
    way = shape.way(trial.came, trial.went)
    left = np.ones(np.broadcast(after_s, travel_s).shape)
    found: dict[int, Array] = {}
    for here, there in itertools.pairwise(way):
        share = abs((shape.shares[here] + shape.shares[there]) / 2 - came) / whole
        spread_s = np.hypot(shape.jitter_s * np.hypot(1, share), shape.place_s)
        passed = np.minimum(normal((after_s - share * travel_s) / spread_s), left)
        found[here] = left - passed
        left = passed
    found[way[-1]] = left
    return found


def chance(shape: GateShape, trial: Trial, met: int, first: Array, travel_s: Array) -> Array:
    """(N,) how likely it is that the part met that position, lapses included."""
    found = chances(shape, trial, first, travel_s).get(met)
    lapse = LAPSE / len(shape.shares)
    return np.full(first.shape, lapse) if found is None else (1 - LAPSE) * found + lapse


def count_chance(found: Array, count: int) -> Array:
    """(N,) how likely a count is, when each part is in the bin with a chance of its own.

    The distribution is the Poisson binomial, by convolution; people miscount by one now and then.

    Args:
        found: (parts, N) each part's chance.
        count: the parts that were counted.
    """
    parts, size = found.shape
    kept = np.zeros((parts + 2, size))
    kept[0] = 1.0
    for number, one in enumerate(found, start=1):
        kept[1 : number + 1] = kept[1 : number + 1] * (1 - one) + kept[:number] * one
        kept[0] *= 1 - one

    def of(wanted: int) -> Array:
        return kept[wanted] if 0 <= wanted <= parts else np.zeros(size)

    return 0.96 * of(count) + 0.02 * (of(count - 1) + of(count + 1)) + 1e-9


def normal(z: Array) -> Array:
    """The normal distribution function to 3e-4 (Page 1977), without a library for it."""
    return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
