"""Ends a control loop that hangs: the machine is stopped from another thread, and the process makes way for a new
one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from edge.clock import Clock

EXIT_HUNG = 70
"""The process's exit code after a hang (EX_SOFTWARE of sysexits.h): the service manager starts it again."""
LOOKS_PER_TIMEOUT = 8


class Watchdog:
    """Wants to be fed by the control loop once a frame; when it is not for `timeout_s`, it barks once.

    Args:
        timeout_s: how long the loop may take.
        clock: the machine's.
        bark: told in one line what happened, in the watchdog's thread: it stops the machine and ends the process.
        alive: called again and again while the loop is alive (sd_notify's WATCHDOG=1).
    """

    def __init__(
        self, timeout_s: float, clock: Clock, bark: Callable[[str], None], alive: Callable[[], None] = lambda: None
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._bark = bark
        self._alive = alive
        self._fed_s = clock.now_s()
        self._doing = "start"
        self._looks = 0
        self._barked = False

    def feed(self, doing: str) -> None:
        """The loop is alive. `doing` says what it begins now, for the line of a hang."""
        self._doing = doing
        self._fed_s, self._looks = self._clock.now_s(), 0

    def check(self, now_s: float) -> bool:
        """Looks once; False when the loop hangs.

        That takes several looks: a process that was halted as a whole (a debugger, a busy computer) first gets the
        chance to go on.
        """
        hung_s = now_s - self._fed_s
        self._looks += 1
        if hung_s <= self._timeout_s or self._looks < LOOKS_PER_TIMEOUT:
            self._alive()
            return True
        if not self._barked:
            self._barked = True
            self._bark(f"the control loop has hung for {hung_s:.1f} s (at: {self._doing})")
        return False

    def run_forever(self, stop: threading.Event) -> None:
        """Looks several times in each timeout until `stop` is set or the loop hangs."""
        while not stop.is_set():
            now_s = self._clock.now_s()
            if not self.check(now_s):
                return
            self._clock.sleep_until(now_s + self._timeout_s / LOOKS_PER_TIMEOUT)


def end_by_force(steps: Iterable[tuple[Callable[[], object], float]], end_process: Callable[[int], object]) -> None:
    """Takes each step, in a thread of its own and for its seconds at most, then ends the process with `EXIT_HUNG`:
    whatever holds up the loop may hold up a step as well, but neither the next one nor the end."""
    for act, longest_s in steps:
        thread = threading.Thread(target=_attempt, args=(act,), daemon=True)
        thread.start()
        thread.join(longest_s)
    end_process(EXIT_HUNG)


def _attempt(act: Callable[[], object]) -> None:
    with suppress(Exception):
        act()
