"""From a sprite's layers to what a part adds to and takes from the belt's picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.sim.sprites import Sprite

DIFFUSE_FULL = 2.0
ABSORPTION = 2.2
PEARL_GLOSS = 1.8
LEVELS = 4095

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Bgr = tuple[float, float, float]


def _srgb_table() -> Floats:
    """sRGB value in 0…255 of LEVELS + 1 steps of linear light in 0…1 (IEC 61966-2-1)."""
    light = np.linspace(0, 1, LEVELS + 1)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (coded * 255).astype(np.float32)


_SRGB = _srgb_table()


def to_srgb(light: Floats) -> Floats:
    """sRGB values in 0…255 of linear light, clipped at 1."""
    return _SRGB[(np.clip(light, 0, 1) * LEVELS + 0.5).astype(np.int32)]


def to_linear(srgb: Floats) -> Floats:
    """Linear light in 0…1 of sRGB values in 0…255."""
    coded = srgb / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Painted:
    """What a part does to the picture under it: seen = belt × keep ÷ 255 + add.

    `keep` and `add` are (H, W, 3) BGR; the pixel (`left`, `top`) of the picture, counted from the part's middle on
    the belt, is the first.
    """

    keep: Bytes
    add: Bytes
    left: int
    top: int


def paint(sprite: Sprite, colour_bgr: Bgr, clear: bool, pearl: bool, belt_bgr: Bgr) -> tuple[Floats, Floats]:
    """Colour a sprite.

    Light adds up in linear space and the picture is sRGB; so what is added is worked out for a belt of the mean
    colour, where it is exact.

    Returns:
        keep (H, W, 3) in 0…1 and add (H, W, 3) in 0…255.
    """
    albedo, ground = to_linear(np.array(colour_bgr, np.float32)), to_linear(np.array(belt_bgr, np.float32))
    light = sprite.diffuse[..., None].astype(np.float32) * (DIFFUSE_FULL / 255)
    gloss = (sprite.gloss[..., None].astype(np.float32) / 255) ** 2 * (PEARL_GLOSS if pearl else 1.0)
    coverage = sprite.coverage[..., None].astype(np.float32) / 255
    shadow = sprite.shadow[..., None].astype(np.float32) / 255
    if clear:
        absorbed = light * ABSORPTION
        passing = np.exp(absorbed * (np.log(np.maximum(albedo, 0.01)) - 0.25))
        shaded = 0.5 + 0.5 * shadow
        keep = shaded * (1 - coverage + coverage * passing)
        add = 0.12 * albedo * np.minimum(absorbed, 1) * coverage + gloss
    else:
        keep = np.broadcast_to((1 - coverage) * shadow, (*coverage.shape[:2], 3))
        add = light * albedo + gloss
    under = np.asarray(keep * ground, np.float32)
    seen_belt = to_srgb(under)
    return (seen_belt / np.maximum(to_srgb(ground), 1.0)).astype(np.float32), to_srgb(
        np.asarray(under + add, np.float32)
    ) - seen_belt


def place(
    sprite: Sprite,
    keep: Floats,
    add: Floats,
    turn_deg: float,
    px_per_sprite_px: float,
    blur: Floats,
    pedestal: float = 0.0,
) -> Painted:
    """Turn, scale and blur a painted sprite as the picture has it.

    Args:
        sprite: its anchor, axis and tilt.
        keep, add: from `paint`.
        turn_deg: clockwise in the picture.
        px_per_sprite_px: scale.
        blur: kernel of lens and motion, in the picture's axes.
        pedestal: by how many levels the belt under it is too dark.
    """
    matrix, size, corner = _warp(sprite, turn_deg, px_per_sprite_px, margin_px=max(blur.shape) // 2 + 1)
    flags = cv2.INTER_AREA if px_per_sprite_px < 0.6 else cv2.INTER_LINEAR
    turned_keep = cv2.filter2D(cv2.warpAffine(keep, matrix, size, flags=flags, borderValue=(1.0, 1.0, 1.0)), -1, blur)
    turned_add = cv2.filter2D(cv2.warpAffine(add, matrix, size, flags=flags), -1, blur)
    lit = np.asarray(turned_add) - pedestal * (1 - np.asarray(turned_keep))
    return Painted(
        (np.clip(turned_keep, 0, 1) * 255 + 0.5).astype(np.uint8),
        (np.clip(lit, 0, 255) + 0.5).astype(np.uint8),
        *corner,
    )


def _warp(
    sprite: Sprite, turn_deg: float, scale: float, margin_px: int
) -> tuple[Floats, tuple[int, int], tuple[int, int]]:
    """Affine matrix, size of the patch and its corner seen from the anchor.

    A tilted view foreshortens the belt along its axis; a camera that looks straight down does not, it only sees
    higher points further out. Stretching by 1 ÷ cos(tilt) turns the one into the other, to first order.
    """
    axis, turn = math.radians(sprite.axis_deg), math.radians(turn_deg)
    along = np.array([math.cos(axis), math.sin(axis)])
    stretch = np.eye(2) + (1 / math.cos(math.radians(sprite.tilt_deg)) - 1) * np.outer(along, along)
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = scale * turned @ stretch
    height, width = sprite.coverage.shape
    corners = (np.array([[0, 0], [width, 0], [0, height], [width, height]]) - sprite.anchor_px) @ linear.T
    low = np.floor(corners.min(axis=0)).astype(int) - margin_px
    high = np.ceil(corners.max(axis=0)).astype(int) + margin_px
    # OpenCV counts from the middle of a pixel, the anchor from its corner.
    shift = -low - 0.5 + linear @ (0.5 - np.array(sprite.anchor_px))
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    return np.column_stack([linear, shift]).astype(np.float32), size, (int(low[0]), int(low[1]))


def blur_kernel(lens_sigma_px: float, motion_px: float, along_v: bool) -> Floats:
    """(K, K) kernel, summing to 1, of a soft lens and of the belt's way during the exposure."""
    reach = math.ceil(2.5 * lens_sigma_px + motion_px / 2)
    across = np.arange(-reach, reach + 1)
    lens = np.exp(-0.5 * (across / max(lens_sigma_px, 1e-3)) ** 2)
    fine = np.linspace(-motion_px / 2, motion_px / 2, 9)
    motion = np.exp(-0.5 * ((across[:, None] - fine) / max(lens_sigma_px, 1e-3)) ** 2).sum(axis=1)
    kernel = np.outer(motion, lens) if along_v else np.outer(lens, motion)
    return (kernel / kernel.sum()).astype(np.float32)
