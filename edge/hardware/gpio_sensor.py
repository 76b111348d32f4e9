"""Beams that parts break, on GPIO pins."""

from __future__ import annotations

import threading
from collections import deque

from edge.clock import Clock
from edge.config.sensors import GpioSensorConfig
from edge.errors import HardwareError
from edge.hardware.gpio import EdgePin

KEPT_BREAKS = 256
"""Breaks that wait to be taken at most; older ones go first."""


class GpioSensor:
    """A beam-break receiver. The library's thread notes the instant of each edge; a break counts when the beam was
    clear for `debounce_s` before it. The level is not needed for that: a short break may be over before it is read."""

    def __init__(self, config: GpioSensorConfig, clock: Clock) -> None:
        self.name = config.name
        self._clock = clock
        self._active_high = config.active_high
        self._debounce_s = config.debounce_s
        self._lock = threading.Lock()
        self._breaks: deque[float] = deque(maxlen=KEPT_BREAKS)
        self._last_edge_s = float("-inf")
        self._broken_since_s: float | None = None
        self._found_broken_s: float | None = None
        """The same as far as the reading thread knows, which may see the level before the edge is told."""
        self._started = self._closed = False
        self._pin = EdgePin(f"sensor {config.name}", config.pin, self._on_edge)

    def start(self) -> None:
        if self._closed:
            raise HardwareError(f"sensor {self.name}: started after it was closed: open the machine again")
        broken = self._is_broken()
        with self._lock:
            self._breaks.clear()
            self._broken_since_s = self._found_broken_s = self._clock.now_s() if broken else None
            self._started = True

    def take(self) -> tuple[float, ...]:
        self._must_run()
        with self._lock:
            breaks = tuple(self._breaks)
            self._breaks.clear()
        return breaks

    def broken_since_s(self) -> float | None:
        self._must_run()
        broken = self._is_broken()
        with self._lock:
            if not broken:
                self._found_broken_s = None
            elif self._broken_since_s is not None:
                self._found_broken_s = self._broken_since_s
            elif self._found_broken_s is None:
                self._found_broken_s = self._clock.now_s()
            return self._found_broken_s

    def close(self) -> None:
        self._closed = True
        self._pin.close()

    def _on_edge(self) -> None:
        if self._closed or not self._started:
            return
        now_s = self._clock.now_s()
        try:
            broken = self._is_broken()
        except HardwareError:
            return  # The library's thread has nobody to tell; the next `broken_since_s` fails where it is heard.
        with self._lock:
            if self._broken_since_s is None:
                if now_s - self._last_edge_s >= self._debounce_s:
                    self._breaks.append(now_s)
                self._broken_since_s = now_s
            if not broken:
                self._broken_since_s = None
            self._last_edge_s = now_s

    def _is_broken(self) -> bool:
        return self._pin.is_high() == self._active_high

    def _must_run(self) -> None:
        if not self._started or self._closed:
            raise HardwareError(f"sensor {self.name}: read while not started: start the machine first")
