"""`brickgate doctor`: what hardware and libraries are there, and what to do about what is missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.config.report import check as check_files
from edge.config.report import errors
from edge.errors import BrickgateError
from edge.hardware.gpio import MODULE as GPIO_MODULE
from edge.hardware.pca9685 import I2C_BUS
from edge.hardware.tflite import EDGE_TPU_LIBRARY, RUNTIME_MODULES

OLDEST_PYTHON = (3, 11)
LEAST_FREE_GB = 1.0
CORAL_USB_IDS = {"1a6e:089a": "not used yet since it got power", "18d1:9302": "in use before"}
"""vendor:product of a Coral: before and after its firmware was loaded, which the first use does."""


CHECKLIST: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("The Pi has its own 5 V supply, and `vcgencmd get_throttled` says 0x0 under load", ("power",)),
    ("Camera: `rpicam-hello` shows the belt, sharp and evenly lit, in a locked exposure", ("camera",)),
    ("I2C: the servo board answers at its address (i2cdetect -y 1)", ("I2C (servo board)",)),
    ("GPIO: the library fits the board", ("GPIO",)),
    ("Accelerator: a Coral or a Hailo is there with its library, or machine.yaml says cpu", ("Coral", "Hailo")),
    ("Configuration: brickgate check-config /etc/brickgate/*.yaml names no error", ("configuration",)),
    ("Servos, the arms taken off: each goes to all of its positions, none hums at an end stop", ()),
    ("Motors: belt and feeder run the right way, and stand within a second of `systemctl stop brickgate`", ()),
    ("Calibration: brickgate-calibrate, step by step, each with its residual accepted", ("calibration",)),
    ("Ten known parts, each in the bin that the journal names; then pull the camera: everything must stop", ()),
)
"""Each line, and the checks that tell whether it is done; none where only somebody beside the machine can tell."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for. `advice` says what to do when it is not `ok`; without it nothing need be done."""

    name: str
    ok: bool
    detail: str
    advice: str = ""
    needed: bool = False
    """Whether no machine sorts without it; the rest depends on machine.yaml."""


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class System:
    """Where to look: the real computer, or a folder and functions that stand for one."""

    root: Path = Path("/")
    import_module: Callable[[str], Any] = importlib.import_module
    version: Callable[[str], str | None] = _version
    python: tuple[int, int, int] = field(default_factory=lambda: sys.version_info[:3])

    def devices(self, pattern: str) -> list[str]:
        """Names under /dev that fit a pattern."""
        return sorted(path.name for path in (self.root / "dev").glob(pattern))

    def read(self, path: Path) -> str:
        """A file of /proc or /sys, or nothing where it cannot be read."""
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return ""

    def trouble_importing(self, module: str) -> str | None:
        """Why a module cannot be imported; None when it can."""
        try:
            self.import_module(module)
        except ModuleNotFoundError:
            return "not installed"
        except Exception as error:  # Vendors' modules raise what they like where their hardware is missing.
            return f"fails: {' '.join(str(error).split())[:120]}"
        return None

    def board(self) -> str:
        """The board's model; nothing off a Raspberry Pi."""
        return self.read(self.root / "proc/device-tree/model")


def inspect(system: System | None = None) -> list[Check]:
    """Looks for everything that a machine may need; never raises."""
    system = system or System()
    checks: list[Check] = []
    for name, look in _LOOKS:
        try:
            checks.append(look(system))
        except Exception as error:  # A doctor that falls ill is of no use: say so and go on.
            checks.append(Check(name, False, f"could not be looked at: {error}", "report this"))
    return checks


