"""Pictures of any size, read a window at a time."""

from __future__ import annotations

import warnings
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.errors import InputError

ImageBgr = NDArray[np.uint8]
"""(H, W, 3) uint8, blue-green-red."""
MOST_WHOLE_PX = 220_000_000
"""A JPEG or PNG is decoded as a whole; one of so many pixels needs about 0.9 GB meanwhile."""
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".svs")
SUFFIXES = (*TIFF_SUFFIXES, ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".avif")
CAMERA_SUFFIXES = (".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2")
"""What phones and cameras also write, and what is not read here: of a raw file, Pillow would take the preview."""
BLOCK_PX = 2048
"""A window that is to be shrunk is read in blocks of this side at most."""
PRINTED_BLOCKS, PRINTED_BYTES = 64, 4096
"""A file is told from another by so many blocks of so many bytes each."""


class BigPicture(AbstractContextManager["BigPicture"], Protocol):
    """A picture that may be larger than the memory."""

    @property
    def width_px(self) -> int: ...

    @property
    def height_px(self) -> int: ...
    @property
    def unread(self) -> int:
        """Further pictures in the file, such as a scanner's other sheets; they are not read."""
        ...

    def read(self, left: int, top: int, width: int, height: int) -> ImageBgr:
        """A window that lies within the picture, (height, width, 3), for the caller to keep.

        Raises:
            InputError: that place of the file is damaged.
        """
        ...

    def shrunk(self, left: int, top: int, width: int, height: int, times: int) -> ImageBgr:
        """A window `times` smaller, from a pyramid where the file has one; sides are rounded up.

        Raises:
            InputError: as in `read`.
        """
        ...


class WholePicture:
    """A JPEG, PNG, WebP or BMP, decoded as a whole and turned upright by its EXIF."""

    unread = 0

    def __init__(self, file: Path) -> None:
        self._image = _decode(file)
        self.height_px, self.width_px = self._image.shape[:2]

    def read(self, left: int, top: int, width: int, height: int) -> ImageBgr:
        return self._image[top : top + height, left : left + width].copy()

    def shrunk(self, left: int, top: int, width: int, height: int, times: int) -> ImageBgr:
        return shrink(self._image[top : top + height, left : left + width], times)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def fingerprint(file: Path) -> tuple[int, int]:
    """Length in bytes, and a checksum of blocks spread over the file: a scan stored plainly is as long as the next one,
    and reading a gigapixel whole would take minutes."""
    length, checksum = file.stat().st_size, 0
    with file.open("rb") as stream:
        for block in range(PRINTED_BLOCKS):
            stream.seek(max(length - PRINTED_BYTES, 0) * block // (PRINTED_BLOCKS - 1))
            checksum = zlib.crc32(stream.read(PRINTED_BYTES), checksum)
    return length, checksum


def open_picture(file: Path) -> BigPicture:
    """Open a picture by its kind.

    Raises:
        InputError: it cannot be read, is cut short, or is too large to be decoded as a whole.
    """
    if file.suffix.lower() in CAMERA_SUFFIXES:
        raise InputError(f"{file} cannot be decoded: {file.suffix} is not read, save it as a JPEG")
    if file.suffix.lower() in TIFF_SUFFIXES:
        from quantization.tiles.tiff import TiffPicture

        return TiffPicture(file)
    return WholePicture(file)


def shrink(image: ImageBgr, times: int) -> ImageBgr:
    """The picture `times` smaller, each pixel the mean of those it stands for; sides are rounded up."""
    if times == 1:
        return image.copy()
    size = (-(-image.shape[1] // times), -(-image.shape[0] // times))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _decode(file: Path) -> ImageBgr:
    try:
        with warnings.catch_warnings(), Image.open(file) as opened:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if opened.width * opened.height > MOST_WHOLE_PX:
                raise InputError(
                    f"{file} has {opened.width}×{opened.height} px, and a {opened.format} is decoded as a whole:"
                    " save it as a tiled TIFF"
                )
            rgb = np.asarray(_in_8_bits(ImageOps.exif_transpose(opened)).convert("RGB"))
    except UnidentifiedImageError as error:
        raise InputError(
            f"{file} cannot be decoded: it is damaged, or no JPEG, PNG, WebP or BMP: save it as one, or as a TIFF"
        ) from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{file} cannot be decoded: {' '.join(str(error).split())}") from error
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def _in_8_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits, which Pillow would cut off at 255 instead: all but the darkest would be white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture).clip(0, 0xFFFF) >> 8).astype(np.uint8))
