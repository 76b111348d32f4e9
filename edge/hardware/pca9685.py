"""Servo gates on PCA9685 boards, which make the pulses in hardware: 16 channels, 12 bits, over I2C.

Registers and formulas are those of NXP's data sheet PCA9685, rev. 4, sections 7.3.1 to 7.3.5.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any

from edge.clock import Clock
from edge.config.gates import Pca9685GateConfig
from edge.errors import HardwareError
from edge.hardware.gate import RealServoGate

I2C_BUS = 1
"""The bus on the pin header of every Raspberry Pi."""
DEFAULT_ADDRESS = 0x40
"""Of a board as it is sold, with no jumper closed."""
SERVO_HZ = 50
OSCILLATOR_HZ = 25_000_000
STEPS = 4096
PRESCALE = round(OSCILLATOR_HZ / (STEPS * SERVO_HZ)) - 1
STEP_US = 1e6 * (PRESCALE + 1) / OSCILLATOR_HZ

_MODE1, _MODE2, _LED0_ON_L, _PRE_SCALE = 0x00, 0x01, 0x06, 0xFE
_SLEEP, _AUTO_INCREMENT, _TOTEM_POLE = 0x10, 0x20, 0x04
_WAKE_S = 0.0005
"""The oscillator needs 500 µs after sleep."""


class Pca9685Board:
    """One board, shared by its gates: the last of its `users` to let go closes the bus.

    Raises:
        HardwareError: no I2C library, no bus, or no board at the address.
    """

    def __init__(self, i2c_address: int, clock: Clock) -> None:
        self._address = i2c_address
        self._lock = threading.Lock()
        self._users = 0
        self._bus: Any = _open_bus(self.name)
        try:
            # The prescaler can be set only in sleep.
            self._write(_MODE1, [_SLEEP | _AUTO_INCREMENT])
            self._write(_PRE_SCALE, [PRESCALE])
            self._write(_MODE2, [_TOTEM_POLE])
            self._write(_MODE1, [_AUTO_INCREMENT])
        except HardwareError:
            self._bus.close()
            raise
        clock.sleep_until(clock.now_s() + _WAKE_S)

    @property
    def name(self) -> str:
        return f"PCA9685 at {self._address:#x}"

    def set_pulse(self, channel: int, pulse_us: float) -> None:
        """Repeat pulses of this width on a channel, from the next period on; the board goes on by itself."""
        off = round(pulse_us / STEP_US)
        self._write(_LED0_ON_L + 4 * channel, [0, 0, off & 0xFF, off >> 8])

    def acquire(self) -> None:
        """Count one more user."""
        self._users += 1

    def release(self) -> None:
        """Count one user less; the last one closes the bus, and the board holds its gates where they are."""
        self._users -= 1
        if self._users == 0:
            self._bus.close()

    def _write(self, register: int, values: list[int]) -> None:
        try:
            with self._lock:
                self._bus.write_i2c_block_data(self._address, register, values)
        except OSError as error:
            raise HardwareError(
                f"{self.name} does not answer on I2C bus {I2C_BUS} ({error.strerror}): check its wiring, its power"
                f" and its address (`i2cdetect -y {I2C_BUS}`)"
            ) from error


def trouble_at(smbus2: Any, i2c_address: int) -> str | None:
    """Why no board answers at an address; None when one does. It only reads, which disturbs no run that is on.

    Args:
        smbus2: the module.
    """
    try:
        bus = smbus2.SMBus(I2C_BUS)
        try:
            bus.read_byte_data(i2c_address, _MODE1)
        finally:
            bus.close()
    except OSError as error:
        return error.strerror or str(error)
    return None


class Pca9685Gate(RealServoGate):
    """A servo on a channel of a board, which holds it at rest after `close`, as long as it has power."""

    def __init__(self, config: Pca9685GateConfig, board: Pca9685Board) -> None:
        super().__init__(config)
        self._channel, self._board = config.channel, board
        self._drive(config.rest)
        board.acquire()

    def _send(self, pulse_us: float) -> None:
        try:
            self._board.set_pulse(self._channel, pulse_us)
        except HardwareError as error:
            raise HardwareError(f"gate {self.name}: {error}") from error

    def _release(self) -> None:
        self._board.release()


def _open_bus(device: str) -> Any:
    try:
        smbus2 = importlib.import_module("smbus2")
    except ModuleNotFoundError as error:
        raise HardwareError(f"{device}: smbus2 is not installed: `pip install smbus2`") from error
    try:
        return smbus2.SMBus(I2C_BUS)
    except FileNotFoundError as error:
        raise HardwareError(
            f"{device}: there is no I2C bus {I2C_BUS}: switch it on (`sudo raspi-config nonint do_i2c 0`)"
        ) from error
    except OSError as error:
        raise HardwareError(
            f"{device}: I2C bus {I2C_BUS} cannot be opened ({error.strerror}): add this user to group i2c"
        ) from error
