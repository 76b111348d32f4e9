"""The plain background of a single picture: what most of its border agrees on, up to a gradient."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.light import FloatImage

RING_SHARE = 0.04
"""Width of the border that shows the background, as a share of the shorter side."""
HYPOTHESES = 4
AGREE = 0.10
"""Log difference up to which a pixel agrees with a background; more where the border is rough."""
LEAST_RING = 0.30
"""Share of the border that has to agree on a background."""
BENT_SHARE = 0.7
BENT_REACH = 0.3
"""When so much of the picture is so close to the border's background, its whole surface is fitted, bent."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A background: its log picture (h, w, 3), and how far bare pixels stray from it."""

    log_bgr: FloatImage
    stray: float


def fit_backdrop(log_bgr: FloatImage) -> Backdrop | None:
    """The background that most of the border agrees on and the middle does not; None without one."""
    height, width = log_bgr.shape[:2]
    reach = max(round(RING_SHARE * min(height, width)), 2)
    ring = np.ones((height, width), np.bool_)
    ring[reach:-reach, reach:-reach] = False
    middle = np.zeros((height, width), np.bool_)
    middle[height // 3 : -(height // 3), width // 3 : -(width // 3)] = True
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    plane = np.dstack([np.ones_like(u), u, v])
    border = log_bgr[ring]
    best: tuple[float, Backdrop] | None = None
    for centre in _border_colours(border):
        fitted = _fit(plane[ring], border, centre)
        if fitted is None:
            continue
        planes, stray = fitted
        surface = (plane.reshape(-1, 3) @ planes).reshape(log_bgr.shape).astype(np.float32)
        near = np.abs(log_bgr - surface).max(axis=2) <= AGREE + 2 * stray
        share = float(near[ring].mean())
        score = share - 0.5 * float(near[middle].mean())
        if share >= LEAST_RING and (best is None or score > best[0]):
            best = (score, Backdrop(surface, stray))
    return _bent(log_bgr, best[1]) if best else None


def _bent(log_bgr: FloatImage, flat: Backdrop) -> Backdrop:
    """The background with the lens's fall-off of light, where most of the picture is background; else as it was."""
    height, width = log_bgr.shape[:2]
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.dstack([np.ones_like(u), u, v, u * u, u * v, v * v]).reshape(-1, 6)
    values = log_bgr.reshape(-1, 3)
    near, reach = np.ones(len(values), np.bool_), BENT_REACH
    surface = flat.log_bgr.reshape(-1, 3)
    for _ in range(3):
        error = np.abs(values - surface).max(axis=1)
        near = error <= reach
        if near.mean() < BENT_SHARE:
            return flat
        chosen = basis[near]
        moments = chosen.T @ chosen + 1e-3 * np.eye(6, dtype=np.float32)
        surface = basis @ np.linalg.solve(moments, chosen.T @ values[near])
        reach = BENT_REACH / 2
    stray = float(np.median(np.abs(values[near] - surface[near]).max(axis=1)))
    return Backdrop(surface.reshape(log_bgr.shape).astype(np.float32), stray)


def _border_colours(border: FloatImage) -> FloatImage:
    """Up to `HYPOTHESES` log colours that the border (N, 3) is made of."""
    samples = np.ascontiguousarray(border[:: max(len(border) // 400, 1)])
    ranks = np.argsort(np.argsort(samples.sum(axis=1)))
    start = (ranks * HYPOTHESES // len(samples)).astype(np.int32).reshape(-1, 1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.02)
    _, _, centres = cv2.kmeans(samples, HYPOTHESES, start, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(centres, np.float32)


def _fit(basis: FloatImage, border: FloatImage, centre: FloatImage) -> tuple[FloatImage, float] | None:
    """Planes (3, 3) through the border pixels that agree with a colour, widened step by step, and their stray."""
    planes = np.zeros((3, 3), np.float32)
    planes[0] = centre
    stray = 0.04
    for _ in range(4):
        error = np.abs(border - basis @ planes).max(axis=1)
        near = error <= AGREE + 2 * stray
        if np.count_nonzero(near) < 0.1 * len(border):
            return None
        chosen = basis[near]
        moments = chosen.T @ chosen + 0.02 * len(chosen) * np.diag(np.array([0, 1, 1], np.float32))
        planes = np.linalg.solve(moments, chosen.T @ border[near]).astype(np.float32)
        stray = min(float(np.median(np.abs(border[near] - chosen @ planes).max(axis=1))), 0.06)
    return planes, stray
