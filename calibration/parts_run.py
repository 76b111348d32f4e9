"""Parts run past the camera: followed as the machine does, on a belt whose travel is what was measured of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from calibration.rig import Rig
from calibration.step import RefusedError
from edge.config.schema import GpioEncoderConfig, SimEncoderConfig
from edge.machine import tracking_settings
from edge.records import Frame, Track
from edge.tracking.tracker import Tracker

KEPT = 4096
WARM_UP_FRAMES = 5
"""The tracker learns the bare belt first."""
STILL_S, STILL_MM = 0.15, 0.05
"""A belt that moved less in so long stands."""
COASTS_S = 4.0


class PartsRun:
    """The belt, its parts in view, and what is due on the way.

    Time passes in `wait`: frames are taken and whatever was put off until then is done, at its moment.

    Args:
        rig: its belt at rest.
        see: told the tracks of each frame, and the frame.
    """

    def __init__(self, rig: Rig, see: Callable[[Frame, list[Track]], None]) -> None:
        self._rig = rig
        self._see = see
        self._tracker = Tracker(tracking_settings(rig.config))
        self._scale = told_scale(rig)
        self._log: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._period_s = 1 / rig.config.camera.frames_per_s

    @property
    def now_s(self) -> float:
        return self._rig.clock.now_s()

    @property
    def scale(self) -> float:
        """What the encoder's travel is multiplied by."""
        return self._scale

    def travel_mm(self) -> float:
        """The belt's travel at this moment, as measured; the reading is noted."""
        travel_mm = self._rig.encoder.belt_mm() * self._scale
        self._log.append((self.now_s, travel_mm))
        return travel_mm

    def start(self) -> None:
        """Shows the tracker the bare belt, then lets it run."""
        self._rig.belt_motor.start()
        for _ in range(WARM_UP_FRAMES):
            self.look()

    def look(self) -> None:
        """One frame.

        Raises:
            RefusedError: a recording has ended.
        """
        frame = next(self._rig.straight_frames(1), None)
        if frame is None:
            raise RefusedError("the recording has ended before there were enough parts: record more of them")
        frame = replace(frame, belt_mm=frame.belt_mm * self._scale)
        self.travel_mm()
        self._see(frame, self._tracker.update(frame))

    def wait_until(self, instant_s: float) -> None:
        """Looks at the frames that come before an instant, and lets it come."""
        while self.now_s + self._period_s < instant_s:
            self.look()
        self._rig.wait_until(instant_s)

    def stop_belt(self) -> float:
        """Stops the belt; its travel once it stands.

        Raises:
            RefusedError: it goes on.
        """
        self._rig.belt_motor.stop()
        before_mm, from_s = self.travel_mm(), self.now_s
        while self.now_s - from_s < COASTS_S:
            self._rig.wait_until(self.now_s + STILL_S)
            travel_mm = self.travel_mm()
            if travel_mm - before_mm < STILL_MM:
                return travel_mm
            before_mm = travel_mm
        raise RefusedError("the belt does not stop when its motor is switched off: look at the motor's driver")

    def start_belt(self) -> None:
        self._rig.belt_motor.start()

    def time_of(self, travel_mm: float) -> float:
        """When the belt had that travel, between two readings; the last one's for a travel that is still to come."""
        times_s, travels_mm = np.array(self._log).T
        return float(np.interp(travel_mm, travels_mm, times_s))

    def travel_at(self, instant_s: float) -> float:
        """What the travel was."""
        times_s, travels_mm = np.array(self._log).T
        return float(np.interp(instant_s, times_s, travels_mm))

    def mm_per_s(self, window_s: float = 1.0) -> float:
        """The belt's speed of late; what it should be until it has run for a while."""
        now_s, travel_mm = self._log[-1]
        since_s = now_s - window_s
        if self._log[0][0] > since_s or (gone_mm := travel_mm - self.travel_at(since_s)) < STILL_MM:
            return self._rig.config.belt.belt_mm_per_s
        return gone_mm / window_s


def told_scale(rig: Rig) -> float:
    """What the encoder's travel, told with the mm_per_tick of machine.yaml, is to be multiplied by."""
    told, measured = rig.machine.belt.encoder, rig.config.belt.encoder
    if isinstance(told, GpioEncoderConfig | SimEncoderConfig) and isinstance(
        measured, GpioEncoderConfig | SimEncoderConfig
    ):
        return getattr(measured, "mm_per_tick", 1.0) / getattr(told, "mm_per_tick", 1.0)
    return rig.config.belt.belt_mm_per_s / rig.machine.belt.belt_mm_per_s
