"""Every sensor, real or simulated, keeps the contract of `edge.hardware.interfaces.PartSensor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import fake_gpio
import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.config.sensors import GpioSensorConfig, SensorPlace
from edge.errors import HardwareError
from edge.hardware.gpio_sensor import GpioSensor
from edge.hardware.interfaces import PartSensor
from edge.sim.sensors import SensorFault, SimSensor, SimSensorSettings

BREAK_S = 0.04
APART_S = 0.5


@dataclass
class Bench:
    """A sensor on a test bench: `pass_part` lets a part pass now and lets time pass until it is through,
    `block` puts a hand into the beam, `free` takes it out."""

    sensor: PartSensor
    clock: VirtualClock
    pass_part: Callable[[], None]
    block: Callable[[], None]
    free: Callable[[], None]


def sim(monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock = VirtualClock(100.0)
    settings = SimSensorSettings("s1", "reds", None, delay_s=0.0, jitter_s=0.0, shadow_s=BREAK_S)
    sensor = SimSensor(settings, clock, np.random.default_rng(1))

    def pass_part() -> None:
        clock.advance(0.001)
        sensor.pass_by(clock.now_s())
        clock.advance(BREAK_S)

    def block() -> None:
        clock.advance(0.001)
        sensor.break_down(SensorFault.STUCK)

    return Bench(sensor, clock, pass_part, block, lambda: sensor.break_down(SensorFault.NONE))


def _gpio(monkeypatch: pytest.MonkeyPatch, active_high: bool) -> Bench:
    gpio = fake_gpio.install(monkeypatch)
    clock = VirtualClock(100.0)
    config = GpioSensorConfig(driver="gpio", name="s1", at=SensorPlace(bin="reds"), pin=24, active_high=active_high)
    sensor = GpioSensor(config, clock)
    gpio.turn(24, not active_high)

    def block() -> None:
        clock.advance(0.001)
        gpio.turn(24, active_high)

    def pass_part() -> None:
        block()
        clock.advance(BREAK_S)
        gpio.turn(24, not active_high)

    return Bench(sensor, clock, pass_part, block, lambda: gpio.turn(24, not active_high))


def open_collector(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _gpio(monkeypatch, active_high=False)


def high_when_broken(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return _gpio(monkeypatch, active_high=True)


@pytest.fixture(params=[sim, open_collector, high_when_broken], ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return request.param(monkeypatch)


def test_each_part_is_told_once_at_its_instant(bench: Bench) -> None:
    bench.sensor.start()
    passed_s, told_s = [], []
    for number in range(12):
        bench.clock.advance(APART_S)
        passed_s.append(bench.clock.now_s())
        bench.pass_part()
        if number % 3 == 0:
            told_s += bench.sensor.take()
    told_s += bench.sensor.take()
    assert told_s == pytest.approx(passed_s, abs=0.002)
    assert all(later > earlier for earlier, later in pairwise(told_s))
    assert bench.sensor.take() == ()


def test_what_came_before_the_start_is_not_told(bench: Bench) -> None:
    bench.pass_part()
    bench.sensor.start()
    assert bench.sensor.take() == ()
    bench.clock.advance(APART_S)
    bench.pass_part()
    bench.clock.advance(APART_S)
    bench.sensor.start()
    assert bench.sensor.take() == ()


def test_it_tells_since_when_the_beam_is_broken(bench: Bench) -> None:
    bench.sensor.start()
    bench.clock.advance(1.0)
    assert bench.sensor.broken_since_s() is None
    blocked_s = bench.clock.now_s()
    bench.block()
    bench.clock.advance(7.0)
    assert bench.sensor.broken_since_s() == pytest.approx(blocked_s, abs=0.002)
    assert len(bench.sensor.take()) == 1
    bench.clock.advance(1.0)
    assert bench.sensor.take() == ()
    bench.free()
    assert bench.sensor.broken_since_s() is None


def test_a_part_that_has_passed_leaves_the_beam_clear(bench: Bench) -> None:
    bench.sensor.start()
    bench.pass_part()
    bench.clock.advance(0.01)
    assert bench.sensor.broken_since_s() is None


def test_nobody_who_takes_costs_no_more_than_some_memory(bench: Bench) -> None:
    bench.sensor.start()
    for _ in range(600):
        bench.clock.advance(APART_S)
        bench.pass_part()
    told_s = bench.sensor.take()
    assert 0 < len(told_s) < 600
    assert told_s[-1] == pytest.approx(bench.clock.now_s() - BREAK_S, abs=0.002)


@pytest.mark.parametrize("read", [lambda s: s.take(), lambda s: s.broken_since_s()], ids=["take", "broken"])
def test_it_is_read_only_between_start_and_close(bench: Bench, read: Callable[[PartSensor], object]) -> None:
    with pytest.raises(HardwareError, match="sensor s1"):
        read(bench.sensor)
    bench.sensor.start()
    read(bench.sensor)
    bench.sensor.close()
    bench.sensor.close()
    with pytest.raises(HardwareError, match="sensor s1"):
        read(bench.sensor)
    with pytest.raises(HardwareError, match="sensor s1"):
        bench.sensor.start()
