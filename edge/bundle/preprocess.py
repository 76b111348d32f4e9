"""The only code that turns a picture into an input tensor: training, quantization, evaluation and the machine call it.

A look is a picture and the box of the part in it. `cut` takes a square window around the box, `turned` turns it by
quarters, `to_tensor` quantizes it.
Where the window leaves the picture, the picture's border pixels go on, so that a tight crop gains no false edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, InputError
from edge.records import Box, ImageBgr

MEAN = 127.5
STD = 127.5
"""The network sees (RGB − 127.5) / 127.5, as the ImageNet MobileNets of TensorFlow do."""
TURNS = 4
"""Quarter turns after which a picture stands as it stood. A part lies on the belt at any angle, and the network errs in
another way at each: looks that are turned tell more together than looks that are not (decision 0013)."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What the network wants to see."""

    height_px: int
    width_px: int
    margin: float
    """Free space on each side of the part's box, as a share of the box's longer side."""
    mm_per_px: float | None = None
    """Fixed scale of the window; None: the window is fitted to the part, and size is evidence of its own."""

    def __post_init__(self) -> None:
        if self.height_px != self.width_px or not 16 <= self.height_px <= 1024:
            raise BundleError(
                f"the model wants {self.width_px}×{self.height_px} px: square inputs of 16 to 1024 px are served;"
                " export the model with a square input"
            )


def read_mm_per_px(text: str | None) -> float | None:
    """A scale as people write it in a table's cell; None for an empty one.

    Raises:
        InputError: it is no such number.
    """
    if not text or not text.strip():
        return None
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < 1000:
        raise InputError(f"mm_per_px is '{text}': give millimetres per pixel, such as 0.2, or leave it empty")
    return scale


def window(box: Box, spec: InputSpec, mm_per_px: float | None = None) -> tuple[int, int, int]:
    """Left, top and side in px of the square window for a part's `box`; it may leave the picture."""
    u0, v0, u1, v1 = box
    longer = max(u1 - u0, v1 - v0, 1)
    if spec.mm_per_px is not None and mm_per_px is not None:
        side = max(round(spec.width_px * spec.mm_per_px / mm_per_px), 1)
    else:
        side = max(round(longer * (1 + 2 * spec.margin)), 1)
    return round((u0 + u1 - side) / 2), round((v0 + v1 - side) / 2), side


def cut(image_bgr: ImageBgr, box: Box, spec: InputSpec, mm_per_px: float | None = None) -> NDArray[np.uint8]:
    """The network's picture of one look: (height_px, width_px, 3) uint8 RGB."""
    left, top, side = window(box, spec, mm_per_px)
    height, width = image_bgr.shape[:2]
    inner = image_bgr[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    if inner.size == 0:
        raise ValueError(f"the box {box} lies outside the picture of {width}×{height} px")
    pads = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    if any(pads):
        inner = cv2.copyMakeBorder(inner, *pads, cv2.BORDER_REPLICATE)
    shrinking = side > spec.width_px
    resized = cv2.resize(
        inner,
        (spec.width_px, spec.height_px),
        interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR,
    )
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def turned(rgb: NDArray[np.uint8], quarters: int) -> NDArray[np.uint8]:
    """Square pictures (…, S, S, 3) turned to the left by so many quarters of a circle."""
    return np.ascontiguousarray(np.rot90(rgb, quarters % TURNS, axes=(-3, -2)))


def normalise(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Real input values of the network, any shape: (RGB − 127.5) / 127.5."""
    return (rgb.astype(np.float32) - MEAN) / STD


def quantization_table(
    scale: float, zero_point: float, dtype: Literal["int8", "uint8", "float32"]
) -> NDArray[np.generic]:
    """(256,) the stored value of each pixel value: one look-up then quantizes a picture."""
    real = normalise(np.arange(256, dtype=np.uint8))
    if dtype == "float32":
        return real
    if scale <= 0:
        raise BundleError(f"the model's input has quantization scale {scale}: a {dtype} input needs one above 0")
    limits = np.iinfo(dtype)
    # Pixels taken as they are have 127.5 for their zero: what is half of it is rounded with the value.
    stored = np.rint(real / scale + zero_point % 1) + zero_point // 1
    return np.clip(stored, limits.min, limits.max).astype(dtype)


def to_tensor(rgb: NDArray[np.uint8], table: NDArray[np.generic]) -> NDArray[np.generic]:
    """(1, H, W, 3) input tensor of one cut picture, by a `quantization_table`."""
    return np.take(table, rgb)[np.newaxis]
