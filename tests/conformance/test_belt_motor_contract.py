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


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    belt = SimBelt(BeltSettings(), np.random.default_rng(1))
    return Bench(SimBeltMotor(belt), lambda: belt.running)


def idle(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(IdleBeltMotor(), None)


def gpio_pin(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    return Bench(GpioBeltMotor(GpioMotorConfig(driver="gpio", pin=17), VirtualClock()), lambda: gpio.is_on(17))


@pytest.fixture(params=[sim, idle, gpio_pin], ids=lambda make: make.__name__)
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
