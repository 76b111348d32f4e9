"""One way to stop the machine: feeder off, belt off, gates at rest; from any thread, as often as one likes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from edge.errors import HardwareError
from edge.hardware.interfaces import BeltMotor, Feeder, Gate


class Safety:
    """Brings the machine into its safe state and keeps the first reason.

    Args:
        feeder, belt_motor, gates: the devices; each is told even if an earlier one fails.
        halt: ends all further gate movements (`Dispatcher.halt`), called first.
        warn: told in one line of a device that does not obey.
    """

    def __init__(
        self,
        feeder: Feeder,
        belt_motor: BeltMotor,
        gates: Iterable[Gate],
        halt: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._feeder, self._belt_motor, self._gates = feeder, belt_motor, tuple(gates)
        self._halt, self._warn = halt, warn
        self._lock = threading.RLock()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the machine was stopped; None while it was not."""
        return self._reason

    def stop(self, reason: str) -> None:
        """Stops everything. A second call does it again, for a device may have missed the first."""
        with self._lock:
            self._reason = self._reason or reason
            self._halt()
            self._obey(lambda: self._feeder.set_rate(0.0))
            self._obey(self._belt_motor.stop)
            for gate in self._gates:
                self._obey(lambda gate=gate: gate.move_to(gate.rest))

    def _obey(self, order: Callable[[], None]) -> None:
        try:
            order()
        except HardwareError as error:
            self._warn(f"while stopping: {error}")
