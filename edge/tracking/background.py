"""The bare belt as the camera sees it, learned while it runs, and how far a picture differs from it.

The model lives at a fraction of the camera's resolution, in the logarithm of the pixel values: there a change of gain
or white balance is an offset and texture a constant noise. Each frame first gets the offset (a plane per channel,
fitted to the pixels that agree) that brings the model to its light.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage, evidence, log_image
from edge.records import ImageBgr

MaskImage = NDArray[np.uint8]

LEAST_THRESHOLD = 0.10
NOISE_FACTOR = 3.6
"""In units of the upper quartile of the bare belt's evidence, which for a mottled belt is 0.83 standard deviations."""
MOST_NOISE = 0.15
LEARNING_RATE = 0.06
WARM_UP_FRAMES = 12
ABSORB_MM = 300.0
"""What stays in its place while this much belt passes belongs to the scene: dirt, a glare, a part that was there when
the model was made."""
STILL_TRAVEL_MM = 0.2
LEAST_PART_PX = 9
SAMPLES_PER_SIDE = 22


class Background:
    """The bare scene of one region. `threshold` is the least evidence above its noise."""

    def __init__(self, first_bgr: ImageBgr) -> None:
        """Starts from a (h, w, 3) picture of the region; parts in it are taken out where they stand free."""
        height, width = first_bgr.shape[:2]
        v, u = np.mgrid[0:height, 0:width].astype(np.float32)
        self._plane = np.dstack([np.ones_like(u), u / width - 0.5, v / height - 0.5]).astype(np.float32)
        self._step = (max(height // SAMPLES_PER_SIDE, 1), max(width // SAMPLES_PER_SIDE, 1))
        self._samples = np.ascontiguousarray(self._plane[:: self._step[0], :: self._step[1]].reshape(-1, 3).T)
        self._model = without_parts(log_image(first_bgr))
        self._covered_mm = np.zeros((height, width), np.float32)
        self._residual = np.zeros_like(self._model)
        self._light = np.zeros_like(self._model)
        self._noise = 0.0
        self._travel_mm = 0.0
        self._frames = 0

    @property
    def threshold(self) -> float:
        return max(LEAST_THRESHOLD, NOISE_FACTOR * self._noise)

    def compare(self, small_bgr: ImageBgr, travel_mm: float) -> FloatImage:
        """(h, w) evidence of a picture against the model in that picture's light; `travel_mm` is the belt's way since
        the last one."""
        difference = np.asarray(cv2.subtract(log_image(small_bgr), self._model), np.float32)
        self._light = cv2.transform(self._plane, self._fit_light(difference)).astype(np.float32, copy=False)
        self._residual = cv2.subtract(difference, self._light).astype(np.float32, copy=False)
        found = evidence(self._residual)
        self._travel_mm = travel_mm
        if travel_mm >= STILL_TRAVEL_MM:
            self._frames += 1
            self._measure_noise(found)
        return found

    def learn(self, foreground: MaskImage) -> None:
        """Takes the last compared picture into the model where nothing lies; `foreground` (h, w) is 0 or 255.
        Nothing is learned while the belt stands: the model would take over the weave that happens to lie there."""
        if self._travel_mm < STILL_TRAVEL_MM:
            return
        rate = max(LEARNING_RATE, 1 / (1 + self._frames)) if self._frames < WARM_UP_FRAMES else LEARNING_RATE
        bare = cv2.bitwise_not(foreground)
        self._model = cv2.add(self._model, self._residual * np.float32(rate), dst=self._model, mask=bare)
        self._covered_mm += np.float32(self._travel_mm)
        self._covered_mm *= foreground > 0
        if self._covered_mm.max() > ABSORB_MM:
            known = self._covered_mm > ABSORB_MM
            self._model[known] += self._residual[known]
            self._covered_mm[known] = 0

    def bare_patch(self, box: tuple[int, int, int, int], size: tuple[int, int]) -> FloatImage:
        """The bare belt's log picture in the last picture's light in a box (u0, v0, u1, v1) of the model, resized to
        `size` (width, height)."""
        u0, v0, u1, v1 = box
        patch = self._model[v0:v1, u0:u1] + self._light[v0:v1, u0:u1]
        return cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)

    def _fit_light(self, difference: FloatImage) -> NDArray[np.float32]:
        """(3, 3) plane per channel through the samples, outliers left out in two rounds."""
        values = np.ascontiguousarray(difference[:: self._step[0], :: self._step[1]].reshape(-1, 3).T)
        planes = np.zeros((3, 3), np.float32)
        planes[:, 0] = [quantile(np.sort(channel), 0.5) for channel in values]
        for _ in range(2):
            error = np.abs(values - planes @ self._samples).max(axis=0)
            near = error <= max(2.5 * quantile(np.sort(error), 0.5), 0.02)
            basis = self._samples * near
            moments = basis @ self._samples.T + 1e-3 * np.eye(3, dtype=np.float32)
            # OpenCV solves three equations in a twentieth of NumPy's time.
            planes = cv2.solve(moments, basis @ values.T)[1].T.astype(np.float32)
        return planes

    def _measure_noise(self, found: FloatImage) -> None:
        ordered = np.sort(found[:: self._step[0], :: self._step[1]], axis=None)
        noise = min(quantile(ordered, 0.75), 2 * quantile(ordered, 0.5), MOST_NOISE)
        rate = 1.0 if self._frames <= 2 else 0.1
        self._noise += rate * (noise - self._noise)


def quantile(ordered: NDArray[np.float32], share: float) -> float:
    """A quantile of sorted values; for a few hundred many times quicker than NumPy's, which serve any shape."""
    place = share * (len(ordered) - 1)
    low = int(place)
    here, above = float(ordered[low]), float(ordered[min(low + 1, len(ordered) - 1)])
    return here + (place - low) * (above - here)


def without_parts(log_bgr: FloatImage) -> FloatImage:
    """A first model from one picture: what stands out from a smooth surface and free of the borders is painted over
    with that surface, everything else is taken as it is."""
    height, width = log_bgr.shape[:2]
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1).reshape(-1, 6)
    values = log_bgr.reshape(-1, 3).astype(np.float64)
    near = np.ones(len(values), bool)
    surface = values
    for _ in range(4):
        fit, *_ = np.linalg.lstsq(basis[near][::5], values[near][::5], rcond=None)
        surface = basis @ fit
        error = np.abs(values - surface).max(axis=1)
        near = error <= max(2.5 * float(np.median(error)), 0.03)
    smooth = surface.reshape(log_bgr.shape).astype(np.float32)
    apart = evidence(cv2.subtract(log_bgr, smooth).astype(np.float32, copy=False))
    limit = max(0.25, 4 * float(np.median(apart)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((apart > limit).astype(np.uint8))
    model = log_bgr.copy()
    for label in range(1, count):
        left, top, wide, high, area = stats[label]
        if area < LEAST_PART_PX:
            continue
        if left > 0 and top > 0 and left + wide < width and top + high < height:
            inside = cv2.dilate((labels == label).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            model[inside] = smooth[inside]
    return model
