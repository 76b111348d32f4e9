"""The tracker on a drawn belt whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge.errors import InputError
from edge.records import Frame, Look, Track, TrackState
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import Tracker

STEP_MM = 12.5
THREE = [(50, 0, 16, 16, (40, 40, 200), 0), (110, -30, 32, 8, (30, 140, 30), 20), (160, 25, 24, 16, (200, 120, 30), 70)]
CONFIRMED = (TrackState.CONFIRMED, TrackState.FINISHED)


def follow(
    belt: Any,
    travels_mm: list[float],
    told: Callable[[float], float] = lambda belt_mm: belt_mm,
    **changes: object,
) -> tuple[dict[int, list[Track]], dict[int, list[Look]]]:
    """The reports of every confirmed track, and its looks."""
    tracker = Tracker(belt.settings(**changes))
    reports: dict[int, list[Track]] = {}
    looks: dict[int, list[Look]] = {}
    for index, belt_mm in enumerate(travels_mm):
        for track in tracker.update(belt.frame(index, belt_mm, told(belt_mm))):
            if track.state in CONFIRMED:
                reports.setdefault(track.track_id, []).append(track)
                looks.setdefault(track.track_id, []).extend(track.looks)
    return reports, looks


def steps(count: int, step_mm: float = STEP_MM) -> list[float]:
    return [index * step_mm for index in range(count)]


def ordered(reports: dict[int, list[Track]]) -> list[Track]:
    return sorted((own[-1] for own in reports.values()), key=lambda track: track.lead_belt_mm)


def assert_matches(tracks: list[Track], parts: list[Any]) -> None:
    assert len(tracks) == len(parts)
    for track, part in zip(tracks, parts, strict=True):
        corners = part.corners_mm(0.0)
        assert track.lead_belt_mm == pytest.approx(-corners[:, 0].max(), abs=1.2)
        assert track.trail_belt_mm == pytest.approx(-corners[:, 0].min(), abs=1.2)
        assert track.y_mm == pytest.approx(part.y_mm, abs=1.0)
        assert track.length_mm == pytest.approx(part.length_mm, abs=1.2)
        assert track.width_mm == pytest.approx(part.width_mm, abs=1.2)
        assert track.complete
        assert not track.touching


@pytest.mark.parametrize("direction", ["right", "left", "up", "down"])
def test_parts_are_measured_whatever_the_direction(drawn_belt: Any, drawn_part: Any, direction: str) -> None:
    parts = [drawn_part(*values) for values in THREE]
    reports, looks = follow(drawn_belt(parts, direction=direction), steps(40))
    assert_matches(ordered(reports), parts)
    assert all(own[-1].state is TrackState.FINISHED for own in reports.values())
    assert all(len(own) >= 10 for own in looks.values())


@pytest.mark.parametrize("colour_bgr", [(235, 238, 240), (40, 42, 45), (90, 140, 60), (160, 90, 60), (60, 60, 170)])
def test_belts_of_any_colour_with_small_and_large_parts(
    drawn_belt: Any, drawn_part: Any, colour_bgr: tuple[int, int, int]
) -> None:
    parts = [
        drawn_part(60, -20, 5.5, 5.5, (30, 200, 230)),
        drawn_part(110, 0, 78, 16, (200, 120, 30), -10),
        drawn_part(190, 20, 16, 16, (20, 20, 20), 30),
        drawn_part(230, -25, 16, 8, (60, 90, 130), 75),
    ]
    reports, _ = follow(drawn_belt(parts, colour_bgr=colour_bgr, texture=0.05, seed=4), steps(45))
    tracks = ordered(reports)
    middles = sorted((track.lead_belt_mm + track.trail_belt_mm) / 2 for track in tracks)
    assert middles == pytest.approx([part.x_belt_mm for part in parts], abs=2.0)


def test_drifting_gain_and_white_balance(drawn_belt: Any, drawn_part: Any) -> None:
    def gain(index: int) -> tuple[float, float, float]:
        return 1 + 0.3 * np.sin(index / 9), 1 + 0.2 * np.sin(index / 13 + 1), 1 + 0.35 * np.sin(index / 7 + 2)

    parts = [drawn_part(*values) for values in THREE]
    reports, _ = follow(drawn_belt(parts, gain=gain), steps(40))
    assert_matches(ordered(reports), parts)


def test_lint_and_static_dirt_are_no_parts(drawn_belt: Any, drawn_part: Any) -> None:
    lint = [drawn_part(40 + 9 * i, (i * 17) % 90 - 45, 1.6, 1.0, (30, 30, 30), 20 * i) for i in range(20)]
    belt = drawn_belt(lint)
    tracker = Tracker(belt.settings())
    for index, belt_mm in enumerate(steps(40)):
        frame = belt.frame(index, belt_mm)
        if index >= 5:
            frame.image_bgr[300:360, 600:680] = (20, 20, 60)
        assert [track for track in tracker.update(frame) if track.state in CONFIRMED] == []


def test_standing_part_of_the_scene_is_absorbed_and_parts_pass_over_it(drawn_belt: Any, drawn_part: Any) -> None:
    part = drawn_part(600, 0, 16, 16)
    belt = drawn_belt([part])
    tracker = Tracker(belt.settings())
    found: dict[int, Track] = {}
    for index, belt_mm in enumerate(steps(75)):
        frame = belt.frame(index, belt_mm)
        if index >= 5:
            frame.image_bgr[330:390, 600:680] = (60, 90, 60)
        found |= {track.track_id: track for track in tracker.update(frame) if track.state in CONFIRMED}
    assert len(found) == 1
    assert next(iter(found.values())).lead_belt_mm == pytest.approx(592, abs=2)


def test_belt_that_stops_keeps_its_parts_and_takes_no_new_looks(drawn_belt: Any, drawn_part: Any) -> None:
    parts = [drawn_part(*values) for values in THREE]
    standing = 16 * STEP_MM
    travels = [*steps(17), *[standing] * 40, *[standing + step for step in steps(30)[1:]]]
    reports, looks = follow(drawn_belt(parts), travels, max_looks=100)
    assert_matches(ordered(reports), parts)
    stood = range(18, 56)
    assert not [look for own in looks.values() for look in own if look.frame_index in stood]


def test_part_that_arrives_on_a_standing_belt_waits_to_be_confirmed(drawn_belt: Any, drawn_part: Any) -> None:
    reports, _ = follow(drawn_belt([drawn_part(-100, 0, 16, 16)]), [float(i > 3) for i in range(20)])
    assert reports == {}


def test_travel_that_is_wrong_by_a_tenth(drawn_belt: Any, drawn_part: Any) -> None:
    parts = [drawn_part(*values) for values in THREE]
    reports, _ = follow(drawn_belt(parts), steps(40), told=lambda belt_mm: 0.9 * belt_mm)
    assert len(reports) == 3


@pytest.mark.parametrize("told", [lambda belt_mm: 0.0, lambda belt_mm: 0.6 * belt_mm])
def test_motion_is_measured_where_the_travel_is_a_guess(
    drawn_belt: Any, drawn_part: Any, told: Callable[[float], float]
) -> None:
    """Each report has to say where the part is now, in the frame's own belt coordinate."""
    parts = [drawn_part(*values) for values in THREE]
    belt = drawn_belt(parts)
    random = np.random.default_rng(3)
    travels = list(np.cumsum(random.choice([STEP_MM, STEP_MM, 1.5 * STEP_MM], 36)))
    tracker = Tracker(belt.settings(measure_motion=True))
    seen: set[int] = set()
    for index, belt_mm in enumerate(travels):
        for track in tracker.update(belt.frame(index, belt_mm, told(belt_mm))):
            if track.state is TrackState.CONFIRMED and track.complete and track.last_frame == index:
                lead_mm = told(belt_mm) - track.lead_belt_mm
                leads = [part.corners_mm(belt_mm)[:, 0].max() for part in parts]
                nearest = int(np.argmin([abs(lead_mm - lead) for lead in leads]))
                assert lead_mm == pytest.approx(leads[nearest], abs=3.0)
                seen.add(nearest)
    assert seen == {0, 1, 2}


