"""Gates, feeder, belt motor and encoder on GPIO pins: levels, pulses and edges, and what is said when they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import fake_gpio
import pytest
from fake_gpio import FakeGpio

from edge.clock import VirtualClock
from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig
from edge.config.schema import GpioEncoderConfig, GpioFeederConfig, GpioMotorConfig
from edge.errors import HardwareError
from edge.hardware.gpio_encoder import GpioEncoder
from edge.hardware.gpio_feed import GpioBeltMotor, GpioFeeder
from edge.hardware.gpio_gates import GpioServoGate, GpioSolenoidGate
from edge.hardware.gpio_pulse import GpioPulseGate

PULSE_US = {"left": 1000, "pass": 1520, "right": 2000}


@pytest.fixture
def gpio(monkeypatch: pytest.MonkeyPatch) -> FakeGpio:
    return fake_gpio.install(monkeypatch)


def solenoid(active_high: bool = True) -> GpioSolenoidGate:
    return GpioSolenoidGate(
        GpioSolenoidGateConfig(
            driver="gpio-solenoid", name="g1", x_mm=400, positions=("pass", "push"), pin=23, active_high=active_high
        )
    )


def servo(clock: VirtualClock) -> GpioServoGate:
    return GpioServoGate(
        GpioServoGateConfig(
            driver="gpio-servo",
            name="g2",
            x_mm=400,
            positions=tuple(PULSE_US),
            pulse_us=PULSE_US,
            latency_s=0.02,
            travel_s=0.15,
            pin=18,
        ),
        clock,
    )


class HandAlarm:
    """A timer that is rung by hand, and only while it is set."""

    def __init__(self, after_s: float, call: Callable[[], None]) -> None:
        self.after_s, self._call = after_s, call
        self.daemon = self._set = False

    def start(self) -> None:
        self._set = True

    def cancel(self) -> None:
        self._set = False

    def ring(self, *, too_late_to_cancel: bool = False) -> None:
        if self._set or too_late_to_cancel:
            self._call()


def jet(alarms: list[HandAlarm]) -> GpioPulseGate:
    def alarm(after_s: float, call: Callable[[], None]) -> HandAlarm:
        alarms.append(HandAlarm(after_s, call))
        return alarms[-1]

    config = GpioSolenoidGateConfig.model_validate(
        {"kind": "jet", "driver": "gpio-solenoid", "name": "j1", "x_mm": 400, "pin": 23, "max_on_s": 1.5}
    )
    return GpioPulseGate(config, alarm)


def relay_feeder() -> GpioFeeder:
    return GpioFeeder(GpioFeederConfig(driver="gpio", pin=5))


def encoder(pin_b: int | None = None) -> GpioEncoder:
    return GpioEncoder(GpioEncoderConfig(driver="gpio", pin_a=20, pin_b=pin_b, mm_per_tick=0.5))


def motor() -> GpioBeltMotor:
    return GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=17), VirtualClock())


@pytest.mark.parametrize("active_high", [True, False])
def test_a_solenoid_has_power_only_away_from_rest(gpio: FakeGpio, active_high: bool) -> None:
    gate = solenoid(active_high)
    assert not gpio.is_on(23, active_high)
    gate.move_to("push")
    assert gpio.is_on(23, active_high)
    gate.move_to("pass")
    assert not gpio.is_on(23, active_high)


@pytest.mark.parametrize("active_high", [True, False])
def test_a_solenoid_is_off_before_its_pin_is_freed(gpio: FakeGpio, active_high: bool) -> None:
    gate = solenoid(active_high)
    gate.move_to("push")
    gate.close()
    assert gpio.history[-1] == (23, int(not active_high))
    assert gpio.pins == set()


def test_a_servo_gets_its_pulse_widths_fifty_times_a_second(gpio: FakeGpio) -> None:
    gate = servo(VirtualClock())
    assert gpio.frequencies[18] == 50
    assert fake_gpio.pulse_us(gpio, 18) == pytest.approx(1520)
    for position, width_us in PULSE_US.items():
        gate.move_to(position)
        assert fake_gpio.pulse_us(gpio, 18) == pytest.approx(width_us)


def test_a_closing_servo_gets_pulses_until_it_has_come_to_rest(gpio: FakeGpio) -> None:
    clock = VirtualClock(10.0)
    gate = servo(clock)
    clock.advance(5.0)
    gate.move_to("left")
    gate.close()
    assert clock.now_s() == pytest.approx(15.17)
    assert fake_gpio.pulse_us(gpio, 18) == pytest.approx(1520)
    assert gpio.pins == set()


def test_a_servo_long_at_rest_closes_at_once(gpio: FakeGpio) -> None:
    clock = VirtualClock(10.0)
    gate = servo(clock)
    clock.advance(5.0)
    gate.close()
    assert clock.now_s() == 15.0


@pytest.mark.parametrize(("rate", "percent"), [(0.0, 0.0), (15.0, 25.0), (60.0, 100.0), (600.0, 100.0)])
def test_the_feeders_power_follows_its_rate(gpio: FakeGpio, rate: float, percent: float) -> None:
    feeder = GpioFeeder(GpioFeederConfig(driver="gpio", pin=5, pwm_hz=200.0, parts_per_min=60.0))
    feeder.set_rate(rate)
    assert gpio.frequencies[5] == 200
    assert gpio.duties[5] == pytest.approx(percent)


def test_an_active_low_feeder_is_off_when_its_pulses_end(gpio: FakeGpio) -> None:
    feeder = GpioFeeder(GpioFeederConfig(driver="gpio", pin=5, pwm_hz=200.0, active_high=False))
    assert gpio.duties[5] == 100, "all the time high is off"
    feeder.set_rate(60.0)
    assert gpio.duties[5] == 0
    feeder.close()
    assert gpio.history[-1] == (5, 1)
    assert gpio.pins == set()


def test_the_belt_motor_tells_how_long_it_was_on(gpio: FakeGpio) -> None:
    clock = VirtualClock(100.0)
    belt = GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=17), clock)
    for on_s, off_s in [(2.0, 5.0), (0.5, 1.0)]:
        belt.start()
        clock.advance(on_s / 2)
        belt.start()
        clock.advance(on_s / 2)
        belt.stop()
        clock.advance(off_s)
    assert belt.running_s() == pytest.approx(2.5)
    belt.start()
    clock.advance(1.5)
    assert belt.running_s() == pytest.approx(4.0)


QUARTERS = [(1, 0), (0, 0), (0, 1), (1, 1)]


def turn(gpio: FakeGpio, levels: tuple[int, int]) -> None:
    for pin, level in zip((20, 21), levels, strict=True):
        gpio.turn(pin, bool(level))


@pytest.mark.parametrize("way", [QUARTERS, [*QUARTERS[2::-1], QUARTERS[3]]], ids=["as wired", "channels swapped"])
def test_quadrature_counts_either_way_round(gpio: FakeGpio, way: list[tuple[int, int]]) -> None:
    counter = encoder(pin_b=21)
    counter.start()
    for _ in range(5):
        for levels in way:
            turn(gpio, levels)
    assert counter.belt_mm() == pytest.approx(20 * 0.5)


def test_a_shaking_belt_does_not_travel(gpio: FakeGpio) -> None:
    counter = encoder(pin_b=21)
    counter.start()
    for levels in QUARTERS:
        turn(gpio, levels)
    for _ in range(100):
        turn(gpio, (1, 0))
        turn(gpio, (1, 1))
    assert counter.belt_mm() == pytest.approx(2.5)


def test_a_belt_that_slips_back_travels_on_only_when_it_has_caught_up(gpio: FakeGpio) -> None:
    counter = encoder(pin_b=21)
    counter.start()
    turn(gpio, (1, 0))
    turn(gpio, (0, 0))
    turn(gpio, (1, 0))
    assert counter.belt_mm() == pytest.approx(1.0)
    turn(gpio, (0, 0))
    assert counter.belt_mm() == pytest.approx(1.0)
    turn(gpio, (0, 1))
    assert counter.belt_mm() == pytest.approx(1.5)


def test_a_missed_edge_is_counted_in_the_way_the_belt_went(gpio: FakeGpio) -> None:
    counter = encoder(pin_b=21)
    counter.start()
    turn(gpio, (1, 0))
    gpio.levels[20] = 0  # Both channels have changed before the first callback runs.
    gpio.turn(21, True)
    assert counter.belt_mm() == pytest.approx(1.5)


def test_edges_after_close_are_nobodys(gpio: FakeGpio) -> None:
    counter = encoder(pin_b=21)
    counter.start()
    late = gpio._callbacks[20]
    counter.close()
    late(20)
    assert gpio.pins == set()


DEVICES: list[tuple[Callable[[], Any], str, int]] = [
    (solenoid, "gate g1", 23),
    (lambda: servo(VirtualClock()), "gate g2", 18),
    (relay_feeder, "feeder", 5),
    (motor, "belt motor", 17),
    (encoder, "encoder", 20),
    (lambda: encoder(pin_b=21), "encoder", 21),
]
NAMES = ["solenoid", "servo", "feeder", "motor", "encoder", "second channel"]


@pytest.mark.parametrize(("make", "name", "pin"), DEVICES, ids=NAMES)
def test_a_pin_that_is_taken_is_told_with_its_device(
    gpio: FakeGpio, make: Callable[[], Any], name: str, pin: int
) -> None:
    gpio.busy.add(pin)
    with pytest.raises(HardwareError, match=rf"^{name} \(GPIO {pin}\): GPIO busy: check"):
        make()
    assert gpio.pins == set(), "what was opened before is free again"


@pytest.mark.parametrize(("make", "name", "pin"), DEVICES, ids=NAMES)
def test_every_device_frees_its_pins(gpio: FakeGpio, make: Callable[[], Any], name: str, pin: int) -> None:
    device = make()
    assert pin in gpio.pins
    device.close()
    assert gpio.pins == set()


def test_a_chip_that_dies_is_told_by_whoever_needs_it(gpio: FakeGpio) -> None:
    gate, feeder, belt = solenoid(), relay_feeder(), motor()
    gpio.dead = True
    orders: list[tuple[Callable[[], None], str]] = [
        (lambda: gate.move_to("push"), "gate g1"),
        (lambda: feeder.set_rate(10), "feeder"),
        (belt.start, "belt motor"),
        (belt.stop, "belt motor"),
        (gate.close, "gate g1"),
    ]
    for order, name in orders:
        with pytest.raises(HardwareError, match=rf"{name}.*gpiochip0 is gone"):
            order()
    gate.close()


def test_an_encoder_without_edge_detection_is_told_and_frees_its_pin(gpio: FakeGpio) -> None:
    gpio.edges_fail = True
    with pytest.raises(HardwareError, match=r"encoder \(GPIO 20\): Failed to add edge detection: .*rpi-lgpio"):
        encoder()
    assert gpio.pins == set()


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "RPi.GPIO", None)
    with pytest.raises(HardwareError, match=r"gate g1: .*pip install rpi-lgpio"):
        solenoid()


def test_another_numbering_of_pins_in_the_same_program_is_told(gpio: FakeGpio) -> None:
    gpio.setmode(gpio.BOARD)
    with pytest.raises(HardwareError, match="gate g1: A different mode"):
        solenoid()


def test_a_pulse_ends_by_itself(gpio: FakeGpio) -> None:
    alarms: list[HandAlarm] = []
    gate = jet(alarms)
    gate.move_to("blow")
    assert gpio.is_on(23)
    assert (alarms[0].after_s, alarms[0].daemon) == (1.5, True)
    alarms[0].ring()
    assert not gpio.is_on(23)
    gate.move_to("blow")
    assert gpio.is_on(23)


def test_the_end_of_one_pulse_does_not_cut_the_next(gpio: FakeGpio) -> None:
    alarms: list[HandAlarm] = []
    gate = jet(alarms)
    for position in ("blow", "pass", "blow"):
        gate.move_to(position)
    alarms[0].ring(too_late_to_cancel=True)
    assert gpio.is_on(23)
    gate.close()
    alarms[1].ring(too_late_to_cancel=True)
    assert not gpio.pins


def test_a_pulse_that_could_not_be_ended_ends_by_itself(gpio: FakeGpio) -> None:
    alarms: list[HandAlarm] = []
    gate = jet(alarms)
    gate.move_to("blow")
    gpio.dead = True
    with pytest.raises(HardwareError, match="gate j1"):
        gate.move_to("pass")
    gpio.dead = False
    assert gpio.is_on(23)
    alarms[0].ring()
    assert not gpio.is_on(23)


def test_a_pulse_on_a_pin_that_died_ends_in_silence(gpio: FakeGpio) -> None:
    alarms: list[HandAlarm] = []
    gate = jet(alarms)
    gate.move_to("blow")
    gpio.dead = True
    alarms[0].ring()
    with pytest.raises(HardwareError, match="gate j1"):
        gate.move_to("pass")
