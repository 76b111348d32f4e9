"""An alarm that begins once and ends once, however its signal flickers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Alarm:
    """On after `frames` frames in a row and `after_s` with the signal; off after as many, and `clear_s`, without."""

    frames: int
    after_s: float
    clear_s: float = 0.0
    """0: as `after_s`."""
    on: bool = False
    _against: int = 0
    _since_s: float = 0.0

    def update(self, signal: bool | None, now_s: float) -> bool:
        """Takes one frame's signal, None when the frame says nothing; returns whether the alarm has just changed."""
        if signal is None:
            return False
        if signal == self.on:
            self._against = 0
            return False
        if self._against == 0:
            self._since_s = now_s
        self._against += 1
        wait_s = self.clear_s or self.after_s if self.on else self.after_s
        if self._against < self.frames or now_s - self._since_s < wait_s:
            return False
        self.on, self._against = signal, 0
        return True
