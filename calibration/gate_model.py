"""What a gate's place and times have to do with where a part goes, and what trials say of them.

A trial gives one answer: in which position did the gate meet the part? Its kinds tell the unknowns apart.

- *stand*: the belt stands, the part's middle at a station `place_mm`, while the gate moves. Then the belt goes on. Time
  plays no part: whether the part is diverted tells on which side of `x_mm` it stood, and nothing else.
- *swing*: the belt runs. The part's middle is at `place_mm` when the gate is told to move; it comes to the gate
  τ = (x_mm − place_mm) / speed later. A whole swing passes the middle between two positions at latency + f · travel: on
  which side of that τ was is one number for two unknowns, and `x_mm` shifts it as latency does. Hence the belt that
  stands, and swings that are called back:
- a swing *called back* `back_s` after the command, before it is over, turns round at back_s + latency. It diverts
  between latency + ½ travel and latency + 2 back_s − ½ travel. The middle of these two moments has the latency alone,
  their distance the travel alone, and the latency comes out of it twice as sharp as from whole swings.

A pusher meets a part during its stroke as long as the part's middle is in front of its face: its two moments are
latency − ½ face / speed and latency + travel + ½ face / speed, and its swings are whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.config.gates import GateBase

Array = NDArray[np.float64]

SIGMAS = 3.0
"""`repeatability_s` is the worst of a hundred: so many standard deviations."""
PLACE_MM = 0.35
"""Standard deviation of where a part's middle is taken to be."""
LAPSE = 0.02
"""Share of answers that are wrong: a part that tumbled, a person who looked away."""
LEAST_P = 1e-9


@dataclass(frozen=True, slots=True)
class Trial:
    """One part past one gate.

    Attributes:
        gate: its name.
        kind: as the module explains.
        place_mm: station of the part's middle: where it stood, or was when the gate was told to move.
        came: index of the position that the gate left.
        went: index of the position that it was told to go to.
        met: index of the position that the part met.
        mm_per_s: the belt's speed between the command and the gate; 0 for a belt that stands.
        back_s: of a gate that was called back: how long after the command; None: it was not.
    """

    gate: str
    kind: Literal["stand", "swing"]
    place_mm: float
    came: int
    went: int
    met: int
    mm_per_s: float = 0.0
    back_s: float | None = None


@dataclass(frozen=True, slots=True)
class GateShape:
    """What of a gate is known beforehand.

    Attributes:
        kind: gate, pusher, jet or chute.
        shares: (positions,) where along its whole travel each position is, 0 … 1.
        reach_mm: of a pusher's face, on either side.
        jitter_s: standard deviation of the start of a movement, and of its length.
    """

    kind: str
    shares: tuple[float, ...]
    reach_mm: float
    jitter_s: float

    @staticmethod
    def of(gate: GateBase) -> GateShape:
        count = len(gate.positions)
        places = [gate.angle_deg[position] for position in gate.positions] if gate.angle_deg else list(range(count))
        least, most = min(places), max(places)
        shares = tuple((place - least) / (most - least) for place in places)
        return GateShape(gate.kind, shares, gate.reach_mm, gate.repeatability_s / SIGMAS)

    def whole(self, came: int, went: int) -> float:
        """The share of the way that takes `travel_s`: all of a chute's, otherwise whatever the movement is."""
        return 1.0 if self.kind == "chute" else abs(self.shares[went] - self.shares[came])

    @property
    def ends(self) -> tuple[int, int]:
        """The positions at the ends of its travel."""
        return int(np.argmin(self.shares)), int(np.argmax(self.shares))


def likelihood(shape: GateShape, trial: Trial, x_mm: Array, latency_s: Array, travel_s: Array) -> Array:
    """How likely the trial's answer is, for each set of values; arrays of one shape, which it returns.

    An answer that is no position on the way has the likelihood of a lapse.
    """
    chances = _chances(shape, trial, x_mm, latency_s, travel_s)
    right = chances.get(trial.met, np.zeros(np.broadcast(x_mm, latency_s, travel_s).shape))
    return (1 - LAPSE) * right + LAPSE / len(shape.shares)