def test_short_dropouts_are_bridged(drawn_belt: Any, drawn_part: Any) -> None:
    belt = drawn_belt([drawn_part(*values) for values in THREE])
    bare = drawn_belt([])
    tracker = Tracker(belt.settings())
    ids: set[int] = set()
    for index, belt_mm in enumerate(steps(40)):
        source = bare if index in (13, 14, 20) else belt
        ids |= {track.track_id for track in tracker.update(source.frame(index, belt_mm)) if track.state in CONFIRMED}
    assert len(ids) == 3


def test_touching_parts_are_flagged(drawn_belt: Any, drawn_part: Any) -> None:
    pairs = [
        drawn_part(50, 0, 16, 16, (40, 40, 200)),
        drawn_part(50, 16, 16, 16, (200, 120, 30)),
        drawn_part(120, -20, 32, 16, (40, 40, 200)),
        drawn_part(142, -14, 16, 8, (40, 40, 200), 40),
        drawn_part(200, 10, 24, 8, (20, 20, 20)),
        drawn_part(224, 12, 24, 8, (235, 235, 235)),
    ]
    reports, _ = follow(drawn_belt(pairs), steps(45))
    assert len(reports) == 3
    assert all(own[-1].touching for own in reports.values())


YELLOW = (30, 190, 235)


