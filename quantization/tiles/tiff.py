"""TIFF, BigTIFF and SVS, tiled or in strips, with or without a pyramid: only what a window needs is decoded."""

from __future__ import annotations

import logging
import struct
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.tiles.picture import BLOCK_PX, ImageBgr, shrink

CACHE_BYTES = 192_000_000
"""Decoded blocks that are kept: at least a row of 512 px tiles of a picture 100,000 px wide."""
MOST_BLOCK_BYTES = 192_000_000
STRIP_BYTES = 4_000_000
SHEET_SHARE = 0.5
"""Of the first picture's pixels: another picture that has as many is one to be cut, too."""
PLAIN, GREY_INVERTED, GREY, RGB, YCBCR = 1, 0, 1, 2, 6
"""Values of the tags Compression and PhotometricInterpretation (TIFF 6.0)."""
DECODING_ERRORS = (ValueError, RuntimeError, OSError, EOFError, KeyError, IndexError, struct.error, zlib.error)

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it warns of is said here, in one line


class TiffPicture:
    """The first picture of a TIFF and the smaller versions of it that the file holds.

    Raises:
        InputError: no TIFF that can be read, or one of another kind of pixels than grey or RGB of 8 or 16 bits.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._tiff = tifffile.TiffFile(file)
            pages = [level.keyframe for level in self._tiff.series[0].levels]
        except (*DECODING_ERRORS, tifffile.TiffFileError) as error:
            raise InputError(f"{file} is no TIFF that can be read ({_said(error)}): copy or export it again") from error
        cache = _Cache(CACHE_BYTES)
        self._levels = [_Level(file, self._tiff, page, cache) for page in pages]
        self.width_px, self.height_px = self._levels[0].width_px, self._levels[0].height_px
        self.unread = self._count_unread()

    def read(self, left: int, top: int, width: int, height: int) -> ImageBgr:
        return self._levels[0].read(left, top, width, height)

    def shrunk(self, left: int, top: int, width: int, height: int, times: int) -> ImageBgr:
        level, ratio = self._level_for(times)
        rest = max(round(times / ratio), 1)
        out = np.zeros((-(-height // times), -(-width // times), 3), np.uint8)
        step = max(BLOCK_PX // rest, 1)
        for v in range(0, out.shape[0], step):
            for u in range(0, out.shape[1], step):
                rows, columns = min(step, out.shape[0] - v), min(step, out.shape[1] - u)
                first_u, first_v = round((left + u * times) / ratio), round((top + v * times) / ratio)
                last_u = min(round(min(left + (u + columns) * times, left + width) / ratio), level.width_px)
                last_v = min(round(min(top + (v + rows) * times, top + height) / ratio), level.height_px)
                first_u, first_v = min(first_u, last_u - 1), min(first_v, last_v - 1)
                block = level.read(first_u, first_v, last_u - first_u, last_v - first_v)
                small = shrink(block, rest)
                if small.shape[:2] != (rows, columns):
                    small = np.asarray(cv2.resize(block, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
                out[v : v + rows, u : u + columns] = small
        return out

    def _count_unread(self) -> int:
        """Pictures beside the first one; what is far smaller is a preview, or a slide's label."""
        first, *others = self._tiff.series
        pixels = SHEET_SHARE * self.width_px * self.height_px
        sheets = [it for it in others if it.keyframe.imagewidth * it.keyframe.imagelength >= pixels]
        return len(first.levels[0]) - 1 + sum(map(len, sheets))

    def _level_for(self, times: int) -> tuple[_Level, float]:
        """The smallest level that still has all that is asked for, and how much smaller than the picture it is."""
        ratios = [(level, self.width_px / level.width_px) for level in self._levels]
        return max(((level, ratio) for level, ratio in ratios if ratio <= times * 1.01), key=lambda pair: pair[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tiff.close()


class _Level:
    """One size of the picture, by blocks: the file's tiles or strips."""

    def __init__(self, file: Path, tiff: tifffile.TiffFile, page: Any, cache: _Cache) -> None:
        self._file, self._stream, self._page, self._cache = file, tiff.filehandle, page, cache
        self.width_px, self.height_px = int(page.imagewidth), int(page.imagelength)
        self._check(page)
        samples = int(page.samplesperpixel)
        self._wide = int(page.tilewidth) if page.is_tiled else self.width_px
        self._high = int(page.tilelength) if page.is_tiled else min(int(page.rowsperstrip), self.height_px)
        self._plain_row_bytes = 0
        if not page.is_tiled and page.is_memmappable:  # strips lie one after the other: cut them as it suits us
            self._plain_row_bytes = self.width_px * samples * page.dtype.itemsize
            self._high = max(STRIP_BYTES // self._plain_row_bytes, 1)
        block_bytes = self._wide * self._high * samples * page.dtype.itemsize
        if block_bytes > MOST_BLOCK_BYTES:
            raise InputError(
                f"{file} is stored in blocks of {self._wide}×{self._high} px, each decoded as a whole:"
                " save it as a tiled TIFF"
            )
        self._across = -(-self.width_px // self._wide)

    def read(self, left: int, top: int, width: int, height: int) -> ImageBgr:
        out = np.empty((height, width, 3), np.uint8)
        for row in range(top // self._high, (top + height - 1) // self._high + 1):
            for column in range(left // self._wide, (left + width - 1) // self._wide + 1):
                block_u, block_v = column * self._wide, row * self._high
                block = self._block(row * self._across + column)
                u0, v0 = max(left, block_u), max(top, block_v)
                u1, v1 = min(left + width, block_u + block.shape[1]), min(top + height, block_v + block.shape[0])
                out[v0 - top : v1 - top, u0 - left : u1 - left] = block[
                    v0 - block_v : v1 - block_v, u0 - block_u : u1 - block_u
                ]
        return out

    def _block(self, number: int) -> ImageBgr:
        key = (id(self), number)
        block = self._cache.get(key)
        if block is None:
            block = self._decoded(number)
            self._cache.put(key, block)
        return block

    def _decoded(self, number: int) -> ImageBgr:
        row, column = divmod(number, self._across)
        place = f"{self._file}, block at {column * self._wide}, {row * self._high} px"
        high = min(self._high, self.height_px - row * self._high)
        wide = min(self._wide, self.width_px - column * self._wide)
        try:
            if self._plain_row_bytes:
                pixels = self._plain(row, high, place)
            else:
                data = self._bytes(self._page.dataoffsets[number], self._page.databytecounts[number], place)
                extra = {"jpegtables": self._page.jpegtables, "jpegheader": self._page.jpegheader}
                pixels = self._page.decode(data, number, **(extra if self._page.compression in (6, 7, 33007) else {}))[
                    0
                ]
        except InputError:
            raise
        except DECODING_ERRORS as error:
            raise InputError(f"{place}, cannot be decoded: {_said(error)}") from error
        if pixels is None:  # an empty block: black, as libtiff has it
            return np.zeros((high, wide, 3), np.uint8)
        return self._as_bgr(pixels.reshape(*pixels.shape[-3:])[:high, :wide])

    def _plain(self, row: int, high: int, place: str) -> NDArray[Any]:
        at = self._page.dataoffsets[0] + row * self._high * self._plain_row_bytes
        data = self._bytes(at, high * self._plain_row_bytes, place)
        kind = self._page.dtype.newbyteorder(self._page.parent.byteorder)
        return np.frombuffer(data, kind).reshape(high, self.width_px, -1)

    def _bytes(self, at: int, length: int, place: str) -> bytes:
        self._stream.seek(at)
        data = self._stream.read(length)
        if len(data) != length:
            raise InputError(f"{place}, is missing: the file is cut short, copy it again")
        return data

    def _as_bgr(self, pixels: NDArray[Any]) -> ImageBgr:
        if pixels.dtype != np.uint8:
            pixels = (pixels >> 8).astype(np.uint8)
        if pixels.shape[2] < 3:
            grey = np.ascontiguousarray(pixels[..., 0])
            if self._page.photometric == GREY_INVERTED:
                grey = 255 - grey
            return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
        return np.ascontiguousarray(pixels[..., 2::-1])

    def _check(self, page: Any) -> None:
        fine = (
            page.dtype in (np.uint8, np.uint16)
            and page.imagedepth == 1
            and page.photometric in (GREY_INVERTED, GREY, RGB, YCBCR)
            and (page.samplesperpixel == 1 or page.planarconfig == 1)
            and (page.photometric not in (RGB, YCBCR) or page.samplesperpixel >= 3)
        )
        if not fine:
            raise InputError(
                f"{self._file} holds pixels of {page.dtype} × {page.samplesperpixel}, photometric {page.photometric}:"
                " grey or interleaved RGB of 8 or 16 bits can be read; export it so"
            )


class _Cache:
    """Decoded blocks; those not used for longest go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._blocks: OrderedDict[tuple[int, int], ImageBgr] = OrderedDict()

    def get(self, key: tuple[int, int]) -> ImageBgr | None:
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
        return block

    def put(self, key: tuple[int, int], block: ImageBgr) -> None:
        self._blocks[key] = block
        self._bytes += block.nbytes
        while self._bytes > self._most_bytes and len(self._blocks) > 1:
            self._bytes -= self._blocks.popitem(last=False)[1].nbytes


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
