"""What is held possible of a gate, and how batches of trials with their counts narrow it down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.gate_model import Array, GateShape, Trial, chance, count_chance
from edge.config.gates import GateBase

LEAD_STEP_S, PLACE_STEP_MM = 0.0012, 0.08
TRAVEL_STEPS, TRAVEL_STEP_S = 73, 0.0025
"""At least so many values, and none further apart: a chute's travel may be anything within most of a second."""
TRACE = 1e-7
"""Values whose share of the most likely one's weight is less are left out."""

LIKELY_OFF_MM, LATER_S, LIKELY_LATER_S, LIKELY_TRAVEL = 7.0, 0.015, 0.03, 0.25
"""Standard deviations of what a ruler and a data sheet say: the place, the latency, which is rather later for a servo's
frames of 20 ms, and the travel as a share, for a servo is slower under load and on less than its 6 V."""
NOT_SWAPPED = -7.0
"""Counts that are e to the power of this likelier with two positions swapped tell that they are not."""
STRAYED = 15.0
"""So much, as a logarithm, speaks against parts in a bin that none can have gone to."""
STRANGE = 0.1
"""How likely something else is, anywhere in the ranges."""


def likely(values: Array, middle: float, std: float) -> Array:
    """How likely values are beforehand: near the middle, or else anywhere."""
    return np.exp(-0.5 * ((values - middle) / std) ** 2) + STRANGE


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is held possible before anything was tried, each least and most.

    Attributes:
        off_mm: from the station of machine.yaml to the gate.
    """

    off_mm: tuple[float, float]
    latency_s: tuple[float, float]
    travel_s: tuple[float, float]

    @staticmethod
    def around(gate: GateBase) -> Ranges:
        """What a careful builder's YAML may be off by."""
        return Ranges(
            (-15.0, 15.0),
            (max(gate.latency_s - 0.03, 0.0), gate.latency_s + 0.08),
            (max(0.4 * gate.travel_s, 0.001), 1.8 * gate.travel_s + 0.002),
        )


@dataclass(frozen=True, slots=True)
class Belief:
    """How likely each set of values is.

    Attributes:
        first: (N,) mm from the station, or the lead in s: as the kind of its trials has it.
        travel_s: (N,); 0 where it plays no part.
        weight: (N,) probabilities, which sum to 1.
        evidence: logarithm of how likely what was seen was beforehand.
    """

    first: Array
    travel_s: Array
    weight: Array
    evidence: float = 0.0

    def mean(self, values: Array) -> float:
        return float(values @ self.weight)

    def std(self, values: Array) -> float:
        return float(np.sqrt(max(self.weight @ (values - self.mean(values)) ** 2, 0.0)))

    def times(self, likelihood: Array) -> Belief:
        """The same after something of that likelihood was seen; values that are out of the question are left out."""
        weight = self.weight * likelihood
        kept = weight > TRACE * weight.max()
        evidence = self.evidence + float(np.log(weight.sum()))
        return Belief(self.first[kept], self.travel_s[kept], weight[kept] / weight[kept].sum(), evidence)

    def thinned(self, count: int = 150) -> Belief:
        """About so many values that stand for all, for a quick choice."""
        order = np.argsort(self.first + 1e-3 * self.travel_s)
        ends = np.cumsum(self.weight[order])
        kept = np.unique(order[np.minimum(np.searchsorted(ends, (np.arange(count) + 0.5) / count), len(order) - 1)])
        weight = self.weight[kept] / self.weight[kept].sum()
        return Belief(self.first[kept], self.travel_s[kept], weight)


@dataclass(frozen=True, slots=True)
class Batch:
    """Trials of one gate, and what was counted afterwards, by the index of the position that leads to the bins."""

    trials: tuple[Trial, ...]
    counts: Mapping[int, int]


