"""Every feeder, real or simulated, keeps the contract of `edge.hardware.interfaces.Feeder`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import fake_gpio
import numpy as np
import pytest

from edge.config.schema import GpioFeederConfig
from edge.errors import HardwareError
from edge.hardware.gpio_feed import GpioFeeder
from edge.hardware.idle import IdleFeeder
from edge.hardware.interfaces import Feeder
from edge.sim.feeder import SimFeeder
from edge.sim.settings import FeedSettings


@dataclass
class Bench:
    """A feeder and a look at it; an idle one has nothing to look at."""

    feeder: Feeder
    is_feeding: Callable[[], bool] | None


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    feeder = SimFeeder(FeedSettings(), np.random.default_rng(1))
    return Bench(feeder, lambda: feeder.parts_per_min > 0)


def idle(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(IdleFeeder(), None)


def relay(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    feeder = GpioFeeder(GpioFeederConfig(driver="gpio", pin=5, active_high=False))
    return Bench(feeder, lambda: gpio.is_on(5, active_high=False))


def pwm(monkeypatch: pytest.MonkeyPatch) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    feeder = GpioFeeder(GpioFeederConfig(driver="gpio", pin=5, pwm_hz=100.0))
    return Bench(feeder, lambda: gpio.duties.get(5, 0.0) > 0 or gpio.is_on(5))


@pytest.fixture(params=[sim, idle, relay, pwm], ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return request.param(monkeypatch)


def feeds(bench: Bench, expected: bool) -> bool:
    return bench.is_feeding is None or bench.is_feeding() == expected


def test_it_stands_at_first(bench: Bench) -> None:
    assert feeds(bench, False)


def test_a_rate_starts_it_and_zero_stops_it_again_and_again(bench: Bench) -> None:
    for rate in (30.0, 0.0, 0.0, 60.0, 10.0, 0.0):
        bench.feeder.set_rate(rate)
        assert feeds(bench, rate > 0)


def test_a_rate_above_its_best_is_served_as_well_as_it_goes(bench: Bench) -> None:
    bench.feeder.set_rate(900.0)
    assert feeds(bench, True)


def test_a_negative_rate_is_refused_and_changes_nothing(bench: Bench) -> None:
    bench.feeder.set_rate(30.0)
    with pytest.raises(ValueError, match="-1"):
        bench.feeder.set_rate(-1.0)
    assert feeds(bench, True)


def test_close_stops_it_for_good(bench: Bench) -> None:
    bench.feeder.set_rate(30.0)
    bench.feeder.close()
    assert feeds(bench, False)
    bench.feeder.close()
    bench.feeder.set_rate(0.0)
    with pytest.raises(HardwareError, match="feeder"):
        bench.feeder.set_rate(30.0)
    assert feeds(bench, False)
