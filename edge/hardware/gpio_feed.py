"""The feeder and the belt's motor on GPIO pins."""

from __future__ import annotations

from edge.clock import Clock
from edge.config.schema import GpioFeederConfig, GpioMotorConfig
from edge.errors import HardwareError
from edge.hardware.gpio import OutputPin, PwmPin


class GpioFeeder:
    """A vibrating feeder. With `pwm_hz` its power follows the rate; without, a relay is on for every rate above 0."""

    def __init__(self, config: GpioFeederConfig) -> None:
        self._full_parts_per_min = config.parts_per_min
        self._relay: OutputPin | None = None
        self._motor: PwmPin | None = None
        if config.pwm_hz is None:
            self._relay = OutputPin("feeder", config.pin, config.active_high)
        else:
            self._motor = PwmPin("feeder", config.pin, config.pwm_hz, active_high=config.active_high)
        self._closed = False

    def set_rate(self, parts_per_min: float) -> None:
        if parts_per_min < 0:
            raise ValueError(f"feeder: a rate of {parts_per_min} parts/min is below 0")
        if self._closed:
            if parts_per_min > 0:
                raise HardwareError("feeder: switched on after it was closed: open the machine again")
            return
        if self._relay is not None:
            self._relay.set(parts_per_min > 0)
        if self._motor is not None:
            self._motor.set_duty(min(parts_per_min / self._full_parts_per_min, 1.0))

    def close(self) -> None:
        self._closed = True
        for pin in (self._relay, self._motor):
            if pin is not None:
                pin.close()


class GpioBeltMotor:
    """The belt's motor driver or relay, with a second pin where it can run back; never are both on. `running_s` is
    what a belt without an encoder is reckoned by."""

    def __init__(self, config: GpioMotorConfig, clock: Clock) -> None:
        self._clock = clock
        self._pin = OutputPin("belt motor", config.pin, config.active_high)
        self._back: OutputPin | None = None
        self._ran_s = 0.0
        self._started_s: float | None = None
        self._closed = False
        if config.reverse_pin is not None:
            try:
                self._back = OutputPin("belt motor", config.reverse_pin, config.active_high)
            except HardwareError:
                self._pin.close()
                raise

    def start(self) -> None:
        if self._back is not None:
            self._back.set(False)
        self._run(self._pin)

    def reverse(self) -> None:
        if self._back is None:
            raise HardwareError("belt motor: cannot run back: give belt.motor a reverse_pin")
        self._pin.set(False)
        self._run(self._back)

    def stop(self) -> None:
        if not self._closed:
            for pin in self._pins:
                pin.set(False)
            self._ran_s, self._started_s = self.running_s(), None

    @property
    def _pins(self) -> tuple[OutputPin, ...]:
        return (self._pin,) if self._back is None else (self._pin, self._back)

    def _run(self, pin: OutputPin) -> None:
        pin.set(True)
        if self._started_s is None:
            self._started_s = self._clock.now_s()

    def running_s(self) -> float:
        """How long the motor has been on so far."""
        since_s = self._started_s
        return self._ran_s + (self._clock.now_s() - since_s if since_s is not None else 0.0)

    def close(self) -> None:
        if not self._closed:
            try:
                self.stop()
            finally:
                self._closed = True
                for pin in self._pins:
                    pin.close()
