"""The doctor names what is there and what is missing, on any computer, and never falls ill."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_i2c import FakeI2c
from fake_picamera2 import FakeModule
from rich.console import Console

from edge.hardware.doctor import CHECKLIST, Check, System, inspect, is_lacking, print_checks

ROOT = Path(__file__).parents[2]
NEEDED = {"Python", "numpy", "OpenCV", "TFLite runtime", "disk"}
ASKED = {"camera", "GPIO", "I2C (servo board)", "power", "configuration"}
"""What the shipped machine.yaml needs besides, whatever its accelerator."""
PI_VERSIONS = {"numpy": "1.26.4", "ai-edge-litert": "2.3.0", "rpi-lgpio": "0.6", "picamera2": "0.3.25"}
PI_MODULES = ("numpy", "cv2", "ai_edge_litert.interpreter", "picamera2", "RPi.GPIO", "smbus2", "hailo_platform")
SUPPLY = "sys/devices/platform/soc/soc:firmware/get_throttled"
MEASURED = {"made_at": "2026-01-01T13:00:00+00:00", "measured_from": "the machine", "residuals": {}}
ONE = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
CALIBRATION = {
    "camera": {
        "exposure_s": 0.004,
        "gain": 1,
        "white_balance": [2, 1.5],
        "belt_bgr": [90, 90, 90],
        "sharpness": 1,
        **MEASURED,
    },
    "plane": {"size_px": [1280, 720], "px_per_mm": 5, "homography": ONE, **MEASURED},
    "colour": {"belt_rgb": [90, 90, 90], "flat_field": [[1]], "matrix": ONE, **MEASURED},
    "belt": {"belt_mm_per_s": 100, "ripple": 0, "direction": "right", **MEASURED},
    "confidence": {
        "bundle": "universal",
        "temperature": 1,
        "exponent": 0.6,
        "sure_above": 0.8,
        "curve": [],
        **MEASURED,
    },
    "positions": {
        "pulse_us": {name: {"left": 1100, "pass": 1500, "right": 1900} for name in ("first", "second")},
        **MEASURED,
    },
    "gates": {"gates": {"first": {"x_mm": 350}, "second": {"x_mm": 500}}, **MEASURED},
}
REFUSED = {**CALIBRATION["belt"], "residuals": {"fit": {"value": 2, "limit": 1, "unit": "mm"}}}
"""A belt whose fit did not hold."""


def computer(
    root: Path,
    modules: tuple[str, ...] = PI_MODULES,
    versions: Mapping[str, str] = PI_VERSIONS,
    broken: Mapping[str, Exception] | None = None,
    standing_in: Mapping[str, Any] | None = None,
    **settings: Any,
) -> System:
    """A computer with these modules; a camera and a servo board answer, unless others stand in."""
    devices = {"picamera2": FakeModule(), "smbus2": FakeI2c(0x40), **(standing_in or {})}

    def import_module(name: str) -> Any:
        if broken and name in broken:
            raise broken[name]
        if name not in modules:
            raise ModuleNotFoundError(name)
        return devices.get(name) or ModuleType(name)

    return System(root, import_module, versions.get, (3, 11, 2), **settings)


def without(*modules: str) -> tuple[str, ...]:
    return tuple(name for name in PI_MODULES if name not in modules)


def device(root: Path, name: str) -> None:
    file = root / "dev" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def usb(root: Path, port: str, vendor: str, product: str) -> None:
    folder = root / "sys/bus/usb/devices" / port
    folder.mkdir(parents=True)
    (folder / "idVendor").write_text(f"{vendor}\n")
    (folder / "idProduct").write_text(f"{product}\n")


def put(root: Path, file: str, content: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(content)


def raspberry_pi(root: Path, model: str = "Raspberry Pi 4 Model B Rev 1.4", **changes: str) -> None:
    """A Pi as install.sh leaves it, with nothing to run the network but the CPU. Decoders have devices too.

    Args:
        changes: of machine.yaml, such as driver="driver: hailo".
    """
    put(root, "proc/device-tree/model", f"{model}\0")
    for name in ("media0", "media1", "video10", "video19", "i2c-1", "gpiochip0"):
        device(root, name)
    put(root, SUPPLY, "0\n")
    text = (ROOT / "edge/system/etc/machine.yaml").read_text().replace("driver: auto", "driver: cpu")
    for old, new in changes.items():
        text = text.replace(CHANGED[old], new)
    put(root, "etc/brickgate/machine.yaml", text)
    put(root, "etc/brickgate/bins.yaml", (ROOT / "edge/system/etc/bins.yaml").read_text())
    put(root, "etc/brickgate/calibration.yaml", json.dumps(CALIBRATION))


CHANGED = {"driver": "driver: cpu", "camera": "picamera2", "gates": "pca9685, channel: "}


def coral(root: Path, library: bool = True) -> None:
    usb(root, "2-1", "18d1", "9302")
    if library:
        put(root, "usr/lib/aarch64-linux-gnu/libedgetpu.so.1", "")


def by_name(checks: list[Check]) -> dict[str, Check]:
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def test_a_complete_pi_lacks_nothing(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    found = inspect(computer(tmp_path, without("hailo_platform")))
    checks = by_name(found)
    assert {name for name, check in checks.items() if not check.ok} == {"Coral", "Edge TPU library", "Hailo"}
    assert [name for name, check in checks.items() if not check.ok and check.advice] == []
    assert checks["board"].detail == "Raspberry Pi 4 Model B Rev 1.4"
    assert {name for name, check in checks.items() if check.needed} == NEEDED | ASKED
    assert not is_lacking(found)


def test_an_empty_computer_lacks_everything_and_gets_advice(tmp_path: Path) -> None:
    found = inspect(computer(tmp_path, modules=(), versions={}))
    checks = by_name(found)
    assert {name for name, check in checks.items() if check.ok} == {"Python", "disk"}
    assert {name for name, check in checks.items() if check.ok is None} == {"accelerator", "power"}
    assert {name for name, check in checks.items() if not check.advice} == {"board", "accelerator", "power"}
    assert checks["TFLite runtime"].advice == "pip install ai-edge-litert"
    assert is_lacking(found)


@pytest.mark.parametrize("product", ["1a6e:089a", "18d1:9302"])
def test_a_coral_is_known_before_and_after_its_first_use(tmp_path: Path, product: str) -> None:
    usb(tmp_path, "1-0", "1d6b", "0002")
    assert not by_name(inspect(computer(tmp_path)))["Coral"].ok
    usb(tmp_path, "2-1", *product.split(":"))
    found = by_name(inspect(computer(tmp_path)))["Coral"]
    assert found.ok
    assert product in found.detail


def test_a_coral_on_pcie_is_found(tmp_path: Path) -> None:
    device(tmp_path, "apex_0")
    assert by_name(inspect(computer(tmp_path)))["Coral"].ok
    assert not by_name(inspect(computer(tmp_path)))["Edge TPU library"].ok


def test_rpi_gpio_on_a_pi_5_is_the_wrong_library(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, "Raspberry Pi 5 Model B Rev 1.0")
    gpio = by_name(inspect(computer(tmp_path, versions={"RPi.GPIO": "0.7.1"})))["GPIO"]
    assert not gpio.ok
    assert "rpi-lgpio" in gpio.advice


@pytest.mark.parametrize(("kernel", "ok"), [("6.1.21-v8+", True), ("6.6.20+rpt-rpi-v8", False), ("6.12.47", False)])
def test_rpi_gpio_sees_no_edges_on_new_kernels(tmp_path: Path, kernel: str, ok: bool) -> None:
    raspberry_pi(tmp_path)
    release = tmp_path / "proc/sys/kernel/osrelease"
    release.parent.mkdir(parents=True)
    release.write_text(kernel + "\n")
    gpio = by_name(inspect(computer(tmp_path, versions={"RPi.GPIO": "0.7.1"})))["GPIO"]
    assert gpio.ok is ok
    assert ("python3-rpi-lgpio" in gpio.advice) is not ok
    assert by_name(inspect(computer(tmp_path, versions={"rpi-lgpio": "0.6"})))["GPIO"].ok


def test_both_gpio_libraries_are_one_too_many(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    gpio = by_name(inspect(computer(tmp_path, versions={"RPi.GPIO": "0.7.1", "rpi-lgpio": "0.6"})))["GPIO"]
    assert not gpio.ok
    assert "pip uninstall RPi.GPIO" in gpio.advice


def test_tflite_runtime_needs_the_older_numpy(tmp_path: Path) -> None:
    modules = ("tflite_runtime.interpreter",)
    new = {"numpy": "2.1.0", "tflite-runtime": "2.14.0"}
    runtime = by_name(inspect(computer(tmp_path, modules, new)))["TFLite runtime"]
    assert (runtime.ok, runtime.detail) == (False, "tflite-runtime needs numpy < 2")
    old = {"numpy": "1.26.4", "tflite-runtime": "2.14.0"}
    assert by_name(inspect(computer(tmp_path, modules, old)))["TFLite runtime"].ok


def test_a_module_that_fails_on_import_is_told_with_its_reason(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    broken = {"RPi.GPIO": RuntimeError("Cannot determine SOC\nperipheral base address")}
    gpio = by_name(inspect(computer(tmp_path, broken=broken)))["GPIO"]
    assert not gpio.ok
    assert "Cannot determine SOC peripheral base address" in gpio.detail


def test_a_failing_look_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    def explode(distribution: str) -> str | None:
        raise ValueError("damaged metadata")

    checks = by_name(inspect(System(tmp_path, ModuleType, explode)))
    assert "damaged metadata" in checks["numpy"].detail
    assert not checks["numpy"].ok
    assert checks["Python"].ok


def test_an_old_python_is_not_enough(tmp_path: Path) -> None:
    python = by_name(inspect(System(tmp_path, python=(3, 9, 2))))["Python"]
    assert not python.ok
    assert "3.11" in python.advice


def test_this_computer_can_be_looked_at() -> None:
    checks = by_name(inspect())
    assert checks["numpy"].ok
    assert checks["OpenCV"].ok


def test_the_table_marks_what_is_missing_and_lists_what_to_do() -> None:
    text = io.StringIO()
    checks = [
        Check("numpy", True, "2.0", "pip install numpy", needed=True),
        Check("OpenCV", False, "not [installed]", "pip install opencv", needed=True),
        Check("Coral", False, "none", "plug it in"),
    ]
    print_checks(checks, Console(file=text, width=100))
    shown = text.getvalue()
    assert "✓ numpy" in " ".join(shown.split())
    assert "✗ OpenCV not [installed]" in " ".join(shown.split())
    assert "– Coral" in " ".join(shown.split())
    assert "OpenCV: pip install opencv" in shown
    assert "pip install numpy" not in shown


def checklist(system: System) -> str:
    """The marks of the ten lines."""
    out = io.StringIO()
    print_checks(inspect(system), Console(file=out, width=200))
    return "".join(re.findall(r"^  ([✓✗☐]) +\d+ ", out.getvalue(), re.MULTILINE))


def test_a_first_machine_is_walked_through_in_ten_lines(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    assert checklist(computer(tmp_path)) == "✓✓✓✓✓✓☐☐✓☐"


def test_the_ten_lines_are_for_a_pi_alone(tmp_path: Path) -> None:
    assert checklist(computer(tmp_path)) == ""


def test_the_ten_lines_are_those_of_the_document() -> None:
    section = (ROOT / "docs/hardware.md").read_text().split("## Ten lines for a first machine")[1].split("\n## ")[0]
    written = [re.sub(r"^\d+\. |\.$", "", line) for line in section.splitlines() if re.match(r"\d+\. ", line)]
    assert [line.replace("`", "") for line in written] == [line.replace("`", "") for line, _ in CHECKLIST]


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        (SUPPLY, "50005\n", 1),
        (SUPPLY, "80008\n", 1),
        ("etc/brickgate/bins.yaml", "bins: 3\n", 6),
        ("etc/brickgate/machine.yaml", "gates: [", 6),
        ("etc/brickgate/calibration.yaml", "{}\n", 9),
        ("etc/brickgate/calibration.yaml", "belt: 3\n", 9),
        ("etc/brickgate/calibration.yaml", json.dumps({**CALIBRATION, "belt": None}), 9),
        ("etc/brickgate/calibration.yaml", json.dumps({**CALIBRATION, "belt": REFUSED}), 9),
    ],
)
def test_what_is_wrong_is_crossed(tmp_path: Path, file: str, content: str, line: int) -> None:
    raspberry_pi(tmp_path)
    put(tmp_path, file, content)
    assert checklist(computer(tmp_path))[line - 1] == "✗"


def test_a_supply_that_is_not_told_of_is_not_ticked(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    (tmp_path / SUPPLY).unlink()
    assert checklist(computer(tmp_path))[0] == "☐"
    assert not is_lacking(inspect(computer(tmp_path)))


def test_a_pi_5_tells_of_its_supply_elsewhere(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, "Raspberry Pi 5 Model B Rev 1.0")
    (tmp_path / SUPPLY).unlink()
    put(tmp_path, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "50000\n")
    power = by_name(inspect(computer(tmp_path)))["power"]
    assert (power.ok, power.detail) == (False, "throttled 0x50000")
    assert power.advice.startswith("under-voltage")


def test_a_camera_is_one_that_picamera2_finds(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    picamera2 = FakeModule()
    system = computer(tmp_path, standing_in={"picamera2": picamera2})
    assert by_name(inspect(system))["camera"].detail == "picamera2 0.3.25; imx708"
    picamera2.camera_connected = False
    assert checklist(system)[1] == "✗"
    assert is_lacking(inspect(system))
    picamera2.libcamera_fails = True
    assert checklist(system)[1] == "☐"
    assert "rpicam-hello --list-cameras" in by_name(inspect(system))["camera"].advice


def test_a_camera_that_machine_yaml_does_not_want_is_not_looked_for(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, camera="sim")
    marks = checklist(computer(tmp_path, without("picamera2")))
    assert (marks[1], marks[8]) == ("☐", "☐")


def test_the_servo_board_itself_is_asked(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    i2c = FakeI2c()
    found = inspect(computer(tmp_path, standing_in={"smbus2": i2c}))
    board = by_name(found)["I2C (servo board)"]
    assert board.ok is False
    assert "nothing answers at 0x40 (Remote I/O error)" in board.detail
    assert is_lacking(found)
    assert i2c.open_buses == 0


def test_each_board_of_machine_yaml_is_asked_and_none_is_written_to(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, gates="pca9685, i2c_address: 0x41, channel: ")
    i2c = FakeI2c(0x40)
    assert checklist(computer(tmp_path, standing_in={"smbus2": i2c}))[2] == "✗"
    i2c = FakeI2c(0x41)
    assert checklist(computer(tmp_path, standing_in={"smbus2": i2c}))[2] == "✓"
    assert i2c.chips[0x41].writes == 0


def test_without_a_gate_on_a_servo_board_none_is_missing(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, gates="gpio-servo, pin: 1")
    (tmp_path / "dev/i2c-1").unlink()
    found = inspect(computer(tmp_path, without("smbus2")))
    assert by_name(found)["I2C (servo board)"].ok is None
    assert not is_lacking(found)


@pytest.mark.parametrize(
    ("driver", "plugged", "mark"),
    [
        ("cpu", "", "✓"),
        ("cpu", "coral", "✓"),
        ("edgetpu", "", "✗"),
        ("edgetpu", "coral", "✗"),
        ("edgetpu", "coral, library", "✓"),
        ("edgetpu", "hailo, library", "✗"),
        ("hailo", "", "✗"),
        ("hailo", "coral, library", "✗"),
        ("hailo", "hailo", "✗"),
        ("hailo", "hailo, library", "✓"),
        ("auto", "", "✓"),
        ("auto", "coral", "✗"),
        ("auto", "hailo", "✗"),
        ("auto", "coral, library", "✓"),
    ],
)
def test_the_accelerator_that_machine_yaml_names_is_there_with_its_library(
    tmp_path: Path, driver: str, plugged: str, mark: str
) -> None:
    raspberry_pi(tmp_path, driver=f"driver: {driver}")
    if "coral" in plugged:
        coral(tmp_path, "library" in plugged)
    if "hailo" in plugged:
        device(tmp_path, "hailo0")
    system = computer(tmp_path, PI_MODULES if plugged == "hailo, library" else without("hailo_platform"))
    assert checklist(system)[4] == mark
    lacking = {check.name for check in inspect(system) if is_lacking([check])}
    # Under `auto` the CPU stands in; that a machine.yaml of one's own must not say `auto` is another matter (line 6).
    assert ("accelerator" in lacking) is (mark == "✗" and driver != "auto")


def test_without_a_machine_yaml_nobody_knows_which_accelerator_is_wanted(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    (tmp_path / "etc/brickgate/machine.yaml").unlink()
    (tmp_path / "etc/brickgate/bins.yaml").unlink()
    assert checklist(computer(tmp_path, without("hailo_platform")))[4:6] == "☐✗"
    coral(tmp_path)
    assert checklist(computer(tmp_path, without("hailo_platform")))[4:6] == "✓✗"


def test_the_runtime_is_the_one_that_machine_yaml_names(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, driver="driver: cpu\n  runtime: tflite-runtime")
    found = inspect(computer(tmp_path))
    assert by_name(found)["TFLite runtime"].ok is False
    assert "accelerator.runtime: litert" in by_name(found)["TFLite runtime"].advice
    assert is_lacking(found)


def test_another_machine_yaml_can_be_named(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    put(tmp_path, "mine/machine.yaml", (tmp_path / "etc/brickgate/machine.yaml").read_text())
    checks = by_name(inspect(computer(tmp_path, named=tmp_path / "mine/machine.yaml")))
    assert (checks["configuration"].ok, checks["configuration"].needed) == (False, True)
    assert checks["configuration"].detail == f"{tmp_path}/mine: bins.yaml missing"


def all_advice(root: Path, **settings: Any) -> str:
    """What the doctor says when all is missing that can be, with a Coral and a Hailo wanted in turn."""
    told = []
    for driver in ("edgetpu", "hailo"):
        file = root / "etc/brickgate/machine.yaml"
        file.write_text(re.sub(r"driver: (cpu|edgetpu|hailo) ", f"driver: {driver} ", file.read_text()))
        told += [check.advice for check in inspect(computer(root, (), {}, **settings)) if not check.ok]
    return "\n".join(told)


def test_what_install_sh_has_put_there_is_mended_by_install_sh(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    for name in ("dev/i2c-1", "etc/brickgate/calibration.yaml"):
        (tmp_path / name).unlink()
    told = all_advice(tmp_path, prefix=tmp_path / "opt/brickgate/1.0-0123abcd")
    assert "sudo ./install.sh" in told
    config = tmp_path / "etc/brickgate/machine.yaml"
    assert f"sudo systemctl stop brickgate; sudo brickgate-calibrate all --config {config}" in told
    assert not re.search(r"pip |\.venv|apt |raspi-config", told)


def test_on_the_card_nothing_can_be_installed(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    put(tmp_path, "usr/sbin/slot", "")
    (tmp_path / "dev/i2c-1").unlink()
    told = all_advice(tmp_path, prefix=Path("/usr"))
    assert "the card's system is read-only" in told
    assert not re.search(r"pip |\.venv|apt |raspi-config|install\.sh", told)


def test_in_ones_own_folder_pip_installs(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    told = all_advice(tmp_path, prefix=tmp_path / "home/me/brickgate/.venv")
    assert "pip install smbus2" in told
    assert "sudo apt install hailo-all" in told
    assert "systemctl" not in told


def test_a_card_is_full_of_its_system_and_records_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raspberry_pi(tmp_path)
    (tmp_path / "var/lib/brickgate").mkdir(parents=True)
    free_gb = {tmp_path: 0.0, tmp_path / "var/lib/brickgate": 9.0}
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free_gb[folder] * 1e9))
    assert by_name(inspect(computer(tmp_path)))["disk"].ok