@pytest.mark.parametrize("faint", [(105, 112, 115), (112, 160, 185)], ids=["grey", "tan"])
def test_faint_part_that_touches_a_bright_one_is_a_part_of_its_own(
    drawn_belt: Any, drawn_part: Any, faint: tuple[int, int, int]
) -> None:
    parts = [drawn_part(50, 0, 24, 16, YELLOW), drawn_part(71, 4, 18, 12, faint)]
    reports, _ = follow(drawn_belt(parts), steps(36))
    assert len(reports) == 2
    bright, other = ordered(reports)
    assert bright.length_mm == pytest.approx(24, abs=2.5)
    assert other.length_mm == pytest.approx(18, abs=2.5)
    assert other.trail_belt_mm == pytest.approx(80, abs=1.5)


@pytest.mark.parametrize("shadow", [0.2, 0.3, 0.4])
def test_shadow_of_a_bright_part_is_no_part(drawn_belt: Any, drawn_part: Any, shadow: float) -> None:
    reports, _ = follow(drawn_belt([drawn_part(50, 0, 24, 16, YELLOW)], shadow=shadow), steps(36))
    assert len(reports) == 1


def test_close_parts_stay_two(drawn_belt: Any, drawn_part: Any) -> None:
    parts = [drawn_part(50, 0, 16, 16), drawn_part(70, 3, 20, 16, (200, 120, 30))]
    reports, _ = follow(drawn_belt(parts), steps(36))
    assert_matches(ordered(reports), parts)


def test_parts_that_run_together_are_flagged_both(drawn_belt: Any, drawn_part: Any) -> None:
    first, second = drawn_part(50, 0, 16, 16), drawn_part(76, 0, 16, 16)
    belt = drawn_belt([first, second])
    tracker = Tracker(belt.settings())
    touching: dict[int, bool] = {}
    for index, belt_mm in enumerate(steps(30)):
        second.x_belt_mm = max(66.0, 76.0 - 2.5 * max(index - 12, 0))
        touching |= {t.track_id: t.touching for t in tracker.update(belt.frame(index, belt_mm)) if t.state in CONFIRMED}
    assert touching == dict.fromkeys(touching, True)
    assert len(touching) == 2


