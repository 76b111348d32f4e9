"""The layers of a render, how they are coded, and how they become a picture.

Channels of the (H, W, 4) uint8 layers; the first two are premultiplied by the fourth:

0. diffuse light: linear, 255 = 2.0, so 127.5 is a white face lit normally; for clear plastic, how much is
   absorbed, 255 = 2.0
1. gloss: square root of the reflected light, 255 = 1.0 (or more)
2. shadow on the belt: linear, 255 = unshadowed
3. coverage by the part
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIFFUSE_FULL = 2.0
ABSORPTION = 2.2

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


def encode_layers(raw: Floats) -> Bytes:
    """Turn linear (H, W, 4) diffuse, gloss, shadow, coverage into layers."""
    light = raw.copy()
    light[..., 0] *= 1.0 / DIFFUSE_FULL
    np.sqrt(np.maximum(light[..., 1], 0), out=light[..., 1])
    return (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)


def srgb_to_linear(colour: Floats) -> Floats:
    """Decode sRGB in 0..1."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(light: Floats) -> Floats:
    """Encode linear light as sRGB in 0..1, clipped."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def compose(layers: Bytes, colour_srgb: Floats, background_srgb: Floats, transparent: bool = False) -> Bytes:
    """Colour a render.

    Args:
        layers: (H, W, 4).
        colour_srgb: (3,) in 0..1, the plastic.
        background_srgb: (3,) or (H, W, 3) in 0..1, the belt.
        transparent: whether the layers are those of clear plastic.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    light = layers.astype(np.float32) / 255
    albedo, ground = srgb_to_linear(colour_srgb), srgb_to_linear(background_srgb)
    coverage = light[..., 3:]
    gloss = light[..., 1:2] ** 2
    if transparent:
        absorbed = light[..., 0:1] * DIFFUSE_FULL * ABSORPTION
        shaded = ground * (0.5 + 0.5 * light[..., 2:3])
        through = shaded * np.maximum(albedo, 0.01) ** absorbed * np.exp(-0.25 * absorbed)
        scattered = 0.12 * albedo * np.minimum(absorbed, 1)
        seen = coverage * (through + scattered) + (1 - coverage) * shaded + gloss
    else:
        seen = light[..., 0:1] * DIFFUSE_FULL * albedo + gloss + (1 - coverage) * ground * light[..., 2:3]
    return (linear_to_srgb(seen) * 255 + 0.5).astype(np.uint8)