def chances(shape: GateShape, trial: Trial, x_mm: Array, latency_s: Array, travel_s: Array) -> Array:
    """(answers, …) how likely each answer to a trial is, lapses included; `trial.met` plays no part."""
    found = _chances(shape, trial, x_mm, latency_s, travel_s)
    return np.stack([(1 - LAPSE) * chance + LAPSE / len(found) for chance in found.values()])


def _chances(shape: GateShape, trial: Trial, x_mm: Array, latency_s: Array, travel_s: Array) -> dict[int, Array]:
    """How likely each position is that the part can meet."""
    if trial.kind == "stand":
        before = _normal((x_mm + shape.reach_mm * (shape.kind == "pusher") - trial.place_mm) / PLACE_MM)
        if shape.kind == "pusher":
            before = before * _normal((trial.place_mm - x_mm + shape.reach_mm) / PLACE_MM)
        return {trial.went: before, trial.came: 1 - before}
    tau_s = (x_mm - trial.place_mm) / trial.mm_per_s
    place_s = PLACE_MM / trial.mm_per_s
    if shape.kind == "pusher":
        return _struck(shape, trial, tau_s, place_s, latency_s, travel_s)
    if trial.back_s is not None:
        return _called_back(shape, trial, tau_s, place_s, latency_s, travel_s)
    return _swung(shape, trial, tau_s, place_s, latency_s, travel_s)


def _swung(
    shape: GateShape, trial: Trial, tau_s: Array, place_s: float, latency_s: Array, travel_s: Array
) -> dict[int, Array]:
    way, came = _way(shape, trial.came, trial.went), shape.shares[trial.came]
    whole = shape.whole(trial.came, trial.went)
    left = np.ones(np.broadcast(tau_s, latency_s, travel_s).shape)
    found: dict[int, Array] = {}
    for here, there in itertools.pairwise(way):
        share = abs((shape.shares[here] + shape.shares[there]) / 2 - came) / whole
        spread_s = np.hypot(shape.jitter_s * np.hypot(1, share), place_s)
        passed = _normal((tau_s - latency_s - share * travel_s) / spread_s)
        found[here] = np.maximum(left - passed, 0.0)
        left = np.minimum(passed, left)
    found[way[-1]] = left
    return found


def _called_back(
    shape: GateShape, trial: Trial, tau_s: Array, place_s: float, latency_s: Array, travel_s: Array
) -> dict[int, Array]:
    assert trial.back_s is not None
    way_s = abs(shape.shares[trial.went] - shape.shares[trial.came]) / shape.whole(trial.came, trial.went) * travel_s
    # A whole stroke stands out until it is called back; one that is cut short is back past the middle the sooner.
    over_s = latency_s + np.where(trial.back_s < way_s, 2 * trial.back_s - way_s / 2, trial.back_s + way_s / 2)
    spread_s = np.hypot(1.2 * shape.jitter_s, place_s)
    out = _normal((tau_s - latency_s - way_s / 2) / spread_s) * _normal((over_s - tau_s) / (1.4 * spread_s))
    return {trial.went: out, trial.came: 1 - out}


def _struck(
    shape: GateShape, trial: Trial, tau_s: Array, place_s: float, latency_s: Array, travel_s: Array
) -> dict[int, Array]:
    face_s = shape.reach_mm / trial.mm_per_s
    spread_s = np.hypot(shape.jitter_s, place_s)
    late = _normal((tau_s - latency_s + face_s) / spread_s)
    early = _normal((latency_s + travel_s + face_s - tau_s) / (1.2 * spread_s))
    return {trial.went: late * early, trial.came: 1 - late * early}


def _way(shape: GateShape, came: int, went: int) -> list[int]:
    """Positions in the order in which the gate passes them."""
    order = sorted(range(len(shape.shares)), key=lambda index: shape.shares[index])
    first, last = order.index(came), order.index(went)
    return order[first : last + 1] if first <= last else order[last : first + 1][::-1]


def _normal(z: Array) -> Array:
    """The normal distribution function to 3e-4 (Page 1977), without a library for it."""
    return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


