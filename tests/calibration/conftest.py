"""A simulated machine, its YAML in a folder of its own."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.config import example
from edge.config.calibration import BeltCalibration, CameraCalibration, Residual

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with west-18's machine.yaml and bins.yaml."""
    for name in ("machine.yaml", "bins.yaml"):
        shutil.copy(example("west-18") / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def camera_section() -> CameraCalibration:
    return CameraCalibration(
        made_at=NOON,
        measured_from="a test",
        residuals={"pixels that clip": Residual(value=0.1, limit=0.5, unit="%")},
        exposure_s=0.004,
        gain=2.0,
        white_balance=(1.8, 1.5),
        belt_bgr=(200.0, 201.0, 202.0),
        sharpness=12.0,
    )


@pytest.fixture
def belt_section() -> BeltCalibration:
    return BeltCalibration(
        made_at=NOON,
        measured_from="a test",
        residuals={"speed": Residual(value=0.2, limit=0.5, unit="%")},
        belt_mm_per_s=161.0,
        ripple=0.01,
        mm_per_tick=0.26,
        direction="right",
    )
