"""The one way to stop: feeder off, belt off, gates at rest, whatever else goes wrong; and to hold, which ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable

from edge.errors import HardwareError
from edge.hardware.interfaces import BeltMotor, Feeder, Gate

LOCK_S = 0.5


class Safety:
    """Starts the moving things and stops them for good. Every call may come from any thread, a signal handler
    included, at any moment and as often as one likes.

    Whatever moves is started through here, so that nothing can start after a stop: a control loop that has
    not heard of it yet finds `start_belt` and `set_feed_rate` refusing.
    """

    def __init__(
        self,
        feeder: Feeder | None,
        belt_motor: BeltMotor | None,
        gates: Iterable[Gate],
        halt: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Args:
        feeder: None when parts come by hand.
        belt_motor: None when the belt has its own switch.
        gates: all of them.
        halt: keeps the dispatcher from moving a gate again (`Dispatcher.halt`); must return at once.
        warn: told in one line of each device that could not be stopped.
        """
        self._feeder = feeder
        self._belt_motor = belt_motor
        self._gates = tuple(gates)
        self._halt = halt
        self._warn = warn
        # Re-entrant: a signal may come while this very thread is in the middle of a stop.
        self._lock = threading.RLock()
        self._reason: str | None = None
        self._holds: dict[str, None] = {}
        self._belt_wanted = False
        self._feed_wanted_per_min: float | None = None
        self.problems: tuple[str, ...] = ()
        """What went wrong in the last `stop`, one line each."""

    @property
    def reason(self) -> str | None:
        """Why the machine was stopped first, or None while it may run."""
        return self._reason

    @property
    def stopped(self) -> bool:
        return self._reason is not None

    def start_belt(self) -> bool:
        """Starts the belt; False, and nothing happens, after a stop."""
        with self._lock:
            if self._reason is None and self._belt_motor is not None:
                self._belt_wanted = True
                if not self._holds:
                    self._belt_motor.start()
            return self._reason is None

    def set_feed_rate(self, parts_per_min: float) -> bool:
        """Sets the feeder's rate, or while the machine is held the one that it will have; False, and nothing happens,
        after a stop."""
        with self._lock:
            if self._reason is None and self._feeder is not None:
                self._feed_wanted_per_min = parts_per_min
                if not self._holds:
                    self._feeder.set_rate(parts_per_min)
            return self._reason is None

    @property
    def held(self) -> tuple[str, ...]:
        """The causes for which feeder and belt stand until they are released, the oldest first."""
        return tuple(self._holds)

    def hold(self, cause: str) -> bool:
        """Feeder and belt off until `cause` is released; gates go on, for the plans hold wherever the belt stands.
        False after a stop.

        Raises:
            HardwareError: a device does not obey.
        """
        with self._lock:
            if self._reason is None and cause not in self._holds:
                self._holds[cause] = None
                if self._feeder is not None:
                    self._feeder.set_rate(0)
                if self._belt_motor is not None:
                    self._belt_motor.stop()
            return self._reason is None

    def release(self, cause: str) -> bool:
        """Ends a hold; with the last one feeder and belt go on as they were asked to meanwhile. False after a stop.

        Raises:
            HardwareError: a device does not obey.
        """
        with self._lock:
            held = bool(self._holds)
            self._holds.pop(cause, None)
            if self._reason is None and held and not self._holds:
                if self._belt_wanted and self._belt_motor is not None:
                    self._belt_motor.start()
                if self._feed_wanted_per_min is not None and self._feeder is not None:
                    self._feeder.set_rate(self._feed_wanted_per_min)
            return self._reason is None

    def stop(self, reason: str) -> None:
        """Feeder off, belt off, gates at rest: each is tried even when another fails. Never raises; the first
        reason is kept, and a later call tries everything again."""
        self._reason = self._reason or reason
        # A thread that hangs inside a driver keeps the lock: stop without it rather than not at all.
        locked = self._lock.acquire(timeout=LOCK_S)
        try:
            problems = self._stop_devices()
        finally:
            if locked:
                self._lock.release()
        self.problems = tuple(problems)
        for problem in self.problems:
            with contextlib.suppress(Exception):
                self._warn(f"while stopping: {problem}")

    def _stop_devices(self) -> list[str]:
        problems: list[str] = []
        if self._feeder is not None:
            feeder = self._feeder
            _try("feeder", lambda: feeder.set_rate(0), problems)
        if self._belt_motor is not None:
            _try("belt motor", self._belt_motor.stop, problems)
        _try("dispatcher", self._halt, problems)
        for gate in self._gates:
            _try(f"gate {gate.name}", lambda gate=gate: gate.move_to(gate.rest), problems)
        return problems


def _try(device: str, act: Callable[[], None], problems: list[str]) -> None:
    try:
        act()
    except HardwareError as error:
        problems.append(str(error))
    except Exception as error:
        problems.append(f"{device}: could not be stopped: {error}")
