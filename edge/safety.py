"""The one way to stop: feeder off, belt off, gates at rest, whatever else goes wrong; and to hold, which ends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable

from edge.errors import HardwareError
from edge.hardware.interfaces import BeltMotor, Feeder, Gate

LOCK_S = 0.5
DEVICE_S = 0.5
"""What all devices together are given to obey a stop; a GPIO takes microseconds."""


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
    def belt_on(self) -> bool | None:
        """Whether the belt's motor is on; None where the belt has a switch of its own."""
        if self._belt_motor is None:
            return None
        return self._belt_wanted and not self._holds and self._reason is None

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

    def run_back(self, cause: str) -> bool:
        """Lets the belt, held for `cause` and nothing else, run backwards until it is held for something else as well,
        or until `stand`. False, and nothing happens, when it is not, and after a stop.

        Raises:
            HardwareError: the motor does not obey, or cannot run back.
        """
        with self._lock:
            may = self._reason is None and tuple(self._holds) == (cause,) and self._belt_motor is not None
            if may and self._belt_motor is not None:
                self._belt_motor.reverse()
            return may

    def stand(self) -> None:
        """Ends `run_back`.

        Raises:
            HardwareError: the motor does not obey.
        """
        with self._lock:
            if self._holds and self._belt_motor is not None:
                self._belt_motor.stop()

    def stop(self, reason: str) -> None:
        """Feeder off, belt off, gates at rest: each is tried even when another fails or hangs. Never raises; the
        first reason is kept, and a later call tries everything again."""
        self._reason = self._reason or reason
        # Whoever is starting something comes to an end first; from here on `start_belt` and the like refuse. A thread
        # that hangs inside a driver keeps the lock: stop without it rather than not at all.
        if self._lock.acquire(timeout=LOCK_S):
            self._lock.release()
        self.problems = tuple(self._stop_devices())
        for problem in self.problems:
            with contextlib.suppress(Exception):
                self._warn(f"while stopping: {problem}")

    def _stop_devices(self) -> list[str]:
        """Each device in a thread of its own, so that one that hangs takes no time from the others."""
        stops: list[_Stop] = []
        if self._feeder is not None:
            feeder = self._feeder
            stops.append(_Stop("feeder", lambda: feeder.set_rate(0)))
        if self._belt_motor is not None:
            stops.append(_Stop("belt motor", self._belt_motor.stop))
        halt = _Stop("dispatcher", self._halt)
        halt.act()
        stops += [_Stop(f"gate {gate.name}", lambda gate=gate: gate.move_to(gate.rest)) for gate in self._gates]
        for stop in stops:
            stop.begin()
        deadline_s = time.monotonic() + DEVICE_S
        for stop in stops:
            stop.wait_until(deadline_s)
        return [stop.problem for stop in (halt, *stops) if stop.problem]


class _Stop:
    """The stop of one device, and what went wrong with it."""

    def __init__(self, device: str, act: Callable[[], None]) -> None:
        self._device = device
        self._act = act
        self._thread: threading.Thread | None = None
        self.problem = ""

    def begin(self) -> None:
        """Sets about it; where no thread is to be had, does it at once."""
        thread = threading.Thread(target=self.act, name=f"stop {self._device}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self.act()
        else:
            self._thread = thread

    def act(self) -> None:
        try:
            self._act()
        except HardwareError as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"{self._device}: could not be stopped: {error}"

    def wait_until(self, instant_s: float) -> None:
        if self._thread is None:
            return
        self._thread.join(max(instant_s - time.monotonic(), 0.0))
        if self._thread.is_alive():
            self.problem = f"{self._device}: has not stopped within {DEVICE_S:g} s: switch it off by hand"
