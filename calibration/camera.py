"""Step `camera`: exposure, gain, white balance and focus are locked; the belt is bright, and nothing clips."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.chart import Curve, chart, stack
from calibration.rig import Rig, Task
from calibration.step import Fit, RefusedError, Step
from edge.capture.measures import CLIPPED_LEVEL
from edge.config.calibration import CameraCalibration, Residual
from edge.hardware.interfaces import CameraControls
from edge.records import CameraLock, ImageBgr

TARGET_LEVEL = 190.0
"""Of the belt's brightest channel: a white part, half as bright again in light, still has room."""
TOLERANCE = 12.0
MOST_SMEAR_MM = 0.3
"""Way of the belt during an exposure; a pixel and a half at 5 px/mm."""
FRAME_SHARE = 0.8
LIKED_GAIN, MOST_GAIN = 2.0, 12.0
"""A gain that costs hardly any noise, and the most that leaves a part's colour."""
ROUNDS = 8
FOCUS_STEPS, FINE_STEPS = 11, 7
DISTINCT = 1.15
"""How much sharper the best focus must be than the worst, to be one."""
SHOTS = 12
MOST_CLIPPED_PERCENT, MOST_SWING_PERCENT = 0.3, 3.0
MIRROR_PERCENT, DARK_LEVEL = 0.3, 60.0
CHART_PX = (720, 220)

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CameraData:
    """Attributes:
    lock: with which the shots were taken.
    shots: raw pictures (H, W, 3) of the bare belt.
    sweep: (dioptres, sharpness) of each focus that was tried; empty for a lens without a motor.
    """

    lock: CameraLock
    shots: tuple[ImageBgr, ...]
    sweep: tuple[tuple[float, float], ...]


def collect(rig: Rig) -> CameraData:
    """Locks the camera on the bare belt; it stays locked.

    Raises:
        RefusedError: the camera cannot be locked, or there is too little or too much light.
    """
    controls = rig.controls
    if controls is None:
        raise RefusedError("camera: its exposure cannot be set: a recording is as it was taken")
    rig.operator.do(Task("Take everything off the belt and close the lid, as when it sorts", "clear", {}, 20.0))
    exposer = _Exposer(rig, controls)
    exposer.brighten()
    sweep = exposer.sharpen()
    exposer.balance()
    exposer.brighten()
    return CameraData(exposer.lock, tuple(exposer.pictures(SHOTS)), sweep)


def fit(rig: Rig, data: CameraData) -> Fit[CameraCalibration]:
    """The lock, with what the bare belt looks like under it.

    Raises:
        RefusedError: a lamp is mirrored in the belt, or it is not lit.
    """
    belts = [_belt(rig, shot) for shot in data.shots]
    if not belts:
        raise RefusedError("camera: it gave no picture: look at its cable")
    _check_mirror(rig, data.shots)
    means = np.array([belt.reshape(-1, 3).mean(axis=0) for belt in belts])
    bright = means.max(axis=1)
    clipped = 100 * float(np.mean([(belt.max(axis=2) >= CLIPPED_LEVEL).mean() for belt in belts]))
    swing = 100 * float(np.ptp(means.mean(axis=1)) / means.mean())
    off = abs(float(bright.mean()) - TARGET_LEVEL)
    if bright.mean() < DARK_LEVEL:
        raise RefusedError(f"camera: the belt stays dark at level {bright.mean():.0f} of 255: give it more light")
    lock = data.lock
    blue, green, red = (float(value) for value in means.mean(axis=0))
    section = CameraCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {len(belts)} pictures of the bare belt",
        residuals={
            "belt off its brightness": Residual(value=off, limit=TOLERANCE, unit="levels"),
            "pixels that clip": Residual(value=clipped, limit=MOST_CLIPPED_PERCENT, unit="%"),
            "swing of the light": Residual(value=swing, limit=MOST_SWING_PERCENT, unit="%"),
        },
        exposure_s=lock.exposure_s,
        gain=lock.gain,
        white_balance=lock.white_balance,
        focus_dioptres=lock.focus_dioptres,
        belt_bgr=(blue, green, red),
        sharpness=sharpness(belts),
    )
    notes = [
        f"locked at {1000 * lock.exposure_s:.2g} ms, gain {lock.gain:.2g}; the belt is at level {bright.mean():.0f}"
    ]
    if data.sweep and (problem := _no_peak(data.sweep)):
        notes.append(problem)
    return Fit(section, _draw(rig, data), tuple(notes))


