"""What the doctor looks for on the board: supply, camera, pins, servo boards."""

from __future__ import annotations

import os
import re

from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig, Pca9685GateConfig
from edge.config.schema import MachineConfig
from edge.hardware.doctor_system import Check, System, in_one_line, listed
from edge.hardware.gpio import MODULE as GPIO_MODULE
from edge.hardware.pca9685 import DEFAULT_ADDRESS, I2C_BUS, trouble_at

UNDER_VOLTAGE = 0x10001
"""Bits of `get_throttled`: now, and since the power came."""
CAMERAS = "rpicam-hello --list-cameras"


def board(system: System) -> Check:
    """Whether this is a Raspberry Pi."""
    found = system.board()
    detail = found or "no Raspberry Pi: simulate, replay and classify work, run needs one"
    return Check("board", found.startswith("Raspberry Pi"), detail)


def power(system: System) -> Check:
    """The firmware remembers an under-voltage until the power goes."""
    folder = system.root / "sys/devices/platform"
    told = [text for file in sorted(folder.glob("soc*/soc*:firmware/get_throttled")) if (text := system.read(file))]
    if not told:
        advice = "ask with `vcgencmd get_throttled`: 0x0 is well" if board(system).ok else ""
        return Check("power", None, "not told by this system", advice)
    bits = int(told[0], 16)
    advice = "too hot, or slowed down for it: give the Pi a cooler and air"
    if bits & UNDER_VOLTAGE:
        advice = "under-voltage: give the Pi a 5 V supply of its own, 3 A or more, and the servos another"
    return Check("power", not bits, f"throttled 0x{bits:x}", advice, needed=True)


def camera(system: System) -> Check:
    """Asks picamera2: devices under /dev are there for decoders too, with no camera plugged in."""
    needed = system.machine is not None and system.machine.camera.driver == "picamera2"
    if system.machine is not None and not needed:
        return Check("camera", None, f"machine.yaml says {system.machine.camera.driver}")
    trouble = system.trouble_importing("picamera2")
    if trouble is not None:
        by_hand = "sudo apt install python3-picamera2, and make .venv with system packages"
        return Check("camera", False, f"picamera2 {trouble}", system.to_get(by_hand), needed)
    version = f"picamera2 {system.version('picamera2') or 'installed'}"
    try:
        seen = [str(found.get("Model", "?")) for found in _camera_info(system)]
    except Exception as error:  # libcamera raises what it likes, and an old picamera2 has no such question.
        return Check(
            "camera", None, f"{version}; cannot be asked: {in_one_line(error)}", f"ask with `{CAMERAS}`", needed
        )
    detail = f"{version}; {', '.join(seen) or 'no camera'}"
    return Check("camera", bool(seen), detail, f"check the ribbon cable, then `{CAMERAS}`", needed)


def _camera_info(system: System) -> list[dict[str, object]]:
    return system.import_module("picamera2").Picamera2.global_camera_info()


def i2c(system: System) -> Check:
    """Asks the servo boards of machine.yaml; without a machine.yaml, the address that they are sold with."""
    name, bus, asked = "I2C (servo board)", f"i2c-{I2C_BUS}", _board_addresses(system.machine)
    needed = system.machine is not None
    if needed and not asked:
        return Check(name, None, "machine.yaml has no gate on a PCA9685")
    if bus not in system.devices("i2c-*"):
        return Check(name, False, f"no /dev/{bus}", _to_get_i2c(system), needed)
    if not os.access(system.root / "dev" / bus, os.R_OK | os.W_OK):
        return Check(name, None, f"/dev/{bus} is closed to this user", "sudo brickgate doctor", needed)
    if trouble := system.trouble_importing("smbus2"):
        advice = system.to_get("pip install smbus2")
        return Check(name, False, f"/dev/{bus}; smbus2 {trouble}", advice, needed)
    smbus2 = system.import_module("smbus2")
    addresses = asked or (DEFAULT_ADDRESS,)
    silent = {address: trouble for address in addresses if (trouble := trouble_at(smbus2, address))}
    if not silent:
        return Check(name, True, f"/dev/{bus}; {' and '.join(map(hex, addresses))} answers", needed=needed)
    detail = "; ".join(f"nothing answers at {address:#x} ({trouble})" for address, trouble in silent.items())
    advice = f"check its wiring, its power and its address (`i2cdetect -y {I2C_BUS}`)"
    return Check(name, False, f"/dev/{bus}; {detail}", advice, needed)


def _board_addresses(machine: MachineConfig | None) -> tuple[int, ...]:
    gates = machine.gates if machine else ()
    return tuple(sorted({gate.i2c_address for gate in gates if isinstance(gate, Pca9685GateConfig)}))


def _to_get_i2c(system: System) -> str:
    if system.is_card:
        return (
            "the card's config.txt has `dtparam=i2c_arm=on`: take what switches it off out of usercfg.txt, then reboot"
        )
    if system.is_appliance:
        return "sudo ./install.sh, which switches it on, then reboot"
    return "sudo raspi-config nonint do_i2c 0, then reboot"


def gpio(system: System) -> Check:
    """One library, which fits the board and its kernel."""
    needed = system.machine is not None
    if system.machine is not None and not _uses_pins(system.machine):
        return Check("GPIO", None, "machine.yaml uses no pin")
    trouble, chips = system.trouble_importing(GPIO_MODULE), system.devices("gpiochip*")
    installed = [name for name in ("rpi-lgpio", "RPi.GPIO") if system.version(name)]
    detail = f"{' and '.join(installed) or 'no library'}; {listed(chips)}"
    if advice := _wrong_library(system, installed):
        return Check("GPIO", False, detail, advice, needed)
    if trouble not in (None, "not installed"):
        detail += f"; {trouble}"
    advice = f"on a Raspberry Pi: {system.to_get('pip install rpi-lgpio')}"
    return Check("GPIO", trouble is None and bool(chips), detail, advice, needed)


def _uses_pins(machine: MachineConfig) -> bool:
    sections = (machine.belt.motor, machine.belt.encoder, machine.feeder, *machine.sensors)
    on_pins = (GpioServoGateConfig, GpioSolenoidGateConfig)
    return any(section.driver == "gpio" for section in sections) or any(isinstance(g, on_pins) for g in machine.gates)


def _wrong_library(system: System, installed: list[str]) -> str:
    """What to do about a library that does not fit; nothing where it does."""
    if len(installed) > 1:
        by_hand = "sudo apt remove python3-rpi.gpio" if system.is_appliance else "pip uninstall RPi.GPIO"
        return f"keep one of the two: {system.to_get(by_hand) if system.is_card else by_hand}"
    if installed != ["RPi.GPIO"]:
        return ""
    if system.board().startswith(("Raspberry Pi 5", "Raspberry Pi Compute Module 5")):
        return f"a Pi 5 needs rpi-lgpio: {system.to_get('pip uninstall RPi.GPIO, pip install rpi-lgpio')}"
    if not _sees_edges(system.read(system.root / "proc/sys/kernel/osrelease")):
        why = "sensors and encoders need edges, which RPi.GPIO sees on no kernel from 6.6 on"
        return f"{why}: {system.to_get('sudo apt install python3-rpi-lgpio')}"
    return ""


def _sees_edges(kernel: str) -> bool:
    """Whether RPi.GPIO finds a pin's number on this kernel (https://github.com/raspberrypi/linux/issues/6037)."""
    found = re.match(r"(\d+)\.(\d+)", kernel)
    return found is None or (int(found[1]), int(found[2])) < (6, 6)
