"""The walk goes on after a refusal as the operator wants, and what is refused leaves the machine at rest."""

from datetime import timedelta

import cv2
import numpy as np
import pytest

import calibration.walk
from calibration.simulated import simulated_rig
from calibration.step import Fit, RefusedError, Step, run_step
from calibration.walk import AGAIN, END, SKIP, walk
from edge.config.calibrated import load_calibration
from edge.config.calibration import Residual
from edge.config.load import load_bins, load_machine


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
    walked = walk(rig, folder / "calibration.yaml", None, said.append, ("camera", "belt"))
    return walked, said, load_calibration(folder / "calibration.yaml")


def test_a_walk_writes_every_step_and_goes_on_with_it(rig, steps, folder, camera_section, belt_section):
    walked, said, written = go(rig, folder)
    assert walked.whole
    assert walked.done == ("camera", "belt")
    assert (written.camera, written.belt) == (camera_section, belt_section)
    assert rig.config.belt.belt_mm_per_s == belt_section.belt_mm_per_s
    assert said == ["step 1 of 2: the camera", "camera: done", "step 2 of 2: the belt", "belt: done"]
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


def test_a_residual_over_its_limit_is_refused_and_nothing_written(rig, folder, belt_section, camera_section):
    bad = belt_section.model_copy(update={"residuals": {"speed": Residual(value=0.7, limit=0.5, unit="%")}})
    file = folder / "calibration.yaml"
    step = Step("belt", "the belt", lambda rig: None, lambda rig, _: Fit(bad, np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(RefusedError, match=r"belt: speed is 0.7 %, at most 0.5 may be: the old calibration stays"):
        run_step(step, rig, file, folder / "pictures")
    assert not file.exists()
    assert cv2.imread(str(folder / "pictures" / "belt.png")) is not None, "the picture shows what went wrong"


def test_the_date_is_the_rigs(rig):
    first = rig.now()
    rig.wait_until(rig.clock.now_s() + 3600)
    assert rig.now() - first == timedelta(hours=1)
