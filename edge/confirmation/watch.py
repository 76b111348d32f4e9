"""One sensor as it is listened to: its sightings on the belt coordinate, and whether it still answers."""

from __future__ import annotations

from edge.config.sensors import ConfirmationConfig
from edge.confirmation.belt_log import BeltLog
from edge.confirmation.ledger import Trust
from edge.confirmation.places import Spot
from edge.confirmation.sensor_health import SensorFault, SensorHealth
from edge.errors import HardwareError
from edge.hardware.interfaces import PartSensor

DARK_S = 0.25
"""A beam that is broken for so long is not waiting for the next part."""
STUCK_MM = 200.0
"""Belt that must pass as well before a broken beam counts as blocked: a part on a standing belt blocks none."""


class Watch:
    """Takes the breaks of one sensor. A sensor that fails is told once and left alone: a machine sorts without it."""

    def __init__(self, sensor: PartSensor, spot: Spot, settings: ConfirmationConfig) -> None:
        self.spot = spot
        self.health = SensorHealth(settings)
        self.error = ""
        """What a dead sensor said last."""
        self._sensor = sensor
        self._stuck_after_s = settings.stuck_after_s
        self._broken_from: tuple[float, float] | None = None
        self._dark = False

    @property
    def trust(self) -> Trust:
        """What its word is worth just now."""
        return Trust(self.health.trusted, self.health.doubtful, self._dark)

    def sightings_mm(self, belt: BeltLog, now_s: float) -> list[float]:
        """The belt's travel when the parts that have newly been seen were at the sensor's station."""
        if self.health.fault is SensorFault.DEAD:
            return []
        try:
            breaks_s = self._sensor.take()
            self._look_for_blockage(self._sensor.broken_since_s(), now_s, belt.mm_at(now_s))
        except HardwareError as error:
            self.error = str(error)
            self.health.fail(SensorFault.DEAD)
            return []
        return [belt.mm_at(instant_s - self.spot.delay_s) for instant_s in breaks_s]

    def _look_for_blockage(self, broken_since_s: float | None, now_s: float, now_mm: float) -> None:
        self._dark = broken_since_s is not None and now_s - broken_since_s > DARK_S
        if broken_since_s is None:
            self._broken_from = None
            if self.health.fault is SensorFault.STUCK:
                self.health.recover()
            return
        if self._broken_from is None or self._broken_from[0] != broken_since_s:
            self._broken_from = broken_since_s, now_mm
        long = now_s - broken_since_s >= self._stuck_after_s
        if long and now_mm - self._broken_from[1] >= STUCK_MM:
            self.health.fail(SensorFault.STUCK)
