"""Cuts a picture into tiles of a grid, or into the parts that lie on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import InputSpec
from edge.bundle.preprocess import window as square_window
from edge.errors import InputError
from quantization.tiles.background import Background
from quantization.tiles.blobs import Blob, BlobFinder
from quantization.tiles.picture import BLOCK_PX, BigPicture, ImageBgr

THUMB_PX = 32
"""A tile is judged on about so many pixels a side."""
MOST_BARE = 0.5
SEARCH_PX, MOST_TIMES = 4000, 8
"""Parts are looked for in the picture shrunk to about SEARCH_PX on its longer side, at most by MOST_TIMES."""
CLOSING = np.ones((5, 5), np.uint8)
BAND_ROWS, HALO_ROWS = 256, len(CLOSING) - 1
"""Rows of the shrunk picture that are searched at once, and those around that gaps are closed with: closing looks as
far as its window twice."""
LEAST_SEARCHED = 32
MARGIN = 0.15
"""Free space around a part, as a share of its longer side."""
HEAP = 4.0
"""A blob of so many times the usual area is several parts that touch."""
LEAST_FOR_USUAL = 8


Tell = Callable[[float], None]


def untold(share: float) -> None:
    """Tell nobody which share of the work is done."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a picture and where it comes from: `box_px` is left, top, right, bottom in the picture."""

    image: ImageBgr
    box_px: tuple[int, int, int, int]


@dataclass(slots=True)
class Losses:
    """What was left out of a picture, by reason."""

    counts: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int = 1) -> None:
        """Count something that is left out."""
        if count:
            self.counts[reason] = self.counts.get(reason, 0) + count

    def add_damage(self, line: str) -> None:
        """Note a place of the file that is damaged, once."""
        if line not in self.damaged:
            self.damaged.append(line)


BARE, BORDER, SPECK, CUT_OFF, TOUCHING, DAMAGED = (
    "mostly background",
    "narrower than a tile, at the border",
    "specks",
    "cut off by the picture's border",
    "touching parts",
    "damaged",
)


