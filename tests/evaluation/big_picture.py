"""A gigapixel scan of a tray: plain, unevenly lit, with a drawn part in every cell of a grid.

    python tests/evaluation/big_picture.py FILE.tif [--side-px 100000]
    brickgate-model tile FILE.tif --label 3001 --parts --out FOLDER

writes a tiled BigTIFF (JPEG, no pyramid), a row of tiles at a time, and prints how many parts lie whole in it. The
second line's peak memory is what docs/results.md gives. Tiles that look alike are encoded once: writing takes a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

TILE_PX = 512
CELL_PX = 1024
SPRITES = 48
LIGHTS = 16
LONGEST_PX = 420
BARE_BGR = np.array([205.0, 212.0, 214.0], np.float32)
PLASTIC_BGR = ((9, 26, 201), (55, 205, 242), (191, 85, 0), (65, 120, 35), (29, 19, 5), (24, 138, 254))


def draw_sprites(seed: int) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Drawn bricks from above, turned by any angle: (H, W, 3) colours and (H, W) masks, cut to their boxes."""
    rng = np.random.default_rng(seed)
    sprites = []
    for k in range(SPRITES):
        across, down = int(rng.integers(1, 3)), int(rng.integers(1, 5))
        pitch = 90
        flat = np.zeros((LONGEST_PX + 60,) * 2 + (3,), np.uint8)
        inside = np.zeros(flat.shape[:2], np.uint8)
        high, wide = across * pitch, down * pitch
        top, left = (flat.shape[0] - high) // 2, (flat.shape[1] - wide) // 2
        colour = np.array(PLASTIC_BGR[k % len(PLASTIC_BGR)], np.float32)
        flat[top : top + high, left : left + wide] = colour
        inside[top : top + high, left : left + wide] = 255
        for row in range(across):
            for column in range(down):
                centre = (left + column * pitch + pitch // 2, top + row * pitch + pitch // 2)
                cv2.circle(flat, centre, 28, tuple(np.clip(colour * 1.25 + 12, 0, 255).tolist()), cv2.FILLED)
                cv2.circle(flat, centre, 28, tuple((colour * 0.6).tolist()), 3)
        matrix = cv2.getRotationMatrix2D((flat.shape[1] / 2, flat.shape[0] / 2), float(rng.uniform(0, 360)), 1.0)
        turned = cv2.warpAffine(flat, matrix, flat.shape[:2])
        mask = cv2.warpAffine(inside, matrix, flat.shape[:2]) > 127
        u, v, w, h = cv2.boundingRect(mask.astype(np.uint8))
        sprites.append((turned[v : v + h, u : u + w].astype(np.uint8), mask[v : v + h, u : u + w]))
    return sprites


class Tray:
    """The picture, a square of `side_px`, a tile at a time."""

    def __init__(self, side_px: int, seed: int = 0) -> None:
        self.side_px = side_px
        cells = -(-side_px // CELL_PX)
        rng = np.random.default_rng([seed, 1])
        self._sprites = draw_sprites(seed)
        self._which = rng.integers(0, SPRITES, (cells, cells))
        self._offsets = rng.integers(20, CELL_PX - LONGEST_PX - 60, (SPRITES, 2))
        self._grain = rng.normal(0, 2.0, (TILE_PX, TILE_PX, 1)).astype(np.float32)
        self._tile = cache(self._encoded)

    @property
    def whole_parts(self) -> int:
        """Parts that lie within the picture and do not touch its border."""
        count = 0
        for (row, column), sprite in np.ndenumerate(self._which):
            _, _, u1, v1 = self._box(int(sprite))
            count += column * CELL_PX + u1 < self.side_px and row * CELL_PX + v1 < self.side_px
        return count

    def tiles(self) -> Iterator[bytes]:
        """The tiles as JPEG, row after row."""
        count, in_cell = -(-self.side_px // TILE_PX), CELL_PX // TILE_PX
        for row in range(count):
            for column in range(count):
                sprite = int(self._which[row // in_cell, column // in_cell])
                light = round(LIGHTS * (row + column) / (2 * count))
                yield self._tile(sprite, row % in_cell, column % in_cell, light)

    def _encoded(self, sprite: int, row: int, column: int, light: int) -> bytes:
        """One tile of a cell. Lit from the upper left: a quarter darker in the opposite corner."""
        picture = np.empty((TILE_PX, TILE_PX, 3), np.float32)
        picture[:] = BARE_BGR
        left, top = column * TILE_PX, row * TILE_PX
        u0, v0, u1, v1 = self._box(sprite)
        colours, mask = self._sprites[sprite]
        a, b, c, d = max(u0, left), max(v0, top), min(u1, left + TILE_PX), min(v1, top + TILE_PX)
        if a < c and b < d:
            part = (slice(b - v0, d - v0), slice(a - u0, c - u0))
            place = picture[b - top : d - top, a - left : c - left]
            place[mask[part]] = colours[part][mask[part]]
        lit = np.clip(picture * (1 - 0.25 * light / LIGHTS) + self._grain, 0, 255).astype(np.uint8)
        return cv2.imencode(".jpg", lit, (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes()

    def _box(self, sprite: int) -> tuple[int, int, int, int]:
        """Where a part lies in its cell."""
        high, wide = self._sprites[sprite][1].shape
        left, top = (int(x) for x in self._offsets[sprite])
        return left, top, left + wide, top + high


def write_tray(file: Path, side_px: int, seed: int = 0) -> Tray:
    """Write the picture as a BigTIFF of JPEG tiles; return what is in it."""
    import tifffile

    tray = Tray(side_px, seed)
    with tifffile.TiffWriter(file, bigtiff=True) as writer:
        writer.write(
            tray.tiles(),
            shape=(side_px, side_px, 3),
            dtype=np.uint8,
            tile=(TILE_PX, TILE_PX),
            photometric="ycbcr",
            subsampling=(2, 2),
            compression="jpeg",
        )
    return tray


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--side-px", type=int, default=100_000)
    args = parser.parse_args()
    print(f"{write_tray(args.file, args.side_px).whole_parts} whole parts in {args.file}")
