"""Who has which gate when: the state of the plan on the belt coordinate, and what can still be changed."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.records import GateCommand
from edge.scheduling.timeline import GateTimeline, Reservation
from edge.scheduling.topology import Action, Path, Topology

SPEED_KEPT_MM = 2000.0
"""Belt over which a speed above the nominal one is reckoned with on, while the belt runs slower or stands: it may come
back to it faster than parts can be planned anew."""


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """What the plan reckons with."""

    nominal_mm_per_s: float
    """Gaps are planned for this speed at least, also while the belt stands or runs up."""
    headroom: float = 0.10
    """Share added to the speed, for its ripple and the dispatcher's own time."""
    known_by_mm: float = 0.0
    """Station that a part's leading edge has reached at the latest when the planner is first told of it."""
    guard_s: float = 0.05
    """From planning until the dispatcher has the plan."""
    least_headroom_s: float = 0.01
    """The dispatcher's: so much earlier it starts a movement at least."""
    rest_after_s: float = 0.5
    """The dispatcher's: a gate with nothing reserved for this long goes to rest."""
    extent_tolerance_mm: float = 2.0
    """A part measured anew within this of where it is booked stays booked as it is; the margins cover it, and where
    a gate's margin is less than twice this, half that margin counts."""

    def gap_s(self, move_s: float) -> float:
        """Time to leave between two parts for a movement, before `headroom` is added."""
        return max(move_s, (move_s + self.least_headroom_s) / (1 + self.headroom))


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
    commands: dict[str, GateCommand] = field(default_factory=dict)
    """What has been asked of the dispatcher for each of them, made once."""
    held: dict[str, str] = field(default_factory=dict)
    """Gates that are known to stand in this position for it, whatever was reserved."""
    waiting: list[int] = field(default_factory=list)
    """Tracks that were refused because of this one."""
    in_line: bool = False
    """True while it stands in the line of those to be forgotten."""


class _Timing(NamedTuple):
    """One gate's figures, as often as they are needed."""

    enter_mm: float
    leave_mm: float
    move_s: float
    gap_s: float
    """As `move_s`, with no less room than the dispatcher wants once `headroom` is added."""
    rest: str


