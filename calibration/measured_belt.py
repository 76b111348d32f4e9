"""The belt as it was measured: its travel by the encoder, and when it had which."""

from __future__ import annotations

from collections import deque

import numpy as np

from calibration.rig import Rig
from calibration.step import RefusedError
from edge.config.schema import GpioEncoderConfig, SimEncoderConfig

KEPT = 4096
STILL_S, STILL_MM = 0.15, 0.05
"""A belt that moved less in so long stands."""
COASTS_S = 4.0


class MeasuredBelt:
    """Starts and stops the belt, and notes its travel.

    Args:
        rig: its belt at rest.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.scale = told_scale(rig)
        """What the encoder's travel is multiplied by."""
        self._log: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def travel_mm(self) -> float:
        """The travel at this moment, as measured; the reading is noted."""
        travel_mm = self._rig.encoder.belt_mm() * self.scale
        self._log.append((self._rig.clock.now_s(), travel_mm))
        return travel_mm

    def time_of(self, travel_mm: float) -> float:
        """When the belt had that travel, between two readings; the last one's for a travel that is still to come."""
        times_s, travels_mm = np.array(self._log).T
        return float(np.interp(travel_mm, travels_mm, times_s))

    def start(self) -> None:
        self._rig.belt_motor.start()

    def stop(self) -> float:
        """Stops the belt; its travel once it stands.

        Raises:
            RefusedError: it goes on.
        """
        clock = self._rig.clock
        self._rig.belt_motor.stop()
        before_mm, from_s = self.travel_mm(), clock.now_s()
        while clock.now_s() - from_s < COASTS_S:
            self._rig.wait_until(clock.now_s() + STILL_S)
            travel_mm = self.travel_mm()
            if travel_mm - before_mm < STILL_MM:
                return travel_mm
            before_mm = travel_mm
        raise RefusedError("the belt does not stop when its motor is switched off: look at the motor's driver")


def told_scale(rig: Rig) -> float:
    """What the encoder's travel, told with the mm_per_tick of machine.yaml, is to be multiplied by."""
    told, measured = rig.machine.belt.encoder, rig.config.belt.encoder
    if isinstance(told, GpioEncoderConfig | SimEncoderConfig) and isinstance(
        measured, GpioEncoderConfig | SimEncoderConfig
    ):
        return getattr(measured, "mm_per_tick", 1.0) / getattr(told, "mm_per_tick", 1.0)
    return rig.config.belt.belt_mm_per_s / rig.machine.belt.belt_mm_per_s
