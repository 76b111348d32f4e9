"""Every gate, real or simulated, keeps the contract of `edge.hardware.interfaces.Gate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import fake_gpio
import fake_i2c
import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig, Pca9685GateConfig
from edge.errors import HardwareError
from edge.hardware.gpio_gates import GpioServoGate, GpioSolenoidGate
from edge.hardware.gpio_pulse import GpioPulseGate
from edge.hardware.idle import IdleGate
from edge.hardware.interfaces import Gate, Nudgeable
from edge.hardware.pca9685 import Pca9685Board, Pca9685Gate
from edge.sim.gates import SimGate, sim_gate
from edge.sim.settings import GateSettings

PULSE_US = {"left": 1000, "pass": 1500, "right": 2000}
MOVED_S = 1.0


@dataclass
class Bench:
    """A gate on a test bench: `where` looks where it really is."""

    gate: Gate
    clock: VirtualClock
    where: Callable[[], str]
    pulse_us: Callable[[], float | None] = lambda: None
    """Of a servo: the pulse of the place where it is."""


def nearest(pulse_us: float | None) -> str:
    assert pulse_us is not None
    return min(PULSE_US, key=lambda position: abs(PULSE_US[position] - pulse_us))


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock = VirtualClock()
    gate = SimGate(GateSettings("g1", 400, tuple(PULSE_US), "pass"), clock, np.random.default_rng(1))
    return Bench(gate, clock, lambda: gate.nearest(clock.now_s()))


def sim_servo(monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock = VirtualClock()
    pulses_us = tuple(map(float, PULSE_US.values()))
    settings = GateSettings("g1", 400, tuple(PULSE_US), "pass", pulses_us=pulses_us, true_pulses_us=pulses_us)
    gate = sim_gate(settings, clock, np.random.default_rng(1))
    return Bench(gate, clock, lambda: gate.nearest(clock.now_s()), lambda: 1000 + 500 * gate.coordinate(clock.now_s()))


def replayed(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gate = IdleGate("g1", tuple(PULSE_US), "pass")
    return Bench(gate, VirtualClock(), lambda: gate.position)


def _solenoid(monkeypatch: pytest.MonkeyPatch, active_high: bool) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    positions = ("pass", "push")
    config = GpioSolenoidGateConfig(
        driver="gpio-solenoid", name="g1", x_mm=400, positions=positions, pin=23, active_high=active_high
    )
    gate = GpioSolenoidGate(config)
    return Bench(gate, VirtualClock(), lambda: "push" if gpio.is_on(23, active_high) else "pass")


def solenoid(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _solenoid(monkeypatch, active_high=True)


def solenoid_active_low(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _solenoid(monkeypatch, active_high=False)


def _sim_of_kind(kind: Literal["pusher", "jet", "chute"], positions: tuple[str, ...], **settings: Any) -> Bench:
    clock = VirtualClock()
    own = GateSettings("g1", 400, positions, "pass", kind=kind, **settings)
    gate = SimGate(own, clock, np.random.default_rng(1))
    return Bench(gate, clock, lambda: gate.nearest(clock.now_s()))


def sim_pusher(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _sim_of_kind("pusher", ("pass", "push"), travel_s=0.06, reach_mm=12.0)


def sim_jet(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _sim_of_kind("jet", ("pass", "blow"), latency_s=0.01, travel_s=0.005, jitter_s=0.001)


def sim_chute(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _sim_of_kind("chute", ("pass", "a", "b", "c"), travel_s=0.6, angles_deg=(90.0, 0.0, 180.0, 135.0))


class NeverRings:
    """The alarm of a pulse, which no test here lasts long enough for."""

    daemon = False

    def start(self) -> None: ...

    def cancel(self) -> None: ...


def valve(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    config = GpioSolenoidGateConfig.model_validate(
        {"kind": "jet", "driver": "gpio-solenoid", "name": "g1", "x_mm": 400, "pin": 23, "max_on_s": 60.0}
    )
    return Bench(
        GpioPulseGate(config, lambda after_s, call: NeverRings()),
        VirtualClock(),
        lambda: "blow" if gpio.is_on(23) else "pass",
    )


def servo(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio, clock = fake_gpio.install(monkeypatch), VirtualClock()
    config = GpioServoGateConfig(
        driver="gpio-servo", name="g1", x_mm=400, positions=tuple(PULSE_US), pulse_us=PULSE_US, pin=18
    )
    return Bench(
        GpioServoGate(config, clock),
        clock,
        lambda: nearest(fake_gpio.pulse_us(gpio, 18)),
        lambda: fake_gpio.pulse_us(gpio, 18),
    )


def pca9685(monkeypatch: pytest.MonkeyPatch) -> Bench:
    i2c, clock = fake_i2c.install(monkeypatch, 0x40), VirtualClock()
    config = Pca9685GateConfig(
        driver="pca9685", name="g1", x_mm=400, positions=tuple(PULSE_US), pulse_us=PULSE_US, channel=3
    )
    gate = Pca9685Gate(config, Pca9685Board(0x40, clock))
    return Bench(gate, clock, lambda: nearest(i2c.chips[0x40].pulse_us(3)), lambda: i2c.chips[0x40].pulse_us(3))


def pca9685_chute(monkeypatch: pytest.MonkeyPatch) -> Bench:
    i2c, clock = fake_i2c.install(monkeypatch, 0x40), VirtualClock()
    angles = {"left": 0.0, "pass": 90.0, "right": 180.0}
    config = Pca9685GateConfig.model_validate(
        {
            "kind": "chute", "driver": "pca9685", "name": "g1", "x_mm": 400, "pulse_us": PULSE_US, "angle_deg": angles,
            "channel": 3,
        }
    )  # fmt: skip
    gate = Pca9685Gate(config, Pca9685Board(0x40, clock))
    return Bench(gate, clock, lambda: nearest(i2c.chips[0x40].pulse_us(3)), lambda: i2c.chips[0x40].pulse_us(3))


MAKERS = [
    sim, sim_servo, sim_pusher, sim_jet, sim_chute, replayed, solenoid, solenoid_active_low, valve, servo, pca9685,
    pca9685_chute,
]  # fmt: skip
SERVOS = [sim_servo, servo, pca9685, pca9685_chute]


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return request.param(monkeypatch)


@pytest.fixture(params=SERVOS, ids=lambda make: make.__name__)
def servo_bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return request.param(monkeypatch)


def test_it_rests_in_one_of_its_positions_at_first(bench: Bench) -> None:
    assert bench.gate.name == "g1"
    assert len(set(bench.gate.positions)) == len(bench.gate.positions) >= 2
    assert bench.gate.rest in bench.gate.positions
    assert bench.where() == bench.gate.rest


def test_it_goes_to_every_position_from_every_other(bench: Bench) -> None:
    for start in bench.gate.positions:
        for end in bench.gate.positions:
            for position in (start, end):
                before_s = bench.clock.now_s()
                bench.gate.move_to(position)
                assert bench.clock.now_s() == before_s, "move_to waits"
                bench.clock.advance(MOVED_S)
                assert bench.where() == position


def test_an_unknown_position_is_refused_by_name_and_nothing_moves(bench: Bench) -> None:
    aside = next(position for position in bench.gate.positions if position != bench.gate.rest)
    bench.gate.move_to(aside)
    bench.clock.advance(MOVED_S)
    with pytest.raises(ValueError, match=r"g1.*upside-down.*pass"):
        bench.gate.move_to("upside-down")
    bench.clock.advance(MOVED_S)
    assert bench.where() == aside


def test_close_leaves_it_at_rest_and_may_be_called_again(bench: Bench) -> None:
    aside = next(position for position in bench.gate.positions if position != bench.gate.rest)
    bench.gate.move_to(aside)
    bench.clock.advance(MOVED_S)
    bench.gate.close()
    bench.clock.advance(MOVED_S)
    assert bench.where() == bench.gate.rest
    bench.gate.close()


def test_it_does_not_move_after_close(bench: Bench) -> None:
    bench.gate.close()
    with pytest.raises(HardwareError, match="g1"):
        bench.gate.move_to(bench.gate.rest)


def test_only_servos_can_be_nudged(bench: Bench, request: pytest.FixtureRequest) -> None:
    assert isinstance(bench.gate, Nudgeable) == (request.node.callspec.params["bench"] in SERVOS)


@pytest.mark.parametrize("pulse_us", [1480, 1490, 1112.5, 2050, 1500])
def test_a_servo_goes_where_a_pulse_puts_it_without_waiting(servo_bench: Bench, pulse_us: float) -> None:
    assert isinstance(servo_bench.gate, Nudgeable)
    before_s = servo_bench.clock.now_s()
    servo_bench.gate.set_pulse_us(pulse_us)
    assert servo_bench.clock.now_s() == before_s
    servo_bench.clock.advance(MOVED_S)
    assert servo_bench.pulse_us() == pytest.approx(pulse_us, abs=3)
    servo_bench.gate.move_to("left")
    servo_bench.clock.advance(MOVED_S)
    assert servo_bench.pulse_us() == pytest.approx(1000, abs=3)


@pytest.mark.parametrize("pulse_us", [0, -1500, 299, 2901, float("nan"), float("inf")])
def test_a_pulse_beyond_the_limits_is_refused_and_nothing_moves(servo_bench: Bench, pulse_us: float) -> None:
    assert isinstance(servo_bench.gate, Nudgeable)
    servo_bench.gate.set_pulse_us(1700)
    servo_bench.clock.advance(MOVED_S)
    with pytest.raises(ValueError, match=r"gate g1 takes pulses of 300 to 2900 µs, not"):
        servo_bench.gate.set_pulse_us(pulse_us)
    servo_bench.clock.advance(MOVED_S)
    assert servo_bench.pulse_us() == pytest.approx(1700, abs=3)


def test_a_servo_that_was_nudged_is_at_rest_after_close_and_takes_no_pulse(servo_bench: Bench) -> None:
    assert isinstance(servo_bench.gate, Nudgeable)
    servo_bench.gate.set_pulse_us(1900)
    servo_bench.clock.advance(MOVED_S)
    servo_bench.gate.close()
    servo_bench.clock.advance(MOVED_S)
    assert servo_bench.where() == servo_bench.gate.rest
    with pytest.raises(HardwareError, match="g1"):
        servo_bench.gate.set_pulse_us(1500)
