"""The plastic's colours that training draws, weighted towards those in current production.

RGB values are those of LDraw's LDConfig.ldr (CC BY 4.0), which follow LEGO's own palette. The weights are rough shares
of parts in circulation; the network must not care, so they are flattened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantization.render.compose import srgb_to_linear

SOLID: dict[str, tuple[str, float]] = {
    "Black": ("1B2A34", 3.0),
    "White": ("F4F4F4", 3.0),
    "Light_Bluish_Grey": ("969696", 3.0),
    "Dark_Bluish_Grey": ("646464", 3.0),
    "Light_Grey": ("8A928D", 1.5),
    "Dark_Grey": ("545955", 1.0),
    "Red": ("B40000", 2.5),
    "Blue": ("1E5AA8", 2.0),
    "Yellow": ("FAC80A", 2.0),
    "Tan": ("DDC48E", 2.0),
    "Dark_Tan": ("897D62", 1.0),
    "Reddish_Brown": ("5F3109", 1.5),
    "Dark_Brown": ("372100", 0.6),
    "Green": ("00852B", 1.5),
    "Dark_Green": ("00451A", 1.0),
    "Lime": ("A5CA18", 1.0),
    "Bright_Green": ("58AB41", 0.7),
    "Olive_Green": ("77774E", 0.6),
    "Sand_Green": ("708E7C", 0.6),
    "Orange": ("D67923", 1.2),
    "Dark_Orange": ("91501C", 0.6),
    "Bright_Light_Orange": ("FCAC00", 0.7),
    "Bright_Light_Yellow": ("FFEC6C", 0.6),
    "Dark_Red": ("720012", 1.0),
    "Dark_Blue": ("19325A", 1.0),
    "Medium_Blue": ("7396C8", 0.7),
    "Bright_Light_Blue": ("9DC3F7", 0.6),
    "Dark_Azure": ("469BC3", 0.8),
    "Medium_Azure": ("68C3E2", 0.7),
    "Light_Aqua": ("D3F2EA", 0.4),
    "Dark_Turquoise": ("069D9F", 0.5),
    "Sand_Blue": ("70819A", 0.6),
    "Dark_Purple": ("441A91", 0.6),
    "Magenta": ("901F76", 0.4),
    "Dark_Pink": ("D3359D", 0.4),
    "Bright_Pink": ("FF9ECD", 0.6),
    "Medium_Lavender": ("A06EB9", 0.4),
    "Lavender": ("CDA4DE", 0.4),
    "Nougat": ("CC8E69", 0.4),
    "Medium_Nougat": ("AA7D55", 0.6),
    "Light_Nougat": ("FCC39E", 0.4),
    "Coral": ("F06D78", 0.3),
    "Pearl_Gold": ("AA7F2E", 0.6),
    "Flat_Silver": ("898788", 0.5),
}
TRANSPARENT: dict[str, tuple[str, float]] = {
    "Trans_Clear": ("EEEEEE", 2.0),
    "Trans_Red": ("B80000", 1.0),
    "Trans_Dark_Blue": ("0020A0", 1.0),
    "Trans_Light_Blue": ("B3D5EA", 1.0),
    "Trans_Yellow": ("F5CD2F", 0.8),
    "Trans_Neon_Green": ("C0F500", 0.6),
    "Trans_Green": ("73B464", 0.8),
    "Trans_Orange": ("E18D0A", 0.8),
    "Trans_Black": ("635F52", 0.8),
    "Trans_Neon_Orange": ("FF800D", 0.5),
    "Trans_Pink": ("FC97AC", 0.4),
    "Trans_Purple": ("A5A5CB", 0.4),
}


@dataclass(frozen=True, slots=True)
class Palette:
    """`linear_rgb` (N, 3) in 0..1 and `weights` (N,) that sum to 1."""

    linear_rgb: NDArray[np.float32]
    weights: NDArray[np.float64]

    def choose(self, rng: np.random.Generator) -> int:
        """Which colour, by weight."""
        return int(rng.choice(len(self.weights), p=self.weights))

    def moulded(self, index: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """A colour a little off its nominal value."""
        return np.clip(self.linear_rgb[index] * np.exp(rng.normal(0, 0.08, 3)), 0.004, 0.95).astype(np.float32)

    def draw(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """One colour, by weight, moulded a little off its nominal value."""
        return self.moulded(self.choose(rng), rng)


def palette(table: dict[str, tuple[str, float]]) -> Palette:
    """The palette of one of the tables above."""
    srgb = np.array([[int(rgb[k : k + 2], 16) for k in (0, 2, 4)] for rgb, _ in table.values()], np.float32) / 255
    linear = srgb_to_linear(srgb)
    weights = np.sqrt(np.array([weight for _, weight in table.values()]))
    return Palette(linear, weights / weights.sum())
