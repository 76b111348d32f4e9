"""Which trial of a gate to do next, and when enough of them were done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from calibration.gate_model import Belief, GateShape, Ranges, Trial, best, places, spread, times
from edge.config.gates import GateBase

ENOUGH_PLACE_S = 0.0013
"""A place is known well enough when the belt's time for its standard deviation is so short: it counts as latency."""
ENOUGH_LATENCY_S, ENOUGH_TRAVEL_S = 0.0016, 0.0042
"""Standard deviations that will do: the worst of a hundred gates is then within 5 and 10 ms."""
MOST_STANDS, MOST_SWINGS, MOST_WIDE = 24, 60, 24
CLEAR_MM = 6.0
"""A part that stands so far from where the gate can be is surely on that side of it."""
PUSHER_MM = 2.0
BACK = (0.6, 0.75, 0.9)
"""When a swing may be called back, in shares of the travel as it is taken to be: at half of it nothing is diverted."""
QUICK_S = 0.012
"""A travel that cannot be longer needs no trials."""


@dataclass(slots=True)
class GateUnderTrial:
    """One gate: the trials so far, and what they leave open."""

    gate: GateBase
    trials: list[Trial] = field(default_factory=list)

    @property
    def shape(self) -> GateShape:
        return GateShape.of(self.gate)

    @property
    def ranges(self) -> Ranges:
        return Ranges.around(self.gate)

    @property
    def rest(self) -> int:
        return self.gate.positions.index(self.gate.rest)

    @property
    def working(self) -> tuple[int, ...]:
        return tuple(index for index in range(len(self.gate.positions)) if index != self.rest)

    @property
    def has_wide(self) -> bool:
        """Whether it also moves from one working position past its rest to another."""
        return self.gate.kind == "gate" and len(self.gate.positions) > 2

    @property
    def clear_mm(self) -> float:
        """A station that is surely before the gate."""
        return self.ranges.x_mm[0] - CLEAR_MM

    def clear(self) -> list[Trial]:
        """Those on the standing belt whose answer is beforehand known of any gate that moves."""
        if self.gate.kind == "pusher":
            return [trial for trial in self.stands() if abs(trial.place_mm - self.gate.x_mm) < PUSHER_MM]
        return [trial for trial in self.stands() if trial.place_mm < self.ranges.x_mm[0] - CLEAR_MM / 3]

    def stands(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.kind == "stand"]

    def swings(self) -> list[Trial]:
        """From rest, or over all positions of a chute."""
        return [trial for trial in self.trials if trial.kind == "swing" and trial not in self.wides()]

    def wides(self) -> list[Trial]:
        """From one working position to another."""
        wide = [trial for trial in self.trials if trial.kind == "swing" and self.rest not in (trial.came, trial.went)]
        return wide if self.has_wide else []

    def place(self) -> Belief:
        return places(self.ranges).after(self.shape, self.stands())

    def timing(self, x_mm: float) -> Belief:
        return times(self.ranges, x_mm).after(self.shape, self.swings())

    def wide_timing(self, timing: Belief) -> Belief:
        """Its travel is that of the wide movement."""
        return spread(timing, self.ranges).after(self.shape, self.wides())


def next_stand(under: GateUnderTrial, mm_per_s: float) -> Trial | None:
    """The next trial on a standing belt; None: the place is known well enough.

    The first go to every working position with the part well before the gate: whatever then goes elsewhere tells of a
    gate that does not move, or of positions that are swapped. A pusher's are in front of its face.
    """
    done, shape, name = under.stands(), under.shape, under.gate.name
    clear_mm = under.gate.x_mm if shape.kind == "pusher" else under.clear_mm
    for went in under.working:
        if not any(trial.went == trial.met == went for trial in under.clear()):
            return Trial(name, "stand", clear_mm, under.rest, went, went)
    belief = under.place()
    if belief.std(belief.x_mm) <= ENOUGH_PLACE_S * mm_per_s or len(done) >= MOST_STANDS:
        return None
    went = under.working[len(done) % len(under.working)]
    low_mm, high_mm = under.ranges.x_mm
    reach_mm = under.shape.reach_mm if shape.kind == "pusher" else 0.0
    candidates = [
        Trial(name, "stand", float(place_mm), under.rest, went, went)
        for place_mm in np.linspace(low_mm - reach_mm, high_mm + reach_mm, 121)
    ]
    return best(belief.thinned(), shape, candidates)


def next_swing(under: GateUnderTrial, x_mm: float, mm_per_s: float) -> Trial | None:
    """The next trial on the running belt; None: latency and travel are known well enough."""
    belief = under.timing(x_mm)
    if not (_is_known(under, belief) or len(under.swings()) >= MOST_SWINGS):
        return best(belief.thinned(), under.shape, _swings(under, belief, x_mm, mm_per_s))
    if not under.has_wide:
        return None
    wide = under.wide_timing(belief)
    if wide.std(wide.travel_s) <= ENOUGH_TRAVEL_S or len(under.wides()) >= MOST_WIDE:
        return None
    return best(wide.thinned(), under.shape, _wide_swings(under, wide, x_mm, mm_per_s))


def _is_known(under: GateUnderTrial, belief: Belief) -> bool:
    travel = belief.std(belief.travel_s) <= ENOUGH_TRAVEL_S or under.ranges.travel_s[1] <= QUICK_S
    return belief.std(belief.latency_s) <= ENOUGH_LATENCY_S and travel


def _swings(under: GateUnderTrial, belief: Belief, x_mm: float, mm_per_s: float) -> Sequence[Trial]:
    shape = under.shape
    if shape.kind == "chute":
        came, went = shape.ends if len(under.swings()) % 2 else shape.ends[::-1]
    else:
        came, went = under.rest, under.working[len(under.swings()) % len(under.working)]
    backs_s: list[float | None] = [None]
    if shape.kind == "gate":
        backs_s += [share * belief.mean(belief.travel_s) for share in BACK]
    return [
        Trial(under.gate.name, "swing", place_mm, came, went, went, mm_per_s, back_s)
        for back_s in backs_s
        for place_mm in _places(shape, belief, x_mm, mm_per_s)
    ]


def _wide_swings(under: GateUnderTrial, belief: Belief, x_mm: float, mm_per_s: float) -> Sequence[Trial]:
    came, went = under.shape.ends if len(under.wides()) % 2 else under.shape.ends[::-1]
    return [
        Trial(under.gate.name, "swing", place_mm, came, went, went, mm_per_s)
        for place_mm in _places(under.shape, belief, x_mm, mm_per_s)
    ]


def _places(shape: GateShape, belief: Belief, x_mm: float, mm_per_s: float, count: int = 31) -> list[float]:
    """Where the part may be at the command, so that it comes to the gate at any moment of the swing."""
    latency_s, travel_s = belief.mean(belief.latency_s), belief.mean(belief.travel_s)
    wide_s = 2 * belief.std(belief.latency_s) + belief.std(belief.travel_s)
    face_s = shape.reach_mm / mm_per_s if shape.kind == "pusher" else 0.0
    taus_s = np.linspace(latency_s - face_s - wide_s, latency_s + travel_s + face_s + wide_s, count)
    return [float(x_mm - tau_s * mm_per_s) for tau_s in taus_s]
