"""Simulated gates: a position that is continuous in time, with latency, travel, jitter and faults."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.clock import Clock
from edge.errors import HardwareError
from edge.sim.settings import GateSettings

SETTLED = 0.12
"""A gate this close to a position, as a share of the way to the next, is in it."""
KEPT_MOVES = 256


class GateFault(StrEnum):
    """What may be wrong with a gate."""

    NONE = "none"
    STUCK = "stuck"
    """Stands where it is and no longer moves."""
    SLOW = "slow"
    """Moves, but takes `slowness` times as long."""
    DEAD = "dead"
    """Without power: falls back to rest and stays there."""


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A movement: from `start_s` to `end_s`, between two coordinates (a position's coordinate is its index)."""

    start_s: float
    end_s: float
    start: float
    end: float

    def at(self, time_s: float) -> float:
        if time_s >= self.end_s:
            return self.end
        return self.start + (self.end - self.start) * (time_s - self.start_s) / (self.end_s - self.start_s)


class SimGate:
    """A gate that swings through its positions in their order; implements `edge.hardware.interfaces.Gate`."""

    def __init__(self, settings: GateSettings, clock: Clock, rng: np.random.Generator) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._closed = False
        self.fault = GateFault.NONE
        self.slowness = 1.0
        self.commands: deque[tuple[float, str]] = deque(maxlen=KEPT_MOVES)
        """(time_s, position) of every `move_to`, the latest last."""
        rest = float(settings.positions.index(settings.rest))
        self._strokes: deque[_Stroke] = deque([_Stroke(0.0, 0.0, rest, rest)], maxlen=KEPT_MOVES)

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def positions(self) -> tuple[str, ...]:
        return self._settings.positions

    @property
    def rest(self) -> str:
        return self._settings.rest

    @property
    def x_mm(self) -> float:
        """Station of the gate."""
        return self._settings.x_mm

    def move_to(self, position: str) -> None:
        if self._closed:
            raise HardwareError(f"gate {self.name} (sim): moved after it was closed: open the machine again")
        if position not in self.positions:
            raise ValueError(f"gate {self.name} has no position '{position}': use one of {', '.join(self.positions)}")
        self.commands.append((self._clock.now_s(), position))
        if self.fault in (GateFault.NONE, GateFault.SLOW):
            self._stroke_to(position)

    def close(self) -> None:
        if not self._closed:
            self.move_to(self.rest)
            self._closed = True

    def break_down(self, fault: GateFault, slowness: float = 4.0) -> None:
        """Let the gate fail from now on, or repair it with `GateFault.NONE`; it then answers the next command."""
        now_s = self._clock.now_s()
        self.slowness = slowness if fault is GateFault.SLOW else 1.0
        self.fault = fault
        if fault is GateFault.STUCK:
            here = self.coordinate(now_s)
            self._cut(now_s)
            self._strokes.append(_Stroke(now_s, now_s, here, here))
        elif fault is GateFault.DEAD:
            self._stroke_to(self.rest)

    def coordinate(self, time_s: float) -> float:
        """Where the gate is, was or, if nothing more is commanded, will be: 0 is its first position, 1 its second."""
        for stroke in reversed(self._strokes):
            if stroke.start_s <= time_s:
                return stroke.at(time_s)
        return self._strokes[0].start

    def nearest(self, time_s: float) -> str:
        """The position that the gate is nearest to."""
        return self.positions[round(self.coordinate(time_s))]

    def held(self, from_s: float, to_s: float) -> str | None:
        """The position that the gate was in all the time, or None when it moved or stood between two."""
        knots = [
            time_s for stroke in self._strokes for time_s in (stroke.start_s, stroke.end_s) if from_s < time_s < to_s
        ]
        where = [self.coordinate(time_s) for time_s in (from_s, *knots, to_s)]
        index = round(where[0])
        return self.positions[index] if all(abs(place - index) <= SETTLED for place in where) else None

    def _stroke_to(self, position: str) -> None:
        settings = self._settings
        late_s, longer_s = self._rng.normal(0, settings.jitter_s, 2)
        start_s = self._clock.now_s() + max(settings.latency_s + late_s, 0.0)
        start_s = max(start_s, self._strokes[-1].start_s)
        travel_s = max(settings.travel_s + longer_s, 0.2 * settings.travel_s) * self.slowness
        here, there = self.coordinate(start_s), float(self.positions.index(position))
        if here != there:
            self._strokes.append(_Stroke(start_s, start_s + travel_s, here, there))

    def _cut(self, time_s: float) -> None:
        """Forget movements that have not begun."""
        while len(self._strokes) > 1 and self._strokes[-1].start_s > time_s:
            self._strokes.pop()
