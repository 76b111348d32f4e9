"""The beam-break receiver on a GPIO: chatter, breaks too short to be read, and what is said when it fails."""

from __future__ import annotations

import fake_gpio
import pytest
from fake_gpio import FakeGpio

from edge.clock import VirtualClock
from edge.config.schema import MachineConfig
from edge.config.sensors import GpioSensorConfig, SensorPlace
from edge.errors import HardwareError
from edge.hardware.factory import make_sensors
from edge.hardware.gpio_sensor import GpioSensor

PIN = 24


@pytest.fixture
def gpio(monkeypatch: pytest.MonkeyPatch) -> FakeGpio:
    return fake_gpio.install(monkeypatch)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(50.0)


def started(clock: VirtualClock) -> GpioSensor:
    sensor = GpioSensor(
        GpioSensorConfig(driver="gpio", name="reds", at=SensorPlace(bin="reds"), pin=PIN, debounce_s=0.03), clock
    )
    sensor.start()
    return sensor


def chatter(gpio: FakeGpio, clock: VirtualClock, edges: int, apart_s: float) -> None:
    for _ in range(edges):
        gpio.turn(PIN, not gpio.levels[PIN])
        clock.advance(apart_s)


def test_a_part_that_tumbles_through_the_beam_is_one(gpio: FakeGpio, clock: VirtualClock) -> None:
    sensor = started(clock)
    chatter(gpio, clock, edges=10, apart_s=0.004)
    assert sensor.take() == (50.0,)


def test_chatter_does_not_keep_the_next_part_from_counting(gpio: FakeGpio, clock: VirtualClock) -> None:
    sensor = started(clock)
    for _ in range(3):
        chatter(gpio, clock, edges=4, apart_s=0.004)
        clock.advance(0.05)
    assert len(sensor.take()) == 3


def test_a_break_that_is_over_before_it_is_read_counts_once(gpio: FakeGpio, clock: VirtualClock) -> None:
    """Under load both edges are told late, when the level is high again."""
    sensor = started(clock)
    tell = gpio._callbacks[PIN]
    tell(PIN)
    tell(PIN)
    assert sensor.take() == (50.0,)
    assert sensor.broken_since_s() is None


def test_a_reading_between_break_and_edge_loses_no_part(gpio: FakeGpio, clock: VirtualClock) -> None:
    sensor = started(clock)
    gpio.levels[PIN] = 0
    assert sensor.broken_since_s() == 50.0
    clock.advance(0.002)
    gpio._callbacks[PIN](PIN)
    assert sensor.take() == (50.002,)


def test_a_beam_blocked_at_the_start_is_no_part(gpio: FakeGpio, clock: VirtualClock) -> None:
    sensor = GpioSensor(GpioSensorConfig(driver="gpio", name="reds", at=SensorPlace(bin="reds"), pin=PIN), clock)
    gpio.turn(PIN, False)
    clock.advance(1.0)
    sensor.start()
    clock.advance(5.0)
    assert sensor.take() == ()
    assert sensor.broken_since_s() == 51.0
    gpio.turn(PIN, True)
    assert sensor.take() == ()


def test_a_pin_that_is_taken_and_a_chip_that_is_gone_are_told(gpio: FakeGpio, clock: VirtualClock) -> None:
    gpio.busy.add(PIN)
    with pytest.raises(HardwareError, match=r"^sensor reds \(GPIO 24\): GPIO busy: check"):
        started(clock)
    gpio.busy.clear()
    sensor = started(clock)
    gpio.dead = True
    gpio._callbacks[PIN](PIN)
    with pytest.raises(HardwareError, match=r"^sensor reds \(GPIO 24\)"):
        sensor.broken_since_s()


MACHINE = {
    "camera": {"driver": "picamera2", "px_per_mm": 5, "belt_region_px": [0, 0, 1000, 500]},
    "belt": {"belt_mm_per_s": 100},
    "gates": [{"name": "g1", "driver": "gpio-solenoid", "x_mm": 300, "positions": ["pass", "push"], "pin": 5}],
}


def beam(number: int, pin: int) -> dict[str, object]:
    return {"name": f"s{number}", "driver": "gpio", "pin": pin, "at": {"x_mm": 400 + number}}


def test_a_machine_opens_all_its_sensors_or_none(gpio: FakeGpio, clock: VirtualClock) -> None:
    config = MachineConfig.model_validate({**MACHINE, "sensors": [beam(1, 24), beam(2, 25)]})
    sensors = make_sensors(config, clock)
    assert [sensor.name for sensor in sensors.values()] == ["s1", "s2"]
    for sensor in sensors.values():
        sensor.close()
    assert gpio.pins == set()
    gpio.busy.add(25)
    with pytest.raises(HardwareError, match="sensor s2"):
        make_sensors(config, clock)
    assert gpio.pins == set()


def test_a_recording_has_no_sensors(gpio: FakeGpio, clock: VirtualClock) -> None:
    camera = {**MACHINE["camera"], "driver": "frames"}  # type: ignore[dict-item]
    config = MachineConfig.model_validate({**MACHINE, "camera": camera, "sensors": [beam(1, 24)]})
    assert make_sensors(config, clock) == {}
