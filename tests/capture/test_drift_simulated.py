"""On the simulated machine: a lamp that warms by 800 K, one that fades and a lens that creeps are told once
against what was calibrated; a calm belt with parts on it tells nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.capture.drift import CalibratedBelt, EdgeWidth
from edge.capture.health import CameraTrouble, FrameHealth, Notice
from edge.capture.measures import measure
from edge.catalogue.colours import load_colours
from edge.config import example
from edge.config.load import load_bins, load_machine
from edge.sim.build import SimMachine, build, sim_settings
from edge.sim.camera import CameraFault
from edge.sim.light import lamp_cast
from edge.sim.settings import HiddenCamera

FPS, PX_PER_MM, REGION = 3.0, 2.5, (0, 30, 640, 330)
SHARP = 1000 / 300


class Watched:
    """A small machine without lens errors, its belt running and parts coming; calibrated on its first frames."""

    def __init__(self) -> None:
        folder = example("west-18")
        machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
        small = {
            "width_px": 640, "height_px": 360, "px_per_mm": PX_PER_MM, "belt_region_px": REGION, "frames_per_s": FPS,
        }  # fmt: skip
        machine = machine.model_copy(update={"camera": machine.camera.model_copy(update=small)})
        settings = sim_settings(machine, bins, parts=10_000)
        camera = replace(settings.camera, hidden=HiddenCamera(lamp_k=5500.0, focus_dioptres=SHARP))
        self.sim: SimMachine = build(replace(settings, camera=camera), load_colours(), seed=6)
        self.sim.camera.start()
        self.sim.world.encoder.start()
        self.sim.world.belt_motor.start()
        self.told: list[Notice] = []
        edge, levels = EdgeWidth(REGION, PX_PER_MM, False), []
        for _ in range(20):
            image = self._frame().image_bgr
            edge.take(image)
            levels.append(measure(image, REGION).median_bgr)
        blue, green, red = np.mean(levels, axis=0).tolist()
        calibrated = CalibratedBelt((blue, green, red), edge.width_px)
        self.health = FrameHealth(REGION, PX_PER_MM, False, FPS, calibrated)
        self.sim.world.feeder.set_rate(60)

    def _frame(self):
        frame = self.sim.camera.next_frame(2.0)
        assert frame is not None
        return frame

    def run(self, duration_s: float) -> None:
        for _ in range(round(duration_s * FPS)):
            frame = self._frame()
            self.told += self.health.check(frame, frame.time_s).notices

    def said(self) -> list[tuple[CameraTrouble, bool, bool]]:
        return [(notice.trouble, notice.began, notice.calibrated) for notice in self.told]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_calm_run_with_parts_tells_nothing(watched: Watched) -> None:
    """Exposure and balance wander by some per cent, as they do."""
    watched.run(150)
    assert watched.told == []


def test_a_lamp_that_warms_by_800_k_is_told_once(watched: Watched) -> None:
    for lamp_k in np.linspace(5500, 4700, 9).tolist():
        watched.sim.camera.imager.cast = lamp_cast(lamp_k)
        watched.run(8)
    watched.run(20)
    assert watched.said() == [(CameraTrouble.DRIFTING, True, True)]


def test_a_lamp_that_fades_is_told_once(watched: Watched) -> None:
    watched.sim.camera.fail(CameraFault.FADING)
    watched.run(40)
    assert watched.said() == [(CameraTrouble.DRIFTING, True, True)]


def test_a_lens_that_creeps_is_told_once(watched: Watched) -> None:
    imager = watched.sim.camera.imager
    for focus in np.linspace(SHARP, SHARP + 4, 9).tolist():
        watched.sim.camera.lock(replace(imager.wanted, focus_dioptres=focus))
        watched.run(8)
    watched.run(30)
    assert watched.said() == [(CameraTrouble.BLURRED, True, True)]
