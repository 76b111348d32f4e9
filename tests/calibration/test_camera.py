"""The camera of a simulated machine is locked so that its belt is bright, sharp and clips nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.camera import STEP, TARGET_LEVEL, CameraData, peak_of, sharpness
from calibration.rig import Rig
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, check, run_step
from edge.config import example
from edge.config.load import load_bins, load_machine
from edge.records import CameraLock
from edge.sim.build import sim_settings
from edge.sim.hidden import draw_hidden
from edge.sim.laid import Glare

MACHINE, BINS = load_machine(example("west-18") / "machine.yaml"), load_bins(example("west-18") / "bins.yaml")


def _rig(seed: int = 2, **truth: float) -> Rig:
    drawn = draw_hidden(MACHINE, sim_settings(MACHINE, BINS, parts=1), seed)
    return simulated_rig(MACHINE, BINS, seed, replace(drawn, **truth))


def _operator(rig: Rig) -> SimOperator:
    assert isinstance(rig.operator, SimOperator)
    return rig.operator


@pytest.mark.parametrize(("lamp", "focus"), [(0.6, 2.0), (1.6, 5.0)])
def test_a_dim_or_glaring_blurred_camera_comes_out_bright_and_sharp(lamp: float, focus: float) -> None:
    rig = _rig(lamp=lamp, focus_dioptres=focus)
    section = STEP.fit(rig, STEP.collect(rig)).section
    check("camera", section)
    assert max(section.belt_bgr) == pytest.approx(TARGET_LEVEL, abs=12)
    assert max(section.belt_bgr) - min(section.belt_bgr) < 6
    assert section.focus_dioptres == pytest.approx(focus, abs=0.4)
    assert section.exposure_s * MACHINE.belt.belt_mm_per_s <= 0.3 + 1e-9
    assert _operator(rig).took_s <= 30


def test_the_camera_stays_locked_and_the_section_is_written(tmp_path: Path) -> None:
    rig = _rig()
    rig.pictures = tmp_path
    run_step(STEP, rig, tmp_path / "calibration.yaml")
    section = rig.calibration.camera
    assert section
    assert rig.controls
    assert rig.controls.locked() == CameraLock(
        section.exposure_s, section.gain, section.white_balance, section.focus_dioptres
    )
    assert rig.config.camera.focus_dioptres == section.focus_dioptres
    assert (tmp_path / "camera.png").exists()


@pytest.mark.parametrize(
    ("lamp", "reason"), [(0.005, "give it more light"), (2000.0, "dim the lamp|or less")], ids=["dark", "glaring"]
)
def test_too_little_and_too_much_light_are_refused(lamp: float, reason: str) -> None:
    rig = _rig(lamp=lamp)
    with pytest.raises(RefusedError, match=reason) as refused:
        STEP.fit(rig, STEP.collect(rig))
    assert "\n" not in str(refused.value)


def test_a_lamp_mirrored_in_the_belt_is_refused_and_the_old_calibration_stays(tmp_path: Path) -> None:
    rig = _rig()
    own = _operator(rig)
    file = tmp_path / "calibration.yaml"
    file.write_text("version: 1\n")

    class Careless(SimOperator):
        def do(self, task):
            answer = SimOperator.do(self, task)
            self.sim.camera.laid.append(Glare(500, 400))
            return answer

    rig.operator = Careless(own.sim, own.truth)
    with pytest.raises(RefusedError, match="a lamp is mirrored in the belt around"):
        run_step(STEP, rig, file)
    assert file.read_text() == "version: 1\n"


def test_a_recording_cannot_be_locked() -> None:
    rig = _rig()
    rig.controls = None
    with pytest.raises(RefusedError, match="a recording is as it was taken"):
        STEP.collect(rig)


def test_a_light_that_flickers_does_not_pass() -> None:
    rig = _rig()
    shots = tuple(np.full((720, 1280, 3), level, np.uint8) for level in (180, 190, 200))
    fit = STEP.fit(rig, CameraData(CameraLock(0.002, 2.0, (1.0, 1.0)), shots, ()))
    with pytest.raises(RefusedError, match="swing of the light"):
        check("camera", fit.section)


def test_noise_is_no_sharpness() -> None:
    rng = np.random.default_rng(1)
    flat = [np.clip(rng.normal(150, 4, (120, 160, 3)), 0, 255).astype(np.uint8) for _ in range(4)]
    grain = rng.normal(0, 2, (120, 160, 1))
    real = [np.clip(rng.normal(150, 4, (120, 160, 3)) + grain, 0, 255).astype(np.uint8) for _ in range(4)]
    assert sharpness(real) > 4 * sharpness(flat)


def test_the_peak_lies_between_the_steps() -> None:
    sweep = [(focus, 5 - (focus - 3.3) ** 2) for focus in (2.0, 3.0, 4.0, 5.0)]
    assert peak_of(sweep) == pytest.approx(3.3)
    assert peak_of([(0.0, 3.0), (1.0, 2.0), (2.0, 1.0)]) == 0.0
