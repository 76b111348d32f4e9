"""The belt coordinate: how far the belt has come and how fast it runs."""

from __future__ import annotations

import threading
from collections import deque

from edge.hardware.interfaces import Encoder

HISTORY_S = 2.0
SPEED_WINDOW_S = 0.5
SHORTEST_WINDOW_S = 0.1
SAMPLE_EVERY_S = 0.01


class BeltCoordinate:
    """Travel and speed of the belt, from its encoder; any thread may ask.

    Every `sample` reads the encoder and keeps the reading, so that the speed is measured. Until there is a tenth of a
    second of samples the speed is the nominal one.
    """

    def __init__(self, encoder: Encoder, nominal_mm_per_s: float) -> None:
        self._encoder = encoder
        self._nominal_mm_per_s = nominal_mm_per_s
        self._samples: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    @property
    def nominal_mm_per_s(self) -> float:
        return self._nominal_mm_per_s

    def sample(self, now_s: float) -> float:
        """The belt's travel now, in mm."""
        with self._lock:
            belt_mm = self._encoder.belt_mm()
            samples = self._samples
            if not samples or now_s - samples[-1][0] >= SAMPLE_EVERY_S:
                samples.append((now_s, belt_mm))
                while samples[0][0] < now_s - HISTORY_S:
                    samples.popleft()
            return belt_mm

    def mm_per_s(self) -> float:
        """The speed over the last half second of samples; 0 when the belt stands."""
        with self._lock:
            return self._speed()

    def _speed(self) -> float:
        if not self._samples:
            return self._nominal_mm_per_s
        newest_s, newest_mm = self._samples[-1]
        for instant_s, belt_mm in self._samples:
            if instant_s >= newest_s - SPEED_WINDOW_S:
                if newest_s - instant_s < SHORTEST_WINDOW_S:
                    break
                return (newest_mm - belt_mm) / (newest_s - instant_s)
        return self._nominal_mm_per_s
