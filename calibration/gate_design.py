"""Which trials a gate's next batch has: the sweep whose count is expected to tell the most of what is still open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from calibration.gate_belief import Belief, GateUnderTrial
from calibration.gate_model import BACK_JITTERS, PLACE_MM, Array, GateShape, Trial, chance

LIMIT_MM, LIMIT_LATENCY_S, LIMIT_TRAVEL_S = 2.0, 0.005, 0.010
ENOUGH_MM, ENOUGH_LATENCY_S, ENOUGH_TRAVEL_S = 0.6, 0.0016, 0.0035
"""Standard deviations that will do."""
BOTH = 2
"""Batches in which each position has a sweep. Later ones have one sweep: what it told is known to the next."""
NEARLY = 1.2
"""No batch is done for gates alone whose spreads are within so many times what will do."""
QUICK_S = 0.012
"""A travel that cannot be longer needs no trials."""
FIRST, COUNTS = 12, (14, 20, 30, 40, 60)
"""Trials for a gate's place in its first batch, and of any other sweep."""
MOST_TRIALS = 2 * COUNTS[-1]
"""Of a gate in one batch."""
SWEEP_S, TRIAL_S, TAKEN_S = 6.0, 0.03, 0.3
"""What a sweep costs: its share of a batch with the walk to its bin, each trial, and each part that is gone after it:
it is to be counted, and can be tried at no later gate."""
AIM = 0.9
"""A sweep is chosen for so much less than the spreads that will do: it may tell less than is expected of it."""
MISCOUNT = 0.1
"""Variance of a count by those who count."""
POINTS = 10
"""Of a sweep, at which what it is expected to tell is worked out."""
CLEAR_MM = 8.0
"""In the first batch, some parts stand so far before anything where the gate can be: they tell whether it moves."""
SHIFTS, WIDTHS = (-1.2, -0.4, 0.4, 1.2), (1.5, 2.5, 4.0, 6.0)
"""Middles and lengths of sweeps, in standard deviations of what they sweep over."""
BACK = (0.7, 0.85, 0.95)
"""When a swing may be called back, in shares of the travel as it is taken to be: at half of it nothing is diverted."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Trials that differ in where the part is: `count` of them, evenly from `low` to `high`. `met` is the position
    whose bins are expected to tell of it."""

    trial: Trial
    met: int
    low: float
    high: float
    count: int

    def trials(self) -> list[Trial]:
        step = (self.high - self.low) / self.count
        return [replace(self.trial, at=self.low + (number + 0.5) * step) for number in range(self.count)]


def is_slow(under: GateUnderTrial) -> bool:
    """Whether its travel is to be measured: it may be long enough to matter, and counts tell it."""
    return under.shape.tells_travel and under.ranges.travel_s[1] > QUICK_S


def is_known(under: GateUnderTrial, times: float = 1.0) -> bool:
    """Whether enough was tried: each spread is within so many times what will do."""
    travel = under.travel_std_s <= times * ENOUGH_TRAVEL_S or not is_slow(under)
    latency = under.latency_std_s <= times * ENOUGH_LATENCY_S
    return under.off_std_mm <= times * ENOUGH_MM and latency and travel


def is_worth_a_batch(unders: Iterable[GateUnderTrial]) -> bool:
    """Whether any of these gates, which are not known, is far from it."""
    return any(
        len(under.batches) < BOTH or not is_known(under, NEARLY) or not under.is_told_apart() for under in unders
    )


def next_batch(under: GateUnderTrial) -> list[Sweep]:
    """What is to be tried next: one sweep for each position in the first batches, later one for the positions in turn;
    nothing once the gate is known, and it is known that its positions are not swapped."""
    number = len(under.batches)
    if is_known(under) and (number < BOTH or under.is_told_apart()):
        return []
    first = [] if under.batches or not under.stands else [_first(under)]
    wanted: list[Sweep] = list(first)
    place, timing = under.place.thinned(), under.timing.thinned()
    if first and under.gate.kind == "chute":  # it is told where to stand by both sweeps of a batch
        return first
    in_turn = under.working[number % len(under.working)]
    for went in under.working[len(first) :] if number < BOTH else (in_turn,):
        before = wanted[0] if wanted and under.gate.kind == "chute" else None
        best = _best(under, _sweeps(under, went, place, timing, before), place, timing)
        wanted.append(best)
        # The next position's sweep adds to what this one will have told.
        if best.trial.kind == "stand":
            place = _as_expected(under.shape, best, place)
        else:
            timing = _as_expected(under.shape, best, timing)
    return wanted


