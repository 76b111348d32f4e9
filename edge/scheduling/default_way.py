"""The way of parts that no bin takes: to the default bin without being swept into another, if need be by
letting other parts give way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from edge.scheduling.bookings import BookedPart, Bookings, Moment
from edge.scheduling.timeline import Reservation
from edge.scheduling.topology import Fork, Step, Topology


@dataclass(slots=True)
class Settled:
    """How it went: the parts that gave way and at which gate, and the harm that could not be avoided."""

    gave_way: dict[int, str] = field(default_factory=dict)
    harm: str = ""


class DefaultWay:
    """Books the default way. When another part's reservation crosses it, that part goes to the default bin
    too, and so on for those in its way; only when a gate already moves for one of them does the part follow
    that gate."""

    def __init__(self, topology: Topology, bookings: Bookings) -> None:
        self._topology = topology
        self._bookings = bookings
        self._default = dict(topology.default_path)

    def settle(self, part: BookedPart, moment: Moment) -> Settled:
        """Books gate by gate what harms least, and notes on the part where that leads."""
        self._bookings.release(part, moment)
        outcome, steps, node = Settled(), [], self._topology.layout
        while isinstance(node, Fork):
            position = self._least_harm(part, node, moment, outcome)
            steps.append(Step(node.gate, position))
            node = node.ways.get(position) or node.ways[self._topology.default_way(node)]
        part.steps, part.bin = tuple(steps), node
        return outcome

    def _least_harm(self, part: BookedPart, fork: Fork, moment: Moment, outcome: Settled) -> str:
        """The position that this gate will have for the part."""
        gate, bookings = fork.gate, self._bookings
        wish = self._topology.default_way(fork)
        stands = bookings.stands_at(gate, part)
        if stands is not None:
            if stands != wish:
                outcome.harm = outcome.harm or f"{gate} already stands at {stands} for it"
            return stands
        window = bookings.window(gate, part)
        if window[1] <= moment.belt_mm:
            return wish
        obstacles = bookings.conflicts(gate, window, wish, moment, (part.track_id,))
        movable = self._who_gives_way(part, obstacles, moment)
        if movable is not None:
            for other in movable:
                bookings.release(other, moment)
            for other in movable:
                bookings.book(other, self._topology.default_path, self._topology.default_bin, moment)
                outcome.gave_way[other.track_id] = gate
            bookings.reserve(part, gate, wish, window)
            return wish
        hold = max(obstacles, key=lambda r: (bookings.is_moving(gate, r, moment), r.from_mm))
        self.follow(part, gate, hold.position, moment)
        harm = f"{gate} holds {hold.position} for track {hold.track_id}, too late to undo"
        outcome.harm = outcome.harm or harm
        return hold.position

    def follow(self, part: BookedPart, gate: str, position: str, moment: Moment) -> None:
        """Holds the gate in `position` for as much of the part as the promises to others leave."""
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

    def _who_gives_way(
        self, part: BookedPart, obstacles: Iterable[Reservation], moment: Moment
    ) -> list[BookedPart] | None:
        """The parts that must ride to the default bin so that `part` can, each with those in its own way;
        None when one of them cannot any more."""
        bookings, group = self._bookings, dict[int, BookedPart]()
        todo = [obstacle.track_id for obstacle in obstacles]
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
        bookings, default = self._bookings, self._default
        if any(default.get(gate) != position for gate, position in part.held.items()):
            return False
        for gate, reservation in part.reservations.items():
            if bookings.is_moving(gate, reservation, moment) and default.get(gate) != reservation.position:
                return False
        for gate, position in default.items():
            own, window = part.reservations.get(gate), bookings.window(gate, part)
            if (own is not None and own.position == position) or window[1] <= moment.belt_mm:
                continue
            if not bookings.in_time(gate, window[0], position, moment, part.track_id):
                return False
        return True