def cut_tiles(
    picture: BigPicture, tile_px: int, background: Background | None, losses: Losses, tell: Tell = untold
) -> Iterator[Cut]:
    """Square tiles that do not overlap, row after row, without those that are more than half background.

    The grid lies in the middle of the picture; what is left at the borders is narrower than a tile.
    """
    across, down = picture.width_px // tile_px, picture.height_px // tile_px
    first_u, first_v = (picture.width_px - across * tile_px) // 2, (picture.height_px - down * tile_px) // 2
    rest = -(-picture.width_px // tile_px) * -(-picture.height_px // tile_px) - across * down
    losses.add(BORDER, rest)
    times = max(tile_px // THUMB_PX, 1)
    for top in range(first_v, first_v + down * tile_px, tile_px):
        tell(top / picture.height_px)
        for left in range(first_u, first_u + across * tile_px, tile_px):
            box = (left, top, left + tile_px, top + tile_px)
            try:
                if background is not None:
                    thumb = picture.shrunk(left, top, tile_px, tile_px, times)
                    if background.bare_share(thumb, left, top, times) > MOST_BARE:
                        losses.add(BARE)
                        continue
                yield Cut(picture.read(left, top, tile_px, tile_px), box)
            except InputError as error:
                losses.add(DAMAGED)
                losses.add_damage(str(error))


def cut_parts(
    picture: BigPicture, background: Background, least_px: int, losses: Losses, tell: Tell = untold
) -> Iterator[Cut]:
    """Each part that lies free and whole in the picture, in a square window with a margin.

    Args:
        picture: parts on a plain background.
        background: that background.
        least_px: the longer side of the smallest part; what is smaller is a speck.
        losses: what is left out.
        tell: told which share of the work is done.
    """
    times = search_times(picture)
    blobs = find_blobs(picture, background, least_px, losses, tell)
    usual = float(np.median([blob.area for blob in blobs])) if len(blobs) >= LEAST_FOR_USUAL else np.inf
    for number, blob in enumerate(sorted(blobs, key=lambda b: (b.top, b.left))):
        tell((1 + number / len(blobs)) / 2)
        left, top = blob.left * times, blob.top * times
        right, bottom = min(blob.right * times, picture.width_px), min(blob.bottom * times, picture.height_px)
        if left <= 0 or top <= 0 or right >= picture.width_px or bottom >= picture.height_px:
            losses.add(CUT_OFF)
        elif blob.area > HEAP * usual:
            losses.add(TOUCHING)
        else:
            try:
                yield Cut(framed(picture, (left, top, right, bottom)), (left, top, right, bottom))
            except InputError as error:
                losses.add(DAMAGED)
                losses.add_damage(str(error))


def search_times(picture: BigPicture) -> int:
    """How much a picture is shrunk for parts to be looked for."""
    return min(max(round(max(picture.width_px, picture.height_px) / SEARCH_PX), 1), MOST_TIMES)


def find_blobs(
    picture: BigPicture, background: Background, least_px: int, losses: Losses, tell: Tell = untold
) -> list[Blob]:
    """What is not background, in px of the picture shrunk by `search_times`; what is damaged counts as bare."""
    times = search_times(picture)
    finder = BlobFinder(max(least_px // times, 2))
    blobs: list[Blob] = []
    for top in range(0, picture.height_px, BAND_ROWS * times):
        tell(top / picture.height_px / 2)
        blobs += finder.add(_band(picture, background, top, times, losses))
    blobs += finder.finish()
    losses.add(SPECK, finder.specks)
    return blobs


def framed(picture: BigPicture, box: tuple[int, int, int, int]) -> ImageBgr:
    """A part in a square window with `MARGIN`; where that leaves the picture, its border pixels go on."""
    left, top, side = square_window(box, InputSpec(16, 16, MARGIN))
    u0, v0 = max(left, 0), max(top, 0)
    u1, v1 = min(left + side, picture.width_px), min(top + side, picture.height_px)
    inner = picture.read(u0, v0, u1 - u0, v1 - v0)
    pads = (v0 - top, top + side - v1, u0 - left, left + side - u1)
    return np.asarray(cv2.copyMakeBorder(inner, *pads, cv2.BORDER_REPLICATE), np.uint8) if any(pads) else inner


def _band(picture: BigPicture, background: Background, top: int, times: int, losses: Losses) -> NDArray[np.uint8]:
    """The foreground of a band, its gaps closed as if the whole picture had been at hand."""
    high = min(BAND_ROWS * times, picture.height_px - top)
    first = max(top - HALO_ROWS * times, 0)
    last = min(top + high + HALO_ROWS * times, picture.height_px)
    mask = np.zeros((-(-(last - first) // times), -(-picture.width_px // times)), np.uint8)
    step = BLOCK_PX // times * times
    for left in range(0, picture.width_px, step):
        wide = min(step, picture.width_px - left)
        part = mask[:, left // times : -(-(left + wide) // times)]
        _search(part, picture, background, (left, first, wide, last - first), times, losses)
    skipped = (top - first) // times
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, CLOSING)[skipped : skipped + -(-high // times)]
    return np.ascontiguousarray(closed, np.uint8)


def _search(
    mask: NDArray[np.uint8],
    picture: BigPicture,
    background: Background,
    window: tuple[int, int, int, int],
    times: int,
    losses: Losses,
) -> None:
    """Fill in the foreground of a window (left, top, width, height); of one that is damaged, what can be read of it."""
    left, top, wide, high = window
    try:
        mask[:] = background.foreground(picture.shrunk(left, top, wide, high, times), left, top, times)
    except InputError as error:
        rows, columns = mask.shape
        if max(rows, columns) <= LEAST_SEARCHED:
            losses.add_damage(str(error))
        elif rows > columns:
            half = rows // 2 * times
            _search(mask[: rows // 2], picture, background, (left, top, wide, half), times, losses)
            _search(mask[rows // 2 :], picture, background, (left, top + half, wide, high - half), times, losses)
        else:
            half = columns // 2 * times
            _search(mask[:, : columns // 2], picture, background, (left, top, half, high), times, losses)
            _search(mask[:, columns // 2 :], picture, background, (left + half, top, wide - half, high), times, losses)
