"""Who has which gate when: the state of the plan on the belt coordinate, and what can still be changed."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass, field

from edge.records import GateCommand
from edge.scheduling.timeline import GateTimeline, Reservation
from edge.scheduling.topology import Path, Topology


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """What the plan reckons with."""

    nominal_mm_per_s: float
    """Gaps are planned for this speed at least, also while the belt stands or runs up."""
    headroom: float = 0.10
    """Share added to the speed, for its ripple and the dispatcher's own time."""
    guard_s: float = 0.05
    """From planning until the dispatcher has the plan."""
    rest_after_s: float = 0.5
    """The dispatcher's: a gate with nothing reserved for this long goes to rest."""
    extent_tolerance_mm: float = 2.0
    """A part measured anew within this of where it is booked stays booked as it is; the margins cover it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, in belt terms: the travel, and the fastest the belt may run from here on."""

    belt_mm: float
    worst_mm_per_s: float


@dataclass(slots=True)
class BookedPart:
    """One track's claim: where it lies on the belt, where it is wanted and what it holds."""

    track_id: int
    lead_mm: float
    trail_mm: float
    wanted: tuple[str, ...] = ()
    bin: str = ""
    steps: Path = ()
    reservations: dict[str, Reservation] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    """Gates that are known to stand in this position for it, whatever was reserved."""
    waiting: list[int] = field(default_factory=list)
    """Tracks that were refused because of this one."""


class Bookings:
    """The timelines of all gates and the parts on the belt. Forgets a part when its last gate is done with
    it, so that neither memory nor the cost of a question grows with the parts sorted."""

    def __init__(self, topology: Topology, settings: PlannerSettings) -> None:
        self.parts: dict[int, BookedPart] = {}
        self._gates = topology.gates
        self._settings = settings
        self._timelines = {name: GateTimeline() for name in topology.gates}
        self._ends: list[tuple[float, int]] = []
        self._longest_move_s = max((gate.move_s for gate in topology.gates.values()), default=0.0)

    def at(self, belt_mm: float, mm_per_s: float) -> Moment:
        """Comes to a new moment; forgets the parts that have passed."""
        settings = self._settings
        moment = Moment(belt_mm, max(mm_per_s, settings.nominal_mm_per_s) * (1 + settings.headroom))
        keep_mm = self._resting_mm(self._longest_move_s, moment)
        while self._ends and self._ends[0][0] + keep_mm < belt_mm:
            _, track_id = heapq.heappop(self._ends)
            part = self.parts.get(track_id)
            if part is None:
                continue
            end_mm = max((r.to_mm for r in part.reservations.values()), default=belt_mm)
            if end_mm + keep_mm >= belt_mm and part.reservations:
                heapq.heappush(self._ends, (end_mm, track_id))
                continue
            for gate, reservation in part.reservations.items():
                self._timelines[gate].remove(reservation)
            del self.parts[track_id]
        return moment

    def window(self, gate: str, part: BookedPart) -> tuple[float, float]:
        """Travel at which `part` and its margins enter and leave the gate."""
        settings = self._gates[gate]
        return (
            part.lead_mm + settings.x_mm - settings.margin_mm,
            part.trail_mm + settings.x_mm + settings.margin_mm,
        )

    def gap_mm(self, gate: str, moment: Moment) -> float:
        """Belt that may pass while the gate moves."""
        return self._gates[gate].move_s * moment.worst_mm_per_s

    def conflicts(
        self, gate: str, window: tuple[float, float], position: str, moment: Moment, ignore: Collection[int]
    ) -> list[Reservation]:
        """What other tracks hold that `position` in this window would break, first come first."""
        return self._timelines[gate].conflicts(*window, position, self.gap_mm(gate, moment), ignore)

    def stands_at(self, gate: str, part: BookedPart) -> str | None:
        """The position in which the gate is held for the part already, or None."""
        reservation = part.reservations.get(gate)
        return part.held.get(gate) or (reservation.position if reservation else None)

    def fixed_at(self, gate: str, part: BookedPart, moment: Moment) -> str | None:
        """The same, when it cannot be changed any more."""
        reservation = part.reservations.get(gate)
        if reservation is not None and self.is_moving(gate, reservation, moment):
            return reservation.position
        return part.held.get(gate)

    def has_notice(self, gate: str, from_mm: float, moment: Moment) -> bool:
        """True when a movement for `from_mm` has not begun and can still be ordered (or called off)."""
        return from_mm - moment.belt_mm > self._notice_mm(gate, moment)

    def is_moving(self, gate: str, reservation: Reservation, moment: Moment) -> bool:
        """True when the gate may already be moving for it (or has moved): it cannot be taken back."""
        return not self.has_notice(gate, reservation.from_mm, moment)

    def in_time(self, gate: str, from_mm: float, position: str, moment: Moment, track_id: int) -> bool:
        """True when the gate can be in `position` by `from_mm`: time to move, held already, or at rest."""
        if self.has_notice(gate, from_mm, moment):
            return True
        settings = self._gates[gate]
        idle_since_mm = moment.belt_mm - self._resting_mm(settings.move_s, moment)
        near = self._timelines[gate].between(idle_since_mm, max(from_mm, moment.belt_mm) + 1e-6)
        if any(r.position == position and r.from_mm <= from_mm <= r.to_mm for r in near):
            return True
        own_plan = [r for r in near if r.track_id == track_id and not self.is_moving(gate, r, moment)]
        return position == settings.rest and all(r.position == position or r in own_plan for r in near)

    def reserve(self, part: BookedPart, gate: str, position: str, window: tuple[float, float]) -> None:
        reservation = Reservation(*window, part.track_id, position)
        self._timelines[gate].add(reservation)
        part.reservations[gate] = reservation
        self.parts[part.track_id] = part
        heapq.heappush(self._ends, (reservation.to_mm, part.track_id))

    def book(self, part: BookedPart, steps: Path, bin_name: str, moment: Moment) -> None:
        """Gives the part this way instead of the one it had; the caller has made sure that it is free."""
        self.release(part, moment)
        for gate, position in steps:
            window = self.window(gate, part)
            if gate not in part.reservations and window[1] > moment.belt_mm:
                self.reserve(part, gate, position, window)
        part.steps, part.bin = steps, bin_name

    def release(self, part: BookedPart, moment: Moment) -> None:
        """Gives back what can be given back: a gate that already moves for the part stays reserved."""
        for gate, reservation in list(part.reservations.items()):
            if not self.is_moving(gate, reservation, moment) and gate not in part.held:
                self.drop(part, gate)

    def drop(self, part: BookedPart, gate: str) -> None:
        self._timelines[gate].remove(part.reservations.pop(gate))

    def commands(self, part: BookedPart) -> tuple[GateCommand, ...]:
        """What the dispatcher must do for the part, in the order of its way."""
        return tuple(
            GateCommand(part.track_id, gate, r.position, r.from_mm, r.to_mm)
            for gate, _ in part.steps
            if (r := part.reservations.get(gate)) is not None
        )

    def _notice_mm(self, gate: str, moment: Moment) -> float:
        return self.gap_mm(gate, moment) + self._settings.guard_s * moment.worst_mm_per_s

    def _resting_mm(self, move_s: float, moment: Moment) -> float:
        settings = self._settings
        return (settings.rest_after_s + move_s + settings.guard_s) * moment.worst_mm_per_s
