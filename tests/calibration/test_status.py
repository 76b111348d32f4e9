"""What `brickgate-calibrate status` shows of each step, and of a file that is not there."""

import io

import pytest
from rich.console import Console

from calibration.status import print_status
from edge.config.calibration import Calibration, PositionsCalibration
from edge.config.load import load_machine


@pytest.fixture
def lines(folder):
    """The lines shown of a calibration."""

    def shown(calibration, file):
        out = io.StringIO()
        print_status(load_machine(folder / "machine.yaml"), calibration, file, Console(file=out, width=160))
        return out.getvalue().splitlines()

    return shown


def test_a_section_without_residuals_is_shown_with_its_date(lines, folder, belt_section):
    nudged = PositionsCalibration(
        made_at=belt_section.made_at,
        measured_from="the machine, 2 servos nudged",
        residuals={},
        pulse_us={"g1": {"left": 1100, "pass": 1500}},
    )
    (row,) = [
        line for line in lines(Calibration(positions=nudged), folder / "x") if "positions" in line and "│" in line
    ]
    assert "2026-01-01 12:00" in row
    assert "the machine, 2 servos nudged" in row
    assert "not calibrated" not in row


def test_a_file_that_is_not_there_is_told(lines, folder, belt_section):
    file = folder / "typo.yaml"
    assert any(f"{file}: no such file" in line for line in lines(Calibration(), file))
    file.write_text("version: 1\n")
    assert not any("no such file" in line for line in lines(Calibration(belt=belt_section), file))
