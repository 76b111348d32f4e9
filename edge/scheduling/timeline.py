"""What one gate has promised, in order along the belt."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple


class Reservation(NamedTuple):
    """`position` is promised to `track_id` while the belt's travel at the gate is between the two."""

    from_mm: float
    to_mm: float
    track_id: int
    position: str


class GateTimeline:
    """The reservations of one gate, sorted. Those that share a position may overlap; others lie at least the
    movement between theirs apart, which is the caller's duty (`conflicts` tells).

    Args:
        shares: the movement between two positions as a share of the longest, which a gap is given for; 0 where both
            may be had at once. Left out: 0 in the same position, else 1.
    """

    def __init__(self, shares: Mapping[tuple[str, str], float] | None = None) -> None:
        self._shares = shares
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
        """Other tracks' reservations in another position with less than `gap_mm` (or its share) to move in between."""
        return [
            r
            for r in self.between(from_mm - gap_mm, to_mm + gap_mm)
            if r.track_id not in ignore
            and (share := self._share(r.position, position)) > 0
            and r.to_mm > from_mm - share * gap_mm
            and r.from_mm < to_mm + share * gap_mm
        ]

    def too_close(self, gap_mm: float) -> Iterator[tuple[Reservation, Reservation]]:
        """Pairs in different positions that lie less than `gap_mm` apart, by their place."""
        last: dict[str, Reservation] = {}
        for reservation in self._reservations:
            for position, before in last.items():
                share = self._share(position, reservation.position)
                if share > 0 and reservation.from_mm - before.to_mm < share * gap_mm:
                    yield before, reservation
            before = last.get(reservation.position)
            if before is None or before.to_mm < reservation.to_mm:
                last[reservation.position] = reservation

    def reserved_mm(self, from_mm: float, length_mm: float, gap_mm: float) -> float:
        """Belt of the stretch that is promised, or needed to move in before and after what is promised."""
        reserved_mm, done_mm, end_mm = 0.0, from_mm, from_mm + length_mm
        for reservation in self.between(from_mm - gap_mm, end_mm + gap_mm):
            start_mm = max(reservation.from_mm - gap_mm / 2, done_mm)
            done_mm = max(done_mm, min(reservation.to_mm + gap_mm / 2, end_mm))
            reserved_mm += max(done_mm - start_mm, 0.0)
        return reserved_mm

    def _share(self, one: str, other: str) -> float:
        return float(one != other) if self._shares is None else self._shares[one, other]
