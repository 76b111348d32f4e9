"""Simulated gates, pushers, jets and chutes: a position that is continuous in time, with latency, travel, jitter and
faults, and what becomes of a part that passes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.clock import Clock
from edge.config.gates import check_pulse
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
    MUTE = "mute"
    """Its driver does not answer: it stands where it is, and every command is an error."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A part's way past a gate: when its leading edge came into the gate's reach, when its middle came into it, was at
    `x_mm` and left it, when its trailing edge had left the reach (and had fallen through, at a chute)."""

    lead_s: float
    enter_s: float
    middle_s: float
    leave_s: float
    trail_s: float


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
    """A gate that moves through its positions in their order; implements `edge.hardware.interfaces.Gate`.

    A part is served cleanly by a gate, a jet or a chute that stands in one position while it passes, and by a pusher
    that strikes once, all of it while the part's middle is in front of its face.
    """

    def __init__(self, settings: GateSettings, clock: Clock, rng: np.random.Generator) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._closed = False
        self.fault = GateFault.NONE
        self.slowness = 1.0
        self.commands: deque[tuple[float, str]] = deque(maxlen=KEPT_MOVES)
        """(time_s, position) of every `move_to`, the latest last."""
        rest = self._place(settings.rest)
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

    @property
    def meets_mm(self) -> tuple[float, float, float, float, float]:
        """Stations of a `Passage`: of the part's leading edge, three of its middle, and of its trailing edge."""
        own = self._settings
        first_mm, last_mm = own.x_mm - own.reach_mm, own.x_mm + own.reach_mm
        return first_mm, first_mm, own.x_mm, last_mm, last_mm + own.beyond_mm

    def move_to(self, position: str) -> None:
        self._must_be_open()
        if position not in self.positions:
            raise ValueError(f"gate {self.name} has no position '{position}': use one of {', '.join(self.positions)}")
        self._must_answer()
        self._burn()
        self.commands.append((self._clock.now_s(), position))
        self._go(self._place(position))

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
            self._stroke_to(self._place(self.rest))

    def coordinate(self, time_s: float) -> float:
        """Where the gate is, was or, if nothing more is commanded, will be: 0 is its first position, 1 its second."""
        for stroke in reversed(self._strokes):
            if stroke.start_s <= time_s:
                return stroke.at(time_s)
        return self._strokes[0].start

    def serve(self, passage: Passage) -> tuple[str, bool]:
        """The position in which it met a part, and whether it did so cleanly rather than strike it in passing."""
        if self._settings.kind == "pusher":
            return self._push(passage)
        held = self.held(passage.lead_s, passage.trail_s)
        return held or self.nearest(passage.middle_s), held is not None

    def nearest(self, time_s: float) -> str:
        """The position that the gate is nearest to."""
        return self.positions[self._index(self.coordinate(time_s))]

    def held(self, from_s: float, to_s: float) -> str | None:
        """The position that the gate was in all the time, or None when it moved or stood between two."""
        knots = [
            time_s for stroke in self._strokes for time_s in (stroke.start_s, stroke.end_s) if from_s < time_s < to_s
        ]
        where = [self.coordinate(time_s) for time_s in (from_s, *knots, to_s)]
        index = self._index(where[0])
        return self.positions[index] if all(abs(place - index) <= SETTLED for place in where) else None

    def _push(self, passage: Passage) -> tuple[str, bool]:
        rest = self._place(self.rest)
        in_front = passage.enter_s, passage.leave_s
        strokes = [s for s in self._strokes if s.end_s > passage.lead_s and s.start_s < passage.trail_s]
        if not strokes and self.held(passage.lead_s, passage.trail_s) == self.rest:
            return self.rest, True
        out = next((s for s in strokes if s.end != rest), None)
        if out is None or self.coordinate(passage.lead_s) != rest:
            return self.nearest(passage.middle_s), False
        met = in_front[0] <= out.end_s and out.start_s <= in_front[1]
        clean = in_front[0] <= out.start_s and out.end_s <= in_front[1]
        return self.positions[self._index(out.end)] if met else self.rest, clean

    def _place(self, position: str) -> float:
        """The coordinate to which it is sent for a position."""
        return float(self.positions.index(position))

    def _index(self, coordinate: float) -> int:
        """Of the position nearest to a coordinate."""
        return min(max(round(coordinate), 0), len(self.positions) - 1)

    def _must_be_open(self) -> None:
        if self._closed:
            raise HardwareError(f"gate {self.name} (sim): moved after it was closed: open the machine again")

    def _must_answer(self) -> None:
        if self.fault is GateFault.MUTE:
            raise HardwareError(f"gate {self.name} (sim): does not answer: look at its driver and cable")

    def _go(self, there: float) -> None:
        if self.fault in (GateFault.NONE, GateFault.SLOW):
            self._stroke_to(there)

    def _burn(self) -> None:
        """A coil that has been on for too long is gone."""
        if not self.commands or self.commands[-1][1] == self.rest or self.fault is GateFault.DEAD:
            return
        on_s = self._clock.now_s() - self.commands[-1][0]
        if on_s > self._settings.burns_after_s:
            self.break_down(GateFault.DEAD)
            raise HardwareError(f"gate {self.name} (sim): its coil burned out, {on_s:.1f} s on: keep pulses short")

    def _stroke_to(self, there: float) -> None:
        settings = self._settings
        late_s, longer_s = self._rng.normal(0, settings.jitter_s, 2)
        start_s = self._clock.now_s() + max(settings.latency_s + late_s, 0.0)
        start_s = max(start_s, self._strokes[-1].start_s)
        here = self.coordinate(start_s)
        travel_s = self._travel_s(here, there)
        travel_s = max(travel_s + longer_s, 0.2 * travel_s) * self.slowness
        if here != there:
            self._strokes.append(_Stroke(start_s, start_s + travel_s, here, there))

    def _travel_s(self, here: float, there: float) -> float:
        settings = self._settings
        if not settings.angles_deg:
            # What is called back half-way is back the sooner; a longer way than to the next position takes no longer.
            return settings.travel_s * min(abs(there - here), 1.0)
        from_deg, to_deg = np.interp((here, there), range(len(self.positions)), settings.angles_deg)
        return settings.travel_s * abs(float(to_deg - from_deg)) / (max(settings.angles_deg) - min(settings.angles_deg))

    def _cut(self, time_s: float) -> None:
        """Forget movements that have not begun."""
        while len(self._strokes) > 1 and self._strokes[-1].start_s > time_s:
            self._strokes.pop()


class SimServo(SimGate):
    """A simulated gate that is a servo: pulses say where it goes, and they may be other ones than those with which it
    really stands in its positions. Implements `edge.hardware.interfaces.Nudgeable`."""

    def set_pulse_us(self, pulse_us: float) -> None:
        check_pulse(self.name, pulse_us)
        self._must_be_open()
        self._must_answer()
        self._go(self._at_pulse(pulse_us))

    def _place(self, position: str) -> float:
        return self._at_pulse(self._settings.pulses_us[self.positions.index(position)])

    def _at_pulse(self, pulse_us: float) -> float:
        """Evenly from position to position, and on beyond the last ones."""
        true_us = np.array(self._settings.true_pulses_us)
        order = np.argsort(true_us)
        true_us = true_us[order]
        left = int(np.clip(np.searchsorted(true_us, pulse_us) - 1, 0, len(true_us) - 2))
        share = (pulse_us - true_us[left]) / (true_us[left + 1] - true_us[left])
        return float(order[left] + share * (order[left + 1] - order[left]))


def sim_gate(settings: GateSettings, clock: Clock, rng: np.random.Generator) -> SimGate:
    """A simulated gate as its settings have it."""
    return (SimServo if settings.pulses_us else SimGate)(settings, clock, rng)
