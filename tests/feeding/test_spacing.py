"""Gaps between parts, where the last one lies, and how the feeder is driven by that."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.feeding.drive import DriveSettings, FeedDrive
from edge.feeding.feeding import Feeding, FeedPlace
from edge.feeding.rate import RateSettings
from edge.feeding.spacing import Spacing, nearest_trail_mm
from edge.records import Frame, Track, TrackState

FRAME_S, MM_PER_S = 0.1, 150.0
PICTURE = np.zeros((1, 1, 3), np.uint8)


def frame(index: int, mm_per_s: float = MM_PER_S) -> Frame:
    return Frame(index, index * FRAME_S, index * FRAME_S * mm_per_s, PICTURE)


def track(
    track_id: int, lead_mm: float, length_mm: float, state: TrackState = TrackState.FINISHED, complete: bool = True
) -> Track:
    return Track(track_id, state, 0, 1, lead_mm, lead_mm + length_mm, 0.0, length_mm, 8.0, complete=complete)


def test_gaps_are_measured_between_the_parts_that_have_left() -> None:
    spacing = Spacing()
    spacing.see(frame(0), [track(1, 100, 20)])
    assert spacing.mean_gap_mm is None
    spacing.see(frame(5), [track(2, 165, 30), track(3, 300, 10, TrackState.CONFIRMED)])
    assert spacing.mean_gap_mm == pytest.approx(45.0)
    spacing.see(frame(9), [track(4, 325, 10), track(3, 300, 10)])
    mean_mm = 45 + (105 - 45) / 12
    assert spacing.mean_gap_mm == pytest.approx(mean_mm + (15 - mean_mm) / 12)


def test_parts_side_by_side_have_less_than_no_gap_and_the_longer_one_counts() -> None:
    spacing = Spacing()
    spacing.see(frame(0), [track(1, 100, 60)])
    spacing.see(frame(1), [track(2, 120, 10)])
    assert spacing.mean_gap_mm == -40.0
    spacing.see(frame(2), [track(3, 170, 10)])
    assert spacing.mean_gap_mm == pytest.approx(-40 + (10 + 40) / 12)


def test_parts_a_minute_fall_while_none_comes() -> None:
    spacing = Spacing()
    assert spacing.arrivals_per_min(0.0) is None
    for number in range(6):
        spacing.see(frame(5 * number), [track(number, 75.0 * number, 20)])
    assert spacing.arrivals_per_min(2.6) == pytest.approx(120.0)
    assert spacing.arrivals_per_min(12.5) == pytest.approx(6.0)


def test_the_last_part_is_the_nearest_and_one_that_still_comes_in_is_at_the_edge_of_the_view() -> None:
    at = frame(10)
    riding = [track(1, 20, 30, TrackState.CONFIRMED), track(2, 100, 30, TrackState.TENTATIVE)]
    assert nearest_trail_mm(at, [], 5.0) == float("inf")
    assert nearest_trail_mm(at, riding, 5.0) == pytest.approx(150 - 130)
    assert nearest_trail_mm(at, [*riding, track(3, 140, 12, TrackState.TENTATIVE, complete=False)], 5.0) == 5.0
    assert nearest_trail_mm(at, [track(4, 140, 5, TrackState.REJECTED)], 5.0) == float("inf")


def on_time(drive: FeedDrive, parts_per_min: float, duration_s: float, free_share: float = 1.0) -> float:
    """Mean of what the feeder is set to; the belt under it is free for a share of every second."""
    set_to = [
        drive.set_to(k * 0.05, parts_per_min, free=(k * 0.05) % 1.0 < free_share) for k in range(int(duration_s / 0.05))
    ]
    return float(np.mean(set_to[len(set_to) // 4 :]))


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("free_share", [1.0, 0.9])
def test_a_relay_is_on_for_its_share_of_the_time(share: float, free_share: float) -> None:
    drive = FeedDrive(DriveSettings(120.0, relay=True, cycle_s=4.0))
    mean = on_time(drive, share * 120, 400.0, free_share)
    assert mean == pytest.approx(min(share, free_share) * 120, rel=0.04)


def test_a_relay_at_half_the_rate_switches_once_a_cycle() -> None:
    drive = FeedDrive(DriveSettings(120.0, relay=True, cycle_s=4.0))
    set_to = [drive.set_to(k * 0.05, 60.0, free=True) for k in range(1600)]
    assert set(set_to) == {0.0, 120.0}
    switched_on = sum(before == 0 < after for before, after in itertools.pairwise(set_to))
    assert switched_on == pytest.approx(80 / 4, abs=1)


def test_no_rate_is_off_and_a_full_one_is_on_all_the_time() -> None:
    relay = FeedDrive(DriveSettings(120.0, relay=True))
    relay.set_to(0.0, 0.0, free=True)
    assert {relay.set_to(1.0 + k, 0.0, free=True) for k in range(20)} == {0.0}
    assert {relay.set_to(30.0 + k, 120.0, free=True) for k in range(20)} == {120.0}


def test_what_a_pause_costs_is_made_up_for_between() -> None:
    drive = FeedDrive(DriveSettings(200.0))
    assert on_time(drive, 90.0, 200.0, free_share=0.6) == pytest.approx(90.0, rel=0.04)
    assert drive.set_to(1000.0, 90.0, free=False) == 0.0


def test_the_share_of_the_time_with_room_is_known() -> None:
    drive = FeedDrive(DriveSettings(200.0))
    assert drive.room == 1.0
    on_time(drive, 90.0, 200.0, free_share=0.6)
    assert drive.room == pytest.approx(0.6, abs=0.04)


def test_more_than_full_power_there_is_not() -> None:
    drive = FeedDrive(DriveSettings(100.0))
    assert on_time(drive, 90.0, 200.0, free_share=0.5) == pytest.approx(50.0, rel=0.04)


@pytest.mark.parametrize("place", [None, FeedPlace(-10.0, 40.0)])
def test_gates_without_a_rest_are_an_overload_unless_the_pause_keeps_their_gaps(place: FeedPlace | None) -> None:
    clock, rates = VirtualClock(), []
    feeding = Feeding(RateSettings(120.0), DriveSettings(1000.0), place, 0.0, clock, rates.append)
    feeding.start(120.0)
    for number in range(20):
        clock.advance(FRAME_S)
        feeding.follow(frame(number), [], [], looks_waiting=0, gate_load=0.97)
    assert (feeding.state.brake != "") == (place is None)
    assert (rates[-1] < 100) == (place is None)
