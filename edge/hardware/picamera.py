"""The Raspberry Pi's camera through picamera2."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edge.config.schema import CameraConfig
from edge.errors import HardwareError
from edge.hardware.exposure import ExposureTravel
from edge.records import CameraLock, Frame, ImageBgr

SETTLE_FRAMES = 20
"""Frames that automatic exposure and white balance get before they are locked."""
START_TIMEOUT_S = 5.0
UNDER_WAY = 8
"""Requests that are queued when controls are set (six buffers of a video), and the two frames a sensor takes."""
MANUAL_FOCUS = 0
"""libcamera's `AfModeManual`."""
MOST_AGE_S = 1.0
"""A sensor time further back than this is on another clock, and is not used."""


class PiCamera:
    """Frames at a locked exposure, gain and white balance: those of machine.yaml, or what the camera's automatics have
    settled on at the start. A part keeps its colour, whatever rides past. Implements `CameraControls`.

    A frame's time is the sensor's own; its travel is the belt's at that time.
    """

    def __init__(
        self, config: CameraConfig, travel: ExposureTravel, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._config = config
        self._travel = travel
        self._monotonic_ns = monotonic_ns
        self._camera: Any = None
        self._pending: Any = None
        self._index = 0
        self._lock: CameraLock | None = None

    def start(self) -> None:
        """Opens the camera and locks its exposure and colours.

        Raises:
            HardwareError: picamera2 is missing, or no camera answers.
        """
        self.close()
        self._camera = _open_camera()
        try:
            self._configure()
            self._camera.start()
            self._lock_automatics()
        except HardwareError:
            self.close()
            raise
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            self.close()
            raise HardwareError(
                f"camera: it cannot be set up ({error}): check camera.width_px, height_px and frames_per_s"
                " against `rpicam-hello --list-cameras`"
            ) from error
        self._index = 0

    def next_frame(self, timeout_s: float) -> Frame | None:
        image, metadata = self._capture(timeout_s)
        clock = self._travel.clock
        time_s = clock.now_s() - self._age_s(metadata)
        frame = Frame(self._index, time_s, self._travel.mm_at(time_s), image)
        self._index += 1
        return frame

    def close(self) -> None:
        camera, self._camera, self._pending = self._camera, None, None
        if camera is not None:
            try:
                try:
                    camera.stop()
                finally:
                    camera.close()
            except (RuntimeError, OSError) as error:
                raise HardwareError(f"camera: it could not be closed ({error}): unplug it or restart the Pi") from error

    @property
    def settle_frames(self) -> int:
        return UNDER_WAY

    @property
    def focus_range_dioptres(self) -> tuple[float, float] | None:
        return self._range("LensPosition")

    def locked(self) -> CameraLock:
        self._must_be_open("asked how it is locked")
        assert self._lock is not None
        return self._lock

    def lock(self, wanted: CameraLock) -> None:
        self._must_be_open("locked")
        assert self._lock is not None
        self._check(wanted)
        if wanted.focus_dioptres is None:
            wanted = replace(wanted, focus_dioptres=self._lock.focus_dioptres)
        self._set(wanted)

    def _check(self, wanted: CameraLock) -> None:
        period_s = 1 / self._config.frames_per_s
        least_us, most_us = self._range("ExposureTime") or (1.0, period_s * 1e6)
        checked = [
            ("exposure_s", wanted.exposure_s, (least_us * 1e-6, min(most_us * 1e-6, period_s))),
            ("gain", wanted.gain, self._range("AnalogueGain")),
            *(("white_balance", gain, self._range("ColourGains")) for gain in wanted.white_balance),
        ]
        if wanted.focus_dioptres is not None:
            checked.append(("focus_dioptres", wanted.focus_dioptres, self.focus_range_dioptres or (0.0, -1.0)))
        for name, value, range_ in checked:
            if range_ is not None and not range_[0] <= value <= range_[1]:
                raise ValueError(f"camera: {name} {value:g} is not within {range_[0]:g}…{range_[1]:g}")

    def _set(self, wanted: CameraLock) -> None:
        controls = _exposure(round(wanted.exposure_s * 1e6), wanted.gain) | _colours(wanted.white_balance)
        if wanted.focus_dioptres is not None:
            controls |= _focus(wanted.focus_dioptres)
        try:
            self._camera.set_controls(controls)
        except (RuntimeError, OSError, ValueError) as error:
            raise HardwareError(f"camera: it cannot be locked ({error}): restart the Pi") from error
        self._lock = wanted

    def _range(self, control: str) -> tuple[float, float] | None:
        """Least and most of a control; None where the camera has none, or no range for it."""
        advertised = self._camera.camera_controls.get(control) if self._camera is not None else None
        if advertised is None or not isinstance(advertised[1], int | float):
            return None
        return float(advertised[0]), float(advertised[1])

    def _must_be_open(self, what: str) -> None:
        if self._camera is None:
            raise HardwareError(f"camera: {what} while not started: start it first")

    def _configure(self) -> None:
        config = self._config
        period_us = round(1e6 / config.frames_per_s)
        controls: dict[str, Any] = {"FrameDurationLimits": (period_us, period_us)}
        if config.focus_dioptres is not None and self.focus_range_dioptres is not None:
            controls |= _focus(config.focus_dioptres)
        if config.exposure_s is not None:
            controls["ExposureTime"] = round(config.exposure_s * 1e6)
        if config.gain is not None:
            controls["AnalogueGain"] = config.gain
        controls["AeEnable"] = config.exposure_s is None or config.gain is None
        if config.white_balance is not None:
            controls |= _colours(config.white_balance)
        size = (config.width_px, config.height_px)
        # "RGB888" lies in memory as blue, green, red.
        main = {"size": size, "format": "RGB888"}
        self._camera.configure(self._camera.create_video_configuration(main=main, controls=controls))

    def _lock_automatics(self) -> None:
        config = self._config
        exposure_s, gain, white_balance = config.exposure_s, config.gain, config.white_balance
        focus = config.focus_dioptres if self.focus_range_dioptres else None
        if exposure_s is not None and gain is not None and white_balance is not None:
            self._lock = CameraLock(exposure_s, gain, white_balance, focus)
            return
        metadata: dict[str, Any] = {}
        for _ in range(SETTLE_FRAMES):
            _, metadata = self._capture(START_TIMEOUT_S)
        self._set(
            CameraLock(
                metadata["ExposureTime"] * 1e-6 if exposure_s is None else exposure_s,
                metadata["AnalogueGain"] if gain is None else gain,
                tuple(metadata["ColourGains"]) if white_balance is None else white_balance,
                focus,
            )
        )

    def _age_s(self, metadata: dict[str, Any]) -> float:
        """Seconds since the sensor took the picture. `SensorTimestamp` counts nanoseconds of the kernel's monotonic
        clock; libcamera documents boot time, which is the same on a computer that never sleeps."""
        taken_ns = metadata.get("SensorTimestamp")
        age_s = (self._monotonic_ns() - taken_ns) * 1e-9 if taken_ns is not None else 0.0
        return age_s if 0 <= age_s <= MOST_AGE_S else 0.0

    def _capture(self, timeout_s: float) -> tuple[ImageBgr, dict[str, Any]]:
        """The next picture and its metadata. A capture that comes too late is kept for the next call, so that its
        buffer goes back to the camera."""
        self._must_be_open("asked for a frame")
        if self._pending is None:
            self._pending = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(self._pending, timeout=timeout_s)
        except TimeoutError as error:
            raise HardwareError(
                f"camera: no frame for {timeout_s:g} s: check its cable, and that no other program uses it"
            ) from error
        self._pending = None
        try:
            return np.ascontiguousarray(request.make_array("main"), np.uint8), request.get_metadata()
        finally:
            request.release()


def _open_camera() -> Any:
    try:
        picamera2 = importlib.import_module("picamera2")
    except ImportError as error:
        raise HardwareError(
            f"camera: picamera2 cannot be imported ({error}): `sudo apt install python3-picamera2`, and make .venv"
            " with system packages"
        ) from error
    try:
        return picamera2.Picamera2()
    except (RuntimeError, IndexError, OSError) as error:
        raise HardwareError(
            f"camera: none can be opened ({error}): check the ribbon cable, and `rpicam-hello --list-cameras`"
        ) from error


def _exposure(exposure_us: int, gain: float) -> dict[str, Any]:
    return {"AeEnable": False, "ExposureTime": int(exposure_us), "AnalogueGain": float(gain)}


def _colours(gains: tuple[float, float]) -> dict[str, Any]:
    return {"AwbEnable": False, "ColourGains": (float(gains[0]), float(gains[1]))}


def _focus(dioptres: float) -> dict[str, Any]:
    return {"AfMode": MANUAL_FOCUS, "LensPosition": float(dioptres)}
