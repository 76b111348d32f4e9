"""Reads picture files, and tells damaged ones from good ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import InputError
from edge.records import ImageBgr

_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND"}
"""First bytes of a JPEG and a PNG, and what must be at their end: decoders fill what is missing with grey."""
_TAIL_BYTES = 4096


def read_picture(file: Path) -> ImageBgr:
    """The picture in `file`, (H, W, 3) uint8 BGR, turned upright by its EXIF.

    Raises:
        InputError: no such file, no picture, or a JPEG or PNG that was cut short.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): check the path") from error
    for head, end in _ENDS.items():
        if data.startswith(head) and end not in data[-max(_TAIL_BYTES, len(data) // 10) :]:
            raise InputError(f"{file} was cut short: copy the picture again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{file} is no picture that can be read: give a JPEG, PNG, BMP, WebP or TIFF")
    return image.astype(np.uint8, copy=False)
