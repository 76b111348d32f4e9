"""Sensors in machine.yaml: what a section may leave out, and every finding about them, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.config import example
from edge.config.load import load_machine
from edge.config.report import check
from edge.config.sensors import FALL_S, GpioSensorConfig

WEST = example("west-18")


def findings(folder: Path, sensors: str) -> list[str]:
    """Of the West machine with these lines at its end."""
    before = (WEST / "machine.yaml").read_text(encoding="utf-8")
    file = folder / "machine.yaml"
    file.write_text(f"{before}\n{sensors}\n", encoding="utf-8")
    first = before.count("\n") + 2
    found = [str(finding).replace(f"{folder}/", "") for finding in check(file, WEST / "bins.yaml")]
    return [re.sub(r":(\d+)", lambda line: f":+{int(line[1]) - first}", text, count=1) for text in found]


def sensors(*entries: str) -> str:
    return "\n".join(["sensors:", *(f"  - {{{entry}}}" for entry in entries)])


def test_a_machine_may_have_none() -> None:
    machine = load_machine(WEST / "machine.yaml")
    assert machine.sensors == ()
    assert (machine.confirmation.faults, machine.confirmation.of_last) == (3, 10)


def test_the_examples_commented_sensors_are_right(tmp_path: Path) -> None:
    text = (WEST / "machine.yaml").read_text(encoding="utf-8")
    block = text[text.index("# sensors:") : text.index("journal:\n")]
    lines = [line.removeprefix("# ") for line in block.splitlines() if not line.startswith("#     #")]
    real = "\n".join(lines)
    assert findings(tmp_path, real) == [
        "machine.yaml:+1: warning: sensors[0].driver: sensor 's-slopes' is real ('gpio') while the camera is simulated",
        "machine.yaml:+2: warning: sensors[1].driver: sensor 's-end' is real ('gpio') while the camera is simulated",
    ]
    machine = load_machine(tmp_path / "machine.yaml")
    assert machine.confirmation == load_machine(WEST / "machine.yaml").confirmation, "it shows the defaults"
    beam = machine.sensors[1]
    assert isinstance(beam, GpioSensorConfig)
    assert (beam.active_high, beam.debounce_s, beam.tolerance_s) == (False, 0.03, 0.15)


def test_a_chute_takes_its_time_and_a_beam_over_the_belt_none(tmp_path: Path) -> None:
    assert (
        findings(tmp_path, sensors("name: a, driver: sim, at: {bin: tiles}", "name: b, driver: sim, at: {x_mm: 500}"))
        == []
    )
    assert [sensor.fall_s for sensor in load_machine(tmp_path / "machine.yaml").sensors] == [FALL_S, 0.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            sensors("name: a, driver: sim, at: {bin: tile}"),
            ["machine.yaml:+1: sensors[0].at.bin: 'tile' is no bin of bins.yaml's layout; did you mean 'tiles'?"],
            id="no such bin",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {bin: tiles, x_mm: 900}"),
            [
                "machine.yaml:+1: sensors[0].at: give one place: {bin: its name} for a chute, or {x_mm: station} for a"
                " beam over the belt"
            ],
            id="two places",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {}"),
            [
                "machine.yaml:+1: sensors[0].at: give one place: {bin: its name} for a chute, or {x_mm: station} for a"
                " beam over the belt"
            ],
            id="no place",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {x_mm: 260}"),
            [
                "machine.yaml:+1: sensors[0].at.x_mm: 260 must be 20 mm past the camera's view, which ends at 256 mm:"
                " before it, nobody knows where a part should go"
            ],
            id="in the view",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {bin: tiles}", "name: a, driver: sim, at: {bin: slopes}"),
            ["machine.yaml:+2: sensors[1].name: 'a' is sensors[0] already; give each sensor its name"],
            id="name twice",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {bin: tiles}", "name: b, driver: sim, at: {bin: tiles}"),
            ["machine.yaml:+2: sensors[1].at: bin 'tiles' has sensor 'a' already; one is enough"],
            id="place twice",
        ),
        pytest.param(
            sensors("name: a, driver: gpio, at: {bin: tiles}"),
            ["machine.yaml:+1: sensors[0].pin: is missing"],
            id="no pin",
        ),
        pytest.param(
            sensors("name: a, driver: laser, at: {bin: tiles}"),
            ["machine.yaml:+1: sensors[0].driver: 'laser' is none of sim, gpio"],
            id="driver",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {bin: tiles}, tolerance: 1"),
            ["machine.yaml:+1: sensors[0].tolerance: 'tolerance' is no key; did you mean 'tolerance_s'?"],
            id="key",
        ),
        pytest.param(
            sensors("name: a, driver: sim, at: {bin: tiles}, tolerance_s: 0"),
            ["machine.yaml:+1: sensors[0].tolerance_s: 0 must be above 0"],
            id="bound",
        ),
        pytest.param(
            "confirmation: {faults: 4, of_last: 3}",
            ["machine.yaml:+0: confirmation.faults: 4 is above of_last 3: it would never be reached"],
            id="faults",
        ),
    ],
)
def test_what_is_said_about_sensors(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert findings(tmp_path, text) == expected


def test_two_devices_on_a_pin_are_told(tmp_path: Path) -> None:
    text = sensors(
        "name: a, driver: gpio, pin: 24, at: {bin: tiles}", "name: b, driver: gpio, pin: 24, at: {bin: slopes}"
    )
    found = [line for line in findings(tmp_path, text) if "warning" not in line]
    assert len(found) == 1
    assert re.fullmatch(r"machine\.yaml:\+2: sensors\[1\]\.pin: GPIO 24 is in use already, in line \d+", found[0])
