"""A working picamera2 without a camera: buffers, controls and automatics that drift until they are switched off."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

CONTROLS: dict[str, type] = {
    "AeEnable": bool,
    "AwbEnable": bool,
    "ExposureTime": int,
    "AnalogueGain": float,
    "ColourGains": tuple,
    "FrameDurationLimits": tuple,
    "AfMode": int,
    "LensPosition": float,
}
RANGES: dict[str, tuple[Any, Any, Any]] = {
    "ExposureTime": (100, 5_000_000, None),
    "AnalogueGain": (1.0, 16.0, None),
    "ColourGains": (0.0, 32.0, None),
    "LensPosition": (0.0, 15.0, 1.0),
}
"""As `camera_controls` gives them: least, most and default."""
BUFFERS = 6
SENSOR_FRAMES = 2
"""That a sensor needs until new controls hold, once their request is its turn."""
AGE_NS = 40_000_000


class FakeRequest:
    """One picture in a buffer of the camera, until it is released."""

    def __init__(self, camera: FakePicamera2, number: int, metadata: dict[str, Any]) -> None:
        self._camera, self._number, self._metadata = camera, number, metadata
        self._released = False

    def make_array(self, name: str) -> np.ndarray:
        self._must_hold()
        assert name == "main"
        width, height = self._camera.size
        padded = np.zeros((height, width + 16, 3), np.uint8)
        padded[..., 0] = 200  # blue first
        padded[0, 0] = self._number % 256
        return padded[:, :width]

    def get_metadata(self) -> dict[str, Any]:
        self._must_hold()
        return dict(self._metadata)

    def release(self) -> None:
        self._must_hold()
        self._released = True
        self._camera.held -= 1

    def _must_hold(self) -> None:
        if self._released:
            raise RuntimeError("the request was released")


class FakeJob:
    """A capture under way."""

    def __init__(self) -> None:
        self.collected = False


class FakePicamera2:
    """The camera. It goes created → configured → started → stopped → closed, in that order."""

    def __init__(self, module: FakeModule) -> None:
        if not module.camera_connected:
            raise IndexError("list index out of range")
        if module.open_cameras:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        module.open_cameras += 1
        module.camera = self
        self._module = module
        self.state = "created"
        self.size = (0, 0)
        self.controls: dict[str, Any] = {}
        self.taken_with: dict[str, Any] = {}
        """What the last picture was taken with: controls that were set wait for the pictures under way."""
        self._under_way: deque[dict[str, Any]] = deque()
        self.held = 0
        self._number = 0

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
        assert set(main) == {"size", "format"}
        assert main["format"] == "RGB888"
        return {"main": main, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        self._must_be("created")
        width, height = configuration["main"]["size"]
        if width > 4608 or height > 2592:
            raise ValueError("the size is above the sensor's")
        self.size = (width, height)
        self.set_controls(configuration["controls"])
        self.state = "configured"

    def set_controls(self, controls: dict[str, Any]) -> None:
        for name, value in controls.items():
            if name not in CONTROLS:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
            if type(value) is not CONTROLS[name]:
                raise RuntimeError(f"{name} is a {type(value).__name__}")
            if name not in self.camera_controls and name in RANGES:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.controls.update(controls)

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        return {name: range_ for name, range_ in RANGES.items() if name != "LensPosition" or self._module.lens_motor}

    def start(self) -> None:
        self._must_be("configured")
        self._under_way.extend([dict(self.controls)] * (BUFFERS + SENSOR_FRAMES))
        self.state = "started"

    def capture_request(self, wait: bool) -> FakeJob:
        self._must_be("started")
        assert wait is False
        if self.held >= BUFFERS:
            raise RuntimeError("all buffers are held: the camera has starved")
        return FakeJob()

    def wait(self, job: FakeJob, timeout: float) -> FakeRequest:
        self._must_be("started")
        assert timeout > 0
        if job.collected:
            raise RuntimeError("the job was collected before")
        if self._module.stalled:
            raise TimeoutError
        job.collected = True
        self._module.on_frame()
        self.held += 1
        self._number += 1
        self._under_way.append(dict(self.controls))
        self.taken_with = self._under_way.popleft()
        return FakeRequest(self, self._number, self._metadata())

    def stop(self) -> None:
        if self.state == "started":
            self.state = "stopped"

    def close(self) -> None:
        if self.state == "closed":
            raise RuntimeError("the camera was closed before")
        if self.state == "started":
            raise RuntimeError("the camera is still running")
        if self.held:
            raise RuntimeError(f"{self.held} buffers were never released")
        self.state = "closed"
        self._module.open_cameras -= 1

    def _metadata(self) -> dict[str, Any]:
        """Automatics never stand still here; what is locked does."""
        drift = self._number
        controls = self.taken_with
        locked = not controls.get("AeEnable", True)
        white = not controls.get("AwbEnable", True)
        exposure_us = controls.get("ExposureTime", 8000 + drift)
        gain = controls["AnalogueGain"] if locked else 1.0 + 0.01 * drift
        return {
            "SensorTimestamp": self._module.now_ns - AGE_NS + self._module.sensor_offset_ns,
            "ExposureTime": exposure_us,
            "AnalogueGain": gain,
            "ColourGains": controls["ColourGains"] if white else (2.0 + 0.01 * drift, 1.5),
        }

    def _must_be(self, state: str) -> None:
        if self.state != state:
            raise RuntimeError(f"the camera is {self.state}, not {state}")


class FakeClass:
    """Stands in for the class Picamera2, with what can be asked of it before a camera is opened."""

    def __init__(self, module: FakeModule) -> None:
        self._module = module

    def __call__(self) -> FakePicamera2:
        return FakePicamera2(self._module)

    def global_camera_info(self) -> list[dict[str, Any]]:
        if self._module.libcamera_fails:
            raise RuntimeError("Camera manager could not be started")
        camera = {
            "Model": "imx708",
            "Location": 2,
            "Rotation": 180,
            "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a",
            "Num": 0,
        }
        return [camera] if self._module.camera_connected else []


class FakeModule:
    """Stands in for the module picamera2."""

    def __init__(self) -> None:
        self.camera_connected = True
        self.lens_motor = True
        self.libcamera_fails = False
        self.stalled = False
        """No more frames come."""
        self.now_ns = 1_000_000_000
        """The kernel's monotonic clock."""
        self.sensor_offset_ns = 0
        """How far the sensor's clock is from the kernel's."""
        self.on_frame: Callable[[], None] = lambda: None
        """What happens while a frame is waited for: time passes."""
        self.open_cameras = 0
        self.camera: FakePicamera2 | None = None
        self.Picamera2 = FakeClass(self)


def install(monkeypatch: Any) -> FakeModule:
    """Puts a fresh fake in the place of picamera2."""
    module = FakeModule()
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return module
