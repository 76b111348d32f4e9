"""Confirmation: what was planned and what the sensors saw, compared; what does not agree becomes a finding, and faults
that repeat take a gate out of service or end the trust in a sensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.config.sensors import ConfirmationConfig
from edge.confirmation import notices
from edge.confirmation.belt_log import BeltLog
from edge.confirmation.expected import Expected, Kind, News
from edge.confirmation.gate_health import GateHealth, Verdict
from edge.confirmation.ledger import Ledger
from edge.confirmation.notices import Notices
from edge.confirmation.places import Places
from edge.confirmation.sensor_health import SensorFault
from edge.confirmation.watch import Watch
from edge.hardware.interfaces import PartSensor
from edge.records import Confirmed, Plan

LOG_S = 2.0
"""Belt travel is remembered for so long beyond the longest fall: as long as the control loop may pause."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the sensors say of one part; `seen_in` names the place of one in the wrong place."""

    track_id: int
    confirmed: Confirmed
    seen_in: str = ""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What confirmation may ask for."""

    say: Callable[[str], None]
    out_of_service: Callable[[str], None]
    """Takes a gate's name: its bins are refused from now on."""
    stop: Callable[[str], None]
    """Stops the machine: a gate stands in the way, and every part that comes to it would end in a wrong bin."""


