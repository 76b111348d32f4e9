"""The simulated belt, its motor and its encoder."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from edge.errors import HardwareError
from edge.sim.settings import BeltSettings


class SimBelt:
    """A belt whose speed ramps and ripples. `travel_mm` is the truth; the encoder only measures it."""

    def __init__(self, settings: BeltSettings, rng: np.random.Generator) -> None:
        self.settings = settings
        self.travel_mm = 0.0
        self.motor_mm = 0.0
        """What the motor's roller, where the encoder sits, has turned: ahead of the belt when that slips."""
        self.slip = 0.0
        """A fault: the share of the roller's way that the belt does not follow."""
        self.time_s = 0.0
        self.on_s = 0.0
        """How long the motor has been on."""
        self.running = False
        self.backwards = False
        """Which way the motor turns, or turned last."""
        self.stalled = False
        """A fault: belt and roller are blocked, whatever the motor does."""
        self.speed_factor = 1.0
        """A fault: the motor runs faster or slower than it should."""
        self._level = 0.0
        self._phases = rng.uniform(0, 2 * math.pi, 2)

    @property
    def speed_mm_per_s(self) -> float:
        """Speed of this instant, as the roller turns; below 0 backwards."""
        if self.stalled:
            return 0.0
        settings, turn = self.settings, 2 * math.pi * self.time_s / self.settings.ripple_period_s
        # Two periods without a common multiple: the seam and the roller of a real belt.
        ripple = 0.7 * math.sin(turn + self._phases[0]) + 0.3 * math.sin(2.618 * turn + self._phases[1])
        speed = settings.belt_mm_per_s * self.speed_factor * self._level * (1 + settings.ripple * ripple)
        return -speed if self.backwards else speed

    def advance(self, duration_s: float) -> None:
        """Move on for a short time, in which the speed is taken as constant."""
        step = duration_s / self.settings.ramp_s if self.settings.ramp_s > 0 else 1.0
        self._level = min(self._level + step, 1.0) if self.running else max(self._level - step, 0.0)
        self.time_s += duration_s
        self.on_s += duration_s * self.running
        turned_mm = self.speed_mm_per_s * duration_s
        self.motor_mm += turned_mm
        self.travel_mm += turned_mm * (1 - self.slip)


class SimBeltMotor:
    """Switches the simulated belt on and off."""

    def __init__(self, belt: SimBelt) -> None:
        self._belt = belt
        self._closed = False

    def running_s(self) -> float:
        """How long it has been on, in all."""
        return self._belt.on_s

    def start(self) -> None:
        if self._closed:
            raise HardwareError("belt motor (sim): started after it was closed: open the machine again")
        self._turn(backwards=False)

    def reverse(self) -> None:
        if self._closed:
            raise HardwareError("belt motor (sim): started after it was closed: open the machine again")
        self._turn(backwards=True)

    def stop(self) -> None:
        self._belt.running = False

    def close(self) -> None:
        self.stop()
        self._closed = True

    def _turn(self, *, backwards: bool) -> None:
        belt = self._belt
        if backwards is not belt.backwards and belt.speed_mm_per_s:
            raise HardwareError("belt motor (sim): turned while the belt still ran the other way: let it stand first")
        belt.backwards, belt.running = backwards, True


class EncoderFault(StrEnum):
    """What may be wrong with an encoder."""

    NONE = "none"
    DROPPED = "dropped"
    """Counts nothing."""
    FLAKY = "flaky"
    """Misses `MISSED_SHARE` of its ticks."""
    BOUNCING = "bouncing"
    """Counts `BOUNCED_SHARE` of its ticks twice."""
    GONE = "gone"
    """Cannot be read."""


MISSED_SHARE, BOUNCED_SHARE = 0.4, 0.4


class SimEncoder:
    """Counts whole ticks of the simulated roller, with a small error of scale, and takes each for the travel that the
    machine believes in."""

    def __init__(self, belt: SimBelt, rng: np.random.Generator) -> None:
        self._belt = belt
        self._scale = 1.0 + float(rng.normal(0, belt.settings.tick_error))
        self._counted_mm = self._furthest_mm = self._before_mm = 0.0
        self._seen_mm = 0.0
        self._fault = EncoderFault.NONE
        self._started = False
        self._closed = False

    def break_down(self, fault: EncoderFault) -> None:
        """Let the encoder fail from now on, or repair it with `EncoderFault.NONE`."""
        self._count()
        self._fault = fault

    def start(self) -> None:
        if self._closed:
            raise HardwareError("encoder (sim): started after it was closed: open the machine again")
        self._count()
        self._counted_mm = self._furthest_mm = self._before_mm = 0.0
        self._started = True

    def belt_mm(self) -> float:
        if not self._started or self._closed:
            state = "after it was closed" if self._closed else "before it was started"
            raise HardwareError(f"encoder (sim): read {state}: start the machine first")
        if self._fault is EncoderFault.GONE:
            raise HardwareError("encoder (sim): does not answer: look at its cable")
        self._count()
        settings = self._belt.settings
        believed_mm = settings.mm_per_tick if settings.believed_mm_per_tick is None else settings.believed_mm_per_tick
        return math.floor((self._before_mm + self._furthest_mm) / settings.mm_per_tick) * believed_mm

    def turn(self) -> None:
        self.belt_mm()
        self._before_mm, self._furthest_mm, self._counted_mm = self._before_mm + self._furthest_mm, 0.0, 0.0

    def close(self) -> None:
        self._closed = True

    def _count(self) -> None:
        turned_mm = self._belt.motor_mm - self._seen_mm
        self._seen_mm = self._belt.motor_mm
        if self._fault is EncoderFault.FLAKY:
            turned_mm *= 1 - MISSED_SHARE
        elif self._fault is EncoderFault.BOUNCING:
            turned_mm *= 1 + BOUNCED_SHARE
        if self._fault is not EncoderFault.DROPPED:
            self._counted_mm += turned_mm * self._scale
            self._furthest_mm = max(self._furthest_mm, abs(self._counted_mm))
