"""The bare background of a picture, and how much of a window is nothing but that."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.light import DARK_FLOOR, evidence, log_image
from quantization.tiles.picture import BigPicture, ImageBgr

LEAST_CONTRAST, SPREADS = 0.14, 4.0
"""A pixel is not background above this evidence, or above so many spreads of the bare background."""


@dataclass(frozen=True, slots=True)
class Background:
    """The fitted surface: `surface` (6, 3) in log blue, green, red over the picture, its sides running from −1 to 1."""

    surface: NDArray[np.float32]
    width_px: int
    height_px: int
    threshold: float

    @property
    def colour(self) -> str:
        """The colour in the middle of the picture, as #RRGGBB."""
        blue, green, red = np.clip(np.rint(np.exp(self.surface[0]) - DARK_FLOOR), 0, 255).astype(int)
        return f"#{red:02X}{green:02X}{blue:02X}"

    def foreground(self, image: ImageBgr, left: int, top: int, times: int = 1) -> NDArray[np.uint8]:
        """(h, w) 1 where a window shows something else, 0 where it is bare.

        Args:
            image: the window, `times` smaller than in the picture.
            left: where it begins in the picture, in px.
            top: likewise.
            times: how much it was shrunk.
        """
        rows, columns = image.shape[:2]
        u = ((left + (np.arange(columns, dtype=np.float32) + 0.5) * times) / self.width_px * 2 - 1).astype(np.float32)
        v = ((top + (np.arange(rows, dtype=np.float32) + 0.5) * times) / self.height_px * 2 - 1).astype(np.float32)
        one, across, down, across2, both, down2 = self.surface
        by_column = one + u[:, None] * across + (u**2)[:, None] * across2
        by_row = v[:, None] * down + (v**2)[:, None] * down2
        bare = by_column[None] + by_row[:, None] + (v[:, None] * u[None])[..., None] * both
        return (evidence(cv2.subtract(log_image(image), bare).astype(np.float32)) > self.threshold).astype(np.uint8)

    def bare_share(self, image: ImageBgr, left: int, top: int, times: int = 1) -> float:
        """Which share of a window is bare background; as in `foreground`."""
        return 1.0 - float(self.foreground(image, left, top, times).mean())


def named_background(text: str, picture: BigPicture) -> Background:
    """A background of a colour that the user knows.

    Args:
        text: RRGGBB, with or without #.
        picture: whose background it is.

    Raises:
        InputError: no such colour.
    """
    surface = np.zeros((6, 3), np.float32)
    surface[0] = np.log(np.array(rgb_of(text)[::-1], np.float32) + DARK_FLOOR)
    return Background(surface, picture.width_px, picture.height_px, LEAST_CONTRAST)


def rgb_of(text: str) -> tuple[int, ...]:
    """Red, green and blue of a colour as people write it.

    Raises:
        InputError: it is not RRGGBB.
    """
    if not re.fullmatch(r"#?[0-9A-Fa-f]{6}", text):
        raise InputError(f"--background is '{text}': give a colour as RRGGBB, such as FFFFFF for white")
    return tuple(bytes.fromhex(text.removeprefix("#")))
