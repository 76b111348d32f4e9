"""Pictures in the logarithm: there a change of light or white balance is an offset, and a shadow lowers all three
channels alike. The tracker and the finder of single pictures both tell parts from their background with it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr

FloatImage = NDArray[np.float32]

DARK_FLOOR = 16.0
"""Added to pixel values before the logarithm, so that noise in the dark stays small."""
LOG_TABLE = np.log(np.arange(256, dtype=np.float32) + DARK_FLOOR).reshape(1, 256)
SHADOW_SHARE = 0.5
SHADOW_DEPTH = 0.2
"""Even darkening counts half up to twice this depth: soft shadows are no deeper, dark parts are."""
NEUTRAL = np.full((1, 3), 1 / 3, np.float32)
SUM = np.ones((1, 3), np.float32)


def log_image(image_bgr: ImageBgr) -> FloatImage:
    """Logarithm of the pixel values, (H, W, 3) float32."""
    return cv2.LUT(image_bgr, LOG_TABLE).astype(np.float32, copy=False)


def evidence(residual: FloatImage) -> FloatImage:
    """(H, W) how strongly each pixel speaks for a part: the length of its log residual from the bare background
    (H, W, 3), where even darkening, as in a shadow, counts less."""
    mean = np.asarray(cv2.transform(residual, NEUTRAL), np.float32)
    found = np.asarray(cv2.transform(cv2.multiply(residual, residual), SUM), np.float32)
    light = np.maximum(mean * np.float32(-SHADOW_SHARE), np.float32(-SHADOW_DEPTH) - mean)
    np.maximum(light, mean, out=light)
    light *= light
    mean *= mean
    light -= mean
    light *= np.float32(3)
    found += light
    np.maximum(found, 0, out=found)
    return np.sqrt(found, out=found)
