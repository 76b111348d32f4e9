"""Where training samples come from: tar shards of renders, tiles and captures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.data.augment import Augmenter
from quantization.data.layers import filled_hull, hull_of
from quantization.data.look import Look
from quantization.data.shards import ANEW, ShardIndex

VIEW_FROM_ABOVE_DEG = 90.0


class Source(Protocol):
    """Samples by number."""

    @property
    def families(self) -> NDArray[np.int64]:
        """(N,) class that each sample shows."""
        ...

    def __len__(self) -> int: ...

    def augmenter(self, size_px: int, seed: int) -> Augmenter:
        """What makes this source's pictures of `size_px`."""
        ...

    def make(self, index: int, augmenter: Augmenter, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One augmented picture, (S, S, 3) RGB.

        Raises:
            InputError: the sample is damaged.
        """
        ...


@dataclass(frozen=True, slots=True)
class ShardSource:
    """Samples of tar shards: layers are coloured and lit anew, pictures only photographed anew."""

    index: ShardIndex
    families: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.families)

    def augmenter(self, size_px: int, seed: int) -> Augmenter:
        layers = np.flatnonzero(self.index.labels["kind"] == "layers")
        return Augmenter(_Neighbours(self, layers), size_px, seed)

    def make(self, index: int, augmenter: Augmenter, rng: np.random.Generator) -> NDArray[np.uint8]:
        if self.index.labels["kind"][index] == "layers":
            return augmenter.shown(self.look(index), rng)
        return augmenter.retaken(self._decoded(index, cv2.IMREAD_COLOR, 3), rng)

    def look(self, index: int) -> Look:
        """One sample of layers.

        Raises:
            InputError: it is damaged.
        """
        layers = self._decoded(index, cv2.IMREAD_UNCHANGED, 4)
        transparent, elevation_deg = (self.index.labels[key][index] for key in ("transparent", "elevation_deg"))
        seen_from_deg = float(np.nan_to_num(elevation_deg, nan=VIEW_FROM_ABOVE_DEG))
        corners = self.index.label(index).get("hull_px")
        hull = filled_hull(np.asarray(corners, np.float32)) if corners else hull_of(layers[..., 3])
        return Look(layers, bool(transparent), seen_from_deg, hull)

    def _decoded(self, index: int, mode: int, channels: int) -> NDArray[np.uint8]:
        """(H, W, channels) RGB, or the layers in their order."""
        encoded = np.frombuffer(self.index.picture(index), np.uint8)
        picture = cv2.imdecode(encoded, mode) if len(encoded) else None
        if picture is None or picture.ndim != 3 or picture.shape[2] != channels or picture.dtype != np.uint8:
            raise InputError(f"{self.index.name(index)} cannot be decoded: {ANEW}, or leave it out")
        order = cv2.COLOR_BGRA2RGBA if channels == 4 else cv2.COLOR_BGR2RGB
        return cv2.cvtColor(picture, order).astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The layers of a source, for a second part that comes into a picture."""

    source: ShardSource
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def look(self, index: int) -> Look:
        return self.source.look(int(self.numbers[index]))
