"""Turns plans into gate movements, on time: isolated from vision and I/O, late commands dropped and
reported."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable

from edge.clock import Clock
from edge.errors import HardwareError
from edge.hardware.interfaces import Gate
from edge.records import CommandStatus, GateReport, Plan
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.lane import BeltState, DispatcherSettings, GateLane
from edge.scheduling.topology import GateSettings

SHORTEST_SLEEP_S = 0.0005
KEPT_DELAYS = 10_000
"""Commands of which the dispatcher's own delay is kept, for the summary."""


class Dispatcher:
    """Runs the gates. `submit` and `halt` may come from any thread; `step` is called by one: the simulator in
    virtual time, or the thread of `run_forever` on the machine.

    A movement starts when the belt is so near that the gate, at the belt's present speed and with some
    headroom, will just stand still in time. It never starts while another part is in the gate. When it would
    come too late it is dropped: the gate stays as it is until the part has passed, and the report says in
    which position. Gates may be `GateWorker`s: then a driver that hangs keeps no other gate from moving.
    """

    def __init__(
        self,
        gates: Iterable[tuple[Gate, GateSettings]],
        belt: BeltCoordinate,
        settings: DispatcherSettings,
        on_failure: Callable[[str], None],
        watch: Callable[[float, float], str | None] = lambda now_s, belt_mm: None,
    ) -> None:
        """Args:
        gates: every driver with its settings.
        belt: travel and speed; the nominal speed is reckoned with at least.
        settings: headroom, rest and slice.
        on_failure: told in one line when a gate fails; stops the machine (`Safety.stop`).
        watch: looks at every reading of the belt (now_s, belt_mm) and says in one line what must stop the machine.
        """
        self._lanes = {own.name: GateLane(gate, own, settings) for gate, own in gates}
        self._belt = belt
        self._settings = settings
        self._on_failure = on_failure
        self._watch = watch
        self._lock = threading.Lock()
        self._halted = False
        self._last_mm = 0.0
        self._blind = ""
        """Why the belt's travel cannot be read (any more)."""
        self.counts: Counter[CommandStatus] = Counter()
        self.delays_s: deque[float] = deque(maxlen=KEPT_DELAYS)
        """`GateReport.delay_s` of the last commands."""

    def submit(self, plan: Plan) -> None:
        """Takes over a plan and those it revises; each replaces what its track had, as far as not yet acted
        on."""
        with self._lock:
            for each in (plan, *plan.revised):
                commands = {command.gate: command for command in each.commands}
                for name, lane in self._lanes.items():
                    lane.replace_track(each.track_id, commands.get(name))

    def step(self, now_s: float) -> list[GateReport]:
        """Does what is due at `now_s` and reports it; returns at once."""
        with self._lock:
            belt = self._state(now_s)
            reports: list[GateReport] = []
            wrong = self._watch(now_s, belt.belt_mm)
            wrong = self._blind or wrong
            failures = [wrong] if wrong else []
            for lane in self._lanes.values():
                if not (self._halted or wrong):
                    reports += lane.advance(belt)
                try:
                    # Asked again: the stop may come from another thread while a gate is being moved.
                    lane.force_rest(belt) if self._halted else lane.rest_when_idle(belt)
                except HardwareError as error:
                    failures.append(str(error))
                if trouble := lane.trouble:
                    failures.append(trouble)
        self.counts.update(report.status for report in reports)
        self.delays_s.extend(report.delay_s for report in reports)
        failures += [report.detail for report in reports if report.status is CommandStatus.FAILED]
        if failures and not self._halted:
            self._on_failure(failures[0])
        return reports

    def next_due_s(self, now_s: float) -> float:
        """The earliest instant of the next thing to do, infinity when there is none: a belt that stands or runs up may
        be at its nominal speed from now on."""
        with self._lock:
            belt = self._state(now_s)
            next_mm = min((lane.next_mm(belt.mm_per_s) for lane in self._lanes.values()), default=float("inf"))
            return now_s + max((next_mm - belt.belt_mm) / belt.mm_per_s, SHORTEST_SLEEP_S)

    def at_rest(self, now_s: float) -> bool:
        """Whether every gate stands at rest."""
        with self._lock:
            return all(lane.at_rest(now_s) for lane in self._lanes.values())

    def halt(self) -> None:
        """No gate moves any more but to rest, from now on for good; waits for nothing."""
        self._halted = True

    def run_forever(self, clock: Clock, stop: threading.Event, on_report: Callable[[GateReport], None]) -> None:
        """Steps until `stop` is set, sleeping until the next thing is due in slices of a few milliseconds.

        `on_report` must not block. An unforeseen error stops the machine before it is raised.
        """
        try:
            while not stop.is_set():
                now_s = clock.now_s()
                for report in self.step(now_s):
                    on_report(report)
                clock.sleep_until(min(self.next_due_s(now_s), now_s + self._settings.slice_s))
        except Exception as error:
            self._on_failure(f"the dispatcher failed: {error}")
            raise

    def _state(self, now_s: float) -> BeltState:
        try:
            belt_mm = self._last_mm = self._belt.sample(now_s)
        except HardwareError as error:
            # Without the belt's travel nothing can be done in time, but gates can still go to rest.
            self._blind, belt_mm = str(error), self._last_mm
        return BeltState(now_s, belt_mm, max(self._belt.mm_per_s(), self._belt.nominal_mm_per_s))
