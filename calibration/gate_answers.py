"""Where a part went: from the sensors where they tell every bin, else from whoever stands at the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from calibration.gate_ways import bins_of, last_gates
from calibration.parts_run import PartsRun
from calibration.rig import Rig, Task

EARLY_S, LATE_S = 0.15, 0.35
"""A beam may be broken so much before or after the moment at which it should be."""
GONE_S = 1.2
"""A part that has passed the last gate for so long, and was not seen, is in the bin that has no sensor."""
ASK_S = 3.0
NOT_SEEN = "not seen"


class Riding(Protocol):
    """What is known of a part on the belt."""

    x_belt_mm: float
    half_mm: float
    answer: str | None


Part = TypeVar("Part", bound=Riding)


class Answers:
    """Tells the bin of each part.

    Args:
        rig: its sensors started.
        run: knows when the belt was where.
    """

    def __init__(self, rig: Rig, run: PartsRun) -> None:
        self._rig, self._run = rig, run
        self._bins = bins_of(rig.bins)
        self._x_mm = {gate.name: gate.x_mm for gate in rig.config.gates}
        end_mm = max(self._x_mm.values())
        self._beams = {
            sensor.name: sensor.at.bin or rig.bins.default_bin
            for sensor in rig.machine.sensors
            if sensor.name in rig.sensors and (sensor.at.bin or (sensor.at.x_mm or 0.0) > end_mm)
        }
        unseen = [bin_ for bin_ in self._bins if bin_ not in self._beams.values()]
        self.by_sensors = bool(self._beams) and len(unseen) <= 1
        self._unseen = unseen[0] if unseen else ""
        self._breaks: list[tuple[float, str]] = []

    def settle(self, rides: Sequence[Part], last_mm: float) -> Iterator[tuple[Part, str]]:
        """The parts whose bin is now known; "" for one that nobody saw."""
        if self.by_sensors:
            self._take()
        for ride in rides:
            if self.by_sensors and (found := self._seen(ride)):
                yield ride, found
            elif self._is_gone(ride, last_mm):
                yield ride, self._unseen if self.by_sensors else self._asked()

    def _take(self) -> None:
        for name, bin_ in self._beams.items():
            self._breaks += [(time_s, bin_) for time_s in self._rig.sensors[name].take()]

    def _seen(self, ride: Riding) -> str:
        for sensor in self._rig.machine.sensors:
            bin_ = self._beams.get(sensor.name)
            if bin_ is None:
                continue
            places_mm = (
                [sensor.at.x_mm] if sensor.at.x_mm else [self._x_mm[g] for g in last_gates(self._rig.bins)[bin_]]
            )
            for x_mm in places_mm:
                if found := self._break_at(ride, bin_, x_mm or 0.0, sensor.fall_s):
                    self._breaks.remove(found)
                    return bin_
        return ""

    def _break_at(self, ride: Riding, bin_: str, x_mm: float, fall_s: float) -> tuple[float, str] | None:
        passed_mm = ride.x_belt_mm + x_mm - ride.half_mm
        if passed_mm > self._run.travel_mm():
            return None
        first_s = self._run.time_of(passed_mm) + fall_s - EARLY_S
        last_s = self._run.time_of(passed_mm + 2 * ride.half_mm + 2.0) + fall_s + LATE_S
        return next((one for one in self._breaks if one[1] == bin_ and first_s <= one[0] <= last_s), None)

    def _is_gone(self, ride: Riding, last_mm: float) -> bool:
        gone_mm = ride.x_belt_mm + last_mm + ride.half_mm
        travel_mm = self._run.travel_mm()
        return travel_mm > gone_mm and self._run.now_s - self._run.time_of(gone_mm) > GONE_S

    def _asked(self) -> str:
        words = "Where did the part go? (the bin's name, or 'not seen')"
        answer = self._rig.operator.do(Task(words, "where", {}, ASK_S, (*self._bins, NOT_SEEN)))
        return "" if answer == NOT_SEEN else answer