@dataclass(slots=True)
class GateUnderTrial:
    """One gate: the batches so far, and what they leave open; `off_mm` is from machine.yaml's station to the gate, the
    spreads are standard deviations.

    Attributes:
        stands: whether the belt can be stopped under a part; without, it is where machine.yaml says.
        counted: indices of the positions whose bins tell of it; None: all of them.
        told_apart: whether it is known that its working positions are not swapped.
        reached: of each part's number: how likely it is that it came to this gate at all. A part not in it did.
    """

    gate: GateBase
    mm_per_s: float
    stands: bool = True
    counted: frozenset[int] | None = None
    batches: list[Batch] = field(default_factory=list)
    reached: dict[int, float] = field(default_factory=dict)
    told_apart: bool = False
    place: Belief = field(init=False)
    timing: Belief = field(init=False)
    off_mm: float = field(init=False)
    off_std_mm: float = field(init=False)
    latency_s: float = field(init=False)
    latency_std_s: float = field(init=False)
    travel_s: float = field(init=False)
    travel_std_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.update()

    @property
    def shape(self) -> GateShape:
        return GateShape.of(self.gate, self.mm_per_s)

    @property
    def ranges(self) -> Ranges:
        ranges = Ranges.around(self.gate)
        return ranges if self.stands else Ranges((0.0, 0.0), ranges.latency_s, ranges.travel_s)

    @property
    def evidence(self) -> float:
        """Logarithm of how likely its counts were beforehand."""
        return self.place.evidence + self.timing.evidence

    def swapped_evidence(self) -> float:
        """By how much its counts are likelier, as a logarithm, with its two working positions taken for each other;
        of a gate that has no two, by infinitely much less."""
        if len(self.working) != 2 or self.gate.kind == "chute":
            return -np.inf
        swap = dict(zip(self.working, reversed(self.working), strict=True))
        turned = [
            Batch(batch.trials, {swap[met]: count for met, count in batch.counts.items()}) for batch in self.batches
        ]
        stray = sum(
            count > 1 and not self.relevant(batch, met) for batch in turned for met, count in batch.counts.items()
        )
        return replace(self, batches=turned).evidence - self.evidence - STRAYED * stray

    def is_told_apart(self) -> bool:
        """Whether its counts tell that its working positions are not swapped; once they do, that stands."""
        self.told_apart = self.told_apart or self.swapped_evidence() < NOT_SWAPPED
        return self.told_apart

    @property
    def rest(self) -> int:
        return self.gate.positions.index(self.gate.rest)

    @property
    def working(self) -> tuple[int, ...]:
        """The positions that it is tried at: of a chute, those at the ends."""
        of_chute = self.gate.kind == "chute"
        tried = self.shape.ends if of_chute else [i for i in range(len(self.gate.positions)) if i != self.rest]
        return tuple(index for index in tried if self.counted is None or index in self.counted)

    def update(self) -> None:
        """Works out what is believed from all batches."""
        self.place = place = self._place()
        self.timing = timing = self._timing()
        self.off_mm, self.off_std_mm = place.mean(place.first), place.std(place.first)
        self.latency_s = timing.mean(timing.first) + self.off_mm / self.mm_per_s
        self.latency_std_s = float(np.hypot(timing.std(timing.first), self.off_std_mm / self.mm_per_s))
        self.travel_s, self.travel_std_s = timing.mean(timing.travel_s), timing.std(timing.travel_s)

    def chance(self, trial: Trial, met: int) -> float:
        """How likely it is, as is now believed, that the trial's part met that position of the gate."""
        belief = self.place if trial.kind == "stand" else self.timing
        found = belief.mean(chance(self.shape, trial, met, belief.first, belief.travel_s))
        return self.reached.get(trial.part, 1.0) * found

    def taken(self, trial: Trial) -> float:
        """How likely it is, as is now believed, that the trial's part came to this gate and did not pass."""
        return self.reached.get(trial.part, 1.0) - self.chance(trial, self.rest)

    def expected(self, batch: Batch, met: int) -> tuple[float, float]:
        """Mean and variance of a count, as is now believed."""
        found = np.array([self.chance(trial, met) for trial in self.relevant(batch, met)])
        return float(found.sum()), float((found * (1 - found)).sum())

    def none_at_best(self, trials: Sequence[Trial], met: int) -> float:
        """How likely it is that none of the trials' parts, all of one kind, met that position, for the values under
        which it is likeliest."""
        belief = self.place if trials[0].kind == "stand" else self.timing
        none = np.ones(belief.first.shape)
        for trial in trials:
            found = chance(self.shape, trial, met, belief.first, belief.travel_s)
            none *= 1 - self.reached.get(trial.part, 1.0) * found
        return float(none.max())

    def relevant(self, batch: Batch, met: int) -> list[Trial]:
        """The batch's trials in which a part can meet that position. They are all of one kind."""
        return [trial for trial in batch.trials if met in self.shape.way(trial.came, trial.went)]

    def _place(self) -> Belief:
        low, high = self.ranges.off_mm
        first = np.linspace(low, high, round((high - low) / PLACE_STEP_MM) + 1)
        weight = likely(first, 0.0, LIKELY_OFF_MM)
        belief = Belief(first, np.zeros(len(first)), weight / weight.sum())
        return self._after(belief, "stand")

    def _timing(self) -> Belief:
        """With the place, what is likely of latency and travel says which leads are."""
        ranges, place, speed = self.ranges, self.place, self.mm_per_s
        low_s = ranges.latency_s[0] - place.first.max() / speed
        high_s = ranges.latency_s[1] - place.first.min() / speed
        leads_s = np.linspace(low_s, high_s, round((high_s - low_s) / LEAD_STEP_S) + 1)
        latencies_s = leads_s[:, None] + place.first / speed
        possible = (latencies_s >= ranges.latency_s[0]) & (latencies_s <= ranges.latency_s[1])
        share = (possible * likely(latencies_s, self.gate.latency_s + LATER_S, LIKELY_LATER_S)) @ place.weight
        steps = max(TRAVEL_STEPS, 1 + math.ceil((ranges.travel_s[1] - ranges.travel_s[0]) / TRAVEL_STEP_S))
        travels_s = np.linspace(*ranges.travel_s, steps)
        first, travel_s = (values.ravel() for values in np.meshgrid(leads_s, travels_s, indexing="ij"))
        weight = np.repeat(share, steps) * likely(travel_s, self.gate.travel_s, LIKELY_TRAVEL * self.gate.travel_s)
        kept = weight > 0
        return self._after(Belief(first[kept], travel_s[kept], weight[kept] / weight.sum()), "swing")

    def _after(self, belief: Belief, kind: str) -> Belief:
        """What is believed after the counts of the trials of one kind."""
        for batch in self.batches:
            for met, count in batch.counts.items():
                own = [trial for trial in self.relevant(batch, met) if trial.kind == kind]
                if not own:
                    continue
                found = [
                    self.reached.get(one.part, 1.0) * chance(self.shape, one, met, belief.first, belief.travel_s)
                    for one in own
                ]
                belief = belief.times(count_chance(np.array(found), count))
        return belief
