"""The way of parts that no bin takes: to the default bin without being swept into another, if need be by
letting other parts give way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from edge.scheduling.bookings import BookedPart, Bookings, Moment
from edge.scheduling.timeline import Reservation
from edge.scheduling.topology import Fork, Path, Step, Topology


@dataclass(slots=True)
class Settled:
    """How it went: the parts that gave way and at which gate, and the harm that could not be avoided."""

    gave_way: dict[int, str] = field(default_factory=dict)
    harm: str = ""


class DefaultWay:
    """Books the default way. When another part's reservation crosses it, that part goes to the default bin
    too, and so on for those in its way; only when a gate already moves for one of them does the part follow
    that gate. Gates out of service are passed at rest."""

    def __init__(self, topology: Topology, bookings: Bookings) -> None:
        self._topology = topology
        self._bookings = bookings
        self.steps: Path = ()
        self.bin = topology.default_bin
        self.find()

    def find(self) -> None:
        """Finds the way anew, after a gate went out of service or came back."""
        steps, node = [], self._topology.layout
        while isinstance(node, Fork):
            position = self._wish(node)
            steps.append(Step(node.gate, position))
            node = self._next(node, position)
        self.steps, self.bin = tuple(steps), node
        self._positions = dict(self.steps)

    def settle(self, part: BookedPart, moment: Moment) -> Settled:
        """Books gate by gate what harms least, and notes on the part where that leads."""
        self._bookings.release(part, moment, self.steps)
        outcome, steps, node = Settled(), [], self._topology.layout
        if self._is_clear(part, moment, outcome):
            self._bookings.book(part, self.steps, self.bin, moment)
            node = self.bin
        while isinstance(node, Fork):
            position = self._least_harm(part, node, moment, outcome)
            steps.append(Step(node.gate, position))
            node = self._next(node, position)
        if steps:
            part.steps, part.bin = tuple(steps), node
        if node != self._topology.default_bin and not outcome.harm:
            outcome.harm = f"no way leads to {self._topology.default_bin} while a gate is out of service"
        return outcome

    def send_away(self, obstacles: Iterable[Reservation], moment: Moment, part: BookedPart | None = None) -> set[int]:
        """Lets those who hold these reservations, and those in their way, ride to the default bin.

        Returns:
            The tracks; none when one of them cannot any more, and then nothing has changed.
        """
        movable = self._who_gives_way(part, obstacles, moment) or []
        for other in movable:
            self._bookings.release(other, moment, self.steps)
        for other in movable:
            self._bookings.book(other, self.steps, self.bin, moment)
        return {other.track_id for other in movable}

    def follow(self, part: BookedPart, gate: str, position: str, moment: Moment) -> None:
        """Holds the gate in `position` for as much of the part as the promises to others leave."""
        from_mm, to_mm = self._left_by_others(part, gate, position, moment)
        if from_mm < to_mm and not self._topology.gates[gate].change_s(position, position):
            self._bookings.reserve(part, gate, position, (from_mm, to_mm))

    def _left_by_others(self, part: BookedPart, gate: str, position: str, moment: Moment) -> tuple[float, float]:
        bookings = self._bookings
        from_mm, to_mm = bookings.window(gate, part)
        gap_mm = bookings.gap_mm(gate, moment)
        for other in bookings.conflicts(gate, (from_mm, to_mm), position, moment, (part.track_id,)):
            if other.from_mm >= from_mm:
                to_mm = min(to_mm, other.from_mm - gap_mm)
            else:
                from_mm = max(from_mm, other.to_mm + gap_mm)
        return from_mm, to_mm

    def _is_nearly_free(self, part: BookedPart, gate: str, position: str, moment: Moment) -> bool:
        """True when others leave all but half a margin: a part measured anew a little nearer to them than it was booked
        still finds the gate in place, and would surely be swept along if it followed them instead."""
        window, left = self._bookings.window(gate, part), self._left_by_others(part, gate, position, moment)
        return max(left[0] - window[0], window[1] - left[1]) <= self._topology.gates[gate].margin_mm / 2

    def _is_clear(self, part: BookedPart, moment: Moment, outcome: Settled) -> bool:
        """Sends away who can be, and says whether the whole way is then free: nearly always, and on a long line far
        cheaper than to weigh every gate."""
        if part.held:
            return False
        bookings, kept = self._bookings, 0
        for gate, position in self.steps:
            window, own = bookings.window(gate, part), part.reservations.get(gate)
            if own is not None:
                if own.position != position or own[:2] != window:
                    return False
                kept += 1
            elif window[1] > moment.belt_mm:
                obstacles = bookings.conflicts(gate, window, position, moment, ())
                if obstacles and not self._gone(obstacles, gate, part, moment, outcome):
                    return False
        return kept == len(part.reservations)

    def _gone(
        self, obstacles: list[Reservation], gate: str, part: BookedPart, moment: Moment, outcome: Settled
    ) -> bool:
        gone = self.send_away(obstacles, moment, part)
        outcome.gave_way.update(dict.fromkeys(gone, gate))
        return bool(gone)

    def _wish(self, fork: Fork) -> str:
        if fork.gate in self._bookings.out_of_service:
            return self._topology.gates[fork.gate].rest
        return self._topology.default_way(fork)

    def _next(self, fork: Fork, position: str) -> Fork | str:
        return fork.ways.get(position) or fork.ways[self._topology.default_way(fork)]

    def _least_harm(self, part: BookedPart, fork: Fork, moment: Moment, outcome: Settled) -> str:
        """The position that this gate will have for the part."""
        gate, bookings = fork.gate, self._bookings
        wish, stands = self._wish(fork), bookings.stands_at(gate, part)
        position, own, window = stands or wish, part.reservations.get(gate), bookings.window(gate, part)
        if position != wish:
            outcome.harm = outcome.harm or f"{gate} already stands at {position} for it"
        if window[1] <= moment.belt_mm or (stands and (own is None or _covers(own, window))):
            return position
        if own is not None:
            # The gate moves for a part that turned out longer: it must not move on under its end.
            window = min(own.from_mm, window[0]), max(own.to_mm, window[1])
        obstacles = bookings.conflicts(gate, window, position, moment, (part.track_id,))
        if obstacles and position == wish and self._gone(obstacles, gate, part, moment, outcome):
            obstacles = []
        if not obstacles:
            bookings.reserve(part, gate, position, window)
            return position
        if stands is None and not self._is_nearly_free(part, gate, position, moment):
            hold = max(obstacles, key=lambda r: (bookings.is_moving(gate, r, moment), r.from_mm))
            position = hold.position
            harm = f"{gate} holds {hold.position} for track {hold.track_id}, too late to undo"
            outcome.harm = outcome.harm or harm
        self.follow(part, gate, position, moment)
        return position

    def _who_gives_way(
        self, part: BookedPart | None, obstacles: Iterable[Reservation], moment: Moment
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
            if other is None or other is part or not self._may_default(other, moment):
                return None
            group[track_id] = other
            for gate, position in self.steps:
                own, window = other.reservations.get(gate), bookings.window(gate, other)
                if (own is None or own.position != position or own[:2] != window) and window[1] > moment.belt_mm:
                    conflicts = bookings.conflicts(gate, window, position, moment, group)
                    todo.extend(r.track_id for r in conflicts)
        return list(group.values())

    def _may_default(self, part: BookedPart, moment: Moment) -> bool:
        """True when no gate has moved for the part against the default way, and all of that way can be had in
        time but for what other parts hold."""
        bookings, default = self._bookings, self._positions
        if any(default.get(gate) != position for gate, position in part.held.items()):
            return False
        for gate, reservation in part.reservations.items():
            if default.get(gate) != reservation.position and bookings.is_moving(gate, reservation, moment):
                return False
        for gate, position in default.items():
            own, window = part.reservations.get(gate), bookings.window(gate, part)
            if (own is not None and own.position == position) or window[1] <= moment.belt_mm:
                continue
            if not bookings.in_time(gate, window[0], position, moment, part.track_id):
                return False
        return True


def _covers(reservation: Reservation, window: tuple[float, float]) -> bool:
    return reservation.from_mm <= window[0] and reservation.to_mm >= window[1]
