"""Time is injected: the machine, the simulator and the tests each hand a `Clock` to whoever needs one."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds on one monotonic axis; `sleep_until` returns at once for an instant that has passed."""

    def now_s(self) -> float: ...

    def sleep_until(self, instant_s: float) -> None: ...


class MonotonicClock:
    """The operating system's monotonic clock."""

    def now_s(self) -> float:
        return time.monotonic()

    def sleep_until(self, instant_s: float) -> None:
        remaining_s = instant_s - time.monotonic()
        if remaining_s > 0:
            time.sleep(remaining_s)


class VirtualClock:
    """A clock that moves only when told to; sleeping moves it to the instant asked for."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        return self._now_s

    def sleep_until(self, instant_s: float) -> None:
        self._now_s = max(self._now_s, instant_s)

    def advance(self, duration_s: float) -> None:
        if duration_s < 0:
            raise ValueError(f"a clock cannot go back: advance by {duration_s} s")
        self._now_s += duration_s