def _first(under: GateUnderTrial) -> Sweep:
    went = under.working[0]
    if not under.stands:
        timing = under.timing.thinned()
        return _best(under, _sweeps(under, went, under.place, timing, None), under.place, timing)
    low, high = under.ranges.off_mm
    if under.shape.is_pusher:
        high = (low + high) / 2
    else:
        low -= CLEAR_MM
    return Sweep(Trial(under.gate.name, "stand", 0.0, under.rest, went), went, low, high, FIRST)


def _sweeps(under: GateUnderTrial, went: int, place: Belief, timing: Belief, before: Sweep | None) -> Iterator[Sweep]:
    """What may be tried at a position. After another sweep of the same chute's: of the same kind, and meant for other
    bins."""
    shape, name = under.shape, under.gate.name
    stand_too = before is None or before.trial.kind == "stand"
    if under.stands and stand_too and under.batches:
        stand = Trial(name, "stand", 0.0, under.rest, went)
        for edge_mm in (-shape.reach_mm, shape.reach_mm) if shape.is_pusher else (0.0,):
            std_mm = float(np.hypot(place.std(place.first), PLACE_MM))
            yield from _around(stand, went, place.mean(place.first) + edge_mm, std_mm)
    if before is not None and before.trial.kind == "stand":
        return
    came = shape.ends[0] if went == shape.ends[1] else shape.ends[1]
    swing = Trial(name, "swing", 0.0, came if shape.kind == "chute" else under.rest, went)
    backs_s = [share * timing.mean(timing.travel_s) for share in BACK] if shape.kind == "gate" else []
    for trial in (swing, *(replace(swing, back_s=back_s) for back_s in backs_s)):
        for met, moments_s, jitters in _edges(shape, trial, timing):
            if before is None or met != before.met:
                spread_s = np.hypot(jitters * shape.jitter_s, shape.place_s)
                std_s = float(np.hypot(timing.std(moments_s), spread_s))
                latest_s = timing.mean(timing.first) if shape.is_pusher else np.inf
                yield from _around(trial, met, timing.mean(moments_s), std_s, latest_s)


def _edges(shape: GateShape, trial: Trial, timing: Belief) -> Iterator[tuple[int, Array, float]]:
    """Moments at which a swing's outcome turns, for each set of values: the position whose count they change, the
    moments, and by how many jitters they scatter."""
    lead_s, travel_s, went = timing.first, timing.travel_s, trial.went
    if shape.is_pusher:
        yield went, lead_s - shape.reach_mm / shape.mm_per_s, 1.0
    elif shape.kind == "chute":
        places = [abs(shape.shares[index] - shape.shares[trial.came]) for index in shape.way(trial.came, went)]
        yield trial.came, lead_s + travel_s * (places[0] + places[1]) / 2, 1.0
        yield went, lead_s + travel_s * (places[-1] + places[-2]) / 2, 1.4
    elif trial.back_s is None:
        yield went, lead_s + travel_s / 2, 1.1
    else:
        yield went, lead_s + 2 * trial.back_s - travel_s / 2, BACK_JITTERS


def _around(trial: Trial, met: int, middle: float, std: float, most: float = np.inf) -> Iterator[Sweep]:
    """Sweeps over what a middle may be, none of them beyond a most."""
    for shift in SHIFTS:
        for width in WIDTHS:
            low, high = (min(middle + (shift + side * width / 2) * std, most) for side in (-1, 1))
            if low < high:
                yield Sweep(trial, met, low, high, 1)


