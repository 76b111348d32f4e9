"""`belt.reversal` in machine.yaml: every finding about it, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import example
from edge.config.findings import errors
from edge.config.report import check

WEST = example("west-18")
RIGHT = "start_mm: -60, end_mm: 1900"
GPIO = "driver: gpio, pin: 17"


def findings(folder: Path, reversal: str, motor: str = "driver: sim", bins: str = "") -> list[str]:
    text = (WEST / "machine.yaml").read_text(encoding="utf-8")
    old = "  motor: {driver: sim} "
    assert old in text
    (folder / "machine.yaml").write_text(
        text.replace(old, f"  motor: {{{motor}}}\n  reversal: {{{reversal}}} "), encoding="utf-8"
    )
    (folder / "bins.yaml").write_text((WEST / "bins.yaml").read_text(encoding="utf-8") + bins, encoding="utf-8")
    return [str(finding) for finding in errors(check(folder / "machine.yaml", folder / "bins.yaml"))]


def test_a_belt_that_can_run_back(tmp_path: Path) -> None:
    assert findings(tmp_path, RIGHT) == []
    assert findings(tmp_path, RIGHT, GPIO + ", reverse_pin: 27") == []


@pytest.mark.parametrize(
    ("motor", "need"),
    [("driver: none", "a motor that the machine switches"), (GPIO, "a reverse_pin")],
)
def test_a_motor_that_cannot_run_back(tmp_path: Path, motor: str, need: str) -> None:
    (found,) = findings(tmp_path, RIGHT, motor)
    assert found.endswith(
        f"/machine.yaml:19: belt.reversal: the belt cannot run back: give belt.motor {need}, or take reversal out"
    )


def test_its_ends_lie_beyond_view_and_gates(tmp_path: Path) -> None:
    start, end = findings(tmp_path, "start_mm: 10, end_mm: 1500")
    assert "belt.reversal.start_mm: 10 must be below 0, where the view begins" in start
    assert "belt.reversal.end_mm: 1500 must be at least" in end
    assert "to stop before the touching parts fall off" in end


def test_a_pin_for_each_way(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, RIGHT, GPIO + ", reverse_pin: 17")
    assert "GPIO 17 is in use already" in found


def test_what_comes_back_by_itself_needs_no_running_back(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, RIGHT, bins="recirculates: true\n")
    assert "recirculates: where the belt's end leads back to the feeder, touching parts come again" in found
