"""Recordings: order, time and travel of frames, and what is wrong with bad ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.errors import HardwareError, InputError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.exposure import ExposureTravel
from edge.hardware.frames import FramesCamera

SIDE_PX = 32


def save(folder: Path, name: str, value: int, side_px: int = SIDE_PX) -> Path:
    file = folder / name
    noise = np.random.default_rng(value).integers(0, 6, (side_px, side_px, 3), np.uint8)
    assert cv2.imwrite(str(file), noise + np.uint8(value))
    return file


def play(camera: FramesCamera) -> list[int]:
    """The brightness of every frame, in tens."""
    camera.start()
    values = []
    while (frame := camera.next_frame(1.0)) is not None:
        values.append(round(float(frame.image_bgr.mean()) / 10) * 10)
    return values


def test_pictures_come_in_the_natural_order_of_their_names(tmp_path: Path) -> None:
    for name, value in {"f10.png": 100, "f9.PNG": 90, "f100.png": 130, "f1.jpg": 10, "f02.bmp": 20}.items():
        save(tmp_path, name, value)
    assert play(FramesCamera(tmp_path, 10)) == [10, 20, 90, 100, 130]


def test_other_files_and_hidden_ones_are_left_out(tmp_path: Path) -> None:
    save(tmp_path, "a.png", 50)
    (tmp_path / "labels.csv").write_text("file,part")
    (tmp_path / "._a.png").write_bytes(b"what a Mac leaves behind")
    assert play(FramesCamera(tmp_path, 10)) == [50]


def test_time_and_travel_follow_the_index(tmp_path: Path) -> None:
    for index in range(3):
        save(tmp_path, f"{index}.png", 50)
    camera = FramesCamera(tmp_path, frames_per_s=20, belt_mm_per_s=80)
    camera.start()
    frames = [camera.next_frame(1.0) for _ in range(3)]
    assert [frame.time_s for frame in frames if frame] == pytest.approx([0.0, 0.05, 0.1])
    assert [frame.belt_mm for frame in frames if frame] == pytest.approx([0.0, 4.0, 8.0])


def test_start_plays_from_the_first_frame_again(tmp_path: Path) -> None:
    save(tmp_path, "0.png", 50)
    save(tmp_path, "1.png", 80)
    camera = FramesCamera(tmp_path, 10)
    assert play(camera) == [50, 80]
    assert play(camera) == [50, 80]


def test_live_frames_come_when_they_are_due_and_carry_the_travel_of_then(tmp_path: Path) -> None:
    for index in range(4):
        save(tmp_path, f"{index}.png", 50)
    clock = VirtualClock(100.0)
    encoder = ConstantEncoder(200.0, clock.now_s)
    encoder.start()
    camera = FramesCamera(tmp_path, 10, belt_mm_per_s=999, live=ExposureTravel(encoder, clock))
    camera.start()
    first, second = camera.next_frame(1.0), camera.next_frame(1.0)
    assert first is not None
    assert second is not None
    assert (first.time_s, second.time_s, clock.now_s()) == pytest.approx((100.0, 100.1, 100.1))
    clock.advance(0.15)  # Asked too late for the third: its travel is still that of its time.
    third = camera.next_frame(1.0)
    assert third is not None
    assert (third.time_s, third.belt_mm) == pytest.approx((100.2, 40.0))


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_truncated_picture_is_named(tmp_path: Path, ending: str) -> None:
    save(tmp_path, f"0.{ending}", 50)
    bad = save(tmp_path, f"1.{ending}", 60, side_px=256)
    bad.write_bytes(bad.read_bytes()[:-5000])
    with pytest.raises(InputError, match=rf"1\.{ending}.*cut short"):
        play(FramesCamera(tmp_path, 10))


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_text("hello")
    with pytest.raises(InputError, match=r"0\.png"):
        play(FramesCamera(tmp_path, 10))


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    save(tmp_path, "0.png", 50)
    save(tmp_path, "1.png", 50, side_px=40)
    with pytest.raises(InputError, match=r"1\.png is 40×40 px, expected 32×32 px"):
        play(FramesCamera(tmp_path, 10))


def test_a_recording_that_does_not_fit_the_configuration_is_told(tmp_path: Path) -> None:
    save(tmp_path, "0.png", 50)
    with pytest.raises(InputError, match=r"expected 1280×720 px: set camera\.width_px"):
        play(FramesCamera(tmp_path, 10, size_px=(1280, 720)))


def test_nothing_to_play_is_told_at_the_start(tmp_path: Path) -> None:
    for path, message in [
        (tmp_path / "gone", "no such recording"),
        (tmp_path, "holds no picture"),
        (Path(__file__), "no video that can be played"),
    ]:
        with pytest.raises(InputError, match=message):
            FramesCamera(path, 10).start()


def test_a_camera_that_failed_to_start_is_not_started(tmp_path: Path) -> None:
    camera = FramesCamera(tmp_path, 10)
    with pytest.raises(InputError):
        camera.start()
    with pytest.raises(HardwareError, match="not started"):
        camera.next_frame(1.0)
