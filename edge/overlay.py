"""Draws on the camera's picture what the machine makes of it: tracks, verdicts and bins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.bundle.manifest import BundlePart
from edge.errors import InputError
from edge.part_state import Outcome, PartState
from edge.records import Box, Frame, ImageBgr
from edge.tracking.settings import TrackingSettings

SURE = (80, 200, 80)
OPEN = (0, 190, 255)
DEFAULT = (110, 110, 235)
STRIP = (40, 40, 40)
TEXT_SCALE = 0.55
LINE_PX = 20


def draw(outcome: Outcome, settings: TrackingSettings, parts: Sequence[BundlePart], default_bin: str) -> ImageBgr:
    """The frame with a box and two lines of text at each part: what it is taken for, and where it goes."""
    picture = np.array(outcome.frame.image_bgr)
    for part in (*outcome.parts, *outcome.finished):
        box = _box(part, outcome.frame, settings)
        colour = OPEN if part.plan is None else DEFAULT if part.plan.bin == default_bin else SURE
        cv2.rectangle(picture, box[:2], box[2:], colour, 2)
        lines = (_name(part, parts), f"-> {part.plan.bin}" if part.plan else "...")
        _write(picture, lines, box, colour)
    return picture


def _name(part: PartState, parts: Sequence[BundlePart]) -> str:
    """The likeliest part with its posterior, in a few words."""
    if part.verdict is None:
        return f"#{part.track.track_id}"
    likeliest = int(part.verdict.part_posterior.argmax())
    return f"#{part.track.track_id} {parts[likeliest].number} {part.verdict.part_posterior[likeliest]:.0%}"


def _write(picture: ImageBgr, lines: Sequence[str], box: Box, colour: tuple[int, int, int]) -> None:
    """Lines of text under a box, over it where the picture ends, each on a dark strip."""
    height, width = picture.shape[:2]
    below = box[3] + LINE_PX * len(lines) <= height
    top = box[3] if below else max(box[1] - LINE_PX * len(lines), 0)
    for row, text in enumerate(lines):
        plain = text.encode("ascii", "replace").decode()
        (text_px, _), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)
        left, bottom = min(max(box[0], 0), max(width - text_px, 0)), top + LINE_PX * (row + 1)
        cv2.rectangle(picture, (left, bottom - LINE_PX), (left + text_px, bottom), STRIP, cv2.FILLED)
        place = left, bottom - LINE_PX // 4
        cv2.putText(picture, plain, place, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, colour, 1, cv2.LINE_AA)


def _box(part: PartState, frame: Frame, settings: TrackingSettings) -> Box:
    """u0, v0, u1, v1 of a track's extent in the picture."""
    track, scale = part.track, settings.px_per_mm
    u0, v0, u1, v1 = settings.belt_region_px
    lead = (frame.belt_mm - track.lead_belt_mm - settings.station_mm) * scale
    trail = (frame.belt_mm - track.trail_belt_mm - settings.station_mm) * scale
    half = track.across_mm * scale / 2
    side = track.y_mm * scale
    match settings.belt_direction:
        case "right":
            corners = (u0 + trail, (v0 + v1) / 2 + side - half, u0 + lead, (v0 + v1) / 2 + side + half)
        case "left":
            corners = (u1 - lead, (v0 + v1) / 2 - side - half, u1 - trail, (v0 + v1) / 2 - side + half)
        case "down":
            corners = ((u0 + u1) / 2 - side - half, v0 + trail, (u0 + u1) / 2 - side + half, v0 + lead)
        case "up":
            corners = ((u0 + u1) / 2 + side - half, v1 - lead, (u0 + u1) / 2 + side + half, v1 - trail)
    left, top, right, bottom = (round(corner) for corner in corners)
    return left, top, right, bottom


class VideoWriter:
    """Writes an .mp4 or .avi video frame by frame; the file is made with the first one.

    Raises:
        InputError: the place or the format cannot be written; from `check`, that the disk did not take all of it.
    """

    def __init__(self, file: Path, frames_per_s: float) -> None:
        if file.suffix.lower() not in {".mp4", ".avi"}:
            raise InputError(f"cannot write a video {file}: give a name that ends in .mp4 or .avi")
        if not file.parent.is_dir():
            raise InputError(f"cannot write the video {file}: the folder {file.parent} is missing")
        self._file, self._frames_per_s = file, frames_per_s
        self._writer: cv2.VideoWriter | None = None
        self._frames = 0

    def write(self, picture: ImageBgr) -> None:
        if self._writer is None:
            fourcc = cv2.VideoWriter.fourcc(*("mp4v" if self._file.suffix.lower() == ".mp4" else "MJPG"))
            size = (picture.shape[1], picture.shape[0])
            self._writer = cv2.VideoWriter(str(self._file), fourcc, self._frames_per_s, size)
            if not self._writer.isOpened():
                raise InputError(f"the video {self._file} cannot be written: choose another place or .avi")
        self._writer.write(np.ascontiguousarray(picture))
        self._frames += 1

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()

    def check(self) -> None:
        """To be called after `close`: OpenCV says nothing of a disk that is full, so the last frame is read back."""
        if not self._frames:
            return
        video = cv2.VideoCapture(str(self._file))
        listed = video.get(cv2.CAP_PROP_FRAME_COUNT)
        video.set(cv2.CAP_PROP_POS_FRAMES, self._frames - 1)
        # Of an .avi that was cut short either its list of frames is missing, or what it lists.
        if listed < self._frames or not video.read()[0]:
            raise InputError(f"the video {self._file} was cut short: make room on the disk, or leave --video out")
