"""Which sighting belongs to which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Belt travel within which a part may be seen at a sensor, and at which it is most likely."""

    from_mm: float
    middle_mm: float
    to_mm: float

    def holds(self, place_mm: float) -> bool:
        return self.from_mm <= place_mm <= self.to_mm


def pair(windows: Sequence[Window], places_mm: Sequence[float]) -> dict[int, int]:
    """One sighting to one part, in the order in which both come: as many pairs as the windows allow, and of all such
    pairings the one with the least distances in sum.

    Taking the nearest pair first would leave a part without its sighting whenever all parts come late alike. The
    alignment is that of two sequences by dynamic programming (Needleman and Wunsch, J. Mol. Biol. 48, 1970).

    Args:
        windows: by rising middle.
        places_mm: rising.

    Returns:
        Index of the window → index of its place.
    """
    columns = len(places_mm) + 1
    best = [[(0, 0.0)] * columns for _ in range(len(windows) + 1)]
    for i, window in enumerate(windows, start=1):
        for j, place_mm in enumerate(places_mm, start=1):
            best[i][j] = max(best[i - 1][j], best[i][j - 1])
            if window.holds(place_mm):
                pairs, nearness = best[i - 1][j - 1]
                best[i][j] = max(best[i][j], (pairs + 1, nearness - abs(place_mm - window.middle_mm)))
    found: dict[int, int] = {}
    i, j = len(windows), len(places_mm)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found[i] = j
    return found
