"""The walk goes on after a refusal as the operator wants, and what is refused leaves the machine at rest."""

from datetime import timedelta

import cv2
import numpy as np
import pytest

import calibration.walk
from calibration.file import save_section
from calibration.simulated import simulated_rig
from calibration.step import Fit, RefusedError, Step, run_step
from calibration.steps import step
from calibration.walk import AGAIN, END, SKIP, walk
from edge.config.calibrated import load_calibration
from edge.config.calibration import Calibration, Residual
from edge.config.load import load_bins, load_machine
from edge.errors import BundleError


class Answering:
    """An operator who answers what the test says, in order."""

    def __init__(self, *answers):
        self.answers, self.said, self.tasks = list(answers), [], []

    def do(self, task):
        self.tasks.append(task)
        return self.answers.pop(0)

    def say(self, line):
        self.said.append(line)


@pytest.fixture
def rig(folder):
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 1)
    rig.operator = Answering()
    return rig


@pytest.fixture
def steps(monkeypatch, belt_section, camera_section):
    """Two steps; `belt` starts the belt, turns a gate and is refused as often as `refusals` says."""
    told = {"refusals": 0, "tries": 0}

    def collect_belt(rig):
        told["tries"] += 1
        rig.belt_motor.start()
        rig.gates["g1"].move_to("left")
        if told["tries"] <= told["refusals"]:
            raise RefusedError("belt: it does not move: plug it in")

    made = {
        "camera": Step("camera", "the camera", lambda rig: None, lambda rig, _: Fit(camera_section, notes=("dim",))),
        "belt": Step("belt", "the belt", collect_belt, lambda rig, _: Fit(belt_section)),
    }
    monkeypatch.setattr(calibration.walk, "step", made.__getitem__)
    return told


def go(rig, folder, *answers):
    rig.operator.answers = list(answers)
    said = []
    walked = walk(rig, folder / "calibration.yaml", said.append, ("camera", "belt"))
    return walked, said, load_calibration(folder / "calibration.yaml")


def test_a_walk_writes_every_step_and_goes_on_with_it(rig, steps, folder, camera_section, belt_section):
    walked, said, written = go(rig, folder)
    assert walked.whole
    assert walked.done == ("camera", "belt")
    assert (written.camera, written.belt) == (camera_section, belt_section)
    assert rig.config.belt.belt_mm_per_s == belt_section.belt_mm_per_s
    done = [f"{name}: done, written to {folder}/calibration.yaml" for name in ("camera", "belt")]
    assert said == ["step 1 of 2: the camera", done[0], "step 2 of 2: the belt", done[1]]
    assert rig.operator.said == ["dim"]


def test_a_refused_step_is_done_again_when_wanted(rig, steps, folder):
    steps["refusals"] = 2
    walked, said, written = go(rig, folder, AGAIN, AGAIN)
    assert walked.whole
    assert steps["tries"] == 3
    assert said.count("refused: belt: it does not move: plug it in") == 2
    assert written.belt is not None


@pytest.mark.parametrize("answer", [SKIP, END])
def test_a_step_that_stays_refused_keeps_the_old_calibration_and_rests(rig, steps, folder, answer):
    steps["refusals"] = 9
    walked, _, written = go(rig, folder, answer)
    assert walked.left_out == ("belt",)
    assert written.belt is None
    assert written.camera is not None
    rig.wait_until(rig.clock.now_s() + 2.0)
    before_mm = rig.encoder.belt_mm()
    rig.wait_until(rig.clock.now_s() + 2.0)
    assert rig.encoder.belt_mm() == before_mm


def test_a_step_that_is_left_out_says_what_holds(rig, steps, folder, belt_section):
    steps["refusals"] = 9
    _, said, _ = go(rig, folder, SKIP)
    assert said[-1] == "belt: left out, what machine.yaml says holds"
    save_section(folder / "calibration.yaml", "belt", belt_section)
    _, said, _ = go(rig, folder, SKIP)
    assert said[-1] == "belt: left out, the calibration of 2026-01-01 12:00 holds"


def test_a_walk_goes_on_when_something_else_is_missing(rig, steps, folder, monkeypatch):
    def missing(rig):
        raise BundleError("no bundle nosuch")

    steps["refusals"] = 0
    first = calibration.walk.step("camera")
    made = {"camera": first, "belt": Step("belt", "the belt", missing, lambda rig, _: Fit(None))}
    monkeypatch.setattr(calibration.walk, "step", made.__getitem__)
    walked, said, _ = go(rig, folder, SKIP)
    assert walked.left_out == ("belt",)
    assert "refused: no bundle nosuch" in said


def test_the_simulated_hands_know_what_to_do_about_a_refused_step(steps, folder):
    steps["refusals"] = 9
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 1)
    walked = walk(rig, folder / "calibration.yaml", lambda line: None, ("camera", "belt"))
    assert walked.left_out == ("belt",)
    assert steps["tries"] == 2


@pytest.mark.parametrize(("name", "wanted"), [("belt", "plane"), ("gates", "plane and belt")])
def test_what_rests_on_another_step_is_refused_without_it(rig, folder, name, wanted):
    file = folder / "calibration.yaml"
    with pytest.raises(
        RefusedError, match=f"^{name}: {wanted} must be measured before, .*: brickgate-calibrate plane$"
    ):
        run_step(step(name), rig, file)
    assert not file.exists()


def test_a_simulated_machine_that_goes_on_begins_after_what_it_measured(rig, folder, belt_section):
    later = belt_section.model_copy(update={"made_at": rig.now() + timedelta(days=3)})
    machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
    again = simulated_rig(machine, bins, 1, calibration=Calibration(belt=later))
    assert again.now() > later.made_at


def test_a_picture_that_cannot_be_kept_loses_nothing(rig, folder, belt_section):
    file, blocked = folder / "calibration.yaml", folder / "pictures"
    blocked.write_text("a file")
    one = Step("belt", "the belt", lambda rig: None, lambda rig, _: Fit(belt_section, np.zeros((4, 4, 3), np.uint8)))
    rig.pictures = blocked
    run_step(one, rig, file)
    assert load_calibration(file).belt == belt_section
    assert rig.operator.said == [f"{blocked}/belt.png cannot be written: the picture is not kept"]


def test_a_residual_over_its_limit_is_refused_and_nothing_written(rig, folder, belt_section, camera_section):
    bad = belt_section.model_copy(update={"residuals": {"speed": Residual(value=0.7, limit=0.5, unit="%")}})
    file = folder / "calibration.yaml"
    bad_step = Step("belt", "the belt", lambda rig: None, lambda rig, _: Fit(bad, np.zeros((4, 4, 3), np.uint8)))
    rig.pictures = folder / "pictures"
    with pytest.raises(RefusedError, match=r"belt: speed is 0.7 %, at most 0.5 may be: the old calibration stays"):
        run_step(bad_step, rig, file)
    assert not file.exists()
    assert cv2.imread(str(folder / "pictures" / "belt.png")) is not None, "the picture shows what went wrong"


def test_the_date_is_the_rigs(rig):
    first = rig.now()
    rig.wait_until(rig.clock.now_s() + 3600)
    assert rig.now() - first == timedelta(hours=1)
