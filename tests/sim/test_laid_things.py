"""Sheets and bricks that are laid on the belt lie where they were laid, as high as they are."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.catalogue.colours import find_colour, load_colours
from edge.sim.build import SimMachine, build
from edge.sim.laid import Brick, Glare, Place, Sheet
from edge.sim.settings import CameraSettings, HiddenCamera, Layout, SimSettings
from edge.sim.settings import GateSettings as Gate
from edge.sim.sprites import SpriteAtlas

COLOURS = load_colours()
STILL = CameraSettings(
    width_px=640, height_px=360, px_per_mm=2.5, region_px=(0, 30, 640, 330), noise=0.5, drift=0.0, vignetting=0.0
)
SEEN_MM = 256.0


@pytest.fixture(scope="module")
def atlas() -> SpriteAtlas:
    return SpriteAtlas()


def _machine(atlas: SpriteAtlas, camera: CameraSettings = STILL) -> SimMachine:
    layout = Layout("g1", {"g1": {"pass": "rest", "push": "a"}}, "rest")
    machine = build(SimSettings((Gate("g1", 400.0, ("pass", "push"), "pass"),), layout, camera=camera), COLOURS, seed=3)
    machine.camera.start()
    machine.world.encoder.start()
    return machine


def _brick(along_mm: float, y_mm: float, yaw_deg: float = 0.0, studs: tuple[int, int] = (4, 2)) -> Brick:
    red = find_colour("Red", COLOURS)
    assert red
    return Brick(studs, red, Place(x_belt_mm=-along_mm, y_mm=y_mm, yaw_deg=yaw_deg))


def _extent_mm(machine: SimMachine, brick: Brick) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what it covers, in mm from the picture's middle."""
    machine.camera.laid[:] = []
    bare = machine.camera.picture().astype(int)
    machine.camera.laid[:] = [brick]
    image = machine.camera.picture().astype(int)
    red = (image[..., 2] - image[..., 0]) - (bare[..., 2] - bare[..., 0]) > 50
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    ends = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) - (320, 180, 320, 180)
    return tuple((ends / 2.5).tolist())


def test_a_brick_under_the_camera_shows_its_top_a_little_larger_than_it_is(atlas):
    extent = _extent_mm(_machine(atlas), _brick(SEEN_MM / 2, 0.0))
    nearer = 300 / (300 - 9.6)
    assert extent == pytest.approx(np.array([-15.9, -7.9, 15.9, 7.9]) * nearer, abs=0.5)


def test_a_brick_far_off_shows_its_base_towards_the_camera_and_its_top_away_from_it(atlas):
    left, _, right, _ = _extent_mm(_machine(atlas), _brick(SEEN_MM / 2 + 90.0, 0.0))
    assert left == pytest.approx(90 - 15.9, abs=0.5)
    assert right == pytest.approx((90 + 15.9) * 300 / (300 - 9.6), abs=0.5)


def test_a_turned_brick_is_turned_clockwise_and_lies_right_of_the_way(atlas):
    left, top, right, bottom = _extent_mm(_machine(atlas), _brick(SEEN_MM / 2, 20.0, yaw_deg=90.0, studs=(2, 1)))
    assert right - left == pytest.approx(7.8 * 300 / 290, abs=0.8)
    assert bottom - top == pytest.approx(15.8 * 300 / 290, abs=0.9)
    assert (top + bottom) / 2 == pytest.approx(20.0, abs=0.8)


def test_laid_things_ride_with_the_belt(atlas):
    machine = _machine(atlas)
    brick = _brick(60.0, 0.0)
    before = _extent_mm(machine, brick)
    machine.world.belt.travel_mm += 40.0
    after = _extent_mm(machine, brick)
    assert (after[0] + after[2] - before[0] - before[2]) / 2 == pytest.approx(40.0, abs=1.5)


@pytest.mark.parametrize("direction", ["right", "down", "left", "up"])
def test_a_sheet_lies_with_its_right_along_the_belts_way(atlas, direction):
    region = (170, 0, 470, 360) if direction in ("up", "down") else STILL.region_px
    camera = replace(STILL, direction=direction, region_px=region)
    machine = _machine(atlas, camera)
    printed = np.full((200, 400), 255, np.uint8)
    printed[90:110, 340:360] = 0
    machine.camera.laid[:] = [Sheet(printed, 5.0, Place(x_belt_mm=-camera.seen_mm / 2))]
    grey = cv2.cvtColor(machine.camera.picture(), cv2.COLOR_BGR2GRAY)
    v, u = np.nonzero((grey < 60) & (np.abs(np.mgrid[-180:180, -320:320]).max(axis=0) < 105))
    ahead = {"right": (1, 0), "down": (0, 1), "left": (-1, 0), "up": (0, -1)}[direction]
    # The mark's middle is 30 mm ahead of the sheet's.
    assert (u.mean() - 319.5, v.mean() - 179.5) == pytest.approx(np.array(ahead) * 75, abs=0.6)


def test_a_lamp_mirrored_in_the_belt_clips_and_stays_when_the_belt_moves(atlas):
    machine = _machine(atlas)
    machine.camera.laid[:] = [Glare(200, 150)]
    assert machine.camera.picture()[150, 200].min() == 255
    machine.world.belt.travel_mm += 60.0
    assert machine.camera.picture()[150, 200].min() == 255


def test_behind_a_view_laid_things_are_where_the_view_says(atlas):
    hidden = HiddenCamera(pitch_deg=2.0, roll_deg=2.0, yaw_deg=-3.0, k1=-0.1)
    machine = _machine(atlas, replace(STILL, hidden=hidden))
    printed = np.zeros((60, 60), np.uint8)
    machine.camera.laid[:] = [Sheet(printed, 10.0, Place(x_belt_mm=-(SEEN_MM / 2 + 80.0), y_mm=-30.0))]
    dark = cv2.cvtColor(machine.camera.picture(), cv2.COLOR_BGR2GRAY)[60:300] < 60
    v, u = np.nonzero(dark)
    view = machine.camera._view
    assert view
    straight = view.straight(np.array([[u.mean(), v.mean() + 60]]))[0]
    assert straight == pytest.approx((319.5 + 200, 179.5 - 75), abs=0.6)
