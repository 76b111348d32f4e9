"""check-config says what is not calibrated, too old, or does not go with machine.yaml; word for word."""

import re
from datetime import timedelta

import pytest
from rich.console import Console

from calibration.file import save_section
from calibration.status import print_status
from edge.config.calibrated import load_calibration
from edge.config.calibration import (
    ColourCalibration,
    ConfidenceCalibration,
    GateCalibration,
    GatesCalibration,
    PlaneCalibration,
    PositionsCalibration,
    Residual,
)
from edge.config.check_calibration import check_calibration, steps_alone
from edge.config.command import check_files
from edge.config.document import Document
from edge.config.findings import errors
from edge.config.load import load_machine
from edge.config.report import check
from edge.errors import ConfigError
from edge.machine import read_plans

ONE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def said(folder):
    found = check(folder / "machine.yaml", folder / "bins.yaml")
    return [str(finding).replace(f"{folder}/", "") for finding in found]


def of(section, model, **values):
    """A section with the date of another."""
    return model(**section.model_dump(include={"made_at", "measured_from"}), residuals={}, **values)


def test_a_simulated_machine_needs_no_calibration(folder):
    assert said(folder) == []


def test_a_real_camera_says_each_step_that_is_missing(folder, belt_section):
    machine = (
        (folder / "machine.yaml")
        .read_text()
        .replace("driver: sim                 # sim | frames", "driver: picamera2 #")
    )
    (folder / "machine.yaml").write_text(machine)
    save_section(folder / "calibration.yaml", "belt", belt_section)
    missing = [line for line in said(folder) if "not calibrated for" in line]
    assert [line.rsplit(" ", 1)[1] for line in missing] == ["camera", "plane", "colour", "confidence", "gates"]
    assert missing[0] == "calibration.yaml:1: warning: not calibrated for camera: brickgate-calibrate camera"


def test_servos_that_nobody_nudged_are_missing_too(folder):
    machine = load_machine(folder / "machine.yaml")
    real = machine.model_copy(update={"camera": machine.camera.model_copy(update={"driver": "picamera2"})})
    servo = machine.gates[0].model_copy(update={"pulse_us": {"left": 1100, "pass": 1500, "right": 1900}})
    with_servo = real.model_copy(update={"gates": (servo, *machine.gates[1:])})
    assert [steps_alone(one) for one in (real, with_servo)] == [["gates"], ["positions", "gates"]]


def test_what_a_simulated_machine_measured_is_an_error_on_a_real_one(folder, belt_section):
    section = belt_section.model_copy(update={"measured_from": "simulated machine 7"})
    save_section(folder / "calibration.yaml", "belt", section)
    assert said(folder) == []
    machine = load_machine(folder / "machine.yaml")
    real = machine.model_copy(update={"camera": machine.camera.model_copy(update={"driver": "picamera2"})})
    calibration = load_calibration(folder / "calibration.yaml")
    found = errors(check_calibration(real, calibration, Document(folder / "calibration.yaml")))
    assert [finding.message.split(":")[0] for finding in found] == ["is a simulated machine, and this machine is none"]


def test_millimetres_older_than_the_plane_are_to_be_measured_again(folder, camera_section, belt_section):
    file = folder / "calibration.yaml"
    gates = {f"g{number}": GateCalibration(x_mm=280 + 120 * number) for number in range(1, 10)}
    save_section(file, "gates", of(camera_section, GatesCalibration, gates=gates))
    save_section(file, "belt", belt_section)
    plane = of(camera_section, PlaneCalibration, size_px=(1280, 720), px_per_mm=5, homography=ONE)
    save_section(file, "plane", plane)
    assert said(folder) == []
    save_section(file, "plane", plane.model_copy(update={"made_at": plane.made_at + timedelta(hours=1)}))
    assert [line.split(": ", 1)[1] for line in said(folder)] == [
        f"warning: {step}.made_at: is older than the plane of 2026-01-01 13:00: brickgate-calibrate {step}"
        for step in ("belt", "gates")
    ]


