"""Grants a part one of its bins: alone where it can be, or together with neighbours that want the same.

A part that lies too near to another for a gate to move between must share every position with it, so both can only be
served by the same bin. Often only the last of such a group to be decided completes it; those before it were refused,
or chose another bin of several that would do, and change to this one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from edge.scheduling.bookings import BookedPart, Bookings, Moment
from edge.scheduling.timeline import Reservation
from edge.scheduling.topology import Path, Topology

LARGEST_GROUP = 8
"""Parts that may change their bin for one decision: with more, the decision would cost too much."""


class Obstacle(NamedTuple):
    """Why a way cannot be had, and the track that holds it, if it is one."""

    why: str
    track_id: int | None = None


class Granting:
    """Books ways to wanted bins. `revised` of its methods takes the tracks that changed their way, and why."""

    def __init__(self, topology: Topology, bookings: Bookings) -> None:
        self._topology = topology
        self._bookings = bookings
        self._default = dict(topology.default_path)

    def grant(self, part: BookedPart, moment: Moment, revised: dict[int, str]) -> Obstacle | None:
        """Books the first wanted bin that can be had, if need be with neighbours changing to it; otherwise changes
        nothing and says what was in the way."""
        ways = [(bin_name, steps) for bin_name in part.wanted for steps in self._topology.paths(bin_name)]
        obstacles: list[Obstacle] = []
        for bin_name, steps in ways:
            obstacle = self._obstacle(part, steps, moment)
            if obstacle is None:
                self._bookings.book(part, steps, bin_name, moment)
                return None
            obstacles.append(obstacle)
        for (bin_name, steps), obstacle in zip(ways, obstacles, strict=True):
            group = self._agreed(part, bin_name, steps, moment) if obstacle.track_id is not None else []
            for member in group:
                self._bookings.release(member, moment, steps)
            for member in group:
                self._bookings.book(member, steps, bin_name, moment)
                revised[member.track_id] = f"goes with track {part.track_id}"
            if group:
                return None
        self._wait(part, obstacles)
        return obstacles[0] if obstacles else Obstacle(f"no way leads to {part.wanted[0]}")

    def retry_waiting(self, part: BookedPart, moment: Moment, revised: dict[int, str]) -> None:
        """Parts that were refused because of this one, while it was not decided, get another chance now that it
        goes another way."""
        waiting, part.waiting = part.waiting, []
        for track_id in waiting:
            other = self._bookings.parts.get(track_id)
            if other is None or not other.wanted or other.bin in other.wanted:
                continue
            if self.grant(other, moment, revised) is None:
                revised[track_id] = f"track {part.track_id} was decided and left room"

    def cannot_be_undone(self, moment: Moment) -> Iterator[tuple[str, Reservation]]:
        """Gates that would now move for a part before the camera sees what follows it, and what they hold for it."""
        for part in self._bookings.parts.values():
            for gate, reservation in part.reservations.items():
                if self._bookings.is_moving(gate, reservation, moment):
                    continue
                if not self._can_be_undone(gate, reservation.position, reservation[:2], moment, (part.track_id,)):
                    yield gate, reservation

    def _wait(self, part: BookedPart, obstacles: list[Obstacle]) -> None:
        for _, track_id in obstacles:
            other = self._bookings.parts.get(track_id) if track_id is not None else None
            if other is not None and part.track_id not in other.waiting:
                other.waiting.append(part.track_id)

    def _obstacle(self, part: BookedPart, steps: Path, moment: Moment) -> Obstacle | None:
        """What keeps the part from this way, if anything does."""
        bookings = self._bookings
        for gate, position in steps:
            window, own = bookings.window(gate, part), part.reservations.get(gate)
            if own is not None and own.position == position and own[:2] == window:
                continue
            stands = bookings.fixed_at(gate, part, moment)
            if stands is not None:
                if stands != position:
                    return Obstacle(f"{gate} already stands at {stands} for it")
                continue
            if not bookings.serves(gate, position):
                return Obstacle(f"gate {gate} is out of service")
            # At a gate that it has passed nobody can make way for it any more.
            passed = window[1] <= moment.belt_mm
            conflicts = () if passed else bookings.conflicts(gate, window, position, moment, (part.track_id,))
            if conflicts:
                other = conflicts[0]
                return Obstacle(f"{gate} holds {other.position} for track {other.track_id}", other.track_id)
            if not bookings.in_time(gate, window[0], position, moment, part.track_id):
                ahead_mm = max(window[0] - moment.belt_mm, 0)
                return Obstacle(f"{gate} is too near to move in time, {ahead_mm:.0f} mm ahead")
            if not self._can_be_undone(gate, position, window, moment, (part.track_id,)):
                return Obstacle(f"{gate} would move before the camera sees what follows")
        return None

    def _can_be_undone(
        self, gate: str, position: str, window: tuple[float, float], moment: Moment, group: Collection[int]
    ) -> bool:
        """Whether parts not seen yet will still find the default way open, if they come close behind."""
        default = self._default.get(gate, position)
        return position == default or self._bookings.can_be_undone(gate, window, default, moment, group)

    def _agreed(self, part: BookedPart, bin_name: str, steps: Path, moment: Moment) -> list[BookedPart]:
        """The part with all who stand in its way there, when this way suits every one of them; else nobody."""
        if not (self._may(part, steps, moment) and all(self._bookings.shares(*step) for step in steps)):
            return []
        group, todo = {part.track_id: part}, [part]
        while todo:
            member = todo.pop()
            for gate, position in steps:
                window = self._bookings.window(gate, member)
                if window[1] <= moment.belt_mm:
                    continue
                for obstacle in self._bookings.conflicts(gate, window, position, moment, group):
                    other = self._bookings.parts[obstacle.track_id]
                    suits = bin_name in other.wanted and self._may(other, steps, moment)
                    if not suits or len(group) == LARGEST_GROUP:
                        return []
                    group[other.track_id] = other
                    todo.append(other)
        for gate, position in steps:
            windows = [self._bookings.window(gate, member) for member in group.values()]
            window = min(start for start, _ in windows), max(end for _, end in windows)
            if not self._can_be_undone(gate, position, window, moment, group):
                return []
        return list(group.values())

    def _may(self, part: BookedPart, steps: Path, moment: Moment) -> bool:
        """True when every gate of the way stands right for the part or can still be moved, but for other parts."""
        bookings = self._bookings
        for gate, position in steps:
            stands, window = bookings.fixed_at(gate, part, moment), bookings.window(gate, part)
            if stands == position:
                continue
            if stands is not None or not bookings.serves(gate, position):
                return False
            if not bookings.in_time(gate, window[0], position, moment, part.track_id):
                return False
        return True
