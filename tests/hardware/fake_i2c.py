"""A working smbus2 without a bus: a PCA9685 by the registers of its data sheet."""

from __future__ import annotations

import errno
import sys
from typing import Any

SLEEP, AUTO_INCREMENT = 0x10, 0x20
MODE1, PRE_SCALE, LED0 = 0x00, 0xFE, 0x06


class FakePca9685:
    """The chip: `pulse_us` tells what comes out of a channel, None when nothing does."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.registers[MODE1] = SLEEP | 0x01
        self.registers[PRE_SCALE] = 0x1E
        self.writes = 0

    @property
    def frequency_hz(self) -> float:
        return 25e6 / (4096 * (self.registers[PRE_SCALE] + 1))

    def write(self, register: int, values: list[int]) -> None:
        self.writes += 1
        if len(values) > 1 and not self.registers[MODE1] & AUTO_INCREMENT:
            raise AssertionError("a block was written without auto-increment: one register would take it all")
        for offset, value in enumerate(values):
            if not 0 <= value <= 255:
                raise ValueError(f"{value} is no byte")
            if register + offset == PRE_SCALE and not self.registers[MODE1] & SLEEP:
                raise AssertionError("the prescaler was written while the chip was awake: the chip ignores that")
            self.registers[register + offset] = value

    def pulse_us(self, channel: int) -> float | None:
        start = LED0 + 4 * channel
        on = self.registers[start] | self.registers[start + 1] << 8
        off = self.registers[start + 2] | self.registers[start + 3] << 8
        if self.registers[MODE1] & SLEEP or off & 0x1000 or on & 0x1000:
            return None
        return (off - on) % 4096 / 4096 / self.frequency_hz * 1e6


class FakeI2c:
    """Stands in for the module smbus2, with `chips` on bus 1."""

    def __init__(self, *addresses: int) -> None:
        self.chips = {address: FakePca9685() for address in addresses}
        self.open_buses = 0
        self.missing: OSError | None = None
        """Why the bus cannot be opened."""

    def SMBus(self, bus: int) -> _Bus:  # noqa: N802
        if self.missing:
            raise self.missing
        if bus != 1:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", f"/dev/i2c-{bus}")
        self.open_buses += 1
        return _Bus(self)


class _Bus:
    def __init__(self, i2c: FakeI2c) -> None:
        self._i2c: FakeI2c | None = i2c

    def write_i2c_block_data(self, address: int, register: int, values: list[int]) -> None:
        if len(values) > 32:
            raise ValueError("Data length cannot exceed 32 bytes")
        self._chip(address).write(register, values)

    def read_byte_data(self, address: int, register: int) -> int:
        return self._chip(address).registers[register]

    def _chip(self, address: int) -> FakePca9685:
        if self._i2c is None:
            raise TypeError("the bus is closed")
        chip = self._i2c.chips.get(address)
        if chip is None:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        return chip

    def close(self) -> None:
        if self._i2c is not None:
            self._i2c.open_buses -= 1
            self._i2c = None


def install(monkeypatch: Any, *addresses: int) -> FakeI2c:
    """Puts a bus with PCA9685 boards at these addresses in the place of smbus2."""
    i2c = FakeI2c(*addresses)
    monkeypatch.setitem(sys.modules, "smbus2", i2c)
    return i2c
