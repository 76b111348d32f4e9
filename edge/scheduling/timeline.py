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
        self._counts: dict[str, int] = {}
        """Reservations in each position: most gates of a long line have but one on their mind."""
        self._longest_mm = 0.0

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self._reservations)

    def __len__(self) -> int:
        return len(self._reservations)

    def add(self, reservation: Reservation) -> None:
        insort(self._reservations, reservation)
        self._counts[reservation.position] = self._counts.get(reservation.position, 0) + 1
        self._longest_mm = max(self._longest_mm, reservation.to_mm - reservation.from_mm)

    def remove(self, reservation: Reservation) -> None:
        del self._reservations[bisect_left(self._reservations, reservation)]
        self._counts[reservation.position] -= 1
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
        """Other tracks' reservations that leave less belt to move in between than `gap_mm`, a whole movement's."""
        if self._shares is None and self._counts.get(position, 0) == len(self._reservations):
            return []
        near = self.between(from_mm - gap_mm, to_mm + gap_mm)
        if self._shares is None:
            return [r for r in near if r.position != position and r.track_id not in ignore]
        own = Reservation(from_mm, to_mm, -1, position)
        return [r for r in near if r.track_id not in ignore and self._disagree(min(own, r), max(own, r), gap_mm)]

    def shares(self, position: str) -> bool:
        """Whether two parts may follow each other closely in this position."""
        return self._shares is None or not self._shares[position, position]

    def row(
        self, from_mm: float, to_mm: float, default: str, gap_mm: float, ignore: Collection[int]
    ) -> tuple[float, float]:
        """From where to where on the belt the gate cannot come to `default` between two parts: the interval, with all
        that stands less than `gap_mm` from it, or from those, in another position."""
        while True:
            near = [r for r in self.between(from_mm - gap_mm, to_mm + gap_mm) if r.track_id not in ignore]
            near = [r for r in near if r.position != default and (r.from_mm < from_mm or r.to_mm > to_mm)]
            if not near:
                return from_mm, to_mm
            from_mm = min(from_mm, *(r.from_mm for r in near))
            to_mm = max(to_mm, *(r.to_mm for r in near))

    def too_close(self, gap_mm: float) -> Iterator[tuple[Reservation, Reservation]]:
        """Pairs that leave less belt between them than their change of position takes, by their place."""
        for index, other in enumerate(self._reservations):
            first = bisect_left(self._reservations, (other.from_mm - gap_mm - self._longest_mm,))
            for one in self._reservations[first:index]:
                if self._disagree(one, other, gap_mm):
                    yield one, other

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

    def _disagree(self, one: Reservation, other: Reservation, gap_mm: float) -> bool:
        """True when the gate cannot come from the one to the other, which is not before it, in time."""
        if self._shares is None:
            return one.position != other.position and other.from_mm - one.to_mm < gap_mm
        share = self._shares[one.position, other.position]
        return share > 0 and other.from_mm - one.to_mm < share * gap_mm
