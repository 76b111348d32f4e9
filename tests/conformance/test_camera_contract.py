"""Every camera, real, recorded or simulated, keeps the contract of `edge.hardware.interfaces.Camera`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import fake_picamera2
import numpy as np
import pytest

import edge.config
from edge.clock import VirtualClock
from edge.config.load import load_bins, load_machine
from edge.config.schema import CameraConfig
from edge.errors import HardwareError, InputError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.exposure import ExposureTravel
from edge.hardware.frames import FramesCamera
from edge.hardware.interfaces import Camera
from edge.hardware.picamera import PiCamera
from edge.records import Frame

FPS = 10.0
FRAMES = 4
SIZE_PX = (96, 64)
SPEED_MM_PER_S = 100.0


@dataclass
class Bench:
    """A camera; `stall` makes it go silent, None for a recording, which has an end instead."""

    camera: Camera
    size_px: tuple[int, int]
    stall: Callable[[], None] | None = None


def _pictures() -> list[np.ndarray]:
    width, height = SIZE_PX
    return [np.full((height, width, 3), 20 + 50 * index, np.uint8) for index in range(FRAMES)]


def _folder(folder: Path) -> Path:
    for index, image in enumerate(_pictures()):
        cv2.imwrite(str(folder / f"frame{index}.png"), image)
    return folder


def _live() -> ExposureTravel:
    clock = VirtualClock(50.0)
    encoder = ConstantEncoder(SPEED_MM_PER_S, clock.now_s)
    encoder.start()
    return ExposureTravel(encoder, clock)


def folder_of_pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(FramesCamera(_folder(tmp_path), FPS, SPEED_MM_PER_S), SIZE_PX)


def folder_played_live(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(FramesCamera(_folder(tmp_path), FPS, live=_live()), SIZE_PX)


def video(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    file = tmp_path / "belt.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE_PX)
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for image in _pictures():
        writer.write(image)
    writer.release()
    return Bench(FramesCamera(file, FPS, SPEED_MM_PER_S), SIZE_PX)


def picamera2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    module, travel = fake_picamera2.install(monkeypatch), _live()
    config = CameraConfig(
        driver="picamera2",
        width_px=SIZE_PX[0],
        height_px=SIZE_PX[1],
        frames_per_s=FPS,
        px_per_mm=5.0,
        belt_region_px=(0, 0, *SIZE_PX),
    )

    def pass_time() -> None:
        module.now_ns += round(1e9 / FPS)
        travel.clock.sleep_until(travel.clock.now_s() + 1 / FPS)

    def stall() -> None:
        module.stalled = True

    module.on_frame = pass_time
    return Bench(PiCamera(config, travel, lambda: module.now_ns), SIZE_PX, stall)


def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    from edge.catalogue.colours import load_colours
    from edge.sim.build import build_world
    from edge.sim.camera import CameraFault

    example = Path(edge.config.__file__).parent / "examples" / "west-18"
    machine, bins = load_machine(example / "machine.yaml"), load_bins(example / "bins.yaml")
    try:
        simulated = build_world(machine, bins, load_colours(), seed=1, parts=3)
    except InputError as error:
        pytest.skip(str(error))
    simulated.world.encoder.start()
    simulated.world.belt_motor.start()
    simulated.world.feeder.set_rate(60)

    def stall() -> None:
        simulated.camera.fail(CameraFault.DEAD)

    return Bench(simulated.camera, (machine.camera.width_px, machine.camera.height_px), stall)


@pytest.fixture(params=[folder_of_pictures, folder_played_live, video, picamera2, sim], ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return request.param(monkeypatch, tmp_path)


def take(camera: Camera, most: int) -> list[Frame]:
    frames = (camera.next_frame(2.0) for _ in itertools.repeat(None, most))
    return [frame for frame in frames if frame is not None]


def test_frames_come_in_order_and_are_pictures(bench: Bench) -> None:
    bench.camera.start()
    frames = take(bench.camera, FRAMES)
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(frames))
    width, height = bench.size_px
    for frame in frames:
        assert frame.image_bgr.shape == (height, width, 3)
        assert frame.image_bgr.dtype == np.uint8
        assert frame.image_bgr.flags.c_contiguous
    bench.camera.close()


def test_the_travel_never_falls_and_follows_the_belt(bench: Bench) -> None:
    bench.camera.start()
    travels = [frame.belt_mm for frame in take(bench.camera, FRAMES)]
    assert all(later >= earlier for earlier, later in pairwise(travels))
    assert travels[-1] > travels[0]
    bench.camera.close()


def test_a_frame_stays_as_it_was_when_the_next_one_comes(bench: Bench) -> None:
    bench.camera.start()
    first = bench.camera.next_frame(2.0)
    assert first is not None
    kept = first.image_bgr.copy()
    take(bench.camera, FRAMES - 1)
    assert np.array_equal(first.image_bgr, kept)
    bench.camera.close()


def test_it_gives_nothing_before_its_start(bench: Bench) -> None:
    with pytest.raises(HardwareError, match="start"):
        bench.camera.next_frame(2.0)


def test_it_gives_nothing_after_close_which_may_be_called_again(bench: Bench) -> None:
    bench.camera.start()
    take(bench.camera, 1)
    bench.camera.close()
    bench.camera.close()
    with pytest.raises(HardwareError, match="camera"):
        bench.camera.next_frame(2.0)


def test_it_closes_without_a_start(bench: Bench) -> None:
    bench.camera.close()


def test_a_silent_camera_is_an_error_and_the_end_of_a_recording_is_none(bench: Bench) -> None:
    bench.camera.start()
    if bench.stall is None:
        assert len(take(bench.camera, FRAMES + 3)) == FRAMES
        assert bench.camera.next_frame(2.0) is None
    else:
        take(bench.camera, 1)
        bench.stall()
        with pytest.raises(HardwareError, match="camera"):
            bench.camera.next_frame(0.5)
    bench.camera.close()
