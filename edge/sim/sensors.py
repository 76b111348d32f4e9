"""Simulated beams: the world tells where parts pass and end, each beam sees it as well as it can."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.clock import Clock
from edge.config.sensors import SensorConfig
from edge.errors import HardwareError
from edge.sim.parts import SimPart
from edge.sim.world import SimWorld

KEPT_BREAKS = 64
BOUNCE_S = 0.05
DUST_INTERVAL_S = 1.0
"""Mean time between two breaks by nothing of a dusty beam."""


class SensorFault(StrEnum):
    """What may be wrong with a beam."""

    NONE = "none"
    BLIND = "blind"
    """Sees no part."""
    STUCK = "stuck"
    """Is broken all the time."""
    BOUNCING = "bouncing"
    """Is broken twice by every part."""
    DUSTY = "dusty"
    """Is broken now and then without any part."""


@dataclass(frozen=True, slots=True)
class _Shadow:
    """What breaks the beam from one instant to another."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class SimSensorSettings:
    """One beam; `jitter_s` is how much earlier or later than usual a part comes at most."""

    name: str
    bin: str | None
    x_mm: float | None
    delay_s: float
    jitter_s: float = 0.03
    shadow_s: float = 0.04


class SimSensor:
    """One beam of the simulated machine; implements `edge.hardware.interfaces.PartSensor`."""

    def __init__(self, settings: SimSensorSettings, clock: Clock, rng: np.random.Generator) -> None:
        self.settings = settings
        self._clock = clock
        self._rng = rng
        self._shadows: deque[_Shadow] = deque(maxlen=KEPT_BREAKS)
        self._taken_s = 0.0
        self._fault = SensorFault.NONE
        self._started = self._closed = False

    @property
    def name(self) -> str:
        return self.settings.name

    def break_down(self, fault: SensorFault) -> None:
        """Let the beam fail from now on, or repair it with `SensorFault.NONE`."""
        now_s = self._clock.now_s()
        self._fault = fault
        self._shadows.clear()
        if fault is SensorFault.STUCK:
            self._darken(now_s, math.inf)

    def pass_by(self, now_s: float) -> None:
        """A part falls or rides through the beam, `delay_s` from now."""
        settings = self.settings
        jitter_s = float(self._rng.uniform(-settings.jitter_s, settings.jitter_s))
        if self._fault in (SensorFault.BLIND, SensorFault.STUCK):
            return
        start_s = max(now_s + settings.delay_s + jitter_s, now_s)
        self._darken(start_s, start_s + settings.shadow_s)
        if self._fault is SensorFault.BOUNCING:
            again_s = start_s + settings.shadow_s + BOUNCE_S
            self._darken(again_s, again_s + settings.shadow_s)

    def dust(self, now_s: float, duration_s: float) -> None:
        """Let time pass over a dusty beam."""
        if self._fault is SensorFault.DUSTY and self._rng.random() < duration_s / DUST_INTERVAL_S:
            self._darken(now_s, now_s + self.settings.shadow_s)

    def start(self) -> None:
        if self._closed:
            raise HardwareError(f"sensor {self.name} (sim): started after it was closed: open the machine again")
        self._started, self._taken_s = True, self._clock.now_s()

    def take(self) -> tuple[float, ...]:
        now_s, taken_s = self._running(), self._taken_s
        self._taken_s = now_s
        return tuple(sorted(shadow.from_s for shadow in self._shadows if taken_s < shadow.from_s <= now_s))

    def broken_since_s(self) -> float | None:
        now_s = self._running()
        return min((shadow.from_s for shadow in self._shadows if shadow.from_s <= now_s < shadow.to_s), default=None)

    def close(self) -> None:
        self._closed = True

    def _darken(self, from_s: float, to_s: float) -> None:
        """A shadow that meets another makes one break with it."""
        met = [shadow for shadow in self._shadows if shadow.from_s <= to_s and from_s <= shadow.to_s]
        for shadow in met:
            self._shadows.remove(shadow)
        self._shadows.append(_Shadow(min([from_s, *(s.from_s for s in met)]), max([to_s, *(s.to_s for s in met)])))

    def _running(self) -> float:
        if not self._started or self._closed:
            raise HardwareError(f"sensor {self.name} (sim): read while not started: start the machine first")
        return self._clock.now_s()


@dataclass(eq=False)
class _Riding:
    """A part that may still come to beams; `ahead` are those over the belt that it has not come to."""

    part: SimPart
    ahead: list[SimSensor]
    ended: bool = False


class SensorField:
    """Watches the world and lets its parts pass the beams: at the end of a way those in the bins, at their stations
    those over the belt. What rides to the default bin passes those behind the last gate too."""

    def __init__(self, world: SimWorld, sensors: Iterable[SimSensor]) -> None:
        self._world = world
        self._sensors = tuple(sensors)
        self._over_belt = [sensor for sensor in self._sensors if sensor.settings.x_mm is not None]
        self._in_bin = {sensor.settings.bin: sensor for sensor in self._sensors if sensor.settings.bin is not None}
        self._riding: list[_Riding] = []
        self._known = 0
        self._last_s = world.clock.now_s()
        if self._sensors:
            world.on_tick(self._watch)

    def _watch(self, now_s: float) -> None:
        self._riding += [_Riding(part, list(self._over_belt)) for part in self._world.truth[self._known :]]
        self._known = len(self._world.truth)
        for sensor in self._sensors:
            sensor.dust(now_s, now_s - self._last_s)
        self._last_s = now_s
        self._riding = [riding for riding in self._riding if self._rides_on(riding, now_s)]

    def _rides_on(self, riding: _Riding, now_s: float) -> bool:
        """Lets the part pass what it has come to; False when nothing is ahead of it any more."""
        part = riding.part
        if part.ended_s is not None and not riding.ended:
            riding.ended = True
            if part.bin in self._in_bin:
                self._in_bin[part.bin].pass_by(now_s)
        if riding.ended and part.bin != self._world.settings.layout.default_bin:
            return False
        for sensor in [sensor for sensor in riding.ahead if self._is_under(sensor, part)]:
            riding.ahead.remove(sensor)
            sensor.pass_by(now_s)
        return bool(riding.ahead) or not riding.ended

    def _is_under(self, sensor: SimSensor, part: SimPart) -> bool:
        """Whether the part has come to the beam, and past the gates before it, which might still have taken it."""
        x_mm = sensor.settings.x_mm or 0.0
        gates = [part.trail_belt_mm + gate.x_mm for gate in self._world.gates.values() if gate.x_mm < x_mm]
        return max([part.lead_belt_mm + x_mm, *gates]) <= self._world.belt.travel_mm


def sim_sensors(configs: Iterable[SensorConfig], world: SimWorld, seed: int) -> dict[str, SimSensor]:
    """The beams of machine.yaml, whatever their drivers are, over a simulated world."""
    configs = tuple(configs)
    rngs = np.random.default_rng(np.random.SeedSequence([seed, 2])).spawn(len(configs))
    sensors = [
        SimSensor(SimSensorSettings(config.name, config.at.bin, config.at.x_mm, config.fall_s), world.clock, rng)
        for config, rng in zip(configs, rngs, strict=True)
    ]
    SensorField(world, sensors)
    return {sensor.name: sensor for sensor in sensors}
