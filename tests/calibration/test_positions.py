"""Servos are nudged until somebody says that they stand right; what is not right is refused."""

import cv2
import fake_i2c
import pytest

from calibration.ended import END
from calibration.live import live_rig
from calibration.positions import LOOK_S, RIGHT, STEP, collect, fit
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, check, run_step
from edge.clock import VirtualClock
from edge.config import example
from edge.config.calibrated import load_calibration
from edge.config.calibration import Calibration
from edge.config.gates import SimGateConfig
from edge.config.load import load_bins, load_machine
from edge.config.schema import MachineConfig
from edge.machine import read_plans
from edge.simulate import SimulateOptions

PULSES = "pulse_us: {left: 1100, pass: 1500, right: 1900}"
SEEN_US = 12
"""As near as a simulated eye is."""


@pytest.fixture
def folder(tmp_path):
    """beginner-4 with simulated servos."""
    for name in ("machine.yaml", "bins.yaml"):
        (tmp_path / name).write_text((example("beginner-4") / name).read_text())
    machine = (tmp_path / "machine.yaml").read_text()
    (tmp_path / "machine.yaml").write_text(machine.replace("positions: [left, pass, right]}", f"{PULSES}}}"))
    return tmp_path


def rig_of(folder, seed=5):
    file = folder / "calibration.yaml"
    machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
    return simulated_rig(machine, bins, seed, calibration=load_calibration(file)), file


class Saying:
    """An operator who gives these answers, the last one over and over."""

    def __init__(self, *answers):
        self.answers, self.asked, self.said = list(answers), [], []

    def do(self, task):
        self.asked.append(task)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def say(self, line):
        self.said.append(line)


def test_every_position_of_every_servo_is_found(folder):
    rig, file = rig_of(folder)
    assert isinstance(rig.operator, SimOperator)
    rig.pictures = folder / "fits"
    found = run_step(STEP, rig, file)
    assert found.positions is not None
    check_told(found.positions, rig)
    assert cv2.imread(str(folder / "fits" / "positions.png")) is not None
    for gate, truth in rig.operator.truth.gates.items():
        off_us = [
            abs(us - true_us)
            for us, true_us in zip(found.positions.pulse_us[gate].values(), truth.pulses_us, strict=True)
        ]
        assert max(off_us) <= SEEN_US
        assert max(abs(us - true_us) for us, true_us in zip((1100, 1500, 1900), truth.pulses_us, strict=True)) > 40
    assert load_calibration(file) == found
    assert rig.operator.took_s < 150
    (gate, _) = rig.config.gates
    assert isinstance(gate, SimGateConfig)
    assert gate.pulse_us == found.positions.pulse_us["first"]


def check_told(section, rig):
    """The residuals against the hidden truth and against machine.yaml."""
    off = {
        name: [us - written_us for us, written_us in zip(found.values(), (1100, 1500, 1900), strict=True)]
        for name, found in section.pulse_us.items()
    }
    told = {what: residual.value for what, residual in section.residuals.items()}
    assert told["rest off by"] == max(abs(own[1]) for own in off.values())
    assert told["a gate's corrections differ by"] == max(max(own) - min(own) for own in off.values())
    assert 0 < told["rest found again within"] <= 2 * SEEN_US, "from beside it nobody comes back exactly"
    assert all(residual.passes and residual.unit == "µs" for residual in section.residuals.values())


@pytest.mark.parametrize("seed", range(20, 40))
def test_every_machine_is_found_within_what_an_eye_sees(folder, seed):
    rig, _ = rig_of(folder, seed)
    assert isinstance(rig.operator, SimOperator)
    data = collect(rig)
    check("positions", fit(rig, data).section)
    for gate, found_us in data.found_us.items():
        truth = rig.operator.truth.gates[gate].pulses_us
        assert max(abs(us - true) for us, true in zip(found_us.values(), truth, strict=True)) <= 2 * SEEN_US


def test_who_begins_again_begins_at_what_was_found(folder):
    rig, file = rig_of(folder)
    run_step(STEP, rig, file)
    again, _ = rig_of(folder)
    assert isinstance(again.operator, SimOperator)
    run_step(STEP, again, file)
    assert again.operator.took_s < 45


def test_a_machine_sorts_by_the_positions_that_were_found(folder):
    """Servos off by 100 µs stand a quarter of the way from where they should: parts strike them."""
    rig, file = rig_of(folder)
    run_step(STEP, rig, file)
    files = str(folder / "machine.yaml"), str(folder / "bins.yaml")
    options = SimulateOptions(8, 30.0, 11, hidden=5)

    def gates_of(measured):
        from edge.simulate import built

        sim, _ = built(read_plans(*files, measured=measured), options)
        gate = sim.world.gates["first"]
        gate.move_to("left")
        sim.world.advance_to(1.0)
        return gate.held(0.9, 1.0)

    assert gates_of(False) is None
    assert gates_of(file) == "left"


