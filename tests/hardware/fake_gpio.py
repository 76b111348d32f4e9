"""A working RPi.GPIO without pins: it keeps the state of every pin and refuses what the real library refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary


class FakeGpio:
    """Stands in for the module. `levels`, `duties` and `frequencies` tell the state of the pins that are set up."""

    BCM, BOARD = 11, 10
    OUT, IN = 0, 1
    LOW, HIGH = 0, 1
    PUD_OFF, PUD_DOWN, PUD_UP = 20, 21, 22
    RISING, FALLING, BOTH = 31, 32, 33

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}
        self.duties: dict[int, float] = {}
        self.frequencies: dict[int, float] = {}
        self.stopped: dict[int, tuple[float, float]] = {}
        """Duty in % and frequency of PWM at the moment it was stopped."""
        self.busy: set[int] = set()
        """Pins that another program holds: setting them up fails."""
        self.history: list[tuple[int, int]] = []
        """(pin, level) of every output."""
        self.dead = False
        """The chip is gone: every call fails."""
        self.edges_fail = False
        self._pwms: WeakValueDictionary[int, _Pwm] = WeakValueDictionary()
        self._mode: int | None = None
        self._directions: dict[int, int] = {}
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self.PWM = lambda pin, hz: _Pwm(self, pin, hz)

    @property
    def pins(self) -> set[int]:
        """The pins that are set up."""
        return set(self._directions)

    def setwarnings(self, on: bool) -> None:
        assert isinstance(on, bool)

    def setmode(self, mode: int) -> None:
        if self._mode not in (None, mode):
            raise ValueError("A different mode has already been set!")
        self._mode = mode

    def setup(self, pin: int, direction: int, pull_up_down: int = PUD_OFF, initial: int | None = None) -> None:
        self._check(pin)
        if pin in self.busy:
            raise RuntimeError("GPIO busy")
        if direction == self.OUT and pull_up_down != self.PUD_OFF:
            raise ValueError("pull_up_down parameter is not valid for outputs")
        if direction == self.IN and initial is not None:
            raise ValueError("initial parameter is not valid for inputs")
        self._directions[pin] = direction
        self.levels[pin] = initial if initial is not None else int(pull_up_down == self.PUD_UP)

    def output(self, pin: int, level: int) -> None:
        self._check(pin)
        if self._directions.get(pin) != self.OUT:
            raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
        if pin in self.duties:
            raise RuntimeError("output on a pin whose PWM is running")
        self.levels[pin] = int(level)
        self.history.append((pin, int(level)))

    def input(self, pin: int) -> int:
        self._check(pin)
        if pin not in self._directions:
            raise RuntimeError("You must setup() the GPIO channel first")
        return self.levels[pin]

    def add_event_detect(
        self, pin: int, edge: int, callback: Callable[[int], None] | None = None, bouncetime: int | None = None
    ) -> None:
        self._check(pin)
        if self._directions.get(pin) != self.IN:
            raise RuntimeError("You must setup() the GPIO channel as an input first")
        if pin in self._callbacks:
            raise RuntimeError("Conflicting edge detection already enabled for this GPIO channel")
        if self.edges_fail:
            raise RuntimeError("Failed to add edge detection")
        assert edge == self.BOTH
        assert bouncetime is None
        assert callback is not None
        self._callbacks[pin] = callback

    def remove_event_detect(self, pin: int) -> None:
        self._check(pin)
        self._callbacks.pop(pin, None)

    def cleanup(self, pin: int) -> None:
        self._check(pin)
        if pin not in self._directions:
            raise RuntimeError("No channels have been set up yet")
        if pin in self.duties:
            raise RuntimeError("the PWM of the pin is still running")
        if pin in self._pwms:
            raise AssertionError("the PWM object outlives its pin: its destructor would write to what is not ours")
        del self._directions[pin], self.levels[pin]
        self._callbacks.pop(pin, None)

    def turn(self, pin: int, level: bool) -> None:
        """What the world outside does to an input."""
        if self._directions.get(pin) != self.IN:
            raise AssertionError(f"GPIO {pin} is no input")
        if self.levels[pin] != int(level):
            self.levels[pin] = int(level)
            if pin in self._callbacks:
                self._callbacks[pin](pin)

    def is_on(self, pin: int, active_high: bool = True) -> bool:
        """Whether an output switches its device on."""
        return pin in self.levels and bool(self.levels[pin]) == active_high

    def _check(self, pin: int) -> None:
        if self._mode is None:
            raise RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)")
        if not 0 <= pin <= 53:
            raise ValueError("The channel sent is invalid on a Raspberry Pi")
        if self.dead:
            raise OSError("gpiochip0 is gone")


class _Pwm:
    """Software PWM of one pin."""

    def __init__(self, gpio: FakeGpio, pin: int, frequency_hz: float) -> None:
        gpio.output(pin, gpio.levels.get(pin, 0))
        if pin in gpio._pwms:
            raise RuntimeError("A PWM object already exists for this GPIO channel")
        if frequency_hz <= 0:
            raise ValueError("frequency must be greater than 0.0")
        self._gpio, self._pin = gpio, pin
        gpio.frequencies[pin] = frequency_hz
        gpio._pwms[pin] = self

    def start(self, percent: float) -> None:
        self._set(percent)

    def ChangeDutyCycle(self, percent: float) -> None:  # noqa: N802
        if self._pin not in self._gpio.duties:
            raise RuntimeError("the PWM was not started")
        self._set(percent)

    def stop(self) -> None:
        gpio, pin = self._gpio, self._pin
        gpio._check(pin)
        gpio.stopped[pin] = gpio.duties.pop(pin), gpio.frequencies.pop(pin)
        self._gpio.levels[self._pin] = self._gpio.LOW

    def _set(self, percent: float) -> None:
        self._gpio._check(self._pin)
        if not 0 <= percent <= 100:
            raise ValueError("dutycycle must have a value from 0.0 to 100.0")
        self._gpio.duties[self._pin] = percent


def pulse_us(gpio: FakeGpio, pin: int) -> float:
    """The width of the pulses on a pin, or, once they were stopped, of the last one."""
    percent, frequency_hz = (gpio.duties[pin], gpio.frequencies[pin]) if pin in gpio.duties else gpio.stopped[pin]
    return percent / 100 / frequency_hz * 1e6


def install(monkeypatch: Any) -> FakeGpio:
    """Puts a fresh fake in the place of RPi.GPIO."""
    gpio = FakeGpio()
    monkeypatch.setitem(sys.modules, "RPi", gpio)
    monkeypatch.setitem(sys.modules, "RPi.GPIO", gpio)
    return gpio
