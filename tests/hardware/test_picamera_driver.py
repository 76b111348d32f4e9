"""The Raspberry Pi's camera: what is locked, what a frame carries, and what is said when it fails."""

from __future__ import annotations

import sys
from dataclasses import replace

import fake_picamera2
import pytest
from fake_picamera2 import AGE_NS, FakeModule, FakePicamera2

from edge.clock import VirtualClock
from edge.config.schema import CameraConfig
from edge.errors import HardwareError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.exposure import ExposureTravel
from edge.hardware.picamera import PiCamera

FPS = 10
SPEED_MM_PER_S = 150.0


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> FakeModule:
    return fake_picamera2.install(monkeypatch)


@pytest.fixture
def clock(module: FakeModule) -> VirtualClock:
    clock = VirtualClock(500.0)

    def pass_time() -> None:
        module.now_ns += round(1e9 / FPS)
        clock.advance(1 / FPS)

    module.on_frame = pass_time
    return clock


def camera_of(module: FakeModule, clock: VirtualClock, **settings: object) -> PiCamera:
    encoder = ConstantEncoder(SPEED_MM_PER_S, clock.now_s)
    encoder.start()
    config = CameraConfig.model_validate(
        {
            "driver": "picamera2",
            "width_px": 640,
            "height_px": 480,
            "frames_per_s": float(FPS),
            "px_per_mm": 5.0,
            "belt_region_px": (0, 0, 640, 480),
            **settings,
        }
    )
    return PiCamera(config, ExposureTravel(encoder, clock), lambda: module.now_ns)


LOCKED = {"exposure_s": 0.004, "gain": 2.0, "white_balance": (1.8, 1.5)}


def controls(module: FakeModule) -> dict:
    assert module.camera is not None
    return module.camera.controls


def test_the_configured_exposure_and_colours_are_locked(module: FakeModule, clock: VirtualClock) -> None:
    camera_of(module, clock, **LOCKED).start()
    assert controls(module) == {
        "FrameDurationLimits": (100_000, 100_000),
        "AeEnable": False,
        "ExposureTime": 4000,
        "AnalogueGain": 2.0,
        "AwbEnable": False,
        "ColourGains": (1.8, 1.5),
    }
    assert clock.now_s() == 500.0, "a locked camera need not settle"


def test_what_is_not_configured_settles_and_is_then_locked(module: FakeModule, clock: VirtualClock) -> None:
    camera_of(module, clock).start()
    locked = controls(module)
    assert (locked["AeEnable"], locked["AwbEnable"]) == (False, False)
    assert locked["ExposureTime"] == 8020, "the exposure that the automatics came to at their twentieth frame"
    assert locked["AnalogueGain"] == pytest.approx(1.2)
    assert locked["ColourGains"] == pytest.approx((2.2, 1.5))


def test_one_configured_value_is_kept_while_the_rest_settles(module: FakeModule, clock: VirtualClock) -> None:
    camera_of(module, clock, exposure_s=0.002).start()
    assert controls(module)["ExposureTime"] == 2000
    assert controls(module)["AeEnable"] is False


def test_a_frame_carries_the_time_and_travel_of_its_exposure(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, **LOCKED)
    camera.start()
    camera.next_frame(1.0)
    frame = camera.next_frame(1.0)
    assert frame is not None
    exposed_s = clock.now_s() - AGE_NS * 1e-9
    assert frame.time_s == pytest.approx(exposed_s)
    assert frame.belt_mm == pytest.approx((exposed_s - 500.0) * SPEED_MM_PER_S)
    assert frame.image_bgr[1, 1].tolist() == [200, 0, 0], "blue comes first"


def test_a_sensor_clock_that_is_not_ours_is_not_believed(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, **LOCKED)
    camera.start()
    for offset_ns in (-(10**15), 10**15):
        module.sensor_offset_ns = offset_ns
        frame = camera.next_frame(1.0)
        assert frame is not None
        assert frame.time_s == clock.now_s()


def test_frames_do_not_starve_the_camera(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, **LOCKED)
    camera.start()
    assert [frame.index for _ in range(50) if (frame := camera.next_frame(1.0))] == list(range(50))
    assert module.camera is not None
    assert module.camera.held == 0


def test_a_silence_is_told_and_the_late_frame_is_not_lost(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, **LOCKED)
    camera.start()
    module.stalled = True
    for _ in range(10):
        with pytest.raises(HardwareError, match=r"no frame for 0\.5 s: check its cable"):
            camera.next_frame(0.5)
    module.stalled = False
    frame = camera.next_frame(0.5)
    assert frame is not None
    assert frame.index == 0
    camera.close()
    assert module.open_cameras == 0


def test_a_camera_that_does_not_close_is_told_in_one_line(
    module: FakeModule, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = camera_of(module, clock, **LOCKED)
    camera.start()

    def fail(stopped: FakePicamera2) -> None:
        stopped.state = "stopped"
        raise RuntimeError("the pipe is gone")

    monkeypatch.setattr("fake_picamera2.FakePicamera2.stop", fail)
    with pytest.raises(HardwareError, match=r"camera: it could not be closed \(the pipe is gone\)"):
        camera.close()
    assert module.open_cameras == 0


def test_it_lets_go_of_the_camera_and_can_be_started_again(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, **LOCKED)
    for _ in range(2):
        camera.start()
        assert camera.next_frame(1.0) is not None
        camera.close()
        assert module.open_cameras == 0


def test_a_start_that_fails_lets_go_of_the_camera(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, width_px=8000, belt_region_px=(0, 0, 640, 480))
    with pytest.raises(HardwareError, match=r"cannot be set up .* camera\.width_px"):
        camera.start()
    assert module.open_cameras == 0
    module.stalled = True
    with pytest.raises(HardwareError, match="no frame"):
        camera_of(module, clock).start()
    assert module.open_cameras == 0


def test_no_camera_and_no_library_are_told(
    module: FakeModule, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    module.camera_connected = False
    with pytest.raises(HardwareError, match="ribbon cable"):
        camera_of(module, clock).start()
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(HardwareError, match="apt install python3-picamera2"):
        camera_of(module, clock).start()


def test_a_configured_focus_is_locked_where_the_lens_has_a_motor(module: FakeModule, clock: VirtualClock) -> None:
    camera_of(module, clock, **LOCKED, focus_dioptres=3.5).start()
    assert (controls(module)["AfMode"], controls(module)["LensPosition"]) == (0, 3.5)


def test_a_lens_without_a_motor_has_no_focus_to_lock(module: FakeModule, clock: VirtualClock) -> None:
    module.lens_motor = False
    camera = camera_of(module, clock, **LOCKED, focus_dioptres=3.5)
    camera.start()
    assert "LensPosition" not in controls(module)
    assert camera.focus_range_dioptres is None
    assert camera.locked().focus_dioptres is None
    with pytest.raises(ValueError, match="focus_dioptres"):
        camera.lock(replace(camera.locked(), focus_dioptres=3.0))


def test_the_exposure_must_fit_between_two_frames(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock, **LOCKED)
    camera.start()
    with pytest.raises(ValueError, match=r"exposure_s 0\.2 is not within 0\.0001…0\.1"):
        camera.lock(replace(camera.locked(), exposure_s=0.2))


def test_what_the_automatics_settled_on_is_told_as_the_lock(module: FakeModule, clock: VirtualClock) -> None:
    camera = camera_of(module, clock)
    camera.start()
    assert camera.locked().exposure_s == pytest.approx(0.00802)
    assert camera.locked().gain == pytest.approx(1.2)
