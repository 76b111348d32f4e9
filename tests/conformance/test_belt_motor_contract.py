"""Every belt motor, real or simulated, keeps the contract of `edge.hardware.interfaces.BeltMotor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import fake_gpio
import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.config.schema import GpioMotorConfig
from edge.errors import HardwareError
from edge.hardware.gpio_feed import GpioBeltMotor
from edge.hardware.idle import IdleBeltMotor
from edge.hardware.interfaces import BeltMotor
from edge.sim.belt import SimBelt, SimBeltMotor
from edge.sim.settings import BeltSettings


@dataclass
class Bench:
    """A motor and a look at it; an idle one has nothing to look at."""

    motor: BeltMotor
    is_on: Callable[[], bool] | None
    is_back: Callable[[], bool] | None = None
    """None: it only runs forwards."""
    settle: Callable[[], object] = lambda: None
    """Lets the belt come to a stand."""


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    belt = SimBelt(BeltSettings(), np.random.default_rng(1))

    def runs_back() -> bool:
        belt.advance(1.0)
        return belt.running and belt.speed_mm_per_s < 0

    return Bench(SimBeltMotor(belt), lambda: belt.running, runs_back, lambda: belt.advance(1.0))


def idle(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(IdleBeltMotor(), None)


def gpio_pin(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    return Bench(GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=17), VirtualClock()), lambda: gpio.is_on(17))


def gpio_two_pins(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    motor = GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=17, reverse_pin=27), VirtualClock())
    return Bench(motor, lambda: gpio.is_on(17) != gpio.is_on(27), lambda: gpio.is_on(27) and not gpio.is_on(17))


@pytest.fixture(params=[sim, idle, gpio_pin, gpio_two_pins], ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return request.param(monkeypatch)


def runs(bench: Bench, expected: bool) -> bool:
    return bench.is_on is None or bench.is_on() == expected


def test_it_is_off_at_first(bench: Bench) -> None:
    assert runs(bench, False)


def test_it_starts_and_stops_as_often_as_one_likes(bench: Bench) -> None:
    for start in (True, True, False, False, True, False):
        bench.motor.start() if start else bench.motor.stop()
        assert runs(bench, start)


def test_close_stops_it_for_good(bench: Bench) -> None:
    bench.motor.start()
    bench.motor.close()
    assert runs(bench, False)
    bench.motor.close()
    bench.motor.stop()
    with pytest.raises(HardwareError, match="belt motor"):
        bench.motor.start()
    assert runs(bench, False)


def test_it_runs_back_or_says_that_it_cannot(bench: Bench) -> None:
    if bench.is_back is None:
        with pytest.raises(HardwareError, match=r"belt motor: .*back"):
            bench.motor.reverse()
        assert runs(bench, False)
        return
    for _ in range(2):
        bench.motor.reverse()
        assert bench.is_back()
    bench.motor.stop()
    assert runs(bench, False)
    bench.settle()
    bench.motor.start()
    assert runs(bench, True)
    assert not bench.is_back()


def test_close_stops_it_on_its_way_back_too(bench: Bench) -> None:
    if bench.is_back is not None:
        bench.motor.reverse()
    bench.motor.close()
    assert runs(bench, False)
    with pytest.raises(HardwareError, match="belt motor"):
        bench.motor.reverse()
    assert runs(bench, False)
