"""A real belt by another builder: seven parts cross, and the tracker finds exactly those seven.

What crosses was read off the pictures by eye: the stream has 117 frames, numbered here from 0 in the order of their
names. The belt moves up; a mirror at the left shows each part from its side.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config.load import load_machine
from edge.records import Frame, Look, Track, TrackState
from edge.tracking.settings import TrackingSettings, tracking_settings
from edge.tracking.tracker import Tracker

PROJECT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("BRICKGATE_SHARED", PROJECT / "../shared"))
FRAMES = SHARED / "real-photos/openblok-belt-stream/frames"
MACHINE = PROJECT / "edge/config/examples/openblok-belt/machine.yaml"

pytestmark = pytest.mark.skipif(not FRAMES.is_dir(), reason=f"the photographs are not at {FRAMES}")


@dataclass(frozen=True)
class Crossing:
    """A part by eye: frames in which it is wholly in the picture, its place across, its real size in mm."""

    name: str
    first: int
    last: int
    u_px: int
    length_mm: float
    width_mm: float


CROSSINGS = [
    Crossing("dark purple 2×3 plate", 38, 41, 1043, 24, 16),
    Crossing("red round 2×2 brick", 46, 49, 831, 16, 16),
    Crossing("orange 2×2 tile", 50, 53, 989, 16, 16),
    Crossing("dark green 1×4 plate", 56, 59, 1051, 32, 8),
    Crossing("light blue 1×4 plate", 60, 62, 933, 32, 8),
    Crossing("brown round 2×2", 66, 69, 951, 16, 16),
    Crossing("blue part", 71, 74, 1033, 16, 12),
]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [cv2.imread(str(file)) for file in sorted(FRAMES.iterdir())]


def settings() -> TrackingSettings:
    return tracking_settings(load_machine(MACHINE))


def follow(
    pictures: list[np.ndarray], wanted: TrackingSettings, step_mm: float = 30.0
) -> tuple[dict[int, Track], dict[int, list[Look]]]:
    """Every track that was ever confirmed, as last reported, and its looks."""
    tracker = Tracker(wanted)
    tracks: dict[int, Track] = {}
    looks: dict[int, list[Look]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        for track in tracker.update(Frame(index, index / 5, index * step_mm, picture)):
            if track.state in (TrackState.CONFIRMED, TrackState.FINISHED):
                tracks[track.track_id] = track
                looks[track.track_id] += track.looks
    return tracks, looks


def assert_the_seven(tracks: dict[int, Track]) -> None:
    found = sorted(tracks.values(), key=lambda track: track.first_frame)
    assert len(found) == len(CROSSINGS)
    for track, crossing in zip(found, CROSSINGS, strict=True):
        assert abs(track.first_frame - crossing.first) <= 1, crossing.name
        assert abs(track.last_frame - crossing.last) <= 1, crossing.name
        assert abs(track.y_mm - (crossing.u_px - 960) / 4.7) < 3, crossing.name
        assert track.state is TrackState.FINISHED, crossing.name
        assert not track.touching, crossing.name


def test_exactly_the_seven_parts_are_found(pictures: list[np.ndarray]) -> None:
    tracks, _ = follow(pictures, settings())
    assert_the_seven(tracks)
    for track, crossing in zip(sorted(tracks.values(), key=lambda t: t.first_frame), CROSSINGS, strict=True):
        assert track.complete
        assert track.length_mm == pytest.approx(crossing.length_mm, rel=0.2), crossing.name
        assert track.width_mm == pytest.approx(crossing.width_mm, rel=0.2), crossing.name


def test_mirror_gives_looks_to_the_same_tracks(pictures: list[np.ndarray]) -> None:
    _, looks = follow(pictures, settings())
    for own in looks.values():
        views = Counter(look.view for look in own)
        assert views["top"] >= 3
        assert views["mirror"] >= 3
        assert all((look.mm_per_px is None) == (look.view == "mirror") for look in own)
        assert all(look.crop_bgr.base is None for look in own)
        assert all(look.mask is not None and look.mask.shape == look.crop_bgr.shape[:2] for look in own)


def test_background_of_a_look_follows_the_white_balance(pictures: list[np.ndarray]) -> None:
    _, looks = follow(pictures, settings())
    reds = {}
    for own in looks.values():
        for look in own:
            if look.view == "top" and look.background_bgr is not None:
                reds[look.frame_index] = look.background_bgr[2] / look.background_bgr[1]
    assert reds[40] < 0.95
    assert reds[67] > 1.1


@pytest.mark.parametrize("step_mm", [0.0, 15.0, 45.0])
def test_belt_speed_need_not_be_known(pictures: list[np.ndarray], step_mm: float) -> None:
    tracks, _ = follow(pictures, settings(), step_mm)
    assert_the_seven(tracks)


def test_light_that_runs_off_further_changes_nothing(pictures: list[np.ndarray]) -> None:
    def drift(index: int) -> np.ndarray:
        return 0.75 + np.array([0.3 * np.sin(index / 7), 0.2 * np.cos(index / 5), 0.3 * np.sin(index / 9 + 1)])

    drifting = [np.clip(picture * drift(i), 0, 255).astype(np.uint8) for i, picture in enumerate(pictures)]
    tracks, _ = follow(drifting, settings())
    assert_the_seven(tracks)


def test_the_other_way_round_nothing_moves_with_the_belt(pictures: list[np.ndarray]) -> None:
    tracks, _ = follow([np.ascontiguousarray(picture[::-1]) for picture in pictures[30:80]], settings())
    assert tracks == {}
