"""Procedural belts: what the camera would see of an empty belt in even light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

COLOURS_RGB = {
    "pale grey": (200, 200, 197),
    "cream": (206, 200, 187),
    "cool grey": (190, 197, 202),
    "mint": (188, 204, 195),
    "green": (60, 140, 100),
    "blue": (45, 92, 132),
}
"""All are at least 14 (CIE76) away from the nearest production colour."""
DRAWN = ("pale grey", "cream", "cool grey", "mint")
"""What a seed chooses from: colours are measured against the belt, so a machine that sorts by colour has a pale one."""
WEAVES = ("rubber", "fabric", "ribbed", "speckled")


@dataclass(frozen=True, slots=True)
class BeltLook:
    """How a belt looks; `strength` is the contrast of its weave in levels of 255."""

    colour_rgb: tuple[int, int, int]
    weave: str
    strength: float
    specks_per_dm2: float
    seam_levels: float


def draw_belt_look(rng: np.random.Generator, colour: str | None = None, weave: str | None = None) -> BeltLook:
    """Draw a belt; a colour of `COLOURS_RGB` or a weave of `WEAVES` may be given."""
    name = colour or str(rng.choice(DRAWN))
    tint = rng.normal(0, 2.5, 3) + rng.normal(0, 5)
    return BeltLook(
        colour_rgb=tuple(int(np.clip(c + d, 0, 235)) for c, d in zip(COLOURS_RGB[name], tint, strict=True)),  # type: ignore[arg-type]
        weave=weave or str(rng.choice(WEAVES)),
        strength=float(rng.uniform(1.0, 3.0)),
        specks_per_dm2=float(rng.uniform(2, 12)),
        seam_levels=float(rng.uniform(2, 6)),
    )


def make_belt_texture(
    look: BeltLook, rng: np.random.Generator, width_px: int, length_px: int, px_per_mm: float
) -> Bytes:
    """(width_px, length_px, 3) BGR of a belt that runs along the rows and whose ends join."""
    pattern = _clouds(rng, width_px, length_px, 25 * px_per_mm, 2.5)
    pattern += _clouds(rng, width_px, length_px, 3 * px_per_mm, 1.0)
    pattern += look.strength * _weave(look.weave, rng, width_px, length_px, px_per_mm)
    _seam(pattern, look.seam_levels, px_per_mm)
    texture = np.empty((width_px, length_px, 3), np.float32)
    for channel, level in enumerate(reversed(look.colour_rgb)):
        # Contrast goes with brightness: a pattern of reflectance, not of light.
        texture[..., channel] = level + pattern * (0.35 + 0.65 * level / 200)
    _specks(texture, rng, look.specks_per_dm2, px_per_mm)
    return np.clip(texture, 0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator, width: int, length: int, cell_px: float, strength: float) -> Floats:
    rows, columns = max(round(width / cell_px), 2), max(round(length / cell_px), 4)
    noise = rng.normal(0, strength, (rows, columns)).astype(np.float32)
    # A third of the loop is repeated on both sides, so that the ends join.
    wide = np.concatenate([noise, noise, noise], axis=1)
    large = cv2.resize(wide, (3 * length, width), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[:, length : 2 * length], np.float32).copy()


def _weave(kind: str, rng: np.random.Generator, width: int, length: int, px_per_mm: float) -> Floats:
    if kind == "fabric":
        turns_along, turns_across = round(length / (0.9 * px_per_mm)), width / (0.9 * px_per_mm)
        along = np.sin(2 * np.pi * turns_along * np.arange(length) / length)
        across = np.sin(2 * np.pi * turns_across * np.arange(width) / width)
        return np.outer(across, along).astype(np.float32) * 1.5
    if kind == "ribbed":
        turns = round(length / (4 * px_per_mm))
        ribs = np.cos(2 * np.pi * turns * np.arange(length) / length) ** 3
        return np.tile(ribs.astype(np.float32), (width, 1)) * 1.5
    grain = rng.standard_normal((width, length), np.float32)
    sigma = 0.35 * px_per_mm if kind == "speckled" else 0.1 * px_per_mm
    soft = np.asarray(cv2.GaussianBlur(grain, (0, 0), max(sigma, 0.5)), np.float32)
    return np.asarray(soft / soft.std(), np.float32)


def _seam(pattern: Floats, levels: float, px_per_mm: float) -> None:
    """Darken a slanting line, where the belt was joined."""
    width, length = pattern.shape
    half_px = max(0.4 * px_per_mm, 1.0)
    for row in range(width):
        middle = length * 0.37 + (row - width / 2) * 0.25
        start = int(middle - half_px)
        pattern[row, start : int(middle + half_px) + 1] -= levels


def _specks(texture: Floats, rng: np.random.Generator, per_dm2: float, px_per_mm: float) -> None:
    width, length = texture.shape[:2]
    count = int(rng.poisson(per_dm2 * width * length / (100 * px_per_mm) ** 2))
    for u, v in zip(rng.integers(4, length - 4, count), rng.integers(4, width - 4, count), strict=True):
        radius = float(rng.uniform(0.1, 0.45)) * px_per_mm
        shade = float(rng.normal(0, 14))
        box = texture[max(v - 4, 0) : v + 5, max(u - 4, 0) : u + 5]
        rows, columns = np.ogrid[: box.shape[0], : box.shape[1]]
        distance = np.hypot(rows - min(v, 4), columns - min(u, 4))
        box += (shade * np.clip(radius + 0.5 - distance, 0, 1))[..., None]
