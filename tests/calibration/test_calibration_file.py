"""calibration.yaml is written section by section and laid over machine.yaml, which nobody touches."""

import pytest

from calibration.file import save_section
from edge.config.calibrated import calibrated, calibration_of, load_calibration
from edge.config.calibration import (
    Calibration,
    ConfidenceCalibration,
    GateCalibration,
    GatesCalibration,
    PositionsCalibration,
)
from edge.config.gates import Pca9685GateConfig
from edge.config.load import load_machine
from edge.config.schema import GpioEncoderConfig
from edge.errors import ConfigError, InputError


def test_a_section_is_kept_when_another_is_written(tmp_path, camera_section, belt_section):
    file = tmp_path / "calibration.yaml"
    save_section(file, "camera", camera_section)
    save_section(file, "belt", belt_section)
    again = load_calibration(file)
    assert again.camera == camera_section
    assert again.belt == belt_section
    assert again.plane is None
    assert file.read_text().startswith("# Written by brickgate-calibrate")


def test_a_file_that_cannot_be_read_is_not_overwritten(tmp_path, belt_section):
    file = tmp_path / "calibration.yaml"
    file.write_text("camera: {exposure_s: bright}\n")
    with pytest.raises(ConfigError, match=r"calibration.yaml:1: .*move it away to calibrate anew"):
        save_section(file, "belt", belt_section)
    assert "bright" in file.read_text()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path, belt_section):
    file = tmp_path / "missing" / "calibration.yaml"
    with pytest.raises(InputError, match=r"cannot be written .*: the old calibration stays"):
        save_section(file, "belt", belt_section)


def test_what_was_measured_replaces_what_was_written(folder, camera_section, belt_section):
    machine = load_machine(folder / "machine.yaml")
    whole = Calibration(
        camera=camera_section,
        belt=belt_section,
        gates=GatesCalibration(
            **camera_section.model_dump(include={"made_at", "measured_from"}),
            residuals={},
            gates={"g2": GateCalibration(x_mm=523.0, latency_s=0.04), "gone": GateCalibration(x_mm=1.0)},
        ),
    )
    config = calibrated(machine, whole)
    assert (config.camera.exposure_s, config.camera.gain) == (0.004, 2.0)
    assert config.belt.belt_mm_per_s == 161.0
    assert config.gates[1].x_mm == 523.0
    assert config.gates[1].latency_s == 0.04
    assert config.gates[1].travel_s == machine.gates[1].travel_s
    assert config.gates[0] == machine.gates[0]
    assert calibrated(machine, Calibration()) == machine


def test_ticks_and_pulses_go_to_the_drivers_that_have_them(folder, belt_section):
    machine = load_machine(folder / "machine.yaml")
    servo = Pca9685GateConfig(
        name="g1", driver="pca9685", x_mm=400, channel=0, pulse_us={"left": 1000, "pass": 1500, "right": 2000}
    )
    encoder = GpioEncoderConfig(driver="gpio", pin_a=5, mm_per_tick=0.25)
    machine = machine.model_copy(
        update={"gates": (servo,), "belt": machine.belt.model_copy(update={"encoder": encoder})}
    )
    pulses = {"left": 1050, "pass": 1480, "right": 1990}
    positions = PositionsCalibration(
        made_at=belt_section.made_at, measured_from="a test", residuals={}, pulse_us={"g1": pulses, "gone": pulses}
    )
    config = calibrated(machine, Calibration(belt=belt_section, positions=positions))
    assert isinstance(config.belt.encoder, GpioEncoderConfig)
    assert config.belt.encoder.mm_per_tick == 0.26
    assert isinstance(config.gates[0], Pca9685GateConfig)
    assert config.gates[0].pulse_us == pulses
    other = positions.model_copy(update={"pulse_us": {"g1": {"pass": 1500, "push": 1900}}})
    assert calibrated(machine, Calibration(positions=other)).gates == machine.gates


@pytest.mark.parametrize(("bundle", "sure_above"), [("starter", 0.93), ("universal", 0.80)])
def test_confidence_holds_for_its_own_model_alone(folder, belt_section, bundle, sure_above):
    machine = load_machine(folder / "machine.yaml")
    confidence = ConfidenceCalibration(
        made_at=belt_section.made_at, measured_from="a test", residuals={},
        bundle=bundle, temperature=1.2, exponent=0.4, sure_above=0.93, curve=(),
    )  # fmt: skip
    machine = machine.model_copy(update={"model": machine.model.model_copy(update={"bundle": "starter"})})
    assert calibrated(machine, Calibration(confidence=confidence)).fusion.sure_above == sure_above


def test_the_calibration_lies_beside_the_machine(folder):
    assert calibration_of(folder / "machine.yaml") == folder / "calibration.yaml"
    assert load_calibration(folder / "calibration.yaml") == Calibration()
