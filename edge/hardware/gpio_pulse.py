"""A pusher's coil or an air jet's valve on a GPIO pin, which must never stay on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from edge.config.gates import GpioSolenoidGateConfig
from edge.errors import HardwareError
from edge.hardware.gpio_gates import GpioSolenoidGate


class Alarm(Protocol):
    """Calls a function after a time, in a thread of its own, unless it is cancelled before: `threading.Timer`."""

    daemon: bool

    def start(self) -> None: ...

    def cancel(self) -> None: ...


class GpioPulseGate(GpioSolenoidGate):
    """A solenoid that switches itself off after `max_on_s`, whatever became of who switched it on: coils are made for
    pulses and burn, and a valve left open empties the compressor."""

    def __init__(
        self,
        config: GpioSolenoidGateConfig,
        alarm: Callable[[float, Callable[[], None]], Alarm] = threading.Timer,
    ) -> None:
        super().__init__(config)
        assert config.max_on_s is not None
        self._max_on_s = config.max_on_s
        self._make_alarm = alarm
        self._lock = threading.Lock()
        self._pulse = 0
        self._alarm: Alarm | None = None

    def _drive(self, position: str) -> None:
        with self._lock:
            super()._drive(position)
            self._forget_alarm()  # Not before: where the pin did not obey, a coil that is on still goes off by itself.
            if position != self.rest:
                pulse = self._pulse
                self._alarm = self._make_alarm(self._max_on_s, lambda: self._switch_off(pulse))
                self._alarm.daemon = True
                self._alarm.start()

    def _release(self) -> None:
        with self._lock:
            self._forget_alarm()
            super()._release()

    def _forget_alarm(self) -> None:
        self._pulse += 1
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _switch_off(self, pulse: int) -> None:
        with self._lock:
            if pulse == self._pulse:
                # Nobody waits for an answer here: the next movement tells what is wrong with the pin.
                with suppress(HardwareError):
                    self._pin.set(False)