def test_looks_are_copies_with_scale_mask_and_background(drawn_belt: Any, drawn_part: Any) -> None:
    belt = drawn_belt([drawn_part(50, 0, 24, 16)])
    _, looks = follow(belt, steps(36), max_looks=5)
    (own,) = looks.values()
    assert len(own) == 5
    for look in own:
        assert look.view == "top"
        assert look.mm_per_px == pytest.approx(0.2)
        assert look.crop_bgr.base is None
        assert look.mask is not None
        assert look.mask.sum() * 0.04 == pytest.approx(24 * 16, rel=0.08)
        assert look.crop_bgr[look.mask].mean(axis=0) == pytest.approx([40, 40, 200], abs=15)
        assert look.background_bgr == pytest.approx(belt.colour_bgr, abs=15)
        assert 0.5 < look.quality <= 1
    assert [look.number for look in own] == [0, 1, 2, 3, 4]


def test_blurred_looks_are_worth_less(drawn_belt: Any, drawn_part: Any) -> None:
    belt = drawn_belt([drawn_part(50, 0, 24, 16)])
    tracker = Tracker(belt.settings())
    sharp, blurred = [], []
    for index, belt_mm in enumerate(steps(30)):
        frame = belt.frame(index, belt_mm)
        if index >= 15:
            frame.image_bgr[:, 12:] = np.mean([frame.image_bgr[:, 12 - k : -k or None] for k in range(12)], axis=0)
        for track in tracker.update(frame):
            (blurred if index >= 15 else sharp).extend(look.quality for look in track.looks)
    assert min(sharp) > 1.5 * max(blurred)


def test_confirmation_brings_the_looks_of_the_tentative_time(drawn_belt: Any, drawn_part: Any) -> None:
    reports, _ = follow(drawn_belt([drawn_part(50, 0, 8, 8)]), steps(20))
    (own,) = reports.values()
    assert own[0].state is TrackState.CONFIRMED
    assert len(own[0].looks) >= 2
    assert {look.track_id for look in own[0].looks} == {own[0].track_id}


def test_same_frames_give_the_same_tracks(drawn_belt: Any, drawn_part: Any) -> None:
    def once() -> list[tuple[int, float, float]]:
        reports, _ = follow(drawn_belt([drawn_part(*values) for values in THREE]), steps(30))
        return [(t.track_id, t.lead_belt_mm, t.length_mm) for t in ordered(reports)]

    assert once() == once()


def test_station_of_the_camera_shifts_every_place(drawn_belt: Any, drawn_part: Any) -> None:
    reports, _ = follow(drawn_belt([drawn_part(50, 0, 16, 16)]), steps(36), station_mm=1000.0)
    (own,) = reports.values()
    assert own[-1].lead_belt_mm == pytest.approx(42 - 1000, abs=1.2)
    assert own[-1].state is TrackState.FINISHED


def test_small_picture_is_an_error_in_one_line() -> None:
    tracker = Tracker(TrackingSettings(5.0, "right", (0, 60, 1280, 660)))
    with pytest.raises(InputError, match=r"frame 3 is 640×480 px.*reaches 1280×660"):
        tracker.update(Frame(3, 0.0, 0.0, np.zeros((480, 640, 3), np.uint8)))


@pytest.mark.parametrize("region", [(0, 0, 0, 10), (10, 0, 5, 10), (-1, 0, 5, 10)])
def test_impossible_region_is_refused(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="region"):
        TrackingSettings(5.0, "right", region)


@pytest.mark.parametrize("picture", [np.zeros((720, 1280, 3), np.uint8), np.full((720, 1280, 3), 255, np.uint8)])
def test_black_and_burnt_out_pictures_hold_no_part(picture: np.ndarray) -> None:
    tracker = Tracker(TrackingSettings(5.0, "right", (0, 60, 1280, 660)))
    for index in range(5):
        assert tracker.update(Frame(index, index / 12, index * STEP_MM, picture)) == []
