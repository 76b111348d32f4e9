"""Where the belt was a moment ago."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque


class BeltLog:
    """Remembers the belt's travel for `kept_s`, straight between two entries."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._entries: deque[tuple[float, float]] = deque()

    def note(self, now_s: float, now_mm: float) -> None:
        """Takes the belt's travel at an instant, later than the last."""
        entries = self._entries
        if entries and now_s <= entries[-1][0]:
            return
        entries.append((now_s, now_mm))
        while len(entries) > 2 and entries[1][0] < now_s - self._kept_s:
            entries.popleft()

    def mm_at(self, instant_s: float) -> float:
        """The travel at an instant; that of the nearest entry outside of what is remembered.

        Raises:
            IndexError: nothing was noted yet.
        """
        entries = self._entries
        place = bisect_left(entries, instant_s, key=lambda entry: entry[0])
        if place == 0:
            return entries[0][1]
        if place == len(entries):
            return entries[-1][1]
        (before_s, before_mm), (after_s, after_mm) = entries[place - 1], entries[place]
        return before_mm + (after_mm - before_mm) * (instant_s - before_s) / (after_s - before_s)
