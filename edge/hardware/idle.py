"""Devices that a machine may do without."""

from __future__ import annotations

from edge.errors import HardwareError


class IdleFeeder:
    """There is no feeder: parts come by hand, or have been recorded."""

    def __init__(self) -> None:
        self._closed = False

    def set_rate(self, parts_per_min: float) -> None:
        if parts_per_min < 0:
            raise ValueError(f"feeder: a rate of {parts_per_min} parts/min is below 0")
        if self._closed and parts_per_min > 0:
            raise HardwareError("feeder: switched on after it was closed: open the machine again")

    def close(self) -> None:
        self._closed = True


class IdleBeltMotor:
    """The belt has a switch of its own, or there is none."""

    def __init__(self) -> None:
        self._closed = False

    def start(self) -> None:
        if self._closed:
            raise HardwareError("belt motor: started after it was closed: open the machine again")

    def stop(self) -> None:
        return

    def close(self) -> None:
        self._closed = True