def test_a_sharpness_older_than_the_camera_is_to_be_measured_again(folder, camera_section, belt_section):
    file = folder / "calibration.yaml"
    later = camera_section.model_copy(update={"made_at": camera_section.made_at + timedelta(hours=1)})
    save_section(file, "camera", later)
    for edge_px, count in ((None, 0), (2.5, 1)):
        save_section(file, "belt", belt_section.model_copy(update={"edge_px": edge_px}))
        assert sum("belt.made_at: is older than the camera's settings" in line for line in said(folder)) == count


def test_what_is_older_than_the_cameras_settings_is_to_be_done_again(folder, camera_section):
    file = folder / "calibration.yaml"
    save_section(file, "plane", of(camera_section, PlaneCalibration, size_px=(1280, 720), px_per_mm=5, homography=ONE))
    colour = of(camera_section, ColourCalibration, belt_rgb=(200, 200, 200), flat_field=((1.0,),), matrix=ONE)
    save_section(file, "colour", colour)
    assert said(folder) == []
    later = camera_section.model_copy(update={"made_at": camera_section.made_at + timedelta(hours=1)})
    save_section(file, "camera", later)
    assert [line.split(": ", 1)[1] for line in said(folder)] == [
        "warning: plane.made_at: is older than the camera's settings of 2026-01-01 13:00: brickgate-calibrate plane",
        "warning: colour.made_at: is older than the camera's settings of 2026-01-01 13:00: brickgate-calibrate colour",
    ]


def test_a_plane_of_another_picture_size_does_not_start_the_machine(folder, camera_section):
    plane = of(camera_section, PlaneCalibration, size_px=(640, 480), px_per_mm=5, homography=ONE)
    save_section(folder / "calibration.yaml", "plane", plane)
    assert errors(check(folder / "machine.yaml", folder / "bins.yaml"))
    with pytest.raises(
        ConfigError, match="pictures of 640 × 480, the camera gives 1280 × 720: brickgate-calibrate plane"
    ):
        read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"))


def test_gates_models_and_settings_that_do_not_go_together(folder, camera_section):
    file = folder / "calibration.yaml"
    gates = {f"g{number}": GateCalibration(x_mm=280 + 120 * number) for number in range(1, 9)}
    save_section(file, "gates", of(camera_section, GatesCalibration, gates={**gates, "g77": GateCalibration(x_mm=1)}))
    confidence = of(
        camera_section, ConfidenceCalibration, bundle="other", temperature=1, exponent=0.5, sure_above=0.9, curve=()
    )
    save_section(file, "confidence", confidence)
    failing = {"pixels that clip": Residual(value=2.0, limit=0.5, unit="%")}
    save_section(file, "camera", camera_section.model_copy(update={"residuals": failing}))
    machine = (folder / "machine.yaml").read_text().replace("  height_px: 720\n", "  height_px: 720\n  gain: 3.5\n", 1)
    (folder / "machine.yaml").write_text(machine)
    assert sorted(line.split(": ", 1)[1].removeprefix("warning: ") for line in said(folder)) == [
        "camera.gain: holds, not machine.yaml's camera.gain 3.5: brickgate-calibrate camera, or take the section out of"
        " this file",
        "camera.residuals.pixels that clip: 2 % is above 0.5: brickgate-calibrate camera",
        "confidence.bundle: was measured with 'other', the machine runs 'universal': it is left out until"
        " brickgate-calibrate confidence",
        "gates.gates.g77: machine.yaml has no gate 'g77': it is left out",
        "gates: gate 'g9' was not measured: what machine.yaml says holds",
    ]


def test_servos_that_are_none_and_times_older_than_their_positions(folder, camera_section):
    file = folder / "calibration.yaml"
    gates = {f"g{number}": GateCalibration(x_mm=280 + 120 * number) for number in range(1, 10)}
    save_section(file, "gates", of(camera_section, GatesCalibration, gates=gates))
    pulse_us = {"g1": {"left": 1100, "pass": 1500, "right": 1900}}
    section = of(camera_section, PositionsCalibration, pulse_us=pulse_us)
    save_section(file, "positions", section.model_copy(update={"made_at": section.made_at + timedelta(minutes=1)}))
    assert sorted(line.split(": ", 1)[1].removeprefix("warning: ") for line in said(folder)) == [
        "gates.made_at: is older than the servos' positions of 2026-01-01 12:01: brickgate-calibrate gates",
        "positions.pulse_us.g1: machine.yaml has no servo 'g1' with the positions left, pass, right: what it says"
        " holds, until brickgate-calibrate positions",
    ]


