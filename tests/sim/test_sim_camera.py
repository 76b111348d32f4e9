"""What the simulated camera sees is what the truth says."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.catalogue.colours import find_colour, load_colours
from edge.errors import HardwareError
from edge.hardware.interfaces import Camera
from edge.sim.build import SimMachine, build
from edge.sim.camera import CameraFault
from edge.sim.parts import SimPart, turn_outline
from edge.sim.settings import CameraSettings, FeedSettings, GateSettings, HiddenCamera, Layout, SimSettings
from edge.sim.sprites import SpriteAtlas

COLOURS = load_colours()
STILL = CameraSettings(width_px=640, height_px=360, px_per_mm=2.5, region_px=(0, 30, 640, 330), noise=1.0)
UPRIGHT = replace(STILL, region_px=(170, 0, 470, 360))
REGIONS = {"right": STILL, "left": STILL, "down": UPRIGHT, "up": UPRIGHT}


@pytest.fixture(scope="module")
def atlas() -> SpriteAtlas:
    return SpriteAtlas()


def _machine(atlas: SpriteAtlas, camera: CameraSettings = STILL, seed: int = 3, parts: int = 2) -> SimMachine:
    gate = GateSettings("g1", 400.0, ("pass", "push"), "pass")
    layout = Layout("g1", {"g1": {"pass": "rest", "push": "a"}}, "rest")
    settings = SimSettings((gate,), layout, feed=FeedSettings(parts=parts), camera=camera)
    machine = build(settings, COLOURS, seed=seed, atlas=atlas)
    machine.camera.start()
    machine.world.encoder.start()
    machine.world.belt_motor.start()
    return machine


def _put(
    machine: SimMachine, atlas: SpriteAtlas, along_mm: float, *, family="3001", colour="Red", yaw_deg=0.0, y_mm=0.0
):
    """Lay a part on the belt, its middle so far from the upstream edge of the picture."""
    pose = next(shape for shape in atlas.shapes if shape.family == family).poses[0]
    found = find_colour(colour, COLOURS)
    assert found
    part = SimPart(
        0, family, family, found, 0, yaw_deg, pose.height_mm, turn_outline(pose.outline_mm, yaw_deg), y_mm,
        x_belt_mm=machine.world.belt.travel_mm - along_mm,
    )  # fmt: skip
    machine.world._on_way[0] = part
    return part


def _difference(machine: SimMachine, atlas: SpriteAtlas, along_mm: float, **how) -> np.ndarray:
    """Where the picture with a part differs from the picture without: (H, W) of the greatest channel."""
    machine.world._on_way.clear()
    bare = machine.camera.picture()
    _put(machine, atlas, along_mm, **how)
    return np.abs(machine.camera.picture().astype(int) - bare).max(axis=2)


@pytest.mark.parametrize("direction", ["right", "left", "down", "up"])
@pytest.mark.parametrize("yaw_deg", [0.0, 50.0])
def test_a_part_lies_where_the_truth_says(atlas, direction, yaw_deg):
    camera = replace(REGIONS[direction], direction=direction)
    machine = _machine(atlas, camera)
    along_mm, y_mm = camera.seen_mm / 2, 12.0
    part = _put(machine, atlas, along_mm, yaw_deg=yaw_deg, y_mm=y_mm)
    blue, _, red = np.moveaxis(machine.camera.picture().astype(int), 2, 0)
    v, u = np.nonzero(red - blue > 50)
    along, across = part.outline_mm.T
    scene = machine.camera._scene
    corners = np.array([scene.pixel(along_mm + a, y_mm + c) for a, c in zip(along, across, strict=True)])
    # Its top is nearer to the camera than the belt: a little larger than its outline on the belt.
    assert np.allclose([u.min(), v.min()], corners.min(axis=0), atol=3.0)
    assert np.allclose([u.max() + 1, v.max() + 1], corners.max(axis=0), atol=3.0)


def test_the_belts_region_ends_where_the_frame_begins(atlas):
    machine = _machine(atlas)
    seen = _difference(machine, atlas, 30.0, y_mm=58.0) > 30
    assert seen.any()
    assert not seen[:30].any()
    assert not seen[330:].any()


@pytest.mark.parametrize(("colour", "strongest"), [("Red", 2), ("Blue", 0), ("Green", 1)])
def test_a_part_has_its_colour(atlas, colour, strongest):
    machine = _machine(atlas)
    part = _put(machine, atlas, 128.0, family="3068", colour=colour)
    u, v = machine.camera._scene.pixel(128.0, 0.0)
    patch = machine.camera.picture()[round(v) - 5 : round(v) + 5, round(u) - 5 : round(u) + 5].mean(axis=(0, 1))
    assert patch.argmax() == strongest
    wanted = np.array(part.colour.rgb[::-1], float)
    assert np.corrcoef(patch, wanted)[0, 1] > 0.95


def test_black_is_dark_white_is_bright_and_clear_plastic_lets_the_belt_through(atlas):
    machine = _machine(atlas)
    u, v = (round(place) for place in machine.camera._scene.pixel(128.0, 0.0))
    seen = {}
    for colour in ("Black", "White", "Trans-Clear"):
        machine.world._on_way.clear()
        machine.camera._actors._costumes.clear()
        _put(machine, atlas, 128.0, family="3068", colour=colour)
        seen[colour] = float(machine.camera.picture()[v - 5 : v + 5, u - 5 : u + 5].mean())
    assert seen["Black"] < 90
    assert seen["White"] > 190
    assert seen["Black"] + 40 < seen["Trans-Clear"]


def test_the_view_angle_changes_along_the_belt(atlas):
    """A tall part shows its upstream side to a camera that is upstream of it, and its downstream side to one that is
    not: its picture reaches out further from its place on the side away from the camera."""
    machine = _machine(atlas)
    for along_mm, away in ((30.0, -1), (226.0, 1)):
        machine.camera._actors._costumes.clear()
        u = np.nonzero(_difference(machine, atlas, along_mm, family="3005") > 60)[1]
        middle = machine.camera._scene.pixel(along_mm, 0.0)[0]
        assert away * ((u.min() + u.max() + 1) / 2 - middle) > 1.5


def test_an_empty_belt_shows_no_part_but_moves(atlas):
    machine = _machine(atlas)
    first = machine.camera.picture()
    region = machine.camera._scene.region
    smooth = cv2.GaussianBlur(region(first), (0, 0), 4).astype(int)
    assert np.abs(smooth - np.median(smooth, axis=(0, 1))).max() < 45
    machine.world.feeder.set_rate(0)
    machine.world.advance_to(0.35)
    moved_px = machine.world.belt.travel_mm * STILL.px_per_mm
    later = machine.camera.picture()
    shift, _ = cv2.phaseCorrelate(_detail(region(first)), _detail(region(later)))
    assert shift[0] == pytest.approx(moved_px, abs=1.5)


def _detail(picture: np.ndarray) -> np.ndarray:
    grey = picture.astype(np.float64).mean(axis=2)
    return cv2.GaussianBlur(grey, (0, 0), 1.5) - cv2.GaussianBlur(grey, (0, 0), 30)


def test_frames_come_in_rhythm_with_the_machines_belt_reading(atlas):
    machine = _machine(atlas, parts=3)
    camera: Camera = machine.camera
    machine.world.feeder.set_rate(60)
    frames = [camera.next_frame(1.0) for _ in range(5)]
    assert all(frame is not None and frame.image_bgr.shape == (360, 640, 3) for frame in frames)
    assert [frame.index for frame in frames if frame] == [0, 1, 2, 3, 4]
    assert [frame.time_s for frame in frames if frame] == pytest.approx([(k + 1) / 12 for k in range(5)])
    assert frames[-1] and frames[-1].belt_mm == machine.world.encoder.belt_mm()


def test_frames_end_when_the_last_part_has_ended(atlas):
    machine = _machine(atlas, parts=2)
    machine.world.feeder.set_rate(120)
    count = 0
    while machine.camera.next_frame(1.0) is not None:
        count += 1
    assert 20 < count < 200
    assert all(part.bin == "rest" for part in machine.world.truth)


def test_the_same_seed_gives_the_same_pictures_and_another_another_belt(atlas):
    one, same, other = (_machine(atlas, seed=seed).camera.picture() for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_camera_is_started_before_it_is_asked_and_not_asked_after_it_is_closed(atlas):
    machine = _machine(atlas)
    machine.camera.close()
    machine.camera.close()
    with pytest.raises(HardwareError, match="closed"):
        machine.camera.next_frame(1.0)
    with pytest.raises(HardwareError, match="closed"):
        machine.camera.start()


def test_a_dead_camera_is_an_error_after_the_timeout(atlas):
    machine = _machine(atlas)
    machine.camera.fail(CameraFault.DEAD)
    with pytest.raises(HardwareError, match=r"no frame within 2 s"):
        machine.camera.next_frame(2.0)
    assert machine.world.clock.now_s() == pytest.approx(2.0)


def test_a_frozen_camera_repeats_itself_and_a_dark_one_sees_little(atlas):
    machine = _machine(atlas)
    machine.world.feeder.set_rate(60)
    first = machine.camera.next_frame(1.0)
    machine.camera.fail(CameraFault.FROZEN)
    second = machine.camera.next_frame(1.0)
    assert first and second and second.index == first.index + 1
    assert np.array_equal(first.image_bgr, second.image_bgr)
    machine.camera.repair(CameraFault.FROZEN)
    machine.camera.fail(CameraFault.DARK)
    third = machine.camera.next_frame(1.0)
    assert third and machine.camera._scene.region(third.image_bgr).mean() < 60


def test_a_dropping_camera_leaves_gaps_in_time(atlas):
    machine = _machine(atlas)
    machine.camera.fail(CameraFault.DROPPING)
    times = [frame.time_s for _ in range(20) if (frame := machine.camera.next_frame(10.0))]
    assert max(np.diff(times)) > 1.5 / 12


def test_a_drifting_camera_runs_off_into_pink(atlas):
    machine = _machine(atlas)
    machine.world.feeder.set_rate(0)
    before = machine.camera.picture().mean(axis=(0, 1))
    machine.camera.fail(CameraFault.DRIFTING)
    machine.world.advance_to(60.0)
    after = machine.camera.picture().mean(axis=(0, 1))
    assert after[1] / after[2] < 0.8 * before[1] / before[2]


def test_a_glare_blinds_and_a_fading_lamp_fades(atlas):
    machine = _machine(atlas)
    region = machine.camera._scene.region
    before = region(machine.camera.picture()).mean()
    machine.camera.fail(CameraFault.GLARING)
    assert np.median(region(machine.camera.picture())) >= 252
    machine.camera.repair(CameraFault.GLARING)
    machine.camera.fail(CameraFault.FADING)
    machine.world.feeder.set_rate(0)
    machine.world.advance_to(20.0)
    assert region(machine.camera.picture()).mean() < 0.65 * before


def test_a_knocked_camera_sees_the_rail_inside_the_region(atlas):
    machine = _machine(atlas)
    rows = machine.camera.picture()[30:42].mean()
    machine.camera.fail(CameraFault.KNOCKED)
    assert abs(machine.camera.picture()[30:42].mean() - rows) > 10


def test_a_starved_computer_gets_frames_late_and_misses_some(atlas):
    machine = _machine(atlas)
    machine.world.feeder.set_rate(60)
    machine.camera.fail(CameraFault.STARVED)
    frames = []
    for _ in range(4):
        frames.append(machine.camera.next_frame(2.0))
        assert machine.world.clock.now_s() == pytest.approx(frames[-1].time_s + 0.4)
    assert [frame.index for frame in frames] == [0, 5, 10, 15]


def test_faults_of_one_camera_come_together(atlas):
    machine = _machine(atlas)
    machine.camera.fail(CameraFault.DARK)
    machine.camera.fail(CameraFault.DROPPING)
    times = [frame.time_s for _ in range(20) if (frame := machine.camera.next_frame(10.0))]
    assert max(np.diff(times)) > 1.5 / 12
    assert machine.camera._scene.region(machine.camera.picture()).mean() < 60
    assert machine.camera.faults == {CameraFault.DARK, CameraFault.DROPPING}


def _hidden(atlas, **what) -> SimMachine:
    machine = _machine(atlas, replace(STILL, drift=0.0, hidden=HiddenCamera(**what)))
    machine.world.feeder.set_rate(0)
    machine.world.belt_motor.stop()
    machine.world.advance_to(1.0)
    return machine


def _lock(machine: SimMachine, **changes) -> np.ndarray:
    """The mean (3,) of the belt under a changed lock, once it holds."""
    machine.camera.lock(replace(machine.camera.locked(), **changes))
    for _ in range(machine.camera.settle_frames + 1):
        frame = machine.camera.next_frame(2.0)
    assert frame
    return frame.image_bgr[100:260, 200:440].mean(axis=(0, 1))


def _linear(levels: np.ndarray) -> np.ndarray:
    return ((levels / 255 + 0.055) / 1.055) ** 2.4


def test_light_goes_with_exposure_gain_and_lamp_until_it_clips(atlas):
    plain, dim = _hidden(atlas), _hidden(atlas, lamp=0.5)
    half = _lock(plain, exposure_s=0.001)
    assert _linear(_lock(dim)) == pytest.approx(_linear(half), rel=0.02)
    assert _linear(_lock(plain, exposure_s=0.001, gain=1.0)) == pytest.approx(_linear(half) / 2, rel=0.03)
    assert (_lock(plain, exposure_s=0.02, gain=8.0) == 255).all()


def test_white_balance_gains_act_on_red_and_blue_alone(atlas):
    machine = _hidden(atlas)
    before = _lock(machine, exposure_s=0.001)
    after = _linear(_lock(machine, white_balance=(1.2, 0.8))) / _linear(before)
    assert after == pytest.approx([0.8, 1.0, 1.2], rel=0.02)


def test_a_cast_is_light_and_not_levels(atlas):
    machine = _hidden(atlas)
    before = _lock(machine, exposure_s=0.001)
    machine.camera.imager.cast = np.array([[0.9, 0.1, 0.0], [0.05, 0.9, 0.05], [0.0, 0.2, 0.9]])
    after = _lock(machine)
    assert _linear(after) == pytest.approx(machine.camera.imager.cast @ _linear(before), rel=0.02)


def test_it_is_sharpest_where_the_truth_says(atlas):
    machine = _hidden(atlas, focus_dioptres=4.5)
    detail = []
    for focus in (3.0, 4.0, 4.5, 5.0, 6.0):
        _lock(machine, focus_dioptres=focus)
        mark = machine.camera.picture()[10:50, 100:500, 1]
        detail.append(float(cv2.Laplacian(cv2.GaussianBlur(mark, (0, 0), 1.0), cv2.CV_32F).std()))
    assert np.argmax(detail) == 2


def test_only_a_belt_that_moves_is_blurred_by_the_exposure(atlas):
    still, moving = _hidden(atlas), _hidden(atlas)
    moving.world.belt_motor.start()
    moving.world.advance_to(3.0)

    def edge(machine: SimMachine) -> float:
        """Slope of the edge of a part's side, across the belt's way."""
        _lock(machine, exposure_s=0.02)
        machine.camera.imager.develop = lambda image: image  # type: ignore[method-assign]
        _put(machine, atlas, 128.0)
        picture = machine.camera.picture().astype(float)
        return float(np.abs(np.diff(picture[170:190, :, 1], axis=1)).max())

    assert edge(moving) < 0.5 * edge(still)


def test_more_gain_is_more_noise(atlas):
    machine = _hidden(atlas)
    _lock(machine, gain=8.0, exposure_s=0.0005)
    grainy = (machine.camera.picture().astype(float) - machine.camera.picture())[100:200].std()
    _lock(machine, gain=2.0, exposure_s=0.002)
    clean = (machine.camera.picture().astype(float) - machine.camera.picture())[100:200].std()
    assert grainy == pytest.approx(2 * clean, rel=0.15)


def test_a_machine_that_hides_nothing_is_drawn_as_before(atlas):
    machine = _machine(atlas)
    image = machine.camera._scene.belt(0.0)
    assert machine.camera.imager.develop(image) is image
    assert machine.camera.imager.focus(image) is image
