"""A thread for each gate's driver: one that hangs keeps no other gate, and no stop, from its work."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from edge.clock import Clock
from edge.errors import HardwareError
from edge.hardware.interfaces import Gate

ANSWER_S = 0.005
"""A driver answers within a millisecond; so long is waited for it, and for its thread to get the processor."""
HUNG_S = 0.15
"""A driver that has not returned by then counts as hung."""
CLOSE_S = 3.0
"""Closing may wait for the gate to come to rest."""


class GateBusyError(HardwareError):
    """The movement has not begun, and will not: ask again."""


class GateWorker:
    """A gate whose driver runs in a thread of its own; any thread may call it.

    A movement of `move_by` that the thread could not begin in time is taken back: a gate never moves too late.
    """

    def __init__(self, gate: Gate, clock: Clock, prepare: Callable[[], object] = lambda: None) -> None:
        """Args:
        gate: the driver.
        clock: of `latest_s`.
        prepare: called first thing in the thread, to raise its priority.
        """
        self._gate = gate
        self._clock = clock
        self._changed = threading.Condition()
        self._wanted: tuple[str, float] | None = None
        self._began_s: float | None = None
        self._doing = ""
        self._returned = 0
        self._error: Exception | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._run, args=(prepare,), name=f"gate {gate.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._gate.name

    @property
    def positions(self) -> tuple[str, ...]:
        return self._gate.positions

    @property
    def rest(self) -> str:
        return self._gate.rest

    @property
    def trouble(self) -> str | None:
        """What is wrong with a movement that began: its driver hangs, or failed after a while."""
        with self._changed:
            if self._error is not None:
                return str(self._error)
            return self._hung()

    def move_to(self, position: str) -> None:
        """As the gate's own. Where the driver is still at an earlier movement, this one follows as soon as it can."""
        with self._changed:
            self._check(position)
            due = self._returned + (1 if self._began_s is None else 2)
            self._wanted = (position, math.inf)
            self._changed.notify_all()
            hung = self._hung()
            if hung is None and self._changed.wait_for(lambda: self._returned >= due, ANSWER_S):
                self._raise_error()
        if hung is not None:
            raise HardwareError(hung)

    def move_by(self, position: str, latest_s: float) -> None:
        """Begins a movement now, and at `latest_s` at the latest.

        Raises:
            GateBusyError: it did not begin, and will not.
            HardwareError: the driver failed, or hangs in an earlier call.
            ValueError: there is no such position.
        """
        with self._changed:
            self._check(position)
            if self._began_s is not None:
                hung = self._hung()
                raise HardwareError(hung) if hung else GateBusyError(f"gate {self.name}: its driver is still moving it")
            due, job = self._returned + 1, (position, latest_s)
            self._wanted = job
            self._changed.notify_all()
            # Compared by identity: a stop may have put its own movement in the place of this one.
            if not self._changed.wait_for(lambda: self._wanted is not job, ANSWER_S):
                self._wanted = None
                raise GateBusyError(f"gate {self.name}: the processor was not free to move it")
            if self._changed.wait_for(lambda: self._returned >= due, ANSWER_S):
                self._raise_error()

    def close(self) -> None:
        """Closes the driver, in its thread.

        Raises:
            HardwareError: it failed, or hangs.
        """
        with self._changed:
            if self._ending:
                return
            self._error, self._ending = None, True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            raise HardwareError(
                f"gate {self.name}: its driver hangs and could not be closed: look at its power and bus"
            )
        if self._error is not None:
            raise self._error

    def _hung(self) -> str | None:
        since_s = self._began_s
        if since_s is None or self._clock.now_s() - since_s < HUNG_S:
            return None
        return (
            f"gate {self.name}: its driver has not returned from moving to {self._doing} within {HUNG_S:g} s: "
            "look at the gate's power and bus"
        )

    def _check(self, position: str) -> None:
        if position not in self.positions:
            raise ValueError(f"gate {self.name} has no position '{position}': use one of {', '.join(self.positions)}")
        if self._ending:
            raise HardwareError(f"gate {self.name}: moved after it was closed: open the machine again")

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, prepare: Callable[[], object]) -> None:
        prepare()
        while (job := self._take()) is not None:
            error = self._attempt(*job)
            with self._changed:
                self._error, self._began_s = error, None
                self._returned += 1
                self._changed.notify_all()
        error = self._close()
        with self._changed:
            self._error = error

    def _take(self) -> tuple[str, float] | None:
        """The next movement; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted is not None or self._ending)
            job, self._wanted = self._wanted, None
            if job is not None:
                self._began_s, self._doing = self._clock.now_s(), job[0]
                self._changed.notify_all()
            return job

    def _attempt(self, position: str, latest_s: float) -> Exception | None:
        if self._clock.now_s() > latest_s:
            return GateBusyError(f"gate {self.name}: the processor was free too late to move it")
        try:
            self._gate.move_to(position)
        except HardwareError as error:
            return error
        except Exception as error:
            return HardwareError(f"gate {self.name}: its driver failed: {error}")
        return None

    def _close(self) -> Exception | None:
        try:
            self._gate.close()
        except HardwareError as error:
            return error
        except Exception as error:
            return HardwareError(f"gate {self.name}: its driver failed: {error}")
        return None