STEP: Step[CameraData, CameraCalibration] = Step("camera", "exposure, white balance and focus", collect, fit)


def sharpness(pictures: list[ImageBgr]) -> float:
    """Detail that pictures of a belt that stands have in common, in levels. Noise differs from one to the next: one's
    detail is multiplied with another's."""
    details = [_detail(picture) for picture in pictures]
    pairs = [float((one * two).mean()) for one, two in zip(details, details[1:] + details[:1], strict=True)]
    return max(float(np.mean(pairs)), 1e-3) ** 0.5


def _detail(picture: ImageBgr) -> NDArray[np.float32]:
    green = picture[..., 1].astype(np.float32)
    return np.asarray(cv2.GaussianBlur(green, (0, 0), 0.8) - cv2.GaussianBlur(green, (0, 0), 2.5), np.float32)


class _Exposer:
    """Turns one control after the other until the belt looks as it should."""

    def __init__(self, rig: Rig, controls: CameraControls) -> None:
        self._rig, self._controls = rig, controls
        camera, belt = rig.machine.camera, rig.config.belt
        self._longest_s = min(FRAME_SHARE / camera.frames_per_s, MOST_SMEAR_MM / belt.belt_mm_per_s)
        self.lock = controls.locked()

    def pictures(self, count: int) -> list[ImageBgr]:
        """The next frames with what is locked."""
        return [np.asarray(frame.image_bgr) for frame in self._rig.frames(count)]

    def brighten(self) -> None:
        """Exposure first, as far as the belt's way allows, then gain.

        Raises:
            RefusedError: there is too little light, or too much.
        """
        for _ in range(ROUNDS):
            level = self._level()
            if abs(level - TARGET_LEVEL) < TOLERANCE / 3:
                return
            # A picture that clips all over says only that there is far too much.
            wanted = 0.25 if level > CLIPPED_LEVEL - 4 else _light(TARGET_LEVEL) / _light(max(level, 4.0))
            light = self.lock.exposure_s * self.lock.gain * float(np.clip(wanted, 0.1, 10.0))
            exposure_s = min(light / LIKED_GAIN, self._longest_s)
            gain = min(max(light / exposure_s, 1.0), MOST_GAIN)
            self._set(replace(self.lock, exposure_s=min(light / gain, self._longest_s), gain=gain))
        raise RefusedError(
            f"camera: the belt stays at level {self._level():.0f} of 255 with {1000 * self.lock.exposure_s:.2g} ms and"
            f" gain {self.lock.gain:.2g}: " + ("give it more light" if self._level() < TARGET_LEVEL else "dim the lamp")
        )

    def balance(self) -> None:
        """Red and blue as bright as green on the belt; what colour the belt really has is for the colour step."""
        for _ in range(2):
            belt = np.mean([_belt(self._rig, shot).reshape(-1, 3).mean(axis=0) for shot in self.pictures(3)], axis=0)
            blue, green, red = (_light(float(level)) for level in belt)
            gains = self.lock.white_balance
            balance = (
                float(np.clip(gains[0] * green / red, 0.2, 7.9)),
                float(np.clip(gains[1] * green / blue, 0.2, 7.9)),
            )
            self._set(replace(self.lock, white_balance=balance))

    def sharpen(self) -> tuple[tuple[float, float], ...]:
        """Turns the lens to where the belt is sharpest: over its whole range, then around the best."""
        if (range_ := self._controls.focus_range_dioptres) is None:
            return ()
        sweep = [(focus, self._sharpness(focus)) for focus in np.linspace(*range_, FOCUS_STEPS).tolist()]
        best = max(sweep, key=lambda one: one[1])[0]
        step = (range_[1] - range_[0]) / (FOCUS_STEPS - 1)
        low, high = max(best - step, range_[0]), min(best + step, range_[1])
        fine = [(focus, self._sharpness(focus)) for focus in np.linspace(low, high, FINE_STEPS).tolist()]
        self._set(replace(self.lock, focus_dioptres=peak_of(fine)))
        return tuple(sorted(sweep + fine))

    def _sharpness(self, focus: float) -> float:
        self._set(replace(self.lock, focus_dioptres=focus))
        return sharpness(self.pictures(3))

    def _level(self) -> float:
        """Of the belt's brightest channel, where it is brightest."""
        belts = [_belt(self._rig, shot) for shot in self.pictures(2)]
        if not belts:
            raise RefusedError("camera: it gave no picture: look at its cable")
        return float(np.mean([np.percentile(belt.reshape(-1, 3), 60, axis=0).max() for belt in belts]))

    def _set(self, lock: CameraLock) -> None:
        try:
            self._controls.lock(lock)
        except ValueError as error:
            raise RefusedError(f"camera: {error}: give the belt more light, or less") from error
        self.lock = lock
        for _ in self._rig.frames(self._controls.settle_frames):
            pass


