"""Picture files, alone or grouped by a manifest."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.preprocess import read_mm_per_px
from edge.errors import InputError
from edge.hardware.picture import read_picture

__all__ = ["Group", "Picture", "read_manifest", "read_picture", "single_pictures"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file, its scale when known, and how the user named it."""

    file: Path
    mm_per_px: float | None = None
    given: str = ""

    @property
    def name(self) -> str:
        return self.given or str(self.file)


Group = tuple[Picture, ...]
"""Pictures of one physical part."""


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
            Picture(file.parent / name, scale, name)
        )
    return [tuple(pictures) for pictures in groups.values()]


def _scale(text: str | None, where: str) -> float | None:
    try:
        return read_mm_per_px(text)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