def print_checks(checks: list[Check], console: Console) -> None:
    """A table of all checks, then what to do."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]" if check.needed else "[dim]–[/]"
        table.add_row(mark, check.name, escape(check.detail))
    console.print(table)
    missing = [check for check in checks if not check.ok and check.advice]
    if missing:
        console.print("\nWhere machine.yaml asks for it:" if not any(c.needed for c in missing) else "\nTo do:")
    for entry in missing:
        console.print(f"  {entry.name}: {escape(entry.advice)}", soft_wrap=True)
    if any(entry.name == "board" and entry.ok for entry in checks):
        print_checklist(checks, console)


def print_checklist(checks: list[Check], console: Console) -> None:
    """The ten lines for a first real machine: what could be looked at is ticked, the rest is for hands and eyes."""
    known = {check.name: check for check in checks}
    console.print("\nA first machine, in this order (docs/hardware.md):")
    for number, (line, names) in enumerate(CHECKLIST, start=1):
        seen = [known[name] for name in names if name in known]
        mark = "[dim]☐[/]" if not seen else "[green]✓[/]" if any(check.ok for check in seen) else "[red]✗[/]"
        console.print(f"  {mark} {number:2} {escape(line)}", soft_wrap=True)


def _python(system: System) -> Check:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    ok = system.python[:2] >= OLDEST_PYTHON
    return Check("Python", ok, ".".join(map(str, system.python)), f"install Python {oldest} or newer", needed=True)


def _library(name: str, module: str, distribution: str) -> Callable[[System], Check]:
    def look(system: System) -> Check:
        trouble = system.trouble_importing(module)
        detail = trouble or system.version(distribution) or "installed"
        return Check(name, trouble is None, detail, f"pip install {distribution}", needed=True)

    return look


def _runtimes(system: System) -> Check:
    usable, told = False, []
    for runtime, module in RUNTIME_MODULES.items():
        distribution = "ai-edge-litert" if runtime == "litert" else runtime
        trouble = system.trouble_importing(module)
        if trouble is None and runtime == "tflite-runtime" and not (system.version("numpy") or "").startswith("1."):
            trouble = "needs numpy < 2"
        usable = usable or trouble is None
        if trouble != "not installed":
            told.append(f"{runtime} {trouble or system.version(distribution) or 'installed'}")
    detail = ", ".join(told) or "none"
    return Check("TFLite runtime", usable, detail, "pip install ai-edge-litert", needed=True)


def _board(system: System) -> Check:
    board = system.board()
    detail = board or "no Raspberry Pi: simulate, replay and classify work, run needs one"
    return Check("board", board.startswith("Raspberry Pi"), detail)


def _camera(system: System) -> Check:
    trouble = system.trouble_importing("picamera2")
    seen = system.devices("media*") + system.devices("video*")
    detail = f"picamera2 {trouble or system.version('picamera2') or 'installed'}; {_listed(seen)}"
    if trouble is not None:
        advice = "sudo apt install python3-picamera2, and make .venv with system packages"
        return Check("camera", False, detail, advice)
    return Check("camera", bool(seen), detail, "check the ribbon cable, then `rpicam-hello --list-cameras`")


def _i2c(system: System) -> Check:
    name, bus, trouble = "I2C (servo board)", f"i2c-{I2C_BUS}", system.trouble_importing("smbus2")
    if bus not in system.devices("i2c-*"):
        return Check(name, False, f"no /dev/{bus}", "sudo raspi-config nonint do_i2c 0, then reboot")
    if not os.access(system.root / "dev" / bus, os.R_OK | os.W_OK):
        return Check(name, False, f"/dev/{bus} is closed to this user", "sudo adduser $USER i2c, then log in again")
    return Check(name, trouble is None, f"/dev/{bus}; smbus2 {trouble or 'installed'}", "pip install smbus2")


def _gpio(system: System) -> Check:
    trouble, chips = system.trouble_importing(GPIO_MODULE), system.devices("gpiochip*")
    installed = [name for name in ("rpi-lgpio", "RPi.GPIO") if system.version(name)]
    detail = f"{' and '.join(installed) or 'no library'}; {_listed(chips)}"
    if len(installed) > 1:
        return Check("GPIO", False, detail, "keep one of the two: pip uninstall RPi.GPIO")
    if installed == ["RPi.GPIO"] and system.board().startswith("Raspberry Pi 5"):
        return Check("GPIO", False, detail, "a Pi 5 needs the other: pip uninstall RPi.GPIO, pip install rpi-lgpio")
    if installed == ["RPi.GPIO"] and not _sees_edges(system.read(system.root / "proc/sys/kernel/osrelease")):
        advice = "sensors and encoders need edges, which RPi.GPIO sees on no kernel from 6.6 on: install.sh"
        return Check("GPIO", False, detail, f"{advice} again, or: sudo apt install python3-rpi-lgpio")
    if trouble not in (None, "not installed"):
        detail += f"; {trouble}"
    return Check("GPIO", trouble is None and bool(chips), detail, "on a Raspberry Pi: pip install rpi-lgpio")


def _sees_edges(kernel: str) -> bool:
    """Whether RPi.GPIO finds a pin's number on this kernel (https://github.com/raspberrypi/linux/issues/6037)."""
    found = re.match(r"(\d+)\.(\d+)", kernel)
    return found is None or (int(found[1]), int(found[2])) < (6, 6)