def peak_of(sweep: list[tuple[float, float]]) -> float:
    """The focus at the top of a parabola through the three sharpest neighbours."""
    focus, sharp = np.array(sorted(sweep)).T
    best = int(sharp.argmax())
    if best in (0, len(sharp) - 1):
        return float(focus[best])
    left, middle, right = sharp[best - 1 : best + 2]
    curve = left - 2 * middle + right
    shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    at = focus[best] + float(np.clip(shift, -1, 1)) * (focus[best + 1] - focus[best])
    return float(np.clip(at, focus[0], focus[-1]))


def _no_peak(sweep: tuple[tuple[float, float], ...]) -> str | None:
    sharp = [value for _, value in sweep]
    if max(sharp) > DISTINCT * min(sharp):
        return None
    return "the focus hardly matters on this belt: lay a brick on it and look whether it is sharp"


def _belt(rig: Rig, picture: ImageBgr) -> ImageBgr:
    """The middle of the belt's region: a camera that is turned sees its rails at the region's edges."""
    u0, v0, u1, v1 = rig.machine.camera.belt_region_px
    wide, high = round(0.1 * (u1 - u0)), round(0.1 * (v1 - v0))
    return picture[v0 + high : v1 - high, u0 + wide : u1 - wide]


def _check_mirror(rig: Rig, shots: tuple[ImageBgr, ...]) -> None:
    belt = _belt(rig, shots[0])
    clipped = belt.min(axis=2) >= CLIPPED_LEVEL
    if (share := 100 * float(clipped.mean())) > MIRROR_PERCENT and np.median(belt.max(axis=2)) < CLIPPED_LEVEL - 10:
        v, u = np.nonzero(clipped)
        u0, v0, u1, v1 = rig.machine.camera.belt_region_px
        u_px, v_px = u.mean() + u0 + 0.1 * (u1 - u0), v.mean() + v0 + 0.1 * (v1 - v0)
        raise RefusedError(
            f"camera: a lamp is mirrored in the belt around ({u_px:.0f}, {v_px:.0f}) px: {share:.1f} % of it is at the"
            " end of the scale: turn the lamp, or put paper before it"
        )


def _light(level: float) -> float:
    """Linear light of an sRGB level in 0…255 (IEC 61966-2-1)."""
    coded = level / 255
    return coded / 12.92 if coded <= 0.04045 else ((coded + 0.055) / 1.055) ** 2.4


def _draw(rig: Rig, data: CameraData) -> ImageBgr:
    """The belt as it is seen, how its levels spread, and how sharp it was at each focus."""
    shot = data.shots[0]
    levels = np.bincount(_belt(rig, shot)[..., 1].ravel(), minlength=256)
    rows = [
        np.asarray(cv2.resize(shot, (720, round(720 * shot.shape[0] / shot.shape[1])), interpolation=cv2.INTER_AREA)),
        chart("the bare belt, green", "level", "px", [Curve(np.arange(256.0), levels)], CHART_PX),
    ]
    if data.sweep:
        focus, sharp = np.array(data.sweep).T
        title = f"sharpness of the belt, locked at {data.lock.focus_dioptres or 0:.2f} dioptres"
        rows.append(chart(title, "dioptres", "levels", [Curve(focus, sharp)], CHART_PX))
    return stack(*rows)
