"""What one picture of the belt measures, from a few thousand of its pixels: cheap enough for every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.records import Box, Picture

SAMPLES_PER_SIDE = 64
CLIPPED_LEVEL = 252
BUSY_SHARE = 0.2
"""A picture whose neighbouring samples differ more often than this has noise or texture: it cannot come twice."""
PROFILE_SAMPLES = 40

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Measures:
    """One picture in figures. Levels are pixel values."""

    samples: Bytes
    """(h, w, 3) the belt region's samples, to be compared with the next picture's."""
    busy: bool
    bright: float
    """Upper quartile of the belt's level: parts darker than the belt hardly change it."""
    clipped_share: float
    """Share of the samples in which a channel is at its end."""
    median_bgr: Floats
    """(3,) the bare belt's colour, as long as parts cover less than half of it."""


def measure(picture: Picture, region_px: Box) -> Measures:
    """The figures of the belt's region in a picture (H, W, 3)."""
    u0, v0, u1, v1 = region_px
    down, across = (max(side // SAMPLES_PER_SIDE, 1) for side in (v1 - v0, u1 - u0))
    samples = np.ascontiguousarray(picture[v0:v1:down, u0:u1:across])
    pixels = samples.reshape(-1, 3)
    differ = int(np.count_nonzero(samples[:, 1:] != samples[:, :-1]))
    medians, quartiles = zip(*(_quantiles(pixels[:, channel]) for channel in range(3)), strict=True)
    return Measures(
        samples=samples,
        busy=differ > BUSY_SHARE * samples[:, 1:].size,
        bright=float(np.mean(quartiles)),
        clipped_share=float(np.mean(pixels.max(axis=1) >= CLIPPED_LEVEL)),
        median_bgr=np.array(medians, np.float32),
    )


def profile_across(picture: Picture, along_v: bool) -> Floats:
    """Edges across the belt's way over the whole picture: how the mean green changes from line to line."""
    step = max(picture.shape[0 if along_v else 1] // PROFILE_SAMPLES, 1)
    green = picture[::step, :, 1] if along_v else picture[:, ::step, 1]
    return np.diff(green.mean(axis=0 if along_v else 1, dtype=np.float32))


def _quantiles(values: Bytes) -> tuple[float, float]:
    """Median and upper quartile."""
    counted = np.cumsum(np.bincount(values, minlength=256))
    middle, upper = np.searchsorted(counted, (counted[-1] / 2, counted[-1] * 0.75))
    return float(middle), float(upper)