def _counted(shape: GateShape, sweep: Sweep, belief: Belief) -> tuple[Array, Array]:
    """(N,) mean and variance of the count in the bins that the sweep is meant for, over its number of trials."""
    step = (sweep.high - sweep.low) / POINTS
    at = sweep.low + (np.arange(POINTS) + 0.5)[:, None] * step
    found = chance(shape, replace(sweep.trial, at=at), sweep.met, belief.first[None], belief.travel_s[None])
    return found.mean(axis=0), (found * (1 - found)).mean(axis=0)


def _best(under: GateUnderTrial, sweeps: Iterable[Sweep], place: Belief, timing: Belief) -> Sweep:
    """The sweep, with the number of trials, that is expected to tell the most of what is missing for what it costs."""
    before = _Spread.of(under, place, timing)
    missing = before.missing(under)
    best, most = None, -np.inf
    for sweep in sweeps:
        stand = sweep.trial.kind == "stand"
        belief = place if stand else timing
        means, variances = _counted(under.shape, sweep, belief)
        mean = belief.mean(means)
        off = means - mean
        spread, chance_ = belief.mean(off**2), belief.mean(variances)
        first, travel = (belief.mean(off * values) for values in (belief.first, belief.travel_s))
        taken = mean if sweep.met == sweep.trial.went else 1 - mean
        for count in COUNTS:
            # A linear estimate from the count.
            total = spread + (chance_ + MISCOUNT / count) / count
            after = before.less(stand, first, travel, total)
            worth = (missing - after.missing(under)) / (SWEEP_S + count * (TRIAL_S + TAKEN_S * taken))
            if worth > most:
                best, most = replace(sweep, count=count), worth
    assert best is not None
    return best


@dataclass(frozen=True, slots=True)
class _Spread:
    """Variances of a gate's place, lead and travel, and the covariance of these two."""

    place_mm2: float
    lead_s2: float
    travel_s2: float
    both_s2: float

    @staticmethod
    def of(under: GateUnderTrial, place: Belief, timing: Belief) -> _Spread:
        place_mm2 = place.std(place.first) ** 2 if under.stands else 0.0
        lead_s, travel_s = (values - timing.mean(values) for values in (timing.first, timing.travel_s))
        return _Spread(place_mm2, timing.mean(lead_s**2), timing.mean(travel_s**2), timing.mean(lead_s * travel_s))

    def less(self, stand: bool, first: float, travel: float, total: float) -> _Spread:
        """After a count of a variance, and with covariances with the place or lead and with the travel."""
        if stand:
            return replace(self, place_mm2=self.place_mm2 - first**2 / total)
        return _Spread(
            self.place_mm2,
            self.lead_s2 - first**2 / total,
            self.travel_s2 - travel**2 / total,
            self.both_s2 - first * travel / total,
        )

    def missing(self, under: GateUnderTrial) -> float:
        """By how much they are more than will do, as logarithms."""
        ratios = [(self.lead_s2 + self.place_mm2 / under.mm_per_s**2) / ENOUGH_LATENCY_S**2]
        ratios.append(self.place_mm2 / ENOUGH_MM**2)
        if is_slow(under):
            ratios.append(self.travel_s2 / ENOUGH_TRAVEL_S**2)
            # What tells the two together only is worth something as well, while neither is known.
            left_s4 = self.lead_s2 * self.travel_s2 - self.both_s2**2
            ratios.append(left_s4 / (ENOUGH_LATENCY_S * ENOUGH_TRAVEL_S) ** 2)
        return sum(math.log(max(ratio / AIM**2, 1.0)) for ratio in ratios)


def _as_expected(shape: GateShape, sweep: Sweep, belief: Belief) -> Belief:
    """What will be believed if the count is what is expected."""
    means, variances = (sweep.count * values for values in _counted(shape, sweep, belief))
    return belief.times(np.exp(-((means - belief.mean(means)) ** 2) / (2 * (variances + MISCOUNT))) + 1e-6)
