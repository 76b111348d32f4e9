"""What the drivers of real gates have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from edge.config.gates import GateBase, ServoBase, check_pulse
from edge.errors import HardwareError


class RealGate(ABC):
    """Checks what is asked for; a driver moves (`_drive`) and lets go (`_release`). Implements
    `edge.hardware.interfaces.Gate`. A driver's constructor leaves the gate moving to rest."""

    def __init__(self, config: GateBase) -> None:
        self._config = config
        self._closed = False

    @property
    def name(self) -> str:
        return self._config.name

    @property
    def positions(self) -> tuple[str, ...]:
        return self._config.positions

    @property
    def rest(self) -> str:
        return self._config.rest

    def move_to(self, position: str) -> None:
        if self._closed:
            raise HardwareError(f"gate {self.name}: moved after it was closed: open the machine again")
        if position not in self.positions:
            raise ValueError(f"gate {self.name} has no position '{position}': use one of {', '.join(self.positions)}")
        self._drive(position)

    def close(self) -> None:
        if self._closed:
            return
        try:
            self.move_to(self.rest)
        finally:
            self._closed = True
            self._release()

    @abstractmethod
    def _drive(self, position: str) -> None:
        """Start the movement and return."""

    @abstractmethod
    def _release(self) -> None:
        """Free what the gate hangs on; called once, after the movement to rest was started."""


class RealServoGate(RealGate):
    """A servo: each position is a pulse width, and it goes to any other. Implements
    `edge.hardware.interfaces.Nudgeable`; a driver sends the pulses (`_send`)."""

    def __init__(self, config: ServoBase) -> None:
        super().__init__(config)
        self._pulse_us = config.pulse_us

    def set_pulse_us(self, pulse_us: float) -> None:
        check_pulse(self.name, pulse_us)
        if self._closed:
            raise HardwareError(f"gate {self.name}: moved after it was closed: open the machine again")
        self._send(pulse_us)

    def _drive(self, position: str) -> None:
        self._send(self._pulse_us[position])

    @abstractmethod
    def _send(self, pulse_us: float) -> None:
        """Repeat pulses of this width from now on, and return."""
