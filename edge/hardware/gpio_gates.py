"""Gates on GPIO pins: a solenoid, and a hobby servo."""

from __future__ import annotations

from edge.clock import Clock
from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig
from edge.hardware.gate import RealGate
from edge.hardware.gpio import OutputPin, PwmPin

SERVO_HZ = 50
"""Hobby servos expect a pulse every 20 ms; its width says where to go."""


class GpioSolenoidGate(RealGate):
    """A solenoid, relay or air valve: powered in the position that is not its rest."""

    def __init__(self, config: GpioSolenoidGateConfig) -> None:
        super().__init__(config)
        self._pin = OutputPin(f"gate {config.name}", config.pin, config.active_high)

    def _drive(self, position: str) -> None:
        self._pin.set(position != self.rest)

    def _release(self) -> None:
        self._pin.close()


class GpioServoGate(RealGate):
    """A hobby servo on software PWM. `close` waits until it has come to rest: without pulses it would stop half way."""

    def __init__(self, config: GpioServoGateConfig, clock: Clock) -> None:
        super().__init__(config)
        self._pulse_us = config.pulse_us
        self._way_s = config.latency_s + config.travel_s
        self._clock = clock
        self._pin = PwmPin(f"gate {config.name}", config.pin, SERVO_HZ, self._duty(config.rest))
        self._position = config.rest
        self._moved_s = clock.now_s()

    def _drive(self, position: str) -> None:
        self._pin.set_duty(self._duty(position))
        if position != self._position:
            self._position, self._moved_s = position, self._clock.now_s()

    def _release(self) -> None:
        self._clock.sleep_until(self._moved_s + self._way_s)
        self._pin.close()

    def _duty(self, position: str) -> float:
        return self._pulse_us[position] * 1e-6 * SERVO_HZ
