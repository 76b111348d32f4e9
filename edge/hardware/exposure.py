"""Where the belt was when a picture was taken: a moment before the picture is there to be read."""

from __future__ import annotations

from edge.clock import Clock
from edge.hardware.interfaces import Encoder

SHARP_S = 0.001
"""Travel and time that were read within this belong together: a belt moves half a millimetre in it at most."""


class ExposureTravel:
    """Tells the belt's travel at an instant just past, by the encoder's present reading and the speed since the
    reading before. Ask once a frame."""

    def __init__(self, encoder: Encoder, clock: Clock) -> None:
        self.clock = clock
        self._encoder = encoder
        self._before: tuple[float, float] | None = None
        self._answer_mm = 0.0

    def mm_at(self, instant_s: float) -> float:
        """The belt's travel at `instant_s`, never less than the last answer; the first time, that of now."""
        now_s, now_mm = self._reading()
        before, self._before = self._before, (now_s, now_mm)
        if before is not None and now_s > before[0]:
            speed_mm_per_s = (now_mm - before[1]) / (now_s - before[0])
            now_mm -= speed_mm_per_s * max(now_s - instant_s, 0.0)
        self._answer_mm = max(now_mm, self._answer_mm)
        return self._answer_mm

    def _reading(self, attempts: int = 4) -> tuple[float, float]:
        """Time and travel of one moment: read again when the processor was taken away between the two."""
        now_s, now_mm = self.clock.now_s(), self._encoder.belt_mm()
        read_s = self.clock.now_s()
        if read_s - now_s > SHARP_S and attempts > 1:
            return self._reading(attempts - 1)
        return (now_s + read_s) / 2, now_mm
