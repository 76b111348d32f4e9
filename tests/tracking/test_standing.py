"""A part that stops while the belt goes on is jammed; one that rides, or dirt that never moved, is not."""

from __future__ import annotations

import pytest
from drawn_belt import HEIGHT_PX, PX_PER_MM, WIDTH_PX, DrawnPart, draw_belt

from edge.records import Frame, TrackState
from edge.tracking.associate import Extent
from edge.tracking.settings import TrackingSettings
from edge.tracking.standing import JAM_MM, Standing
from edge.tracking.tracker import Tracker

STEP_MM = 12.5


def place(lead_mm: float, y_mm: float = 0.0, length_mm: float = 24.0) -> Extent:
    return Extent(lead_mm, lead_mm - length_mm, y_mm - 8, y_mm + 8)


def stand(standing: Standing, where: Extent, frames: int, travel_mm: float = 0.0) -> float:
    for _ in range(frames):
        travel_mm += STEP_MM
        standing.update([], [where, place(20 + travel_mm % 40)], travel_mm, STEP_MM)
    return travel_mm


def test_a_part_that_stopped_counts_as_jammed_after_some_belt_has_passed_under_it():
    standing = Standing()
    standing.update([place(100)], [place(104)], 0.0, STEP_MM)
    stand(standing, place(104), int(JAM_MM / STEP_MM))
    assert standing.x_mm is None
    stand(standing, place(104), 1, JAM_MM)
    assert standing.x_mm == pytest.approx(92)


def test_it_is_free_once_it_is_gone():
    standing = Standing()
    standing.update([place(100)], [place(104)], 0.0, STEP_MM)
    travel_mm = stand(standing, place(104), 8)
    assert standing.x_mm is not None
    stand(standing, place(160), 3, travel_mm)
    assert standing.x_mm is None


def test_what_never_moved_is_dirt():
    standing = Standing()
    stand(standing, place(104), 40)
    assert standing.x_mm is None


def test_a_part_that_is_lost_while_another_comes_to_its_place_is_no_jam():
    standing = Standing()
    standing.update([place(100)], [place(104)], 0.0, STEP_MM)
    for step in range(1, 10):
        standing.update([], [place(104 + step * STEP_MM)], step * STEP_MM, STEP_MM)
        assert standing.x_mm is None


def test_a_belt_that_stands_jams_nothing():
    standing = Standing()
    standing.update([place(100)], [place(104)], 0.0, STEP_MM)
    for _ in range(50):
        standing.update([], [place(104)], 0.0, 0.0)
    assert standing.x_mm is None


def settings() -> TrackingSettings:
    return TrackingSettings(PX_PER_MM, "right", (0, 0, WIDTH_PX, HEIGHT_PX))


def test_the_tracker_sees_a_part_stop_and_no_other():
    tracker, stopped_mm, seen = Tracker(settings()), 112.5, []
    for index in range(22):
        belt_mm = 25 + index * STEP_MM
        parts = [DrawnPart(max(belt_mm - stopped_mm, 0.0), "red", -20), DrawnPart(40, "green", 20)]
        tracker.update(Frame(index, index / 12, belt_mm, draw_belt(parts, belt_mm)))
        seen.append(tracker.standing_mm)
    first = next(index for index, x_mm in enumerate(seen) if x_mm is not None)
    assert seen[-1] == pytest.approx(stopped_mm - 12, abs=2.0)
    assert stopped_mm + JAM_MM <= 25 + first * STEP_MM <= stopped_mm + JAM_MM + 3 * STEP_MM


def test_a_part_longer_than_the_picture_is_told_by_both_its_ends():
    tracker, last = Tracker(settings()), {}
    part = DrawnPart(40, "red", length_mm=230)
    for index in range(44):
        belt_mm = index * STEP_MM
        for track in tracker.update(Frame(index, index / 12, belt_mm, draw_belt([part], belt_mm))):
            last[track.track_id] = track
    (track,) = [track for track in last.values() if track.state is TrackState.FINISHED]
    assert track.too_long
    assert not track.complete
    assert track.lead_belt_mm == pytest.approx(40, abs=3.0)
    assert track.trail_belt_mm == pytest.approx(270, abs=3.0)
    assert not track.looks