def _coral(system: System) -> Check:
    found = ["PCIe (/dev/apex_0)"] if system.devices("apex_0") else []
    for device in sorted((system.root / "sys/bus/usb/devices").glob("*")):
        usb_id = f"{system.read(device / 'idVendor')}:{system.read(device / 'idProduct')}"
        if usb_id in CORAL_USB_IDS:
            found.append(f"USB {usb_id}, {CORAL_USB_IDS[usb_id]}")
    return Check("Coral", bool(found), "; ".join(found) or "none", "plug it in, into a blue USB 3 socket")


def _edge_tpu_library(system: System) -> Check:
    folders = ("usr/lib", "usr/lib/*", "usr/local/lib", "lib/*")
    found = [path for folder in folders for path in system.root.glob(f"{folder}/{EDGE_TPU_LIBRARY}")]
    detail = str(found[0]) if found else f"no {EDGE_TPU_LIBRARY}"
    return Check("Edge TPU library", bool(found), detail, "install Coral's package libedgetpu1-std")


def _hailo(system: System) -> Check:
    device, trouble = system.devices("hailo0"), system.trouble_importing("hailo_platform")
    detail = f"{_listed(device)}; hailo_platform {trouble or 'installed'}"
    return Check("Hailo", bool(device) and trouble is None, detail, "sudo apt install hailo-all, then reboot")


def _disk(system: System) -> Check:
    free_gb = shutil.disk_usage(system.root).free / 1e9
    advice = "make room: on a full card no part is recorded"
    return Check("disk", free_gb >= LEAST_FREE_GB, f"{free_gb:.1f} GB free", advice, needed=True)


def _power(system: System) -> Check:
    """The firmware remembers an under-voltage until the power goes (bits 0 and 16 of get_throttled)."""
    told = system.read(system.root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    bits = int(told, 16) if told else 0
    detail = "not told by this system" if not told else f"throttled 0x{bits:x}"
    advice = "under-voltage: give the Pi a 5 V supply of its own, 3 A or more, and the servos another"
    return Check("power", not bits & 0x10001, detail, advice)


def _configuration(system: System) -> Check:
    folder = system.root / "etc/brickgate"
    missing = [name for name in ("machine.yaml", "bins.yaml") if not (folder / name).is_file()]
    detail = f"{folder}: {' and '.join(missing)} missing" if missing else str(folder)
    if not missing:
        try:
            wrong = len(errors(check_files(folder / "machine.yaml", folder / "bins.yaml")))
        except BrickgateError as error:
            return Check("configuration", False, str(error), "brickgate check-config /etc/brickgate/*.yaml")
        if wrong:
            return Check(
                "configuration", False, f"{folder}: {wrong} wrong", "brickgate check-config /etc/brickgate/*.yaml"
            )
    return Check("configuration", not missing, detail, "sudo ./install.sh writes a first one")


def _calibration(system: System) -> Check:
    file = system.root / "etc/brickgate/calibration.yaml"
    return Check("calibration", file.is_file(), str(file) if file.is_file() else "none yet", "brickgate-calibrate")


def _listed(devices: list[str]) -> str:
    return ", ".join(f"/dev/{name}" for name in devices) or "no device"


_LOOKS: tuple[tuple[str, Callable[[System], Check]], ...] = (
    ("Python", _python),
    ("numpy", _library("numpy", "numpy", "numpy")),
    ("OpenCV", _library("OpenCV", "cv2", "opencv-python-headless")),
    ("TFLite runtime", _runtimes),
    ("disk", _disk),
    ("board", _board),
    ("camera", _camera),
    ("GPIO", _gpio),
    ("I2C (servo board)", _i2c),
    ("Coral", _coral),
    ("Edge TPU library", _edge_tpu_library),
    ("Hailo", _hailo),
    ("power", _power),
    ("configuration", _configuration),
    ("calibration", _calibration),
)
