"""Picture files, alone or grouped by a manifest; damaged ones are told from good ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.errors import InputError
from edge.records import ImageBgr

_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND"}
"""First bytes of a JPEG and a PNG, and what must be at their end: decoders fill what is missing with grey."""
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file and its scale, when known."""

    file: Path
    mm_per_px: float | None = None


Group = tuple[Picture, ...]
"""Pictures of one physical part."""


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


def single_pictures(files: Iterable[Path], mm_per_px: float | None = None) -> list[Group]:
    """Each file as a part of its own."""
    return [(Picture(file, mm_per_px),) for file in files]


def read_manifest(file: Path, mm_per_px: float | None = None) -> list[Group]:
    """Groups of a CSV with the columns `file`, and, if wanted, `group` and `mm_per_px`, in order of appearance; rows
    without a group stand alone. Paths are relative to the CSV.

    Args:
        file: the CSV.
        mm_per_px: scale of rows that give none.

    Raises:
        InputError: no readable CSV, no column `file`, or a scale that is no positive number.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as a manifest ({error}): give a CSV with the column 'file'") from error
    if "file" not in columns:
        raise InputError(f"{file} has no column 'file' (it has: {', '.join(columns) or 'nothing'}): name it in line 1")
    groups: dict[str, list[Picture]] = {}
    for line, row in rows:
        name = (row["file"] or "").strip()
        if not name:
            raise InputError(f"{file}:{line}: no file is named: fill in the column 'file'")
        scale = _scale(row.get("mm_per_px"), f"{file}:{line}") or mm_per_px
        groups.setdefault((row.get("group") or "").strip() or f"\n{line}", []).append(
            Picture(file.parent / name, scale)
        )
    return [tuple(pictures) for pictures in groups.values()]


def _scale(text: str | None, where: str) -> float | None:
    if not text or not text.strip():
        return None
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < 1000:
        raise InputError(f"{where}: mm_per_px is '{text}': give millimetres per pixel, such as 0.2, or leave it empty")
    return scale
