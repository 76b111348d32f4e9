"""The folder in which pictures are kept."""

from __future__ import annotations

from pathlib import Path

import cv2

from calibration.rig import Operator
from edge.records import ImageBgr


def make_folder(folder: Path) -> bool:
    """Whether the folder is there now."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True


def keep_picture(operator: Operator, picture: ImageBgr, file: Path) -> bool:
    """Writes a picture, its folder made where there is none; whether it could. One that cannot be kept is no reason to
    lose what was measured: the operator is told."""
    kept = make_folder(file.parent) and cv2.imwrite(str(file), picture)
    if not kept:
        operator.say(f"{file} cannot be written: the picture is not kept")
    return kept