class Bookings:
    """The timelines of all gates and the parts on the belt. Forgets a part when its last gate is done with
    it, so that neither memory nor the cost of a question grows with the parts sorted."""

    def __init__(self, topology: Topology, settings: PlannerSettings) -> None:
        self.parts: dict[int, BookedPart] = {}
        self.out_of_service: set[str] = set()
        """Gates that are left at rest, whatever would be needed."""
        self._settings = settings
        self._gates = topology.gates
        self._strokes = {name for name, gate in topology.gates.items() if gate.action is Action.STROKE}
        self._timelines = {name: GateTimeline(gate.change_shares()) for name, gate in topology.gates.items()}
        self._timings = {
            name: _Timing(gate.enter_mm, gate.leave_mm, gate.move_s, settings.gap_s(gate.move_s), gate.rest)
            for name, gate in topology.gates.items()
        }
        self._ends: list[tuple[float, int]] = []
        self._belt_mm, self._fast_mm_per_s = 0.0, settings.nominal_mm_per_s
        self._longest_move_s = max((gate.move_s for gate in topology.gates.values()), default=0.0)

    def at(self, belt_mm: float, mm_per_s: float) -> Moment:
        """Comes to a new moment; forgets the parts that have passed."""
        settings = self._settings
        forgotten = min(max(belt_mm - self._belt_mm, 0.0) / SPEED_KEPT_MM, 1.0)
        kept_mm_per_s = self._fast_mm_per_s - forgotten * (self._fast_mm_per_s - mm_per_s)
        self._fast_mm_per_s = max(mm_per_s, kept_mm_per_s, settings.nominal_mm_per_s)
        self._belt_mm = belt_mm
        moment = Moment(belt_mm, self._fast_mm_per_s * (1 + settings.headroom))
        keep_mm = self._resting_mm(self._longest_move_s, moment)
        while self._ends and self._ends[0][0] + keep_mm < belt_mm:
            _, track_id = heapq.heappop(self._ends)
            part = self.parts[track_id]
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
        timing = self._timings[gate]
        return part.lead_mm + timing.enter_mm, part.trail_mm + timing.leave_mm

    def gap_mm(self, gate: str, moment: Moment) -> float:
        """Belt that may pass while the gate moves."""
        return self._timings[gate].gap_s * moment.worst_mm_per_s

    def conflicts(
        self, gate: str, window: tuple[float, float], position: str, moment: Moment, ignore: Collection[int]
    ) -> list[Reservation]:
        """What other tracks hold that `position` in this window would break, first come first."""
        return self._timelines[gate].conflicts(*window, position, self.gap_mm(gate, moment), ignore)

    def too_close(self, moment: Moment) -> Iterator[tuple[str, Reservation, Reservation]]:
        """Neighbours of which a gate could not move between, were the belt as fast as it may be now."""
        for gate, timeline in self._timelines.items():
            for one, other in timeline.too_close(self.gap_mm(gate, moment)):
                yield gate, one, other

    def reserved_share(self, gate: str, ahead_mm: float, moment: Moment) -> float:
        """Share, 0 to 1, of the next `ahead_mm` at the gate in which it is held or has to move for the next."""
        return self._timelines[gate].reserved_mm(moment.belt_mm, ahead_mm, self.gap_mm(gate, moment)) / ahead_mm

    def shares(self, gate: str, position: str) -> bool:
        """Whether two parts may follow each other closely in this position of the gate."""
        return self._timelines[gate].shares(position)

    def serves(self, gate: str, position: str) -> bool:
        """False for a position that the gate, being out of service, will not take."""
        return gate not in self.out_of_service or position == self._timings[gate].rest

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
        notice_s = self._timings[gate].move_s + self._settings.guard_s
        return from_mm - moment.belt_mm > notice_s * moment.worst_mm_per_s

    def is_moving(self, gate: str, reservation: Reservation, moment: Moment) -> bool:
        """True when the gate may already be moving for it (or has moved): it cannot be taken back."""
        return not self.has_notice(gate, reservation.from_mm, moment)

    def can_be_undone(
        self, gate: str, window: tuple[float, float], default: str, moment: Moment, group: Collection[int]
    ) -> bool:
        """True when a part that nobody has seen yet, and that may follow so closely that it needs the gate in `default`
        for those before it too, will be known before the gate moves for the first of that row.

        Args:
            gate: the gate.
            window: claim, not booked yet, in another position.
            default: the gate's position on the default way.
            moment: now.
            group: tracks whose present bookings at the gate do not count.
        """
        gap_mm, timing = self.gap_mm(gate, moment), self._timings[gate]
        from_mm, to_mm = self._timelines[gate].row(*window, default, gap_mm, group)
        notice_mm = (timing.move_s + self._settings.guard_s) * moment.worst_mm_per_s
        moves_mm = max(from_mm - notice_mm, moment.belt_mm)
        return to_mm + gap_mm - timing.enter_mm <= moves_mm - self._settings.known_by_mm

    def in_time(self, gate: str, from_mm: float, position: str, moment: Moment, track_id: int) -> bool:
        """True when the gate can be in `position` by `from_mm`: time to move, held already, or at rest."""
        if self.has_notice(gate, from_mm, moment):
            return True
        timing = self._timings[gate]
        idle_since_mm = moment.belt_mm - self._resting_mm(timing.move_s, moment)
        near = self._timelines[gate].between(idle_since_mm, max(from_mm, moment.belt_mm) + 1e-6)
        if any(r.position == position and r.from_mm <= from_mm <= r.to_mm for r in near):
            return True
        own_plan = [r for r in near if r.track_id == track_id and not self.is_moving(gate, r, moment)]
        return position == timing.rest and all(r.position == position or r in own_plan for r in near)

    def reserve(self, part: BookedPart, gate: str, position: str, window: tuple[float, float]) -> None:
        """Holds the gate for the part, instead of what it held there."""
        if gate in part.reservations:
            self.drop(part, gate)
        reservation = Reservation(*window, part.track_id, position)
        self._timelines[gate].add(reservation)
        part.reservations[gate] = reservation
        self.parts[part.track_id] = part
        if not part.in_line:
            heapq.heappush(self._ends, (reservation.to_mm, part.track_id))
            part.in_line = True

    def book(self, part: BookedPart, steps: Path, bin_name: str, moment: Moment) -> None:
        """Gives the part this way instead of the one it had; the caller has made sure that it is free."""
        self.release(part, moment, steps)
        for gate, position in steps:
            if gate not in part.reservations:
                window = self.window(gate, part)
                if window[1] > moment.belt_mm:
                    self.reserve(part, gate, position, window)
        part.steps, part.bin = steps, bin_name

    def release(self, part: BookedPart, moment: Moment, but: Path = ()) -> None:
        """Gives back what can be given back: a gate that already moves for the part stays reserved, and so does
        what `but` would reserve again just so."""
        keep = dict(but)
        for gate, reservation in list(part.reservations.items()):
            if keep.get(gate) == reservation.position and self.window(gate, part) == reservation[:2]:
                continue
            if not self.is_moving(gate, reservation, moment) and gate not in part.held:
                self.drop(part, gate)

    def drop(self, part: BookedPart, gate: str) -> None:
        self._timelines[gate].remove(part.reservations.pop(gate))
        part.commands.pop(gate, None)

    def commands(self, part: BookedPart, moment: Moment) -> tuple[GateCommand, ...]:
        """What the dispatcher must still do for the part, in the order of its way: asked again for a gate that the
        part has passed, it would only be late."""
        passed_mm = moment.belt_mm + self._settings.guard_s * moment.worst_mm_per_s
        for gate, reservation in part.reservations.items():
            if gate not in part.commands:
                from_mm, to_mm, _, position = reservation
                if gate in self._strokes:
                    from_mm, to_mm = self._gates[gate].acts_mm(position, from_mm, to_mm)
                part.commands[gate] = GateCommand(part.track_id, gate, position, from_mm, to_mm)
        ways = (part.commands.get(gate) for gate, _ in part.steps)
        return tuple(command for command in ways if command is not None and command.to_belt_mm > passed_mm)

    def _resting_mm(self, move_s: float, moment: Moment) -> float:
        settings = self._settings
        return (settings.rest_after_s + move_s + settings.guard_s) * moment.worst_mm_per_s