class Confirmation:
    """Holds the sensors against the plans; all calls from the control thread. Without sensors it does nothing.

    A part that was not seen where it should be is looked for at the other sensors until it has passed them all. Who is
    to blame follows from the rest of the evidence: seen elsewhere, the gate at which the ways part; seen nowhere
    although every other way is watched, the sensor; else the gate, for to refuse is cheap.
    """

    def __init__(
        self,
        places: Places,
        sensors: Mapping[str, PartSensor],
        settings: ConfirmationConfig,
        consequences: Consequences,
    ) -> None:
        self.counts: Counter[Confirmed] = Counter()
        self.gates = GateHealth(settings)
        self._places, self._do = places, consequences
        self._faults = settings.faults
        self._ledger = Ledger(places)
        self._watches = {name: Watch(sensors[name], spot, settings) for name, spot in places.spots.items()}
        self._belt = BeltLog(LOG_S + max((spot.delay_s for spot in places.spots.values()), default=0.0))
        self._notices = Notices(consequences.say)
        self._now_s = 0.0

    def expect(self, plan: Plan, lead_belt_mm: float, trail_belt_mm: float, *, touching: bool = False) -> None:
        """Takes the plan of a part, before it comes to its first gate, or a new one."""
        self._ledger.expect(plan, lead_belt_mm, trail_belt_mm, touching=touching)

    def awaits(self, track_id: int) -> bool:
        """Whether a finding about the part may still come."""
        return self._ledger.awaits(track_id)

    def forget(self, track_id: int) -> None:
        """The part was taken off the belt before it came to a sensor."""
        self._ledger.forget(track_id)

    def in_words(self) -> str | None:
        """What came of it so far, in one line; None without sensors."""
        if not self._watches:
            return None
        seen, missing, wrong = (
            self.counts[each] for each in (Confirmed.SEEN, Confirmed.MISSING, Confirmed.WRONG_PLACE)
        )
        line = f"sensors saw {seen} parts where they were planned, {missing} nowhere, {wrong} in a wrong place"
        out = "".join(f"; gate {gate} is out of service" for gate in self.gates.out_of_service)
        broken = "".join(
            f"; sensor {name} is {watch.health.fault}" for name, watch in self._watches.items() if watch.health.fault
        )
        return line + out + broken

    def update(self, now_s: float, now_belt_mm: float) -> list[Finding]:
        """Listens to the sensors and says what is newly known of parts, each once.

        Args:
            now_s: the machine's clock, the one that the sensors go by.
            now_belt_mm: the belt's travel now.
        """
        if not self._watches:
            return []
        self._now_s = now_s
        self._belt.note(now_s, now_belt_mm)
        before = {name: watch.health.fault for name, watch in self._watches.items()}
        for name, watch in self._watches.items():
            for place_mm in watch.sightings_mm(self._belt, now_s):
                self._ledger.seen(name, place_mm)
        reached_mm = {name: self._belt.mm_at(now_s - spot.delay_s) for name, spot in self._places.spots.items()}
        news = self._ledger.due(reached_mm, {name: watch.trust for name, watch in self._watches.items()})
        findings = [finding for each in news if (finding := self._take(each))]
        self._tell_of_sensors(before)
        self.counts.update(finding.confirmed for finding in findings)
        return findings

    def _is_trusted(self, sensor: str) -> bool:
        return self._watches[sensor].health.trusted

    def _take(self, news: News) -> Finding | None:
        """Draws the conclusions from one piece of news."""
        health, part = self._watches[news.sensor].health, news.part
        if news.kind is Kind.HIT:
            health.hit()
        elif part is None:
            health.startle()
        elif news.kind is Kind.OVERLOOKED:
            self._overlooked(news.sensor, part)
        elif news.kind is Kind.SEEN:
            for gate, position in part.way:
                self.gates.obeyed(gate, diverting=not self._places.is_rest(gate, position))
            return Finding(part.track_id, Confirmed.SEEN)
        elif news.kind is Kind.ASTRAY:
            return self._astray(news, part)
        else:
            return self._lost(news, part)
        return None

    def _astray(self, news: News, part: Expected) -> Finding:
        spot = self._places.spots[news.sensor]
        fork = self._places.parting(part.way, news.taken)
        self._notices.tell("astray", notices.astray(part, spot, fork), self._now_s)
        if fork is not None:
            diverting = not self._places.is_rest(fork.gate, fork.planned)
            self._blame(fork.gate, diverting=diverting, took=fork.took, doubt=None)
        return Finding(part.track_id, Confirmed.WRONG_PLACE, spot.bin or spot.place)

    def _lost(self, news: News, part: Expected) -> Finding:
        self._notices.tell("lost", notices.lost(part), self._now_s)
        diverting = self._places.last_diverting(part.way)
        if diverting is None or self._places.would_be_seen(*diverting, self._is_trusted):
            self._overlooked(news.sensor, part)
        else:
            self._blame(diverting[0], diverting=True, took="", doubt=news.sensor)
        return Finding(part.track_id, Confirmed.MISSING)

    def _overlooked(self, sensor: str, part: Expected) -> None:
        """A part did not show where it must have been. When nothing comes to the end of the main way any more, and not
        every bin on it is watched, a gate may stand in the way: then the machine must not go on."""
        health = self._watches[sensor].health
        health.overlook()
        rides_on = sensor == part.final and self._places.last_diverting(part.way) is None
        if not rides_on or health.fault is not SensorFault.BLIND or health.overlooked_in_a_row != self._faults:
            return
        if not all(self._places.would_be_seen(*step, self._is_trusted) for step in part.way):
            self._do.stop(notices.nothing_comes(self._places.spots[sensor], self._faults))

    def _blame(self, gate: str, *, diverting: bool, took: str, doubt: str | None) -> None:
        verdict = self.gates.failed(gate, diverting=diverting)
        failures = self.gates.failures(gate, diverting=diverting)
        if verdict is Verdict.OUT_OF_SERVICE:
            self._do.out_of_service(gate)
            spot = self._places.spots[doubt] if doubt else None
            self._do.say(notices.out_of_service(gate, failures, self._places.bins_behind(gate), spot))
        elif verdict is Verdict.IN_THE_WAY:
            self._do.stop(notices.in_the_way(gate, failures, took))

    def _tell_of_sensors(self, before: Mapping[str, SensorFault | None]) -> None:
        for name, watch in self._watches.items():
            fault = watch.health.fault
            if fault is before[name]:
                continue
            if fault is None:
                line = notices.sensor_recovered(watch.spot)
            else:
                line = notices.sensor_fault(watch.spot, fault, watch.health.failures(), watch.error)
            self._notices.tell(f"sensor {name} {fault}", line, self._now_s)
