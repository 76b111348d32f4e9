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

    def reverse(self) -> None:
        raise HardwareError("belt motor: there is none that could run back: give belt.motor a driver")

    def stop(self) -> None:
        return

    def close(self) -> None:
        self._closed = True


class IdleGate:
    """A gate that is not there, such as those of a recording: it does what it is told."""

    def __init__(self, name: str, positions: tuple[str, ...], rest: str) -> None:
        self.name, self.positions, self.rest = name, positions, rest
        self.position = rest
        self._closed = False

    def move_to(self, position: str) -> None:
        if position not in self.positions:
            raise ValueError(f"gate {self.name} has no position {position}: {', '.join(self.positions)}")
        if self._closed:
            raise HardwareError(f"gate {self.name}: moved after it was closed: open the machine again")
        self.position = position

    def close(self) -> None:
        self.position = self.rest
        self._closed = True
