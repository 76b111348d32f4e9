"""The simulated machine's physics: parts ride the belt, gates swing, and every part ends in exactly one bin."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from edge.clock import VirtualClock
from edge.errors import HardwareError
from edge.sim.belt import SimBelt, SimBeltMotor, SimEncoder
from edge.sim.feeder import SimFeeder, lay_against
from edge.sim.gates import Passage, SimGate, sim_gate
from edge.sim.mishaps import Mishaps
from edge.sim.parts import ANY, PartMaker, SimPart, Wanted
from edge.sim.settings import TICK_S, ReturnSettings, SimSettings

TickHook = Callable[[float], None]
_BELT_END = "the belt's end"
"""In the place of a gate's name."""


class _Meeting(IntEnum):
    """What of a part meets a place of the machine: `edge.sim.gates.Passage` says where."""

    LEAD = 0
    ENTER = 1
    MIDDLE = 2
    LEAVE = 3
    TRAIL = 4


@dataclass(order=True, slots=True)
class _Event:
    """A part's lead, middle or trail gets to a gate, to the middle of the picture (gate "") or to the belt's end, at
    that travel."""

    travel_mm: float
    number: int
    meeting: _Meeting = field(compare=False)
    gate: str = field(compare=False)
    part: SimPart = field(compare=False)
    x_mm: float = field(compare=False)


