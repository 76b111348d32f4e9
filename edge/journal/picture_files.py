"""Where the picture of a part lies: names alone, for readers that neither encode nor decode one."""

from __future__ import annotations

import os
from pathlib import Path


def pictures_folder(journal: Path) -> Path:
    """Where the pictures of a journal are."""
    return journal.with_name(f"{journal.name}.pictures")


def picture_name(part_id: int) -> str:
    """The file's name in that folder."""
    return f"{part_id:08d}.jpg"


def picture_of(journal: Path, part_id: int) -> Path | None:
    """The picture of a part; None where there is none any more, or what is left after a power cut is not whole."""
    file = pictures_folder(journal) / picture_name(part_id)
    try:
        with file.open("rb") as stream:
            start = stream.read(2)
            stream.seek(-2, os.SEEK_END)
            whole = (start, stream.read(2)) == (b"\xff\xd8", b"\xff\xd9")
    except OSError:
        return None
    return file if whole else None