@dataclass(frozen=True, slots=True)
class Belief:
    """How likely each set of values is, after some trials.

    Attributes:
        x_mm, latency_s, travel_s: (N,) values.
        weight: (N,) their probabilities, which sum to 1.
    """

    x_mm: Array
    latency_s: Array
    travel_s: Array
    weight: Array

    def thinned(self, count: int = 400) -> Belief:
        """The same in few values, for a quick choice: those that hold all but a trace of the weight, evenly taken."""
        order = np.argsort(self.weight)[::-1]
        kept = order[: int(np.searchsorted(np.cumsum(self.weight[order]), 0.999)) + 1]
        kept = np.sort(kept)[:: max(len(kept) // count, 1)]
        weight = self.weight[kept] / self.weight[kept].sum()
        return Belief(self.x_mm[kept], self.latency_s[kept], self.travel_s[kept], weight)

    def mean(self, values: Array) -> float:
        return float(values @ self.weight)

    def std(self, values: Array) -> float:
        return float(np.sqrt(max((values**2) @ self.weight - self.mean(values) ** 2, 0.0)))

    def after(self, shape: GateShape, trials: Iterable[Trial]) -> Belief:
        """What is believed once these trials' answers are known."""
        log = np.log(self.weight + 1e-300)
        for trial in trials:
            log = log + np.log(likelihood(shape, trial, self.x_mm, self.latency_s, self.travel_s) + LEAST_P)
        weight = np.exp(log - log.max())
        return Belief(self.x_mm, self.latency_s, self.travel_s, weight / weight.sum())

    def telling(self, shape: GateShape, trial: Trial) -> float:
        """How much the answer to a trial is expected to tell, in nats (Lindley 1956)."""
        found = chances(shape, trial, self.x_mm, self.latency_s, self.travel_s)
        overall = found @ self.weight
        return float(_entropy(overall) - (_entropy(found) @ self.weight))


def _entropy(chance: Array) -> Array:
    return -(chance * np.log(chance + LEAST_P)).sum(axis=0)


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is held possible before anything was tried, each least and most."""

    x_mm: tuple[float, float]
    latency_s: tuple[float, float]
    travel_s: tuple[float, float]

    @staticmethod
    def around(gate: GateBase) -> Ranges:
        """What a careful builder's YAML may be off by."""
        return Ranges(
            (gate.x_mm - 15.0, gate.x_mm + 15.0),
            (max(gate.latency_s - 0.03, 0.0), gate.latency_s + 0.08),
            (max(0.4 * gate.travel_s, 0.001), 1.8 * gate.travel_s + 0.002),
        )


def places(ranges: Ranges, count: int = 301) -> Belief:
    """Every place is as likely as another; times play no part."""
    x_mm = np.linspace(*ranges.x_mm, count)
    nothing = np.zeros(count)
    return Belief(x_mm, nothing, nothing, np.full(count, 1 / count))


def times(ranges: Ranges, x_mm: float, counts: tuple[int, int] = (111, 81)) -> Belief:
    """Every pair of times is as likely as another, for a gate whose place is known."""
    latency_s, travel_s = np.meshgrid(
        np.linspace(*ranges.latency_s, counts[0]), np.linspace(*ranges.travel_s, counts[1])
    )
    size = latency_s.size
    return Belief(np.full(size, x_mm), latency_s.ravel(), travel_s.ravel(), np.full(size, 1 / size))


def spread(belief: Belief, ranges: Ranges, count: int = 121) -> Belief:
    """What is believed of latency, with every travel as likely as another: for another movement of the same gate."""
    latencies_s, where = np.unique(belief.latency_s, return_inverse=True)
    share = np.bincount(where, belief.weight)
    kept = share > 1e-4 * share.max()
    latency_s, travel_s = np.meshgrid(latencies_s[kept], np.linspace(*ranges.travel_s, count))
    weight = np.broadcast_to(share[kept], latency_s.shape).ravel()
    x_mm = np.full(weight.size, belief.x_mm[0])
    return Belief(x_mm, latency_s.ravel(), travel_s.ravel(), weight / weight.sum())


def best(belief: Belief, shape: GateShape, wanted: Sequence[Trial]) -> Trial:
    """The trial whose answer is expected to tell the most."""
    return max(wanted, key=lambda trial: belief.telling(shape, trial))
