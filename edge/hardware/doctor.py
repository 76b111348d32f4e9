"""`brickgate doctor`: what hardware and libraries are there, and what to do about what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.config.calibrated import calibration_of
from edge.config.load import read
from edge.config.report import check as check_files
from edge.config.report import errors
from edge.config.schema import MachineConfig
from edge.errors import BrickgateError
from edge.hardware import doctor_accelerators, doctor_devices
from edge.hardware.doctor_system import Check, System
from edge.installed import JOURNAL

__all__ = ["CHECKLIST", "Check", "System", "inspect", "is_lacking", "print_checklist", "print_checks"]

OLDEST_PYTHON = (3, 11)
LEAST_FREE_GB = 1.0

CHECKLIST: tuple[tuple[str, str | None], ...] = (
    ("The Pi has its own 5 V supply, and `vcgencmd get_throttled` says 0x0 under load", "power"),
    ("Camera: `rpicam-hello` shows the belt, sharp and evenly lit, in a locked exposure", "camera"),
    ("I2C: the servo board answers at its address (i2cdetect -y 1)", "I2C (servo board)"),
    ("GPIO: the library fits the board", "GPIO"),
    ("Accelerator: a Coral or a Hailo is there with its library, or machine.yaml says cpu", "accelerator"),
    ("Configuration: brickgate check-config /etc/brickgate/*.yaml names no error", "configuration"),
    ("Servos, the arms taken off: each goes to all of its positions, none hums at an end stop", None),
    ("Motors: belt and feeder run the right way, and stand within a second of `systemctl stop brickgate`", None),
    ("Calibration: brickgate-calibrate, step by step, each with its residual accepted", "calibration"),
    ("Ten known parts, each in the bin that the journal names; then pull the camera: everything must stop", None),
)
"""Each line, and the check that tells what can be told of it; None where only somebody beside the machine can tell."""


def inspect(system: System | None = None) -> list[Check]:
    """Looks for everything that a machine may need, and what its machine.yaml asks for; never raises."""
    system = system or System()
    system = replace(system, machine=_machine(system.config))
    checks: list[Check] = []
    for name, look in _LOOKS:
        try:
            checks.append(look(system))
        except Exception as error:  # A doctor that falls ill is of no use: say so and go on.
            checks.append(Check(name, None, f"could not be looked at: {error}", "report this"))
    return checks


def is_lacking(checks: list[Check]) -> bool:
    """Whether something is missing that every machine needs, or that machine.yaml asks for."""
    return any(check.ok is False and check.needed for check in checks)


def _machine(file: Path) -> MachineConfig | None:
    try:
        return read(file, MachineConfig)[0] if file.is_file() else None
    except (BrickgateError, OSError):
        return None


def print_checks(checks: list[Check], console: Console) -> None:
    """A table of all checks, then what to do."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check in checks:
        mark = _MARKS[check.ok] if check.ok is not False or check.needed else "[dim]–[/]"
        table.add_row(mark, check.name, escape(check.detail))
    console.print(table)
    todo = [check for check in checks if not check.ok and check.advice]
    lacking = [check for check in todo if is_lacking([check])]
    _print_advice("To do:", lacking, console)
    _print_advice("Where it is wanted:", [check for check in todo if check not in lacking], console)
    if any(entry.name == "board" and entry.ok for entry in checks):
        print_checklist(checks, console)


def _print_advice(heading: str, checks: list[Check], console: Console) -> None:
    if checks:
        console.print(f"\n{heading}")
    for check in checks:
        console.print(f"  {check.name}: {escape(check.advice)}", soft_wrap=True)


def print_checklist(checks: list[Check], console: Console) -> None:
    """The ten lines for a first real machine: what could be looked at is ticked, the rest is for hands and eyes."""
    known = {check.name: check.ok for check in checks}
    console.print("\nA first machine, in this order (docs/hardware.md):")
    for number, (line, name) in enumerate(CHECKLIST, start=1):
        console.print(f"  {_MARKS[known.get(name or '')]} {number:2} {escape(line)}", soft_wrap=True)


_MARKS: dict[bool | None, str] = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]☐[/]"}


def _python(system: System) -> Check:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    ok = system.python[:2] >= OLDEST_PYTHON
    return Check("Python", ok, ".".join(map(str, system.python)), f"install Python {oldest} or newer", needed=True)


def _library(name: str, module: str, distribution: str) -> Callable[[System], Check]:
    def look(system: System) -> Check:
        trouble = system.trouble_importing(module)
        detail = trouble or system.version(distribution) or "installed"
        return Check(name, trouble is None, detail, system.to_get(f"pip install {distribution}"), needed=True)

    return look


def _disk(system: System) -> Check:
    # On the card the root is full by nature, and what is recorded lies elsewhere.
    folder = next(path for path in (system.root / JOURNAL.parent.relative_to("/"), system.root) if path.exists())
    free_gb = shutil.disk_usage(folder).free / 1e9
    advice = "make room: on a full card no part is recorded"
    return Check("disk", free_gb >= LEAST_FREE_GB, f"{free_gb:.1f} GB free", advice, needed=True)


def _configuration(system: System) -> Check:
    name, machine = "configuration", system.config
    files = (machine, machine.with_name("bins.yaml"))
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        detail = f"{machine.parent}: {' and '.join(missing)} missing"
        advice = "they belong on the drive BRICKGATE" if system.is_card else "sudo ./install.sh writes a first one"
        begun = len(missing) == 1 or system.named is not None or system.is_appliance
        return Check(name, False, detail, advice, needed=begun)
    advice = f"brickgate check-config {machine.parent}/*.yaml"
    try:
        wrong = len(errors(check_files(*files)))
    except BrickgateError as error:
        return Check(name, False, str(error), advice, needed=True)
    detail = f"{machine.parent}: {wrong} wrong" if wrong else str(machine.parent)
    return Check(name, not wrong, detail, advice, needed=True)


def _calibration(system: System) -> Check:
    name, file = "calibration", calibration_of(system.config)
    advice = f"brickgate-calibrate all --config {system.config}"
    if system.is_appliance:
        advice = f"sudo systemctl stop brickgate; sudo {advice}"
    if system.machine is not None and system.machine.camera.driver != "picamera2":
        return Check(name, None, f"machine.yaml says {system.machine.camera.driver}: there is nothing to measure")
    if not file.is_file():
        return Check(name, False, "none yet", advice)
    if system.machine is None:
        return Check(name, None, f"{file}: no machine.yaml that it could hold for")
    try:
        found = [finding.message for finding in check_files(system.config) if finding.file == str(file)]
    except BrickgateError as error:
        found = [str(error)]
    if not found:
        return Check(name, True, str(file))
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return Check(name, False, f"{file}: {found[0]}{more}", advice)


_LOOKS: tuple[tuple[str, Callable[[System], Check]], ...] = (
    ("Python", _python),
    ("numpy", _library("numpy", "numpy", "numpy")),
    ("OpenCV", _library("OpenCV", "cv2", "opencv-python-headless")),
    ("TFLite runtime", doctor_accelerators.runtimes),
    ("disk", _disk),
    ("board", doctor_devices.board),
    ("camera", doctor_devices.camera),
    ("GPIO", doctor_devices.gpio),
    ("I2C (servo board)", doctor_devices.i2c),
    ("Coral", doctor_accelerators.coral),
    ("Edge TPU library", doctor_accelerators.edge_tpu_library),
    ("Hailo", doctor_accelerators.hailo),
    ("accelerator", doctor_accelerators.accelerator),
    ("power", doctor_devices.power),
    ("configuration", _configuration),
    ("calibration", _calibration),
)
