"""Backgrounds for training: plain belts, fabrics, paper, dust, seams and uneven light, made from noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

COUNT = 384


def make_belts(rng: np.random.Generator, size_px: int, count: int = COUNT) -> NDArray[np.uint8]:
    """(count, size_px, size_px, 3) uint8 reflectance patterns around mid-grey, to be multiplied by a colour."""
    return np.stack([_belt(rng, size_px) for _ in range(count)])


def _belt(rng: np.random.Generator, size_px: int) -> NDArray[np.uint8]:
    pattern = np.full((size_px, size_px, 3), 128, np.float32)
    pattern += _gradient(rng, size_px)[..., None]
    kind = rng.random()
    if kind < 0.35:
        pattern += _cloud(rng, size_px, rng.uniform(2, 20), rng.uniform(2, 14))[..., None]
    elif kind < 0.55:
        pattern += _weave(rng, size_px)[..., None]
    if rng.random() < 0.5:
        pattern += rng.normal(0, rng.uniform(1, 6), pattern.shape[:2])[..., None]
    if rng.random() < 0.3:
        _dust(rng, pattern)
    if rng.random() < 0.15:
        _line(rng, pattern)
    return np.clip(pattern, 0, 255).astype(np.uint8)


def _gradient(rng: np.random.Generator, size_px: int) -> NDArray[np.float32]:
    axis = np.linspace(-1, 1, size_px, dtype=np.float32)
    along_u, along_v, bow = rng.normal(0, 9, 3)
    grid = along_u * axis[None, :] + along_v * axis[:, None] + bow * (axis[None, :] ** 2 + axis[:, None] ** 2) * 0.5
    return grid.astype(np.float32)


def _cloud(rng: np.random.Generator, size_px: int, cell_px: float, strength: float) -> NDArray[np.float32]:
    cells = max(int(size_px / cell_px), 2)
    noise = rng.normal(0, strength, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (size_px, size_px), interpolation=cv2.INTER_CUBIC), np.float32)


def _weave(rng: np.random.Generator, size_px: int) -> NDArray[np.float32]:
    v, u = np.mgrid[0:size_px, 0:size_px].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(2.5, 14)
    along = (np.cos(angle) * u + np.sin(angle) * v) * 2 * np.pi / period
    across = (-np.sin(angle) * u + np.cos(angle) * v) * 2 * np.pi / period
    waves = np.sin(along) * (np.sin(across) if rng.random() < 0.6 else 1)
    return (waves * rng.uniform(2, 14)).astype(np.float32)


def _dust(rng: np.random.Generator, pattern: NDArray[np.float32]) -> None:
    size_px = pattern.shape[0]
    for _ in range(rng.integers(2, 30)):
        centre = tuple(int(c) for c in rng.integers(0, size_px, 2))
        shade = float(128 + rng.normal(0, 45))
        cv2.circle(pattern, centre, int(rng.integers(0, 2)), (shade, shade, shade), -1)


def _line(rng: np.random.Generator, pattern: NDArray[np.float32]) -> None:
    size_px = pattern.shape[0]
    start, end = (tuple(int(c) for c in rng.integers(0, size_px, 2)) for _ in range(2))
    shade = float(128 + rng.normal(0, 50))
    cv2.line(pattern, start, end, (shade, shade, shade), int(rng.integers(1, 4)), cv2.LINE_AA)
