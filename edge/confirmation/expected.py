"""What the ledger keeps of a part, and what it can find out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edge.config.bins import Way
from edge.confirmation.pairing import Window


class Outcome(StrEnum):
    """What is known of a part's end."""

    OPEN = "open"
    SEEN = "seen"
    UNSEEN = "unseen"
    """Not where it was planned; it may still be seen elsewhere."""
    UNWATCHED = "unwatched"
    """No sensor that can be trusted is where it was planned."""
    ASTRAY = "astray"


@dataclass(eq=False, slots=True)
class Expected:
    """A part that rides by its plan, as far as is known."""

    track_id: int
    bin: str
    way: Way
    lead_mm: float
    trail_mm: float
    touching: bool
    watchers: Mapping[str, float]
    final: str | None
    outcome: Outcome
    judged: set[str] = field(default_factory=set)
    hits: set[str] = field(default_factory=set)

    def window(self, station_mm: float, tolerance_mm: float) -> Window:
        """Where it may be seen at a station."""
        from_mm, to_mm = self.lead_mm + station_mm - tolerance_mm, self.trail_mm + station_mm + tolerance_mm
        return Window(from_mm, (from_mm + to_mm) / 2, to_mm)


class Kind(StrEnum):
    """What the ledger has found out."""

    HIT = "hit"
    """A sensor saw a part that was due there."""
    OVERLOOKED = "overlooked"
    """A sensor did not see a part that must have passed it, or, not trusted any more, missed one again."""
    UNEXPLAINED = "unexplained"
    """A sensor saw what no part can have been."""
    SEEN = "seen"
    """A part ended where it was planned."""
    ASTRAY = "astray"
    """A part was seen where it should not be."""
    LOST = "lost"
    """A part was seen nowhere."""


@dataclass(frozen=True, slots=True)
class News:
    """One finding; `taken` is the way of a part astray."""

    kind: Kind
    sensor: str
    part: Expected | None = None
    taken: Way = ()
