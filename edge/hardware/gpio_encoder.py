"""The belt's travel from an encoder on GPIO pins."""

from __future__ import annotations

import threading

from edge.config.schema import GpioEncoderConfig
from edge.errors import HardwareError
from edge.hardware.gpio import EdgePin

_TURN = (0, 1, 3, 2)
"""The order of the levels 2·a + b of a quadrature encoder that turns: Gray code, one bit at a time."""


class GpioEncoder:
    """Counts edges: of one light barrier, or of both channels of a quadrature encoder.

    One channel cannot tell shaking from moving; two can. Which of the two is wired to `pin_a` does not matter: from one
    `turn` to the next the belt only runs one way, and its travel is the furthest that was counted either way.
    """

    def __init__(self, config: GpioEncoderConfig) -> None:
        self._mm_per_tick = config.mm_per_tick
        self._lock = threading.Lock()
        self._count = self._furthest = self._before = 0
        self._step = 1
        self._place = 0
        self._started = self._closed = False
        self._channels: list[EdgePin] = []
        on_edge = self._on_edge if config.pin_b is None else self._on_quadrature_edge
        try:
            for pin in (config.pin_a, config.pin_b):
                if pin is not None:
                    self._channels.append(EdgePin("encoder", pin, on_edge))
            if config.pin_b is not None:
                self._place = self._read_place()
        except HardwareError:
            self.close()
            raise

    def start(self) -> None:
        if self._closed:
            raise HardwareError("encoder: started after it was closed: open the machine again")
        with self._lock:
            self._count = self._furthest = self._before = 0
            self._started = True

    def belt_mm(self) -> float:
        if not self._started or self._closed:
            raise HardwareError("encoder: read while not started: start the machine first")
        with self._lock:  # A reading in the middle of a turn would count the way twice.
            return (self._before + self._furthest) * self._mm_per_tick

    def turn(self) -> None:
        self.belt_mm()
        with self._lock:
            self._before, self._furthest, self._count = self._before + self._furthest, 0, 0
            self._step = -self._step

    def close(self) -> None:
        with self._lock:
            self._closed = True
        for channel in self._channels:
            channel.close()

    def _on_edge(self) -> None:
        with self._lock:
            self._furthest += 1

    def _on_quadrature_edge(self) -> None:
        with self._lock:
            if self._closed or len(self._channels) < 2:
                return
            place = self._read_place()
            step = (place - self._place) % 4
            self._place = place
            if step == 2:
                # An edge was missed, so the way it went is not told: the way it went before.
                self._count += 2 * self._step
            elif step:
                self._step = 1 if step == 1 else -1
                self._count += self._step
            self._furthest = max(self._furthest, abs(self._count))

    def _read_place(self) -> int:
        a, b = (channel.is_high() for channel in self._channels)
        return _TURN.index(2 * a + b)