def test_a_calibration_that_cannot_be_read_is_said_by_its_line(folder):
    (folder / "calibration.yaml").write_text("belt:\n  belt_mm_per_s: fast\n")
    lines = said(folder)
    assert "calibration.yaml:2: belt.belt_mm_per_s: 'fast' is no number" in lines


def test_the_machine_runs_by_its_calibration_unless_it_is_simulated(folder, belt_section):
    save_section(folder / "calibration.yaml", "belt", belt_section)
    files = str(folder / "machine.yaml"), str(folder / "bins.yaml")
    assert read_plans(*files).config.belt.belt_mm_per_s == belt_section.belt_mm_per_s
    assert read_plans(*files, measured=False).config.belt.belt_mm_per_s == 150


def test_a_models_confidence_replaces_the_bundles_and_says_so_beside_what_is_written(folder, camera_section):
    file, files = folder / "calibration.yaml", (str(folder / "machine.yaml"), str(folder / "bins.yaml"))
    before = read_plans(*files)
    confidence = of(
        camera_section, ConfidenceCalibration, bundle="universal", network=before.bundle.network, temperature=1.25,
        exponent=0.1, sure_above=0.93, curve=(),
    )  # fmt: skip
    save_section(file, "confidence", confidence)
    assert [line.split(": ", 1)[1] for line in said(folder)] == [
        "warning: confidence.sure_above: holds, not machine.yaml's fusion.sure_above 0.8: brickgate-calibrate"
        " confidence, or take the section out of this file",
    ]
    after = read_plans(*files)
    assert after.bundle.temperature == pytest.approx(1.25 * before.bundle.temperature)
    assert (after.config.fusion.sure_above, after.config.fusion.exponent) == (0.93, 0.1)
    # What was measured of one model says nothing about another.
    other = read_plans(*files, "starter")
    assert other.config.fusion.sure_above == before.config.fusion.sure_above
    assert other.calibration.confidence is None


@pytest.mark.parametrize("network", ["sha256:380282e45475", ""])
def test_the_confidence_of_another_version_of_the_model_is_left_out(folder, camera_section, network):
    """An update brings a network that was trained on under the same name. Files from before say nothing of it."""
    files = folder / "machine.yaml", folder / "bins.yaml"
    before = read_plans(str(files[0]), str(files[1]))
    assert re.fullmatch("sha256:[0-9a-f]{12}", before.bundle.network)
    confidence = of(
        camera_section, ConfidenceCalibration, bundle="universal", network=network, temperature=1.25, exponent=0.1,
        sure_above=0.93, curve=(),
    )  # fmt: skip
    save_section(folder / "calibration.yaml", "confidence", confidence)
    warned: list[str] = []
    after = read_plans(str(files[0]), str(files[1]), warn=warned.append)
    assert after.bundle.temperature == before.bundle.temperature
    assert after.config.fusion == before.config.fusion
    assert after.calibration.confidence is None
    line = (
        "warning: confidence.bundle: was measured with 'universal', the machine runs another version of it: it is left"
        " out until brickgate-calibrate confidence"
    )
    assert [told.split(": ", 1)[1] for told in warned] == [line]
    elsewhere: list[str] = []
    file = (folder / "calibration.yaml").rename(folder / "other.yaml")
    assert read_plans(*map(str, files), warn=elsewhere.append, measured=file).calibration.confidence is None
    assert elsewhere == [f"{file}: the confidence was measured with another version of the model: it is left out"]
    file.rename(folder / "calibration.yaml")
    told: list[str] = []
    assert check_files(files, None, told.append) == 0
    assert any(line in one for one in told)
    console = Console(record=True, width=300)
    machine = load_machine(files[0])
    print_status(machine, load_calibration(folder / "calibration.yaml"), folder / "calibration.yaml", console)
    assert "the machine runs another version of it" in console.export_text()
