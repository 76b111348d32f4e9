"""Every encoder, real or simulated, keeps the contract of `edge.hardware.interfaces.Encoder`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import fake_gpio
import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.config.schema import GpioEncoderConfig, GpioMotorConfig
from edge.errors import HardwareError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.gpio_encoder import GpioEncoder
from edge.hardware.gpio_feed import GpioBeltMotor
from edge.hardware.interfaces import Encoder
from edge.hardware.tracked_encoder import TrackedEncoder
from edge.sim.belt import SimBelt, SimEncoder
from edge.sim.settings import BeltSettings

SPEED_MM_PER_S = 100.0
TICK_MM = 0.5
TOLERANCE_MM = 1.0
GRAY = ((0, 0), (0, 1), (1, 1), (1, 0))


@dataclass
class Bench:
    """An encoder on a belt that `move` moves by some mm, backwards below 0."""

    encoder: Encoder
    move: Callable[[float], None]


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    belt = SimBelt(BeltSettings(SPEED_MM_PER_S, ripple=0.0, ramp_s=0.0), np.random.default_rng(1))
    belt.running = True

    def move(mm: float) -> None:
        belt.backwards = mm < 0
        belt.advance(abs(mm) / SPEED_MM_PER_S)

    return Bench(SimEncoder(belt, np.random.default_rng(2)), move)


def constant(monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock = VirtualClock(1000.0)
    return Bench(ConstantEncoder(SPEED_MM_PER_S, clock.now_s), lambda mm: clock.advance(abs(mm) / SPEED_MM_PER_S))


def tracked(monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock = VirtualClock(1000.0)
    return Bench(TrackedEncoder(SPEED_MM_PER_S, clock.now_s), lambda mm: clock.advance(abs(mm) / SPEED_MM_PER_S))


def constant_by_motor(monkeypatch: pytest.MonkeyPatch) -> Bench:
    fake_gpio.install(monkeypatch)
    clock = VirtualClock(1000.0)
    motor = GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=17, reverse_pin=27), clock)

    def move(mm: float) -> None:
        motor.reverse() if mm < 0 else motor.start()
        clock.advance(abs(mm) / SPEED_MM_PER_S)
        motor.stop()
        clock.advance(5.0)

    return Bench(ConstantEncoder(SPEED_MM_PER_S, motor.running_s), move)


def light_barrier(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    encoder = GpioEncoder(GpioEncoderConfig(driver="gpio", pin_a=20, mm_per_tick=TICK_MM))

    def move(mm: float) -> None:
        for _ in range(round(abs(mm) / TICK_MM)):
            gpio.turn(20, not gpio.levels[20])

    return Bench(encoder, move)


def quadrature(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    encoder = GpioEncoder(GpioEncoderConfig(driver="gpio", pin_a=20, pin_b=21, mm_per_tick=TICK_MM))
    turned = GRAY.index((gpio.levels[20], gpio.levels[21]))

    def move(mm: float) -> None:
        nonlocal turned
        for _ in range(round(abs(mm) / TICK_MM)):
            turned += 1 if mm > 0 else -1
            for pin, level in zip((20, 21), GRAY[turned % 4], strict=True):
                gpio.turn(pin, bool(level))

    return Bench(encoder, move)


@pytest.fixture(
    params=[sim, constant, tracked, constant_by_motor, light_barrier, quadrature], ids=lambda make: make.__name__
)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return request.param(monkeypatch)


def test_it_counts_from_its_start(bench: Bench) -> None:
    bench.move(37.0)
    bench.encoder.start()
    assert bench.encoder.belt_mm() == 0
    bench.move(50.0)
    assert bench.encoder.belt_mm() == pytest.approx(50.0, abs=TOLERANCE_MM)


def test_it_never_goes_back_and_loses_nothing(bench: Bench) -> None:
    bench.encoder.start()
    readings = []
    for step in range(60):
        bench.move(TICK_MM * (step % 4))
        readings.append(bench.encoder.belt_mm())
    assert all(later >= earlier for earlier, later in pairwise(readings))
    assert readings[-1] == pytest.approx(sum(TICK_MM * (step % 4) for step in range(60)), abs=TOLERANCE_MM)


def test_reading_moves_nothing(bench: Bench) -> None:
    bench.encoder.start()
    bench.move(10.0)
    assert bench.encoder.belt_mm() == bench.encoder.belt_mm()


def test_a_second_start_counts_anew(bench: Bench) -> None:
    bench.encoder.start()
    bench.move(20.0)
    bench.encoder.start()
    assert bench.encoder.belt_mm() == 0
    bench.move(10.0)
    assert bench.encoder.belt_mm() == pytest.approx(10.0, abs=TOLERANCE_MM)


def test_it_is_not_read_before_its_start(bench: Bench) -> None:
    with pytest.raises(HardwareError, match="encoder"):
        bench.encoder.belt_mm()


def test_it_is_not_read_after_close_which_may_be_called_again(bench: Bench) -> None:
    bench.encoder.start()
    bench.encoder.close()
    bench.encoder.close()
    with pytest.raises(HardwareError, match="encoder"):
        bench.encoder.belt_mm()


def test_the_way_back_counts_as_travel_too(bench: Bench) -> None:
    bench.encoder.start()
    bench.move(40.0)
    for turn, expected_mm in ((-1, 70.0), (1, 100.0)):
        before_mm = bench.encoder.belt_mm()
        bench.encoder.turn()
        assert bench.encoder.belt_mm() == before_mm
        for _ in range(3):
            bench.move(turn * 10.0)
            assert bench.encoder.belt_mm() > before_mm
            before_mm = bench.encoder.belt_mm()
        assert before_mm == pytest.approx(expected_mm, abs=2 * TOLERANCE_MM)


def test_it_is_not_turned_before_its_start(bench: Bench) -> None:
    with pytest.raises(HardwareError, match="encoder"):
        bench.encoder.turn()
