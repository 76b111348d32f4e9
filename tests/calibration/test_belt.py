"""The belt is measured to a few tenths of a permille by its texture, by parts where it has none, and not at all where
that would be a guess."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import calibration.belt
from calibration.belt import BeltData, collect, fit
from calibration.belt_fit import Way, fit_ways
from calibration.belt_rides import RideWatcher
from calibration.belt_texture import shift_between, still_part, texture_of
from calibration.rig import Rig
from calibration.simulated import simulated_rig
from calibration.step import RefusedError, check, run_step
from edge.config.calibrated import load_calibration
from edge.config.load import load_bins, load_machine
from edge.config.schema import ConstantEncoderConfig
from edge.sim.belt import EncoderFault
from edge.sim.build import sim_settings
from edge.sim.hidden import HiddenTruth, draw_hidden
from edge.sim.laid import Glare
from edge.tracking.geometry import BeltGeometry
from edge.tracking.settings import tracking_settings

SHARED = Path(os.environ.get("BRICKGATE_SHARED", Path(__file__).parents[2] / "../shared"))
FRAMES = SHARED / "real-photos/openblok-belt-stream/frames"
OPENBLOK = Path(__file__).parents[2] / "edge/config/examples/openblok-belt/machine.yaml"


def make_rig(folder: Path, seed: int = 1) -> tuple[Rig, HiddenTruth]:
    """A simulated machine with small pictures, its camera straight but everything else hidden."""
    machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
    small = {"width_px": 640, "height_px": 360, "px_per_mm": 2.5, "belt_region_px": (0, 30, 640, 330)}
    machine = machine.model_copy(update={"camera": machine.camera.model_copy(update=small)})
    truth = draw_hidden(machine, sim_settings(machine, bins, parts=1), seed)
    straight = {"px_per_mm": 2.5, "pitch_deg": 0.0, "roll_deg": 0.0, "yaw_deg": 0.0, "k1": 0.0, "k2": 0.0}
    truth = replace(truth, **straight, lamp=1.0, focus_dioptres=1000 / 300)
    return simulated_rig(machine, bins, seed, truth), truth


@pytest.fixture
def rig(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """One that is watched for less long."""
    monkeypatch.setattr(calibration.belt, "WATCH_S", 3.5)
    return make_rig(folder)[0]


def make_plain(rig: Rig) -> None:
    """Takes the texture off the simulated belt."""
    scene = rig.operator.sim.camera._scene
    scene._texture[...] = np.median(scene._texture.reshape(-1, 3), axis=0).astype(np.uint8)


def sine_way(mm_per_s: float = 150.0, share: float = 0.02, period_s: float = 1.7, told: float = 0.97) -> Way:
    time_s = np.arange(0, 12, 1 / 12)
    turn = 2 * np.pi / period_s
    seen_mm = mm_per_s * (time_s + share / turn * np.sin(turn * time_s + 0.4))
    return Way(time_s, seen_mm / told, seen_mm)


def test_speed_tick_and_ripple_are_found_by_the_texture(folder: Path) -> None:
    rig, truth = make_rig(folder, 2)
    data = collect(rig)
    found = fit(rig, data)
    check("belt", found.section)
    assert data.seen_by == "its texture"
    assert found.section.belt_mm_per_s == pytest.approx(truth.belt_mm_per_s, rel=0.001)
    assert found.section.mm_per_tick == pytest.approx(truth.mm_per_tick, rel=0.001)
    assert found.section.ripple == pytest.approx(0.7 * 0.015, rel=0.2)
    assert found.section.direction == "right"
    assert found.picture is not None
    assert not rig.operator.sim.world.belt.running
    assert rig.operator.tasks == []


def test_a_belt_that_is_too_plain_is_measured_by_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.belt, "WATCH_S", 3.5)
    rig, truth = make_rig(folder, 2)
    make_plain(rig)
    data = collect(rig)
    found = fit(rig, data)
    assert "rides of parts" in data.seen_by
    assert [task.kind for task in rig.operator.tasks] == ["drop-any"]
    assert found.section.belt_mm_per_s == pytest.approx(truth.belt_mm_per_s, rel=0.005)
    assert found.section.mm_per_tick == pytest.approx(truth.mm_per_tick, rel=0.005)


def test_no_parts_on_a_plain_belt_are_refused_and_the_old_calibration_stays(
    rig: Rig, folder: Path, belt_section, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration.belt, "PARTS_S", 3.0)
    make_plain(rig)
    monkeypatch.setattr(rig.operator.sim.world, "drop", lambda parts, every_s: None)
    file = folder / "calibration.yaml"
    calibration.file.save_section(file, "belt", belt_section)
    with pytest.raises(RefusedError, match="no parts were seen"):
        run_step(replace(calibration.belt.STEP, needs=()), rig, file)
    assert load_calibration(file).belt == belt_section
    assert not rig.operator.sim.world.belt.running


def test_a_belt_that_does_not_move_is_refused(rig: Rig) -> None:
    rig.operator.sim.world.belt.stalled = True
    with pytest.raises(RefusedError, match="does not move: look at its motor"):
        collect(rig)


def test_a_plain_belt_that_does_not_move_asks_nobody_for_parts(rig: Rig) -> None:
    make_plain(rig)
    rig.operator.sim.world.belt.stalled = True
    with pytest.raises(RefusedError, match="nothing is seen to move and its encoder tells no way"):
        collect(rig)
    assert rig.operator.tasks == []


def test_a_belt_that_stops_on_the_way_is_refused(rig: Rig) -> None:
    world = rig.operator.sim.world
    world.on_tick(lambda now_s: setattr(world.belt, "stalled", now_s > 2.0 and now_s % 0.8 < 0.4))
    with pytest.raises(RefusedError, match="stops or changes its speed"):
        collect(rig)


def test_an_encoder_that_tells_no_way_is_refused(rig: Rig) -> None:
    rig.operator.sim.world.encoder.break_down(EncoderFault.DROPPED)
    with pytest.raises(RefusedError, match="its encoder tells no way"):
        fit(rig, collect(rig))


def test_another_direction_than_machine_yaml_says_is_refused(rig: Rig) -> None:
    rig.machine = rig.machine.model_copy(
        update={"camera": rig.machine.camera.model_copy(update={"belt_direction": "left"})}
    )
    with pytest.raises(RefusedError, match=r"moves right in the picture, machine\.yaml says left"):
        collect(rig)


def test_a_slipping_belt_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.belt, "WATCH_S", 7.0)
    world = rig.operator.sim.world
    world.on_tick(lambda now_s: setattr(world.belt, "slip", 0.15 if now_s % 3 < 1.5 else 0.0))
    with pytest.raises(RefusedError, match="slip is"):
        check("belt", fit(rig, collect(rig)).section)


def test_a_reflection_pulls_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.belt, "WATCH_S", 6.0)
    rig, truth = make_rig(folder, 3)
    rig.operator.sim.camera.laid.append(Glare(330.0, 180.0))
    section = fit(rig, collect(rig)).section
    assert section.mm_per_tick == pytest.approx(truth.mm_per_tick, rel=0.003)


def test_without_an_encoder_there_is_no_tick(rig: Rig) -> None:
    belt = rig.machine.belt.model_copy(update={"encoder": ConstantEncoderConfig(driver="constant")})
    rig.machine = rig.machine.model_copy(update={"belt": belt})
    section = fit(rig, collect(rig)).section
    assert section.mm_per_tick is None
    assert section.slip == 0
    assert "slip" not in section.residuals


def test_a_belt_with_a_switch_of_its_own_is_switched_on_by_hand(rig: Rig) -> None:
    motor = rig.machine.belt.motor.model_copy(update={"driver": "none"})
    rig.machine = rig.machine.model_copy(update={"belt": rig.machine.belt.model_copy(update={"motor": motor})})
    collect(rig)
    assert [task.kind for task in rig.operator.tasks] == ["switch-belt"]


def test_a_recording_that_is_too_short_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.belt, "WATCH_S", 1.0)
    with pytest.raises(RefusedError, match="12 pictures are too few"):
        collect(rig)


def test_fit_tells_speed_ripple_and_ratio_apart() -> None:
    found = fit_ways([sine_way()])
    assert found.mm_per_s == pytest.approx(150, rel=1e-4)
    assert found.ripple == pytest.approx(0.02, rel=0.02)
    assert found.period_s == pytest.approx(1.7, rel=0.02)
    assert found.seen_per_told == pytest.approx(0.97, rel=1e-6)
    assert found.slip < 1e-6
    assert found.stray_mm < 1e-6


def test_an_even_belt_has_no_ripple() -> None:
    way = sine_way(share=0.0)
    noise = np.random.default_rng(1).normal(0, 0.1, len(way.time_s))
    found = fit_ways([Way(way.time_s, way.told_mm, way.seen_mm + noise)])
    assert (found.ripple, found.period_s) == (0.0, 0.0)


def test_slip_is_how_much_stretches_differ() -> None:
    way = sine_way(share=0.0)
    told_mm = np.where(way.told_mm < 900, way.told_mm, 900 + (way.told_mm - 900) * 1.05)
    assert fit_ways([Way(way.time_s, told_mm, way.seen_mm)]).slip == pytest.approx(0.05, rel=0.1)


def test_ways_with_beginnings_of_their_own_are_fitted_as_one() -> None:
    way = sine_way()
    parts = [Way(w.time_s, w.told_mm, w.seen_mm - w.seen_mm[0] + 7 * k) for k, w in enumerate(way.pieces())]
    assert fit_ways(parts).seen_per_told == pytest.approx(0.97, rel=1e-6)
    assert fit_ways(parts).mm_per_s == pytest.approx(150, rel=1e-3)


@pytest.mark.parametrize(("u_px", "v_px"), [(31, 2), (-45, 0), (0, 28), (3, -33), (0, 0)])
def test_a_shift_of_texture_is_found_whichever_way(u_px: int, v_px: int) -> None:
    rng = np.random.default_rng(3)
    field = cv2.GaussianBlur(rng.normal(128, 60, (400, 500)).astype(np.float32), (0, 0), 1.5)
    pictures = [
        np.clip(field[60 - v : 300 - v, 60 - u : 420 - u] + rng.normal(0, 2, (240, 360)), 0, 255).astype(np.uint8)
        for u, v in ((0, 0), (u_px, v_px))
    ]
    before, after = (texture_of(picture, None) for picture in pictures)
    shift = shift_between(before, after, 1)
    assert shift.clear
    assert (shift.u_px, shift.v_px) == pytest.approx((u_px, v_px), abs=0.1)


def test_noise_alone_is_no_match() -> None:
    rng = np.random.default_rng(4)
    pictures = [rng.integers(120, 130, (200, 320)).astype(np.uint8) for _ in range(12)]
    still = still_part(pictures)
    textures = [texture_of(picture, still) for picture in pictures]
    assert not any(shift_between(a, b, 1).clear for a, b in pairwise(textures))


@pytest.mark.skipif(not FRAMES.is_dir(), reason=f"the photographs are not at {FRAMES}")
def test_the_parts_of_a_real_belt_all_tell_the_same_step() -> None:
    """Its frames come unevenly: mostly 30 mm of belt lie between two, now and then a frame is missing."""
    config = load_machine(OPENBLOK)
    camera = config.camera
    geometry = BeltGeometry(camera.belt_region_px, camera.belt_direction, camera.px_per_mm)
    watcher = RideWatcher(geometry, tracking_settings(config).min_area_mm2, 150.0)
    for index, file in enumerate(sorted(FRAMES.iterdir())):
        watcher.take(cv2.imread(str(file)), index / 5, index * 30.0)
    steps = np.concatenate(
        [np.diff(edge) for ride in watcher.rides for edge in (ride.lead_mm, ride.trail_mm) if len(edge) > 1]
    )
    steps = steps[np.isfinite(steps)]
    assert len(steps) >= 20
    assert np.median(steps) == pytest.approx(30.1, abs=0.5)
    assert np.percentile(np.abs(steps - np.median(steps)), 75) < 1.0


@pytest.mark.parametrize("lost", ["nothing", "frames"])
def test_lost_frames_change_nothing(lost: str) -> None:
    way = sine_way()
    kept = np.ones(len(way.time_s), np.bool_)
    if lost == "frames":
        kept[::5] = False
    ways = [Way(way.time_s[kept], way.told_mm[kept], way.seen_mm[kept])]
    assert fit_ways(ways).seen_per_told == pytest.approx(0.97, rel=1e-6)


def test_data_of_one_short_way_is_uncertain() -> None:
    way = sine_way()
    short = Way(way.time_s[:6], way.told_mm[:6], way.seen_mm[:6])
    data = BeltData((short,), "its texture", 0.0, ((0.0, 150.0),), 6)
    assert fit_ways(data.ways).uncertain == float("inf")
