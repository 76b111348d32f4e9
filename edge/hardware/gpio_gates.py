"""Gates on GPIO pins: a solenoid, and a hobby servo."""

from __future__ import annotations

from edge.clock import Clock
from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig
from edge.hardware.gate import RealGate, RealServoGate
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


class GpioServoGate(RealServoGate):
    """A hobby servo on software PWM. `close` waits until it has come to rest: without pulses it would stop half way."""

    def __init__(self, config: GpioServoGateConfig, clock: Clock) -> None:
        super().__init__(config)
        self._way_s = config.latency_s + config.travel_s
        self._clock = clock
        self._pin = PwmPin(f"gate {config.name}", config.pin, SERVO_HZ, _duty(self._pulse_us[config.rest]))
        self._sent_us = float(self._pulse_us[config.rest])
        self._moved_s = clock.now_s()

    def _send(self, pulse_us: float) -> None:
        self._pin.set_duty(_duty(pulse_us))
        if pulse_us != self._sent_us:
            self._sent_us, self._moved_s = pulse_us, self._clock.now_s()

    def _release(self) -> None:
        self._clock.sleep_until(self._moved_s + self._way_s)
        self._pin.close()


def _duty(pulse_us: float) -> float:
    return pulse_us * 1e-6 * SERVO_HZ
