"""Finds the bare background of a picture.

A tray, a sheet of paper or a scanner's lid is plain, but seldom lit evenly. So the background is a surface of second
order through the logarithms of the pixels that agree with it, found as `_fit` says; parts, however many, are outliers.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.light import FloatImage, log_image
from quantization.tiles.background import LEAST_CONTRAST, SPREADS, Background
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
BORDER_WEIGHT = 2.0
MOST_CANDIDATES = 3
PROBE_PX, PROBE_SHRUNK_PX = 2048, 512

Probe = tuple[ImageBgr, int, int, int]
"""A shrunk window, where it begins and how much it was shrunk."""


def find_background(picture: BigPicture) -> Background | None:
    """The background of a picture; None where there is no such thing.

    It is what most of the plain places agree on. Where parts of one colour lie so densely that they are the majority,
    connection tells: a background reaches all around the parts, each of which is alone.
    Places of the file that are damaged are passed over.
    """
    colours, places = _samples(picture)
    found: list[tuple[float, Background]] = []
    left = np.ones(len(colours), np.bool_)
    border = (np.abs(places) > 1 - 2 / CELLS).any(axis=1)
    weights = np.where(border, BORDER_WEIGHT, 1.0).astype(np.float32)
    while len(found) < MOST_CANDIDATES and left.sum() >= max(LEAST_SHARE * len(left), 1):
        start = _commonest(colours[left], weights[left])
        surface, near, spread = _fit(colours, places, start)
        left &= (np.abs(colours - start).max(axis=1) > NEAR) & ~near
        share = float(weights[near].sum() / weights.sum())
        if share >= LEAST_SHARE:
            threshold = max(LEAST_CONTRAST, SPREADS * spread)
            found.append((share, Background(surface, picture.width_px, picture.height_px, threshold)))
        elif not found:
            return None
    if len(found) > 1:
        probes = _probes(picture)
        found = [(share * _connected(background, probes) ** 2, background) for share, background in found]
    return max(found, key=lambda pair: pair[0])[1] if found else None


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


def _probes(picture: BigPicture) -> list[Probe]:
    """Windows large enough to show how parts and background lie: the whole of a small picture, five of a large one."""
    side = min(max(picture.width_px, picture.height_px), PROBE_PX)
    wide, high = min(picture.width_px, side), min(picture.height_px, side)
    times = max(side // PROBE_SHRUNK_PX, 1)
    spots = [(0.5, 0.5), (0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)]
    places = {(round((picture.width_px - wide) * u), round((picture.height_px - high) * v)) for u, v in spots}
    return [probe for left, top in sorted(places) for probe in _probe(picture, (left, top, wide, high), times)]


def _probe(picture: BigPicture, window: tuple[int, int, int, int], times: int) -> list[Probe]:
    """A window (left, top, width, height), or of one that is damaged the quarters that are not."""
    left, top, wide, high = window
    try:
        return [(picture.shrunk(left, top, wide, high, times), left, top, times)]
    except InputError:
        if min(wide, high) < 2 * SAMPLE_PX:
            return []
    columns = (left, wide // 2), (left + wide // 2, wide - wide // 2)
    rows = (top, high // 2), (top + high // 2, high - high // 2)
    return [probe for u, w in columns for v, h in rows for probe in _probe(picture, (u, v, w, h), times)]


def _connected(background: Background, probes: list[Probe]) -> float:
    """Which share of what would be bare is in one piece, in the mean over the probes, the larger ones counting more."""
    pieces, pixels = 0.0, 0
    for image, left, top, times in probes:
        bare = (1 - background.foreground(image, left, top, times)).astype(np.uint8)
        bare = np.asarray(cv2.morphologyEx(bare, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(bare)
        if count > 1:
            areas = stats[1:, cv2.CC_STAT_AREA]
            pieces += float(areas.max() / areas.sum()) * bare.size
            pixels += bare.size
    return pieces / pixels if pixels else 0.0
