"""The doctor names what is there and what is missing, on any computer, and never falls ill."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from edge.config import example
from edge.hardware.doctor import CHECKLIST, Check, System, inspect, print_checks

NEEDED = {"Python", "numpy", "OpenCV", "TFLite runtime", "disk"}
PI_VERSIONS = {"numpy": "1.26.4", "ai-edge-litert": "2.3.0", "rpi-lgpio": "0.6", "picamera2": "0.3.25"}
PI_MODULES = ("numpy", "cv2", "ai_edge_litert.interpreter", "picamera2", "RPi.GPIO", "smbus2", "hailo_platform")


def computer(
    root: Path,
    modules: tuple[str, ...] = PI_MODULES,
    versions: Mapping[str, str] = PI_VERSIONS,
    broken: Mapping[str, Exception] | None = None,
) -> System:
    def import_module(name: str) -> ModuleType:
        if broken and name in broken:
            raise broken[name]
        if name not in modules:
            raise ModuleNotFoundError(name)
        return ModuleType(name)

    return System(root, import_module, versions.get, (3, 11, 2))


def device(root: Path, name: str) -> None:
    file = root / "dev" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def usb(root: Path, port: str, vendor: str, product: str) -> None:
    folder = root / "sys/bus/usb/devices" / port
    folder.mkdir(parents=True)
    (folder / "idVendor").write_text(f"{vendor}\n")
    (folder / "idProduct").write_text(f"{product}\n")


def raspberry_pi(root: Path, model: str = "Raspberry Pi 4 Model B Rev 1.4") -> None:
    board = root / "proc/device-tree/model"
    board.parent.mkdir(parents=True)
    board.write_text(f"{model}\0")
    for name in ("media0", "video0", "i2c-1", "gpiochip0", "hailo0"):
        device(root, name)
    usb(root, "1-1", "18d1", "9302")
    shutil.copytree(example("beginner-4"), root / "etc/brickgate")
    (root / "etc/brickgate/calibration.yaml").write_text("{}\n")
    library = root / "usr/lib/aarch64-linux-gnu/libedgetpu.so.1"
    library.parent.mkdir(parents=True)
    library.touch()


def by_name(checks: list[Check]) -> dict[str, Check]:
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def test_a_complete_pi_has_everything(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    checks = by_name(inspect(computer(tmp_path)))
    assert [name for name, check in checks.items() if not check.ok] == []
    assert checks["board"].detail == "Raspberry Pi 4 Model B Rev 1.4"
    assert "18d1:9302" in checks["Coral"].detail
    assert {name for name, check in checks.items() if check.needed} == NEEDED


def test_an_empty_computer_lacks_everything_and_gets_advice(tmp_path: Path) -> None:
    checks = by_name(inspect(computer(tmp_path, modules=(), versions={})))
    assert {name for name, check in checks.items() if check.ok} == {"Python", "disk", "power"}
    assert all(check.advice for name, check in checks.items() if name != "board")
    assert checks["TFLite runtime"].advice == "pip install ai-edge-litert"


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


def checklist(root: Path) -> list[str]:
    """The marks of the ten lines."""
    out = io.StringIO()
    print_checks(inspect(computer(root)), Console(file=out, width=200))
    return re.findall(r"^  ([✓✗☐]) +\d+ ", out.getvalue(), re.MULTILINE)


def test_a_first_machine_is_walked_through_in_ten_lines(tmp_path: Path) -> None:
    raspberry_pi(tmp_path)
    assert len(CHECKLIST) == 10
    assert "".join(checklist(tmp_path)) == "✓✓✓✓✓✓☐☐✓☐"


def test_the_ten_lines_are_for_a_pi_alone(tmp_path: Path) -> None:
    assert checklist(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n", 1),
        ("etc/brickgate/bins.yaml", "bins: 3\n", 6),
        ("etc/brickgate/machine.yaml", "gates: [", 6),
    ],
)
def test_what_is_wrong_is_crossed(tmp_path: Path, file: str, content: str, line: int) -> None:
    raspberry_pi(tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    assert checklist(tmp_path)[line - 1] == "✗"
