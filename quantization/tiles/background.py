"""The bare background of a picture, and how much of a window is nothing but that.

A tray, a sheet of paper or a scanner's lid is plain, but seldom lit evenly. So the background is a surface of second
order through the logarithms of the pixels that agree with it, found as `_fit` says; parts, however many, are outliers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.light import DARK_FLOOR, FloatImage, evidence, log_image
from quantization.tiles.picture import BigPicture, ImageBgr

CELLS = 24
"""The picture is sampled at so many places a side …"""
SAMPLE_PX = 32
SAMPLES = 8
"""… where a window of SAMPLE_PX gives SAMPLES × SAMPLES colours."""
BIN = 0.12
"""Side of a histogram's bin in log colour."""
NEAR = 0.25
"""How far, in log colour, the background may be from its commonest value to count in the first fit."""
LEAST_SHARE = 0.1
"""Less of what is plain in a picture than this is no background to be told from."""
ROUNDS = 8
LEAST_CONTRAST, SPREADS = 0.14, 4.0
"""A pixel is not background above this evidence, or above so many spreads of the bare background."""
BORDER_WEIGHT = 2.0


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


def find_background(picture: BigPicture) -> Background | None:
    """The background that most of a picture's plain places agree on; None where there is no such thing.

    Places of the file that are damaged are passed over.
    """
    colours, places = _samples(picture)
    if not len(colours):
        return None
    border = (np.abs(places) > 1 - 2 / CELLS).any(axis=1)
    weights = np.where(border, BORDER_WEIGHT, 1.0).astype(np.float32)
    surface, near, spread = _fit(colours, places, _commonest(colours, weights))
    if near.mean() < LEAST_SHARE:
        return None
    threshold = max(LEAST_CONTRAST, SPREADS * spread)
    return Background(surface, picture.width_px, picture.height_px, threshold)


def named_background(text: str, picture: BigPicture) -> Background:
    """A background of a colour that the user knows.

    Args:
        text: RRGGBB, with or without #.
        picture: whose background it is.

    Raises:
        InputError: no such colour.
    """
    if not re.fullmatch(r"#?[0-9A-Fa-f]{6}", text):
        raise InputError(f"--background is '{text}': give a colour as RRGGBB, such as FFFFFF for white")
    rgb = bytes.fromhex(text.removeprefix("#"))
    surface = np.zeros((6, 3), np.float32)
    surface[0] = np.log(np.array(list(rgb[::-1]), np.float32) + DARK_FLOOR)
    return Background(surface, picture.width_px, picture.height_px, LEAST_CONTRAST)


def _samples(picture: BigPicture) -> tuple[FloatImage, FloatImage]:
    """(N, 3) log colours of plain places and (N, 2) where they are, −1 to 1."""
    colours: list[FloatImage] = []
    places: list[FloatImage] = []
    wide, high = min(SAMPLE_PX, picture.width_px), min(SAMPLE_PX, picture.height_px)
    for row in range(CELLS):
        for column in range(CELLS):
            left = round((picture.width_px - wide) * column / (CELLS - 1))
            top = round((picture.height_px - high) * row / (CELLS - 1))
            try:
                window = picture.read(left, top, wide, high)
            except InputError:
                continue
            log = log_image(np.asarray(cv2.resize(window, (SAMPLES, SAMPLES), interpolation=cv2.INTER_AREA), np.uint8))
            steps = np.abs(np.diff(log, axis=0))[:, :-1].max(axis=2) + np.abs(np.diff(log, axis=1))[:-1].max(axis=2)
            colours.append(log[:-1, :-1][steps < NEAR / 2])
            place = np.array([(left + wide / 2) / picture.width_px, (top + high / 2) / picture.height_px]) * 2 - 1
            places.append(np.tile(place.astype(np.float32), (len(colours[-1]), 1)))
    if not colours:
        return np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32)
    return np.concatenate(colours), np.concatenate(places)


def _commonest(colours: FloatImage, weights: FloatImage) -> FloatImage:
    """(3,) the log colour around which most samples lie: the fullest 3 × 3 × 3 bins of a histogram."""
    low = colours.min(axis=0)
    cells = np.floor((colours - low) / BIN).astype(np.int64)
    count = np.zeros(cells.max(axis=0) + 3, np.float32)
    np.add.at(count, tuple((cells + 1).T), weights)
    for axis in range(3):
        padded = np.pad(count, [(int(axis == k),) * 2 for k in range(3)])
        first, second, third = (np.take(padded, range(k, k + count.shape[axis]), axis) for k in range(3))
        count = first + second + third
    best = np.array(np.unravel_index(int(count.argmax()), count.shape)) - 1
    near = (np.abs(cells - best) <= 1).all(axis=1)
    return np.median(colours[near], axis=0).astype(np.float32)


def _fit(colours: FloatImage, places: FloatImage, start: FloatImage) -> tuple[FloatImage, NDArray[np.bool_], float]:
    """The surface, the samples that agree with it, and their spread.

    Starts from one colour for the whole picture and lets the surface bend as more samples come near it: least squares
    over those within 2.5 robust standard deviations (1.4826 × the median absolute deviation), again and again.
    """
    u, v = places.T
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1).astype(np.float32)
    surface = np.zeros((6, 3), np.float32)
    surface[0] = start
    near, spread = np.zeros(len(colours), np.bool_), 0.0
    for turn in range(ROUNDS):
        off = np.abs(colours - basis @ surface).max(axis=1)
        within = NEAR if turn == 0 else max(0.06, 2.5 * 1.4826 * float(np.median(off[near])))
        near = off < min(within, NEAR)
        if near.sum() < 2 * basis.shape[1]:
            return surface, near, spread
        terms = (1, 3, 6)[min(turn, 2)]
        surface = np.zeros((6, 3), np.float32)
        surface[:terms] = np.linalg.lstsq(basis[near][:, :terms], colours[near], rcond=None)[0]
        spread = 1.4826 * float(np.median(np.abs(colours[near] - basis[near] @ surface).max(axis=1)))
    return surface, near, spread