class SimWorld:
    """Everything that moves, on one virtual clock. The same seed gives the same run as long as the machine that
    drives it does the same.

    Attributes:
        clock: moves only through `advance_to`.
        truth: every part fed so far, in order; one that came again is there once more.
        fed: how many parts were fed, those that came again not counted again.
        read_belt_mm: the belt travel as the machine that is tested believes it; set it to the machine's own reading,
            so that frames carry it and truth can be matched with tracks. The true travel until then.
    """

    def __init__(self, settings: SimSettings, maker: PartMaker, seed: int) -> None:
        self.settings = settings
        self.clock = VirtualClock()
        self.truth: list[SimPart] = []
        self.fed = 0
        belt_rng, encoder_rng, gate_rng, feed_rng, self._touch_rng = map(
            np.random.default_rng, np.random.SeedSequence([seed, 1]).spawn(5)
        )
        self.belt = SimBelt(settings.belt, belt_rng)
        self.belt_motor = SimBeltMotor(self.belt)
        self.encoder = SimEncoder(self.belt, encoder_rng)
        self.feeder = SimFeeder(settings.feed, feed_rng)
        self.gates = {gate.name: sim_gate(gate, self.clock, gate_rng.spawn(1)[0]) for gate in settings.gates}
        self.read_belt_mm: Callable[[], float] = lambda: self.belt.travel_mm
        self.mishaps = Mishaps(lambda part: self._end(part, None, "fell off"))
        self.hopper: deque[Wanted] | None = None
        """What the feeder holds, the next part first; None: parts at random without end."""
        self._dropped: deque[tuple[float, Wanted]] = deque()
        self._maker = maker
        self._hooks: list[TickHook] = []
        self._events: list[_Event] = []
        self._numbers = 0
        self._at: dict[int, str] = {}
        self._met_s: dict[tuple[int, str], list[float]] = {}
        self._on_way: dict[int, SimPart] = {}
        self._coming_back: deque[tuple[float, SimPart]] = deque()
        """(when it is back in the feeder, part)."""
        self._last_trail_mm = -math.inf
        self._ran_back = False
        self._next_tick = 1
        self._last_news_s = 0.0

    @property
    def on_way(self) -> tuple[SimPart, ...]:
        """The parts that have been fed and have not ended."""
        return tuple(self._on_way.values())

    @property
    def finished(self) -> bool:
        """Whether every part has been fed and has ended, or nothing has happened for `patience_s`."""
        idle_s = self.clock.now_s() - self._last_news_s
        done = self.fed >= self.settings.feed.parts and not (self._on_way or self._coming_back)
        done = done and idle_s >= self.settings.linger_s
        return done or idle_s > self.settings.patience_s

    def drop(self, parts: Iterable[Wanted], every_s: float) -> None:
        """Let somebody drop parts on the belt where the feeder does, one after another from now on, each once there is
        room for it and the belt runs.

        Args:
            parts: the next first.
            every_s: time from one to the next.
        """
        first_s = max(self.clock.now_s(), self._dropped[-1][0] + every_s if self._dropped else 0.0)
        self._dropped.extend((first_s + count * every_s, part) for count, part in enumerate(parts))

    def on_tick(self, hook: TickHook) -> None:
        """Call `hook(now_s)` at every tick of `TICK_S`, after the belt has moved."""
        self._hooks.append(hook)

    def advance_to(self, instant_s: float) -> None:
        """Let time pass until `instant_s`; an instant that has passed changes nothing."""
        while self.belt.time_s < instant_s:
            tick_s = self._next_tick * TICK_S
            self._step(min(tick_s, instant_s))
            if tick_s <= instant_s:
                self._next_tick += 1
                for hook in self._hooks:
                    hook(tick_s)

    def run(self) -> None:
        """Let time pass until the run is `finished`."""
        while not self.finished:
            self.advance_to(self.clock.now_s() + 0.25)

    def _step(self, instant_s: float) -> None:
        start_s, start_mm = self.belt.time_s, self.belt.travel_mm
        self.belt.advance(instant_s - start_s)
        moved_mm = self.belt.travel_mm - start_mm
        self._carry_back(moved_mm)
        self.mishaps.move(self._on_way.values(), self.belt.travel_mm, moved_mm)
        while self._events and self._events[0].travel_mm <= self.belt.travel_mm:
            event = heapq.heappop(self._events)
            if (later_mm := self._place_mm(event)) > self.belt.travel_mm:
                heapq.heappush(self._events, replace(event, travel_mm=later_mm))
                continue
            share = (event.travel_mm - start_mm) / moved_mm if moved_mm > 0 else 1.0
            self.clock.sleep_until(start_s + max(share, 0.0) * (instant_s - start_s))
            self._meet(event)
        self.clock.sleep_until(instant_s)
        self._feed(instant_s - start_s)

    def _carry_back(self, moved_mm: float) -> None:
        """What is carried over the belt's start lies on top in the feeder; what is not passes all again."""
        if moved_mm < 0:
            self._ran_back = True
            for part in self.on_way:
                self._strike_back(part)
                if self.settings.ends_mm and self.belt.travel_mm - part.x_belt_mm < self.settings.ends_mm[0]:
                    self._end(part, None, "went back")
                    self._coming_back.append((self.clock.now_s() + ReturnSettings().way_s, part))
        elif moved_mm > 0 and self._ran_back:
            self._ran_back = False
            self._events.clear()
            self._met_s.clear()
            self._last_trail_mm = max((part.trail_belt_mm for part in self.on_way), default=-math.inf)
            for part in self.on_way:
                self._set_out(part)

    def _strike_back(self, part: SimPart) -> None:
        """A gate that does not stand at rest is in the way of a part that is carried back."""
        now_s = self.clock.now_s()
        for gate in self.gates.values():
            lead_mm, trail_mm = gate.meets_mm[_Meeting.LEAD], gate.meets_mm[_Meeting.TRAIL]
            in_it = part.lead_belt_mm + lead_mm <= self.belt.travel_mm <= part.trail_belt_mm + trail_mm
            if in_it and gate.held(now_s, now_s) != gate.rest and gate.name not in part.struck:
                part.struck = (*part.struck, gate.name)

    def _feed(self, duration_s: float) -> None:
        feed = self.settings.feed
        if not (self._has_parts or self._dropped):
            return
        self.feeder.advance(duration_s)
        lead_mm = self.belt.travel_mm - (self.settings.camera.station_mm - feed.feed_mm)
        if lead_mm < self._last_trail_mm + feed.least_gap_mm:
            return
        if self._dropped and self._dropped[0][0] <= self.clock.now_s() and self.belt.running:
            self._land(self._made(self._dropped.popleft()[1]), lead_mm)
        elif self.feeder.due and self._has_parts:
            together = self.feeder.take()
            part = self._next_part()
            self._land(part, lead_mm)
            if together and self._has_parts:
                second = self._next_part()
                lay_against(second, part, self._touch_rng)
                self._add(second)

    def _land(self, part: SimPart, lead_mm: float) -> None:
        self.mishaps.shape(part)
        part.x_belt_mm = lead_mm + float(part.outline_mm[:, 0].max())
        self._add(part)

    @property
    def _has_parts(self) -> bool:
        """Whether anything lies in the feeder."""
        return (self.fed < self.settings.feed.parts and self.hopper != deque()) or self._is_back

    @property
    def _is_back(self) -> bool:
        return bool(self._coming_back) and self._coming_back[0][0] <= self.belt.time_s

    def _next_part(self) -> SimPart:
        """What has come back lies on top."""
        if self._is_back:
            return self._maker.make_again(len(self.truth), self._coming_back.popleft()[1])
        return self._made(ANY if self.hopper is None else self.hopper.popleft())

    def _made(self, wanted: Wanted) -> SimPart:
        self.fed += 1
        return self._maker.make(len(self.truth), wanted)

    def _add(self, part: SimPart) -> None:
        part.fed_s = self._last_news_s = self.clock.now_s()
        self.truth.append(part)
        self._on_way[part.part_id] = part
        self._last_trail_mm = max(self._last_trail_mm, part.trail_belt_mm)
        self._set_out(part)

    def _set_out(self, part: SimPart) -> None:
        """Everything that the part will meet from where it lies."""
        camera = self.settings.camera
        self._at[part.part_id] = self.settings.layout.first
        self._expect(part, _Meeting.MIDDLE, "", camera.station_mm + camera.seen_mm / 2)
        for gate in self.gates.values():
            for meeting in _Meeting:
                self._expect(part, meeting, gate.name, gate.meets_mm[meeting])

    def _expect(self, part: SimPart, meeting: _Meeting, gate: str, x_mm: float) -> None:
        self._numbers += 1
        event = _Event(0.0, self._numbers, meeting, gate, part, x_mm)
        heapq.heappush(self._events, replace(event, travel_mm=self._place_mm(event)))

    def _place_mm(self, event: _Event) -> float:
        """The travel at which it comes, as the part lies now: one that stood still has been left behind."""
        part = event.part
        if event.meeting is _Meeting.LEAD:
            return event.x_mm + part.lead_belt_mm
        return event.x_mm + (part.trail_belt_mm if event.meeting is _Meeting.TRAIL else part.x_belt_mm)

    def _meet(self, event: _Event) -> None:
        part, now_s = event.part, self.clock.now_s()
        if event.gate == _BELT_END:
            if self._at.get(part.part_id) == _BELT_END:
                self._end(part, self.settings.layout.default_bin)
        elif not event.gate:
            with suppress(HardwareError):  # an encoder that is gone: nobody knows where the part is seen
                part.seen_belt_mm = part.x_belt_mm + self.read_belt_mm() - self.belt.travel_mm
        elif part.part_id not in self._on_way:
            return
        else:
            met_s = self._met_s.setdefault((part.part_id, event.gate), [])
            met_s.append(now_s)
            if len(met_s) == len(_Meeting) and self._at[part.part_id] == event.gate:
                self._pass(part, self.gates[event.gate], Passage(*met_s))

    def _pass(self, part: SimPart, gate: SimGate, passage: Passage) -> None:
        """Let the gate decide about a part that has just passed it with its whole extent."""
        position, clean = gate.serve(passage)
        if not clean:
            part.struck = (*part.struck, gate.name)
        part.why = f"{part.why} {gate.name}={position}".strip()
        exit_ = self.settings.layout.exits[gate.name].get(position)
        if exit_ in self.gates:
            self._at[part.part_id] = exit_
            return
        if exit_ is None:
            part.why += ", which leads nowhere"
        if exit_ == self.settings.layout.default_bin and self.settings.ends_mm:
            self._at[part.part_id] = _BELT_END
            self._expect(part, _Meeting.MIDDLE, _BELT_END, self.settings.ends_mm[1])
            return
        self._end(part, exit_)

    def _end(self, part: SimPart, bin_: str | None, why: str = "") -> None:
        part.why = f"{part.why} {why}".strip()
        part.bin, part.ended_s = bin_, self.clock.now_s()
        self._last_news_s = part.ended_s
        del self._on_way[part.part_id], self._at[part.part_id]
        if bin_ == self.settings.layout.default_bin:
            self._send_back(part)
        for gate in self.gates:
            self._met_s.pop((part.part_id, gate), None)

    def _send_back(self, part: SimPart) -> None:
        returns = self.settings.returns
        if returns is not None and part.rounds < returns.most_rounds:
            self._coming_back.append((self.clock.now_s() + returns.way_s, part))
