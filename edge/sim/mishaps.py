"""What may happen to parts on the belt: they jam and queue up, fall off, or are longer than any part should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from edge.sim.parts import SimPart

BAR_WIDTH_MM = 8.0


class Mishaps:
    """Holds parts in their place while the belt goes on, and lets parts fall off.

    A jam catches the next part whose leading edge comes to its station; those that run into it stand behind it.
    """

    def __init__(self, fall: Callable[[SimPart], None]) -> None:
        """Args:
        fall: ends a part that fell off the belt.
        """
        self._fall = fall
        self._jams_mm: list[float] = []
        self._falls_mm: list[float] = []
        self._standing: dict[int, tuple[SimPart, float]] = {}
        self.bar_mm: float | None = None
        """The length of the next part that is fed, in place of its own."""

    @property
    def standing(self) -> tuple[SimPart, ...]:
        """The parts that stand still."""
        return tuple(part for part, _ in self._standing.values())

    def jam(self, x_mm: float) -> None:
        """Block the belt at a station, until `free`."""
        self._jams_mm.append(x_mm)

    def free(self) -> None:
        """Take away every jam; what stood rides on from where it is."""
        self._jams_mm.clear()
        self._standing.clear()

    def fall_off(self, x_mm: float) -> None:
        """Let the next part whose middle comes to a station fall off there."""
        self._falls_mm.append(x_mm)

    def shape(self, part: SimPart) -> None:
        """Make a bar of a part that is about to be fed, if that was asked for."""
        if self.bar_mm is not None:
            half = np.array([self.bar_mm / 2, BAR_WIDTH_MM / 2], np.float32)
            part.outline_mm = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half
            part.y_mm, part.bar, self.bar_mm = 0.0, True, None

    def move(self, parts: Iterable[SimPart], travel_mm: float, moved_mm: float) -> None:
        """The belt has come to `travel_mm`, `moved_mm` of it just now."""
        for part, x_mm in self._standing.values():
            part.x_belt_mm = travel_mm - x_mm
        if not (self._jams_mm or self._falls_mm):
            return
        for part in tuple(parts):
            if part.part_id in self._standing:
                continue
            lead_mm, middle_mm = travel_mm - part.lead_belt_mm, travel_mm - part.x_belt_mm
            if (x_mm := _crossed(self._falls_mm, middle_mm, moved_mm)) is not None:
                self._falls_mm.remove(x_mm)
                self._fall(part)
            elif self._stops(part, lead_mm, moved_mm, travel_mm):
                self._standing[part.part_id] = part, middle_mm

    def _stops(self, part: SimPart, lead_mm: float, moved_mm: float, travel_mm: float) -> bool:
        if not self._standing:
            return _crossed(self._jams_mm, lead_mm, moved_mm) is not None
        return any(
            _abreast(part, other) and _crossed([travel_mm - other.trail_belt_mm], lead_mm, moved_mm) is not None
            for other, _ in self._standing.values()
        )


def _crossed(stations_mm: list[float], now_mm: float, moved_mm: float) -> float | None:
    """The first station that was passed with the last movement."""
    return next((x_mm for x_mm in stations_mm if now_mm - moved_mm < x_mm <= now_mm), None)


def _abreast(one: SimPart, other: SimPart) -> bool:
    """Whether they lie in each other's way."""
    half_mm = (np.ptp(one.outline_mm[:, 1]) + np.ptp(other.outline_mm[:, 1])) / 2
    return bool(abs(one.y_mm - other.y_mm) < half_mm)
