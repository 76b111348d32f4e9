"""The parts that sensors are still to see, the sightings that no part explains yet, and what follows from both.

All in belt travel: a sighting's place is where the belt was when the part came to the sensor's station, so it holds
whatever the belt does meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge.config.bins import Way
from edge.confirmation.expected import Expected, Kind, News, Outcome
from edge.confirmation.pairing import pair
from edge.confirmation.places import Places
from edge.records import Plan

HOLD_MM = 50.0
"""A sighting is judged so much belt later: until then the part may not be known, or another be nearer."""
KEPT_SIGHTINGS = 64
"""Of each sensor, at most; a beam that flutters must not cost more."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What one sensor's word is worth just now."""

    counts: bool = True
    doubtful: bool = False
    """It lately saw what was no part: by itself it then accuses nobody."""
    dark: bool = False
    """Its beam is broken already: it cannot see another part."""


@dataclass(eq=False, slots=True)
class _Stray:
    """A sighting of no part that was due; `may_be` holds the parts that were there, the nearest first."""

    sensor: str
    may_be: list[tuple[Expected, Way]]


class Ledger:
    """Keeps the books. A part is forgotten when it has passed every sensor."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._parts: dict[int, Expected] = {}
        self._sightings: dict[str, list[float]] = {name: [] for name in places.spots}
        self._strays: list[_Stray] = []
        self._furthest_mm = {
            name: max((station for station, _ in places.sightings(name)), default=0.0) for name in places.spots
        }

    def expect(self, plan: Plan, lead_mm: float, trail_mm: float, *, touching: bool = False) -> None:
        """Takes a part's plan, or a new one in place of what it had."""
        way = self._places.way(plan)
        known = self._parts.get(plan.track_id)
        if known is not None and known.outcome not in (Outcome.OPEN, Outcome.UNWATCHED):
            return  # What became of it is known, or nearly.
        if known is not None and (known.bin, known.way) == (plan.bin, way):
            known.lead_mm, known.trail_mm, known.touching = lead_mm, trail_mm, touching
        elif way is None:
            self._parts.pop(plan.track_id, None)
        elif self._places.spots:
            final = self._places.final(plan.bin, way)
            outcome = Outcome.UNWATCHED if final is None else Outcome.OPEN
            watchers = self._places.watchers(plan.bin, way)
            self._parts[plan.track_id] = Expected(
                plan.track_id, plan.bin, way, lead_mm, trail_mm, touching, watchers, final, outcome
            )

    def awaits(self, track_id: int) -> bool:
        """Whether something may still be found out about a part."""
        part = self._parts.get(track_id)
        return part is not None and part.outcome in (Outcome.OPEN, Outcome.UNSEEN, Outcome.UNWATCHED)

    def forget(self, track_id: int) -> None:
        """A part that no sensor will see."""
        self._parts.pop(track_id, None)

    def seen(self, sensor: str, place_mm: float) -> None:
        """Takes a sighting."""
        sightings = self._sightings[sensor]
        sightings.append(place_mm)
        del sightings[:-KEPT_SIGHTINGS]

    def due(self, reached_mm: Mapping[str, float], trust: Mapping[str, Trust]) -> list[News]:
        """What can be said now, each thing once.

        Args:
            reached_mm: for each sensor the travel up to which all sightings have come.
            trust: for each sensor.
        """
        news: list[News] = []
        for sensor in self._sightings:
            news += self._judge(sensor, reached_mm[sensor], trust[sensor])
        self._strays = [stray for stray in self._strays if not self._explain(stray, trust[stray.sensor], news)]
        waited_for = {id(part) for stray in self._strays for part, _ in stray.may_be}
        for part in list(self._parts.values()):
            if self._is_past(part, reached_mm) and id(part) not in waited_for:
                del self._parts[part.track_id]
                if part.outcome is Outcome.UNSEEN and part.final is not None and trust[part.final].counts:
                    news.append(News(Kind.LOST, part.final, part))
        return news

    def _judge(self, sensor: str, reached_mm: float, trust: Trust) -> list[News]:
        """Pairs the sightings of one sensor with the parts that are due there."""
        places_mm = sorted(self._sightings[sensor])
        tolerance_mm = self._places.spots[sensor].tolerance_mm
        due = [part for part in self._parts.values() if sensor in part.watchers and sensor not in part.judged]
        windows = {part.track_id: part.window(part.watchers[sensor], tolerance_mm) for part in due}
        due.sort(key=lambda part: windows[part.track_id].middle_mm)
        over = [part for part in due if windows[part.track_id].to_mm < reached_mm]
        if not over and not places_mm:
            return []
        found = pair([windows[part.track_id] for part in due], places_mm)
        pairs = {due[i].track_id: places_mm[j] for i, j in found.items()}
        news: list[News] = []
        for part in over:
            news += self._close(part, sensor, trust, hit=part.track_id in pairs)
            if part.track_id in pairs:
                places_mm.remove(pairs[part.track_id])
        still = [windows[part.track_id] for part in due if sensor not in part.judged]
        for place_mm in [place_mm for place_mm in places_mm if place_mm + HOLD_MM < reached_mm]:
            if not any(window.holds(place_mm) for window in still):
                places_mm.remove(place_mm)
                self._strays.append(_Stray(sensor, self._who_was_at(sensor, place_mm)))
        self._sightings[sensor] = places_mm
        return news

    def _close(self, part: Expected, sensor: str, trust: Trust, *, hit: bool) -> Iterator[News]:
        """A part's window at a sensor is over."""
        part.judged.add(sensor)
        if hit:
            part.hits.add(sensor)
            yield News(Kind.HIT, sensor, part)
        elif not trust.counts and sensor == part.final:
            yield News(Kind.OVERLOOKED, sensor, part)
        if sensor != part.final:
            return
        if not trust.counts or (trust.dark and not hit):
            part.outcome = Outcome.UNWATCHED
        elif not hit:
            part.outcome = Outcome.UNSEEN
        else:
            part.outcome = Outcome.SEEN
            yield News(Kind.SEEN, sensor, part)
            for other in part.judged - part.hits:
                yield News(Kind.OVERLOOKED, other, part)

    def _who_was_at(self, sensor: str, place_mm: float) -> list[tuple[Expected, Way]]:
        tolerance_mm = self._places.spots[sensor].tolerance_mm
        near: list[tuple[float, Expected, Way]] = []
        for part in self._parts.values():
            for station_mm, way in self._places.sightings(sensor):
                window = part.window(station_mm, tolerance_mm)
                if window.holds(place_mm):
                    near.append((abs(place_mm - window.middle_mm), part, way))
        return [(part, way) for _, part, way in sorted(near, key=lambda entry: entry[0])]

    def _explain(self, stray: _Stray, trust: Trust, news: list[News]) -> bool:
        """Finds the part that a stray sighting was; False while it may still turn out to be another."""
        sensor = stray.sensor
        may_be = [(part, way) for part, way in stray.may_be if part.outcome is not Outcome.SEEN or sensor in part.hits]
        if any(part.outcome is Outcome.OPEN and sensor not in part.hits for part, _ in may_be):
            return False
        if not may_be:
            news.append(News(Kind.UNEXPLAINED, sensor))
            return True
        unseen = next(((part, way) for part, way in may_be if part.outcome is Outcome.UNSEEN), None)
        # The same part once more: it tumbled, rode on past the next beam, or was two that touch.
        again = any(part.touching and _was_at(part, sensor) for part, _ in may_be) or _was_at(may_be[0][0], sensor)
        part, way = unseen or may_be[0]
        accused = unseen is not None or not (again or trust.doubtful)
        if accused and trust.counts:
            part.outcome = Outcome.ASTRAY
            news.append(News(Kind.ASTRAY, sensor, part, way))
        return True

    def _is_past(self, part: Expected, reached_mm: Mapping[str, float]) -> bool:
        return part.outcome is not Outcome.OPEN and all(
            part.trail_mm + self._furthest_mm[name] + spot.tolerance_mm + HOLD_MM < reached_mm[name]
            for name, spot in self._places.spots.items()
        )


def _was_at(part: Expected, sensor: str) -> bool:
    return sensor in part.hits or part.outcome is Outcome.ASTRAY
