"""Tells of a disk that hangs: the thread that writes cannot, since it hangs with it, and the control path must not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

STALLED_AFTER_S = 2.0
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a journal has before it. `busy_since_s` is when the disk was first asked for what it has not answered yet;
    infinity where there is nothing."""

    busy_since_s: float
    unsaved: int
    lost: int


class StallWatch:
    """Looks at a journal twice a second; each stall is told once, and so is its end."""

    def __init__(self, name: str, backlog: Callable[[], Backlog], warn: Callable[[str], None]) -> None:
        self._name, self._backlog, self._warn = name, backlog, warn
        self._stalled_since_s: float | None = None
        self._lost_before = 0
        self._overrun = False

    def look(self, now_s: float) -> None:
        """Compares with the look before.

        Args:
            now_s: on the clock that `busy_since_s` is of.
        """
        backlog = self._backlog()
        since_s = backlog.busy_since_s
        if now_s - since_s >= STALLED_AFTER_S:
            if self._stalled_since_s is None:
                self._stalled_since_s = since_s
                self._warn(
                    f"{self._name}: the disk has not answered for {now_s - since_s:.0f} s; "
                    f"{_records(backlog.unsaved)} kept in memory meanwhile"
                )
        elif self._stalled_since_s is not None:
            stalled_s, self._stalled_since_s = now_s - self._stalled_since_s, None
            self._warn(f"{self._name}: the disk answers again, after {stalled_s:.0f} s")
        self._tell_lost(backlog)

    def run(self, closing: threading.Event) -> None:
        """Looks until `closing` is set."""
        while not closing.wait(LOOK_EVERY_S):
            self.look(time.monotonic())

    def _tell_lost(self, backlog: Backlog) -> None:
        losing = backlog.lost > self._lost_before
        if losing and not self._overrun:
            self._warn(f"{self._name}: the disk is too slow or away for too long, records are being lost")
        elif self._overrun and backlog.unsaved == 0:
            self._warn(f"{self._name}: records are saved again, {backlog.lost} were lost")
        self._overrun = losing or (self._overrun and backlog.unsaved > 0)
        self._lost_before = backlog.lost


def _records(count: int) -> str:
    return "1 record is" if count == 1 else f"{count} records are"
