"""Servo gates on a PCA9685: pulses by the chip's registers, boards shared by their gates, and what may be missing."""

from __future__ import annotations

import errno
import sys

import fake_i2c
import pytest
from fake_i2c import FakeI2c
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import VirtualClock
from edge.config.gates import Pca9685GateConfig
from edge.errors import HardwareError
from edge.hardware.pca9685 import STEP_US, Pca9685Board, Pca9685Gate

PULSE_US = {"left": 1000, "pass": 1500, "right": 2000}


@pytest.fixture
def i2c(monkeypatch: pytest.MonkeyPatch) -> FakeI2c:
    return fake_i2c.install(monkeypatch, 0x40, 0x41)


def gate_on(board: Pca9685Board, channel: int) -> Pca9685Gate:
    config = Pca9685GateConfig(
        driver="pca9685",
        name=f"g{channel}",
        x_mm=400,
        positions=tuple(PULSE_US),
        pulse_us=PULSE_US,
        channel=channel,
    )
    return Pca9685Gate(config, board)


def test_the_board_repeats_pulses_fifty_times_a_second(i2c: FakeI2c) -> None:
    clock = VirtualClock()
    Pca9685Board(0x40, clock)
    assert i2c.chips[0x40].registers[0xFE] == 121, "the data sheet's formula for 50 Hz"
    assert i2c.chips[0x40].frequency_hz == pytest.approx(50, rel=0.01)
    assert clock.now_s() >= 0.0005, "the oscillator gets its time to start"


def test_a_gate_is_at_rest_from_the_first_pulse_on(i2c: FakeI2c) -> None:
    gate_on(Pca9685Board(0x40, VirtualClock()), 3)
    assert i2c.chips[0x40].pulse_us(3) == pytest.approx(1500, abs=STEP_US)


@given(channel=st.integers(0, 15), width_us=st.integers(300, 2900))
def test_every_pulse_is_exact_to_a_step_and_stays_on_its_channel(channel: int, width_us: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        chip = fake_i2c.install(monkeypatch, 0x40).chips[0x40]
        Pca9685Board(0x40, VirtualClock()).set_pulse(channel, width_us)
        assert chip.pulse_us(channel) == pytest.approx(width_us, abs=STEP_US / 2 + 1e-6)
        assert all(chip.pulse_us(other) == 0 for other in range(16) if other != channel)


def test_a_movement_is_one_write(i2c: FakeI2c) -> None:
    gate = gate_on(Pca9685Board(0x40, VirtualClock()), 3)
    before = i2c.chips[0x40].writes
    gate.move_to("left")
    assert i2c.chips[0x40].writes == before + 1


def test_gates_share_a_board_and_the_last_one_closes_the_bus(i2c: FakeI2c) -> None:
    board = Pca9685Board(0x41, VirtualClock())
    gates = [gate_on(board, channel) for channel in (0, 7, 15)]
    gates[0].move_to("left")
    gates[2].move_to("right")
    chip = i2c.chips[0x41]
    for channel, width_us in [(0, 1000), (7, 1500), (15, 2000)]:
        assert chip.pulse_us(channel) == pytest.approx(width_us, abs=STEP_US)
    for gate in gates:
        assert i2c.open_buses == 1
        gate.close()
        gate.close()
    assert i2c.open_buses == 0


def test_the_board_holds_its_gates_at_rest_after_close(i2c: FakeI2c) -> None:
    gate = gate_on(Pca9685Board(0x40, VirtualClock()), 3)
    gate.move_to("left")
    gate.close()
    assert i2c.chips[0x40].pulse_us(3) == pytest.approx(1500, abs=STEP_US)


def test_a_missing_board_is_told_with_its_address_and_the_bus_is_closed(i2c: FakeI2c) -> None:
    with pytest.raises(HardwareError, match=r"PCA9685 at 0x42 does not answer .*Remote I/O error.*i2cdetect -y 1"):
        Pca9685Board(0x42, VirtualClock())
    assert i2c.open_buses == 0


def test_a_board_that_loses_its_power_is_told_by_the_gate_and_lets_it_close(i2c: FakeI2c) -> None:
    gate = gate_on(Pca9685Board(0x40, VirtualClock()), 3)
    del i2c.chips[0x40]
    with pytest.raises(HardwareError, match=r"^gate g3: PCA9685 at 0x40 does not answer"):
        gate.move_to("left")
    with pytest.raises(HardwareError, match="gate g3"):
        gate.close()
    assert i2c.open_buses == 0
    gate.close()


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "raspi-config nonint do_i2c 0"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied.*group i2c"),
    ],
)
def test_a_bus_that_cannot_be_opened_is_told(i2c: FakeI2c, trouble: OSError, advice: str) -> None:
    i2c.missing = trouble
    with pytest.raises(HardwareError, match=advice):
        Pca9685Board(0x40, VirtualClock())


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smbus2", None)
    with pytest.raises(HardwareError, match="pip install smbus2"):
        Pca9685Board(0x40, VirtualClock())
