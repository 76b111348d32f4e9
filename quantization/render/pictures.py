"""Colours a look for good: a picture for trainers that do not recolour layers themselves."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from edge.catalogue.colours import load_colours
from quantization.data.augment import belt_colour
from quantization.data.belts import make_belts
from quantization.data.colours import SOLID, TRANSPARENT, Palette, palette
from quantization.render.compose import compose, linear_to_srgb
from quantization.render.scene import RenderedLook

JPEG_QUALITY = 92
RARE_WEIGHT = 0.4
"""Of a colour that training's own table does not list."""


def colour_look(look: RenderedLook, rng: np.random.Generator) -> tuple[bytes, int]:
    """Lay a look on a belt in a colour of its own.

    Returns:
        A JPEG and the LDraw code of the colour.
    """
    colours, codes = _palette(look.transparent)
    chosen = colours.choose(rng)
    height, width = look.layers.shape[:2]
    belt = make_belts(rng, max(height, width), 1)[0, :height, :width].astype(np.float32) / 128 * belt_colour(rng)
    picture = compose(look.layers, linear_to_srgb(colours.moulded(chosen, rng)), linear_to_srgb(belt), look.transparent)
    settings = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    return cv2.imencode(".jpg", picture[..., ::-1], settings)[1].tobytes(), codes[chosen]


@cache
def _palette(transparent: bool) -> tuple[Palette, tuple[int, ...]]:
    """Return the colours in production, as the machine's catalogue has them, and their codes."""
    weights = TRANSPARENT if transparent else SOLID
    made = [colour for colour in load_colours() if colour.transparent == transparent]
    table = {
        colour.ldraw_name: (bytes(colour.rgb).hex(), weights.get(colour.ldraw_name, ("", RARE_WEIGHT))[1])
        for colour in made
    }
    return palette(table), tuple(colour.code for colour in made)