def test_a_real_servo_is_nudged_and_holds_what_was_found(folder, monkeypatch):
    i2c = fake_i2c.install(monkeypatch, 0x40)
    fake = MachineConfig.model_validate(
        {
            "camera": {"driver": "frames", "path": str(folder), "px_per_mm": 5.0, "belt_region_px": (0, 0, 64, 48)},
            "belt": {"belt_mm_per_s": 100.0},
            "gates": [
                {
                    "name": "g1", "driver": "pca9685", "x_mm": 400.0, "channel": 2,
                    "pulse_us": {"left": 1100, "pass": 1500, "right": 1900},
                }
            ],
        }
    )  # fmt: skip
    monkeypatch.setattr("calibration.live.make_camera", lambda *made: _NoCamera())
    bins = load_bins(folder / "bins.yaml")
    operator = Saying("++", "+", RIGHT, "-", RIGHT, RIGHT, "yes", "--", RIGHT)
    with live_rig(fake, bins, Calibration(), operator, VirtualClock()) as rig:
        data = collect(rig)
        assert i2c.chips[0x40].pulse_us(2) == pytest.approx(1560, abs=3)
    assert data.found_us == {"g1": {"left": 1150, "pass": 1560, "right": 1960}}
    assert data.again_us == {"g1": {"pass": 1565}}
    section = fit(rig, data).section
    told = {what: residual.value for what, residual in section.residuals.items()}
    assert told == {
        "rest off by": 60,
        "a gate's corrections differ by": 10,
        "rest found again within": 5,
    }
    measured = Calibration(positions=section)
    with live_rig(fake, bins, measured, operator, VirtualClock()) as rig:
        rig.gates["g1"].move_to("left")
        assert i2c.chips[0x40].pulse_us(2) == pytest.approx(1150, abs=3)


class _NoCamera:
    def start(self):
        pass

    def close(self):
        pass


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((RIGHT, END), r"ended at first 'left': the old positions hold"),
        (("+",), r"first 'pass' is not right after 60 nudges: look whether its servo moves"),
        (
            (RIGHT, *["++"] * 8, RIGHT, RIGHT, *[RIGHT] * 3, "yes", "yes", RIGHT),
            r"'left' and 'pass' of first are 0 µs apart",
        ),
        ((*[RIGHT] * 6, "no"), r"first does not come back to where it was: tighten its horn"),
        (
            (*[RIGHT] * 6, "yes", "yes", RIGHT),
            r"rest found again within is 55 µs, at most 40 may be: the old calibration stays",
        ),
        (
            (*["++"] * 10, RIGHT, *[RIGHT] * 5, "yes", "yes", "--", RIGHT),
            r"rest off by is 500 µs, at most 400 may be: the old calibration stays",
        ),
        (
            (RIGHT, *["--"] * 9, RIGHT, RIGHT, *[RIGHT] * 3, "yes", "yes", "--", RIGHT),
            r"a gate's corrections differ by is 450 µs, at most 400 may be: the old calibration stays",
        ),
        (
            (RIGHT, *["++"] * 10, RIGHT, RIGHT, *[RIGHT] * 3, "yes", "yes", RIGHT),
            r"first turns through pass, left, right, and by machine.yaml through left, pass, right",
        ),
    ],
    ids=["ended", "never right", "same place", "play", "loose", "horn off", "uneven", "another order"],
)
def test_what_is_not_right_is_refused_and_the_old_positions_stay(folder, answers, reason):
    rig, file = rig_of(folder)
    run_step(STEP, rig, file)
    before = file.read_text()
    rig.operator = Saying(*answers)
    rig.calibrate(Calibration())
    with pytest.raises(RefusedError, match=reason):
        run_step(STEP, rig, file)
    assert file.read_text() == before


def test_nudging_stops_at_the_limits_of_a_servo(folder):
    rig, _ = rig_of(folder)
    operator = Saying(*["++"] * 30, RIGHT, END)
    rig.operator = operator
    with pytest.raises(RefusedError, match="ended at first 'left'"):
        collect(rig)
    assert sum("put the horn on another tooth" in line for line in operator.said) == 2
    assert all(task.takes_s == LOOK_S for task in operator.asked)


def test_a_machine_without_servos_has_nothing_to_nudge():
    beginner = example("beginner-4")
    rig = simulated_rig(load_machine(beginner / "machine.yaml"), load_bins(beginner / "bins.yaml"), 1)
    with pytest.raises(RefusedError, match=r"machine\.yaml has no servo gate"):
        collect(rig)
