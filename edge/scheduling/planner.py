"""Reserve, or refuse: which way a part goes, and which gates are held for it from where to where on the belt.

Every part on the belt holds every gate that it will pass in some position, also the parts that only ride on
to the default bin: a gate never swings under a part that somebody has told the planner of. A bin is granted
only when all gates on its way can be held; otherwise the part goes to the default bin, and when even that way
crosses another part's, that other part gives way too. Refusing is cheap, mixing is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.records import BinDecision, Plan
from edge.scheduling.bookings import BookedPart, Bookings, Moment, PlannerSettings
from edge.scheduling.timeline import Reservation
from edge.scheduling.topology import Fork, Path, Step, Topology


class Planner:
    """Plans parts one by one, all on the belt coordinate. Called from one thread.

    A track may be planned again at any time (a better extent, a later decision): its new plan replaces the
    old one as far as the gates have not moved for it yet. `Plan.revised` holds new plans of other tracks;
    they replace theirs.
    """

    def __init__(self, topology: Topology, settings: PlannerSettings) -> None:
        self._topology = topology
        self._bookings = Bookings(topology, settings)

    @property
    def bookings(self) -> Bookings:
        return self._bookings

    def plan(
        self,
        decision: BinDecision,
        lead_belt_mm: float,
        trail_belt_mm: float,
        now_belt_mm: float,
        belt_mm_per_s: float,
    ) -> Plan:
        """Grants the decided bin or one of its candidates, or refuses to the default bin.

        Args:
            decision: the bin wanted, and the others that would do as well.
            lead_belt_mm: `x_belt_mm` of the part's leading edge.
            trail_belt_mm: the same of its trailing edge.
            now_belt_mm: the belt's travel now.
            belt_mm_per_s: its measured speed.
        """
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        part = self._part(decision.track_id, lead_belt_mm, trail_belt_mm)
        default = self._topology.default_bin
        part.wanted = tuple(b for b in (decision.bin, *decision.candidates) if b != default)
        if not part.wanted or decision.bin == default:
            return self._settle(part, moment)
        obstacle = self._grant(part, moment)
        if obstacle is None:
            return Plan(part.track_id, part.bin, refused=False, commands=self._bookings.commands(part))
        return self._settle(part, moment, why=obstacle)

    def plan_default(
        self,
        track_id: int,
        lead_belt_mm: float,
        trail_belt_mm: float,
        now_belt_mm: float,
        belt_mm_per_s: float,
    ) -> Plan:
        """Protects a part that nobody could name (or not yet): it rides to the default bin."""
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        part = self._part(track_id, lead_belt_mm, trail_belt_mm)
        part.wanted = ()
        return self._settle(part, moment)

    def divert(
        self, track_id: int, gate: str, held: str, now_belt_mm: float, belt_mm_per_s: float
    ) -> Plan | None:
        """A command came late and `gate` stands in `held` for the part: plans the rest of its way from there.

        Returns:
            The new plan, or None when the part is not known (any more).
        """
        moment = self._bookings.at(now_belt_mm, belt_mm_per_s)
        part = self._bookings.parts.get(track_id)
        if part is None:
            return None
        if gate in part.reservations:
            self._bookings.drop(part, gate)
        part.held[gate] = held
        self._reserve_clipped(part, gate, held, moment)
        return self._settle(part, moment, why=f"{gate} was late and stayed at {held}")

    def _part(self, track_id: int, lead_mm: float, trail_mm: float) -> BookedPart:
        part = self._bookings.parts.get(track_id)
        if part is None:
            return BookedPart(track_id, lead_mm, trail_mm)
        part.lead_mm, part.trail_mm = lead_mm, trail_mm
        return part

    def _grant(self, part: BookedPart, moment: Moment) -> str | None:
        """Books the first wanted bin that can be had; otherwise changes nothing and says what was in the
        way."""
        first_obstacle = None
        for bin_name in part.wanted:
            for steps in self._topology.paths(bin_name):
                obstacle = self._obstacle(part, steps, moment)
                if obstacle is None:
                    self._book(part, steps, bin_name, moment)
                    return None
                first_obstacle = first_obstacle or obstacle
        return first_obstacle or f"no way leads to {part.wanted[0]}"

    def _obstacle(self, part: BookedPart, steps: Path, moment: Moment) -> str | None:
        bookings, own = self._bookings, (part.track_id,)
        for gate, position in steps:
            window = bookings.window(gate, part)
            reservation = part.reservations.get(gate)
            fixed = reservation is not None and bookings.is_moving(gate, reservation, moment)
            if gate in part.held or fixed:
                stands = part.held.get(gate) or (reservation.position if reservation else position)
                if stands != position:
                    return f"{gate} already stands at {stands} for it"
                continue
            conflicts = bookings.conflicts(gate, window, position, moment, own)
            if conflicts:
                return f"{gate} holds {conflicts[0].position} for track {conflicts[0].track_id}"
            if not bookings.in_time(gate, window[0], position, moment, own):
                return (
                    f"{gate} is too near to move in time, {max(window[0] - moment.belt_mm, 0):.0f} mm ahead"
                )
        return None

    def _book(self, part: BookedPart, steps: Path, bin_name: str, moment: Moment) -> None:
        self._bookings.release(part, moment)
        for gate, position in steps:
            window = self._bookings.window(gate, part)
            if gate not in part.reservations and window[1] > moment.belt_mm:
                self._bookings.reserve(part, gate, position, window)
        part.steps, part.bin = steps, bin_name

    def _settle(self, part: BookedPart, moment: Moment, why: str = "") -> Plan:
        """Sends the part to the default bin, or as near to it as gates that already move allow."""
        self._bookings.release(part, moment)
        asked, steps, revised = bool(why), [], {}
        node = self._topology.layout
        while isinstance(node, Fork):
            position, moved, harm = self._least_harm(part, node, moment)
            revised.update(
                {other.track_id: f"made way for track {part.track_id} at {node.gate}" for other in moved}
            )
            why = why or harm
            steps.append(Step(node.gate, position))
            node = node.ways.get(position) or node.ways[self._topology.default_way(node)]
        part.steps, part.bin = tuple(steps), node
        return Plan(
            part.track_id,
            node,
            refused=asked or node != self._topology.default_bin,
            commands=self._bookings.commands(part),
            why=why,
            revised=tuple(
                self._revise(self._bookings.parts[t], reason, moment) for t, reason in revised.items()
            ),
        )

    def _least_harm(self, part: BookedPart, fork: Fork, moment: Moment) -> tuple[str, list[BookedPart], str]:
        """The position that this gate will have for the part, the parts that gave way for it, and what went
        wrong."""
        gate, bookings = fork.gate, self._bookings
        wish = self._topology.default_way(fork)
        if gate in part.held:
            return part.held[gate], [], ""
        if gate in part.reservations:
            position = part.reservations[gate].position
            return position, [], "" if position == wish else f"{gate} already stands at {position} for it"
        window = bookings.window(gate, part)
        if window[1] <= moment.belt_mm:
            return wish, [], ""
        obstacles = bookings.conflicts(gate, window, wish, moment, (part.track_id,))
        movable = self._who_gives_way(part, obstacles, moment)
        if movable is not None:
            for other in movable:
                bookings.release(other, moment)
            for other in movable:
                self._book(other, self._topology.default_path, self._topology.default_bin, moment)
            bookings.reserve(part, gate, wish, window)
            return wish, movable, ""
        hold = max(obstacles, key=lambda r: (bookings.is_moving(gate, r, moment), r.from_mm))
        self._reserve_clipped(part, gate, hold.position, moment)
        return hold.position, [], f"{gate} holds {hold.position} for track {hold.track_id}, too late to undo"

    def _who_gives_way(
        self, part: BookedPart, obstacles: Iterable[Reservation], moment: Moment
    ) -> list[BookedPart] | None:
        """The parts that must ride to the default bin so that `part` can, each with those in its own way;
        None when one of them cannot any more."""
        bookings, group = self._bookings, dict[int, BookedPart]()
        todo = [o.track_id for o in obstacles]
        while todo:
            track_id = todo.pop()
            if track_id in group:
                continue
            other = bookings.parts.get(track_id)
            if other is None or track_id == part.track_id or not self._may_default(other, moment):
                return None
            group[track_id] = other
            for gate, position in self._topology.default_path:
                window = bookings.window(gate, other)
                if window[1] > moment.belt_mm:
                    conflicts = bookings.conflicts(gate, window, position, moment, group)
                    todo.extend(r.track_id for r in conflicts)
        return list(group.values())

    def _may_default(self, part: BookedPart, moment: Moment) -> bool:
        """True when no gate has moved for the part against the default way, and all of that way can be had in
        time but for what other parts hold."""
        bookings, default = self._bookings, dict(self._topology.default_path)
        if any(default.get(gate) != position for gate, position in part.held.items()):
            return False
        for gate, reservation in part.reservations.items():
            if bookings.is_moving(gate, reservation, moment) and default.get(gate) != reservation.position:
                return False
        for gate, position in default.items():
            own, window = part.reservations.get(gate), bookings.window(gate, part)
            if (own is not None and own.position == position) or window[1] <= moment.belt_mm:
                continue
            if not bookings.in_time(gate, window[0], position, moment, (part.track_id,)):
                return False
        return True

    def _revise(self, part: BookedPart, why: str, moment: Moment) -> Plan:
        """The plan of a part that gave way: another bin of its wishes where one is free, or the default
        bin."""
        if part.wanted:
            self._grant(part, moment)
        refused = bool(part.wanted) and part.bin == self._topology.default_bin
        return Plan(part.track_id, part.bin, refused, self._bookings.commands(part), why)

    def _reserve_clipped(self, part: BookedPart, gate: str, position: str, moment: Moment) -> None:
        """Holds the gate as it is for as much of the part as the promises to others leave."""
        bookings = self._bookings
        from_mm, to_mm = bookings.window(gate, part)
        gap_mm = bookings.gap_mm(gate, moment)
        for other in bookings.conflicts(gate, (from_mm, to_mm), position, moment, (part.track_id,)):
            if other.from_mm >= from_mm:
                to_mm = min(to_mm, other.from_mm - gap_mm)
            else:
                from_mm = max(from_mm, other.to_mm + gap_mm)
        if from_mm < to_mm:
            bookings.reserve(part, gate, position, (from_mm, to_mm))
