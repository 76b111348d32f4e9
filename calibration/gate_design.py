"""Which trials a gate's next batch has: the sweep whose count is expected to tell the most of what is still open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from calibration.gate_belief import Belief, GateUnderTrial
from calibration.gate_model import BACK_JITTERS, PLACE_MM, Array, GateShape, Trial, chance

LIMIT_MM, LIMIT_LATENCY_S, LIMIT_TRAVEL_S = 2.0, 0.005, 0.010
ENOUGH_MM, ENOUGH_LATENCY_S, ENOUGH_TRAVEL_S = 0.6, 0.0016, 0.0035
"""Standard deviations that will do."""
QUICK_S = 0.012
"""A travel that cannot be longer needs no trials."""
FIRST, MOST = 20, (40, 60)
"""Trials for each of a gate's positions in its first batch, and in a later one."""
MOST_TRIALS = 2 * MOST[-1]
"""Of a gate in one batch."""
EACH, TAKEN = 0.15, 1.0
"""What a trial costs, and what a part costs that is gone after it: it can be tried at no later gate."""
ROUGH_S, ROUGHLY, FINELY = 0.004, 0.3, 0.9
"""While a latency is known to no better than this, what a sweep tells counts for more than what it costs: the powers to
which the cost is raised."""
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


def is_known(under: GateUnderTrial) -> bool:
    """Whether enough was tried."""
    travel = under.travel_std_s <= ENOUGH_TRAVEL_S or not is_slow(under)
    return under.off_std_mm <= ENOUGH_MM and under.latency_std_s <= ENOUGH_LATENCY_S and travel


def next_batch(under: GateUnderTrial) -> list[Sweep]:
    """What is to be tried next, one sweep for a position; nothing once the gate is known.

    As long as two positions may be swapped for all that is known, one is tried alone.
    """
    told_apart = len(under.batches) < 2 or under.is_told_apart()
    if is_known(under) and told_apart:
        return []
    first = [] if under.batches or not under.stands else [_first(under)]
    wanted: list[Sweep] = list(first)
    place, timing = under.place.thinned(), under.timing.thinned()
    rough = under.latency_std_s > ROUGH_S
    power, counts = (ROUGHLY, MOST[:1]) if rough else (FINELY, MOST)
    if first and under.gate.kind == "chute":  # it is told where to stand by both sweeps of a batch
        return first
    for went in under.working[len(first) :]:
        before = wanted[0] if wanted and under.gate.kind == "chute" else None
        best = max(
            (sweep for sweep in _sweeps(under, went, place, timing, before) if sweep.count in counts),
            key=lambda sweep: _worth(under.shape, sweep, place, timing, power),
        )
        if not under.batches:
            best = replace(best, count=FIRST)
        wanted.append(best)
        # The next position's sweep adds to what this one will have told.
        if best.trial.kind == "stand":
            place = _as_expected(under.shape, best, place)
        else:
            timing = _as_expected(under.shape, best, timing)
    return wanted if told_apart else wanted[:1]


def _first(under: GateUnderTrial) -> Sweep:
    went = under.working[0]
    if not under.stands:
        timing = under.timing.thinned()
        sweeps = _sweeps(under, went, under.place, timing, None)
        return max(sweeps, key=lambda sweep: _worth(under.shape, sweep, under.place, timing, ROUGHLY))
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
            for count in MOST if low < high else ():
                yield Sweep(trial, met, low, high, count)


def _counted(shape: GateShape, sweep: Sweep, belief: Belief) -> tuple[Array, Array]:
    """(N,) mean and variance of the count in the bins that the sweep is meant for."""
    step = (sweep.high - sweep.low) / POINTS
    at = sweep.low + (np.arange(POINTS) + 0.5)[:, None] * step
    found = chance(shape, replace(sweep.trial, at=at), sweep.met, belief.first[None], belief.travel_s[None])
    return sweep.count * found.mean(axis=0), sweep.count * (found * (1 - found)).mean(axis=0) + 0.1


def _worth(shape: GateShape, sweep: Sweep, place: Belief, timing: Belief, power: float) -> float:
    """What a sweep is expected to tell for what it costs: by how much the variances fall, in those that may remain. A
    linear estimate from the count."""
    belief = place if sweep.trial.kind == "stand" else timing
    means, variances = _counted(shape, sweep, belief)
    mean = belief.mean(means)
    off = means - mean
    total = belief.mean(off**2) + belief.mean(variances)
    lead_weight = ENOUGH_LATENCY_S**-2
    if sweep.trial.kind == "stand":
        weights = [(belief.first, ENOUGH_MM**-2 + lead_weight / shape.mm_per_s**2)]
    else:
        weights = [(belief.first, lead_weight), (belief.travel_s, ENOUGH_TRAVEL_S**-2)]
    told = sum(weight * belief.mean(off * (values - belief.mean(values))) ** 2 / total for values, weight in weights)
    taken = mean if sweep.met == sweep.trial.went else sweep.count - mean
    return told / (EACH * sweep.count + TAKEN * taken) ** power


def _as_expected(shape: GateShape, sweep: Sweep, belief: Belief) -> Belief:
    """What will be believed if the count is what is expected."""
    means, variances = _counted(shape, sweep, belief)
    return belief.times(np.exp(-((means - belief.mean(means)) ** 2) / (2 * variances)) + 1e-6)
