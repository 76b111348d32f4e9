"""What one gate has promised, in order along the belt."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from typing import NamedTuple


class Reservation(NamedTuple):
    """`position` is promised to `track_id` while the belt's travel at the gate is between the two."""

    from_mm: float
    to_mm: float
    track_id: int
    position: str


class GateTimeline:
    """The reservations of one gate, sorted. Those in one position may overlap; those in different positions
    lie at least a movement apart, which is the caller's duty (`conflicts` tells)."""

    def __init__(self) -> None:
        self._reservations: list[Reservation] = []
        self._longest_mm = 0.0

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self._reservations)

    def __len__(self) -> int:
        return len(self._reservations)

    def add(self, reservation: Reservation) -> None:
        insort(self._reservations, reservation)
        self._longest_mm = max(self._longest_mm, reservation.to_mm - reservation.from_mm)

    def remove(self, reservation: Reservation) -> None:
        del self._reservations[bisect_left(self._reservations, reservation)]
        if not self._reservations:
            self._longest_mm = 0.0

    def between(self, from_mm: float, to_mm: float) -> list[Reservation]:
        """Reservations that reach into the open interval; it looks at neighbours only."""
        first = bisect_left(self._reservations, (from_mm - self._longest_mm,))
        last = bisect_left(self._reservations, (to_mm,))
        return [r for r in self._reservations[first:last] if r.to_mm > from_mm]

    def conflicts(
        self, from_mm: float, to_mm: float, position: str, gap_mm: float, ignore: Collection[int] = ()
    ) -> list[Reservation]:
        """Other tracks' reservations in another position with less than `gap_mm` to move in between."""
        return [
            r
            for r in self.between(from_mm - gap_mm, to_mm + gap_mm)
            if r.position != position and r.track_id not in ignore
        ]
