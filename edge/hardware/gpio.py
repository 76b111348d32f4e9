"""Pins of a Raspberry Pi through the RPi.GPIO API, which two packages offer under one module name.

RPi.GPIO serves the Pi 1 to 4; rpi-lgpio all of them and is the only one on a Pi 5. Exactly one may be installed. Pins
are BCM numbers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge.errors import HardwareError

MODULE = "RPi.GPIO"


class OutputPin:
    """A pin that switches something. It starts off, and `close` switches it off and frees it.

    Args:
        device: how errors call what hangs on the pin.
        pin: BCM number.
        active_high: whether on is the high level.
    """

    def __init__(self, device: str, pin: int, active_high: bool = True) -> None:
        self._device, self._pin, self._active_high = device, pin, active_high
        self._gpio = open_gpio(device)
        with _blamed_on(device, pin):
            self._gpio.setup(pin, self._gpio.OUT, initial=self._level(False))
        self._open = True

    def set(self, on: bool) -> None:
        _must_be_open(self._open, self._device)
        with _blamed_on(self._device, self._pin):
            self._gpio.output(self._pin, self._level(on))

    def close(self) -> None:
        if self._open:
            try:
                self.set(False)
            finally:
                self._open = False
                with _blamed_on(self._device, self._pin):
                    self._gpio.cleanup(self._pin)

    def _level(self, on: bool) -> Any:
        return self._gpio.HIGH if on == self._active_high else self._gpio.LOW


class PwmPin:
    """A pin with software PWM. `close` stops the pulses and frees the pin.

    Args:
        device, pin, active_high: as for `OutputPin`.
        frequency_hz: pulses a second.
        duty: share of the time that the pin is on at first, 0 to 1.
    """

    def __init__(self, device: str, pin: int, frequency_hz: float, duty: float = 0.0, active_high: bool = True) -> None:
        self._device, self._pin, self._active_high = device, pin, active_high
        self._gpio = open_gpio(device)
        with _blamed_on(device, pin):
            self._gpio.setup(pin, self._gpio.OUT, initial=self._gpio.LOW if active_high else self._gpio.HIGH)
            self._pwm: Any = self._gpio.PWM(pin, frequency_hz)
            self._pwm.start(self._percent(duty))

    def set_duty(self, duty: float) -> None:
        _must_be_open(self._pwm is not None, self._device)
        with _blamed_on(self._device, self._pin):
            self._pwm.ChangeDutyCycle(self._percent(duty))

    def close(self) -> None:
        pwm, self._pwm = self._pwm, None
        if pwm is not None:
            with _blamed_on(self._device, self._pin):
                pwm.stop()
                del pwm  # Its destructor writes to the pin, which must still be ours then.
                # Low after `stop`, which an active-low device would take for on until the pin is freed.
                self._gpio.output(self._pin, self._gpio.LOW if self._active_high else self._gpio.HIGH)
                self._gpio.cleanup(self._pin)

    def _percent(self, duty: float) -> float:
        return 100 * (duty if self._active_high else 1 - duty)


class EdgePin:
    """A pulled-up input whose both edges call `on_edge`, in a thread of the library."""

    def __init__(self, device: str, pin: int, on_edge: Callable[[], None]) -> None:
        self._device, self._pin = device, pin
        self._gpio = open_gpio(device)
        with _blamed_on(device, pin):
            self._gpio.setup(pin, self._gpio.IN, pull_up_down=self._gpio.PUD_UP)
            try:
                self._gpio.add_event_detect(pin, self._gpio.BOTH, callback=lambda _: on_edge())
            except Exception as error:
                self._gpio.cleanup(pin)
                if "Failed to add edge detection" not in str(error):
                    raise
                # https://github.com/raspberrypi/linux/issues/6037
                raise RuntimeError(
                    f"{error}: RPi.GPIO sees no edges on kernels from 6.6 on, rpi-lgpio does"
                    " (sudo apt install python3-rpi-lgpio); otherwise"
                ) from error
        self._open = True

    def is_high(self) -> bool:
        _must_be_open(self._open, self._device)
        with _blamed_on(self._device, self._pin):
            return bool(self._gpio.input(self._pin))

    def close(self) -> None:
        if self._open:
            self._open = False
            with _blamed_on(self._device, self._pin):
                self._gpio.remove_event_detect(self._pin)
                self._gpio.cleanup(self._pin)


def open_gpio(device: str) -> Any:
    """The RPi.GPIO module, set to BCM numbers.

    Raises:
        HardwareError: it is not installed, or does not work on this computer.
    """
    try:
        gpio = importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        raise HardwareError(
            f"{device}: no GPIO library is installed: run install.sh again, or `pip install rpi-lgpio`"
        ) from error
    except (ImportError, RuntimeError, OSError) as error:
        raise HardwareError(
            f"{device}: the GPIO library does not work here ({error}): run on a Raspberry Pi; on a Pi 5 replace"
            " RPi.GPIO by rpi-lgpio"
        ) from error
    with _blamed_on(device):
        gpio.setwarnings(False)
        gpio.setmode(gpio.BCM)
    return gpio


@contextmanager
def _blamed_on(device: str, pin: int | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # lgpio.error has no base but Exception, and RPi.GPIO raises four kinds.
        where = device if pin is None else f"{device} (GPIO {pin})"
        raise HardwareError(
            f"{where}: {' '.join(str(error).split())}: check that no other program uses the pin, and that this user"
            " is in group gpio"
        ) from error


def _must_be_open(is_open: bool, device: str) -> None:
    if not is_open:
        raise HardwareError(f"{device}: used after it was closed: open the machine again")
