"""Runs on the emulated Raspberry Pi of `raspi3b.py`: each driver of a pin does what it is for, one step after another.

After each step it prints how the pins should be, and waits for a line.
"""

# What it tests is on the emulated machine; this file is read there alone.
from __future__ import annotations

import json
import sys

sys.path.insert(0, "/tmp")

from edge.clock import MonotonicClock
from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig
from edge.config.schema import GpioFeederConfig, GpioMotorConfig
from edge.hardware.gpio_feed import GpioBeltMotor, GpioFeeder
from edge.hardware.gpio_gates import GpioServoGate, GpioSolenoidGate
from edge.hardware.gpio_pulse import GpioPulseGate

MOTOR, FEEDER, VALVE, RELAY, COIL, SERVO = 17, 27, 23, 24, 25, 18
COIL_ON_S = 5.0
"""Long enough for the monitor to be asked meanwhile."""


def show(step: str, pins: dict[int, str]) -> None:
    """Waits until the pins have been read."""
    print("STEP " + json.dumps({"step": step, "pins": pins}), flush=True)
    sys.stdin.readline()


def switch_belt_and_feeder(clock: MonotonicClock) -> None:
    motor = GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=MOTOR), clock)
    feeder = GpioFeeder(GpioFeederConfig(driver="gpio", pin=FEEDER, parts_per_min=20))
    show("opened: all is off", {MOTOR: "low", FEEDER: "low"})
    motor.start()
    show("the belt runs", {MOTOR: "high", FEEDER: "low"})
    feeder.set_rate(20)
    show("the feeder feeds", {MOTOR: "high", FEEDER: "high"})
    feeder.set_rate(0)
    motor.stop()
    show("both stand", {MOTOR: "low", FEEDER: "low"})
    motor.start()
    feeder.set_rate(20)
    feeder.close()
    motor.close()
    show("closed while they ran: off, and free", {MOTOR: "input", FEEDER: "input"})


def solenoid(name: str, pin: int, **more: object) -> GpioSolenoidGateConfig:
    return GpioSolenoidGateConfig.model_validate(
        {"name": name, "driver": "gpio-solenoid", "x_mm": 300, "positions": ["pass", "push"], "pin": pin, **more}
    )


def move_gates(clock: MonotonicClock) -> None:
    valve, relay = GpioSolenoidGate(solenoid("valve", VALVE)), GpioSolenoidGate(solenoid("r", RELAY, active_high=False))
    show("gates at rest; a low-active one is high", {VALVE: "low", RELAY: "high"})
    for _ in range(3):
        valve.move_to("push")
        relay.move_to("push")
        show("both push", {VALVE: "high", RELAY: "low"})
        valve.move_to("pass")
        relay.move_to("pass")
        show("both pass", {VALVE: "low", RELAY: "high"})
    coil = GpioPulseGate(solenoid("coil", COIL, kind="pusher", max_on_s=COIL_ON_S))
    coil.move_to("push")
    pushed_s = clock.now_s()
    show("a coil is on", {COIL: "high"})
    clock.sleep_until(pushed_s + COIL_ON_S + 2)
    show("a coil switches itself off", {COIL: "low"})
    servo = GpioServoGate(
        GpioServoGateConfig.model_validate(
            {
                "name": "servo", "driver": "gpio-servo", "x_mm": 300, "positions": ["left", "pass"], "pin": SERVO,
                "pulse_us": {"left": 2000, "pass": 1500},
            }
        ),
        clock,
    )  # fmt: skip
    servo.move_to("left")
    show("a servo has pulses", {SERVO: "pulses"})
    for gate in (valve, relay, coil, servo):
        gate.close()
    show("closed: all free", dict.fromkeys((VALVE, RELAY, COIL, SERVO), "input"))


if __name__ == "__main__":
    switch_belt_and_feeder(MonotonicClock())
    move_gates(MonotonicClock())
    print("STEP {}", flush=True)
    sys.stdin.readline()
