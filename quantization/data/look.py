"""A look as the renderer leaves it, ready to be coloured and lit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Look:
    """`layers` (H, W, 4) uint8: light, gloss, shadow, coverage; `hull` (32, 2) f32: corners (u, v) in px."""

    layers: NDArray[np.uint8]
    transparent: bool
    elevation_deg: float
    hull: NDArray[np.float32]


class Looks(Protocol):
    """Rendered looks by number."""

    def __len__(self) -> int: ...

    def look(self, index: int) -> Look:
        """One look.

        Raises:
            InputError: it is damaged.
        """
        ...
