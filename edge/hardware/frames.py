"""A camera that plays a recording: a folder of pictures, or a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.errors import HardwareError, InputError
from edge.hardware.exposure import ExposureTravel
from edge.hardware.picture import read_picture
from edge.records import Frame, ImageBgr

PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


class FramesCamera:
    """Plays a recording as fast as it is asked for, or, with `live`, at the rate it was recorded at. `start` begins at
    its first frame, whenever it is called.

    Args:
        path: a folder, whose pictures are taken in the natural order of their names (9 before 10), or a video.
        frames_per_s: the rate at which it was recorded: a frame's time is its index by this.
        belt_mm_per_s: the belt's speed; a frame's travel is its time by this.
        size_px: width and height that every frame must have; None takes those of the first.
        live: the belt of a running machine: frames then come when they are due on its clock and carry its travel.

    Raises:
        InputError: (at `start`) nothing at the path or nothing that can be played; (at `next_frame`) a damaged
            picture or one of another size.
    """

    def __init__(
        self,
        path: Path,
        frames_per_s: float,
        belt_mm_per_s: float = 0.0,
        size_px: tuple[int, int] | None = None,
        live: ExposureTravel | None = None,
    ) -> None:
        self._path = path
        self._frames_per_s = frames_per_s
        self._belt_mm_per_s = belt_mm_per_s
        self._live = live
        self._start_s = 0.0
        self._expected_px = size_px
        self._size_px = size_px
        self._images: Iterator[tuple[str, ImageBgr]] | None = None
        self._index = 0

    def start(self) -> None:
        self.close()
        if self._path.is_dir():
            self._images = _play_folder(self._path, list_pictures(self._path))
        elif self._path.is_file():
            self._images = _play_video(self._path, _open_video(self._path))
        else:
            raise InputError(f"{self._path}: no such recording: give a folder of pictures or a video")
        self._index, self._size_px = 0, self._expected_px
        self._start_s = self._live.clock.now_s() if self._live else 0.0

    def next_frame(self, timeout_s: float) -> Frame | None:
        if self._images is None:
            raise HardwareError(f"camera (frames {self._path}): asked for a frame while not started: start it first")
        source, image = next(self._images, (None, None))
        if source is None or image is None:
            return None
        self._check_size(source, image)
        time_s = self._start_s + self._index / self._frames_per_s
        if self._live is None:
            belt_mm = self._belt_mm_per_s * time_s
        else:
            self._live.clock.sleep_until(time_s)
            belt_mm = self._live.mm_at(time_s)
        frame = Frame(self._index, time_s, belt_mm, image)
        self._index += 1
        return frame

    def close(self) -> None:
        self._images = None

    def _check_size(self, source: str, image: ImageBgr) -> None:
        height_px, width_px = image.shape[:2]
        if self._size_px is None:
            self._size_px = width_px, height_px
        elif self._size_px != (width_px, height_px):
            wanted = "{}×{} px".format(*self._size_px)
            advice = "set camera.width_px and height_px" if self._expected_px else "keep pictures of one size together"
            raise InputError(f"{source} is {width_px}×{height_px} px, expected {wanted}: {advice}")


def list_pictures(folder: Path) -> list[str]:
    """The names of a folder's pictures in their natural order; hidden files are left out. Names, not paths: a
    recording of some hours has hundreds of thousands of pictures, and a path takes several times as much memory.

    Raises:
        InputError: there is none, or the folder cannot be read.
    """
    try:
        names = [file.name for file in folder.iterdir() if file.suffix.lower() in PICTURE_ENDINGS]
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): check the folder's rights") from error
    pictures = sorted(name for name in names if not name.startswith("."))
    if not pictures:
        raise InputError(f"{folder} holds no picture: give a folder of JPEG, PNG, BMP, WebP or TIFF files, or a video")
    pictures.sort(key=_natural_key)
    return pictures


def _natural_key(name: str) -> str:
    """Every number in the name filled up with zeros, so that 9 comes before 10."""
    return re.sub(r"\d+", lambda number: f"{int(number[0]):020d}", name.lower())


def _play_folder(folder: Path, names: list[str]) -> Iterator[tuple[str, ImageBgr]]:
    for name in names:
        file = folder / name
        yield str(file), read_picture(file)


def _open_video(file: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(file))
    if not capture.isOpened():
        raise InputError(f"{file} is no video that can be played: give a folder of pictures, or an MP4, MKV or AVI")
    return capture


def _play_video(file: Path, capture: cv2.VideoCapture) -> Iterator[tuple[str, ImageBgr]]:
    try:
        index = 0
        while True:
            delivered, image = capture.read()
            if not delivered:
                break
            yield f"{file}, frame {index}", np.asarray(image, np.uint8)
            index += 1
        if index == 0:
            raise InputError(f"{file} holds no frame that can be read: record or copy it again")
    finally:
        capture.release()
