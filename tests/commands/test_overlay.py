"""What is drawn on the camera's picture lies where the part is, whichever way the belt moves."""

from __future__ import annotations

import resource

import cv2
import numpy as np
import pytest
from drawn_belt import PX_PER_MM, DrawnPart, draw_belt

from edge.bundle.manifest import BundlePart
from edge.errors import InputError
from edge.overlay import VideoWriter, draw
from edge.part_state import Outcome, PartState
from edge.records import BinDecision, DecisionReason, Frame, Plan, TrackState, Verdict
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import Tracker

TURNS = {"right": 0, "up": 1, "left": 2, "down": 3}
"""Quarter turns of the drawn belt, which moves right."""
PARTS = [BundlePart("3001", "Brick 2 x 4", "Brick"), BundlePart("3023", "Plate 1 x 2", "Plate")]


def outcome_of(direction, part, bin_name, frames=20):
    """The belt after some frames, its one part decided."""
    pictures = [np.ascontiguousarray(np.rot90(draw_belt([part], 5.0 * k), TURNS[direction])) for k in range(frames)]
    height, width = pictures[0].shape[:2]
    settings = TrackingSettings(PX_PER_MM, direction, (0, 0, width, height))
    tracker = Tracker(settings)
    for index, picture in enumerate(pictures):
        frame = Frame(index, index / 20, 5.0 * index, picture)
        tracks = tracker.update(frame)
    (track,) = tracks
    assert track.state is TrackState.CONFIRMED
    verdict = Verdict(1, np.array([0.97, 0.03], np.float32), np.zeros(0, np.float32), 3, False, "")
    decision = BinDecision(1, bin_name, DecisionReason.CERTAIN, 0.97)
    return Outcome(frame, [PartState(track, verdict, decision, Plan(1, bin_name, False))]), settings


def colour_box(picture, bgr):
    """Bounding box of the pixels of one pure colour."""
    return cv2.boundingRect((np.abs(picture.astype(int) - bgr).max(axis=2) < 25).astype(np.uint8))


@pytest.mark.parametrize("direction", TURNS)
@pytest.mark.parametrize(("length_mm", "width_mm"), [(32.0, 8.0), (8.0, 32.0)])
def test_the_box_lies_around_the_part(direction, length_mm, width_mm):
    part = DrawnPart(20.0, "red", 12.0, length_mm, width_mm)
    outcome, settings = outcome_of(direction, part, "bricks")
    picture = draw(outcome, settings, PARTS, "rest")
    changed = np.abs(picture.astype(int) - outcome.frame.image_bgr).max(axis=2) > 0
    green = ((picture.astype(int) - [80, 200, 80]).__abs__().max(axis=2) < 3) & changed
    u, v, wide, high = colour_box(outcome.frame.image_bgr, (30, 30, 210))
    rows, columns = np.nonzero(green)
    left, top = columns.min(), rows.min()
    assert (left, top) == pytest.approx((u, v), abs=5)
    edge = green[top + high // 2]
    assert np.nonzero(edge)[0].max() == pytest.approx(u + wide, abs=5)


def test_the_name_and_the_bin_stand_beside_the_part_also_at_the_border():
    part = DrawnPart(20.0, "red", 30.0)
    outcome, settings = outcome_of("right", part, "bricks")
    picture = draw(outcome, settings, PARTS, "rest")
    strip = (picture == 40).all(axis=2)
    u, v, wide, high = cv2.boundingRect(strip.astype(np.uint8))
    assert 36 <= high <= 41
    assert v + high <= picture.shape[0]
    assert u + wide <= picture.shape[1]


@pytest.mark.parametrize(("bin_name", "bgr"), [("bricks", (80, 200, 80)), ("rest", (110, 110, 235))])
def test_the_colour_tells_the_default_bin_from_the_others(bin_name, bgr):
    outcome, settings = outcome_of("right", DrawnPart(20.0, "blue"), bin_name)
    picture = draw(outcome, settings, PARTS, "rest")
    assert (picture == bgr).all(axis=2).sum() > 100


def test_the_camera_picture_is_left_alone():
    outcome, settings = outcome_of("right", DrawnPart(20.0, "blue"), "bricks")
    before = outcome.frame.image_bgr.copy()
    draw(outcome, settings, PARTS, "rest")
    assert (outcome.frame.image_bgr == before).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seen.gif", "cannot write a video {}: give a name that ends in .mp4 or .avi"),
        ("missing/seen.mp4", "cannot write the video {}: the folder {} is missing"),
    ],
)
def test_a_video_that_cannot_be_written_is_told_before_anything_runs(tmp_path, name, message):
    file = tmp_path / name
    with pytest.raises(InputError) as error:
        VideoWriter(file, 12)
    assert str(error.value) == message.format(file, file.parent)


def write_video(file, pictures):
    writer = VideoWriter(file, 12)
    for picture in pictures:
        writer.write(picture)
    writer.close()
    return writer


@pytest.mark.parametrize("name", ["seen.mp4", "seen.avi"])
def test_a_video_that_the_disk_did_not_take_is_told(tmp_path, name):
    file = tmp_path / name
    noise = np.random.default_rng(1).integers(0, 255, (12, 120, 160, 3)).astype(np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        cut_short = write_video(file, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(InputError, match=f"the video {file} was cut short: make room on the disk"):
        cut_short.check()
    write_video(file, noise).check()
