"""The gates' threads before all others, where the system allows it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

NICE = -15
SWITCH_S = 0.0005
"""A thread that reckons hands the interpreter over after so long. Python's own 5 ms, once for the thread that knows
what is due and once for the gate's, would be most of the time that a command may lose."""


@contextlib.contextmanager
def quick_hand_over() -> Iterator[None]:
    """Within, threads wait half a millisecond for the interpreter at most, as far as Python code holds it."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


class GatePriority:
    """Raises the priority of the threads that move the gates, each by a call of `raise_own` from within.

    Real time (SCHED_FIFO) first: such a thread runs as soon as it wakes, whatever else is busy. It needs
    CAP_SYS_NICE or a limit of `rtprio` (the systemd unit's LimitRTPRIO). Where that is refused a better niceness is
    tried, and where that is refused too, nothing is changed.
    """

    def __init__(self, fifo: int) -> None:
        """Args:
        fifo: the priority, 1 (above all that is not real time) … 99; 0 leaves the threads as they are.
        """
        self._fifo = fifo
        self._lock = threading.Lock()
        self.granted = ""
        """What the first thread was granted; empty before."""

    def raise_own(self) -> None:
        """Raises the calling thread. Never raises an error."""
        granted = self._attempt() if self._fifo else "unchanged"
        with self._lock:
            self.granted = self.granted or granted

    def notice(self) -> str | None:
        """One line for the user when real time was wanted and not granted."""
        if not self._fifo or self.granted in ("", "real time"):
            return None
        return (
            f"the gates' threads run at {self.granted}: the system grants them no real-time priority {self._fifo} "
            "(LimitRTPRIO in the systemd unit, or safety.gates_priority: 0 to do without)"
        )

    def _attempt(self) -> str:
        # 0 and the native id mean the calling thread: Linux schedules threads, not processes.
        with contextlib.suppress(OSError, AttributeError, ValueError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(self._fifo))
            return "real time"
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
            return f"nice {NICE}"
        return "ordinary priority"
