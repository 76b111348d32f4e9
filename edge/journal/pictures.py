"""A picture of each part beside the journal: a folder of bounded size in which the newest are kept."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.journal.picture_files import picture_name
from edge.records import ImageBgr

WAITING_PICTURES, WAITING_BYTES = 64, 16_000_000
"""Pictures that may wait to be written, and the memory that they may take."""
LONGEST_SIDE_PX = 320
JPEG_QUALITY = 88
LEFT_FREE_BYTES = 32_000_000
"""Room on the disk that is left to the records."""
CLOSE_S = 10.0
"""What a stalled disk is given to take the last pictures."""
_UNFINISHED = "unfinished.tmp"


@dataclass(frozen=True, slots=True)
class RingSize:
    """How many pictures are kept, and how many bytes they may take together."""

    pictures: int = 2000
    bytes: int = 50_000_000


class PictureRing:
    """The folder. A new picture pushes the oldest out; one thread at a time."""

    def __init__(self, folder: Path, size: RingSize, free_bytes: Callable[[Path], int] | None = None) -> None:
        self.folder = folder
        self._size, self._free_bytes = size, free_bytes or _free_bytes
        self._bytes_of = _pictures_in(folder)
        self._bytes = sum(self._bytes_of.values())

    @property
    def last_part_id(self) -> int:
        """Of the newest picture; 0 when there is none."""
        return max(self._bytes_of, default=0)

    def add(self, part_id: int, jpeg: bytes) -> None:
        """Keeps a picture, in the place of an earlier one of the same part.

        Raises:
            OSError: it cannot be written; there is none of this part then, or the earlier one.
        """
        if self._size.pictures < 1 or len(jpeg) > self._size.bytes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        while self._bytes_of and (
            len(self._bytes_of) >= self._size.pictures or self._bytes + len(jpeg) > self._size.bytes
        ):
            self._forget(next(iter(self._bytes_of)))
        if self._free_bytes(self.folder) < LEFT_FREE_BYTES + len(jpeg):
            raise OSError(errno.ENOSPC, "the disk is nearly full")
        unfinished = self.folder / _UNFINISHED
        try:
            unfinished.write_bytes(jpeg)
            unfinished.replace(self.folder / picture_name(part_id))
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        self._bytes += len(jpeg) - self._bytes_of.pop(part_id, 0)
        self._bytes_of[part_id] = len(jpeg)

    def _forget(self, part_id: int) -> None:
        (self.folder / picture_name(part_id)).unlink(missing_ok=True)
        self._bytes -= self._bytes_of.pop(part_id)


class PictureWriter:
    """Encodes and writes pictures in a thread of its own. Nothing here waits: what comes faster than the disk takes it
    is dropped and counted. Pictures are not synced: a power cut may cost the last ones.

    Args:
        threaded: False where time is virtual and nothing may be dropped: then `hand_over` writes.
    """

    def __init__(self, ring: PictureRing, warn: Callable[[str], None], *, threaded: bool = True) -> None:
        self._ring, self._warn = ring, warn
        self._queue: queue.SimpleQueue[tuple[int, ImageBgr] | None] = queue.SimpleQueue()
        # Each thread adds to a count of its own, so that neither waits for a lock.
        self._admitted = self._done = 0
        self._admitted_bytes = self._done_bytes = 0
        self.kept = self.dropped = self.failed = 0
        """Written; come too fast; not taken by the disk."""
        self._missed = 0
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._run, name="journal pictures", daemon=True)
            self._thread.start()

    @property
    def folder(self) -> Path:
        return self._ring.folder

    @property
    def missing(self) -> int:
        """Pictures that were offered and are not kept."""
        return self.dropped + self.failed + self._admitted - self._done

    def admit(self, picture_bgr: ImageBgr) -> bool:
        """Whether there is room for a picture, which is then to be handed over; called by one thread.

        Args:
            picture_bgr: (H, W, 3) uint8.
        """
        waiting, waiting_bytes = self._admitted - self._done, self._admitted_bytes - self._done_bytes
        if waiting >= WAITING_PICTURES or waiting_bytes + picture_bgr.nbytes > WAITING_BYTES:
            self.dropped += 1
            return False
        self._admitted += 1
        self._admitted_bytes += picture_bgr.nbytes
        return True

    def refuse(self, picture_bgr: ImageBgr) -> None:
        """An admitted picture cannot be handed over; called by the thread that asked."""
        self._admitted -= 1
        self._admitted_bytes -= picture_bgr.nbytes
        self.dropped += 1

    def hand_over(self, part_id: int, picture_bgr: ImageBgr) -> None:
        """Takes an admitted picture, which nobody may change any more."""
        if self._thread is None:
            self._write(part_id, picture_bgr)
        else:
            self._queue.put((part_id, picture_bgr))

    def close(self) -> None:
        """Writes what is left, and says what is missing."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(CLOSE_S)
        if self.missing:
            self._warn(f"pictures {self.folder}: {self.missing} of {self.missing + self.kept} could not be kept")

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._write(*item)

    def _write(self, part_id: int, picture_bgr: ImageBgr) -> None:
        self._keep(part_id, picture_bgr)
        self._done += 1
        self._done_bytes += picture_bgr.nbytes

    def _keep(self, part_id: int, picture_bgr: ImageBgr) -> None:
        try:
            self._ring.add(part_id, encode_jpeg(picture_bgr))
        except (OSError, cv2.error) as error:
            self.failed += 1
            self._missed += 1
            if self._missed == 1:
                why = getattr(error, "strerror", None) or str(error)
                self._warn(f"pictures {self.folder}: cannot be written ({why}): free or replace the disk")
            return
        self.kept += 1
        if self._missed:
            self._warn(f"pictures {self.folder}: are written again, {self._missed} are missing")
            self._missed = 0


def encode_jpeg(picture_bgr: ImageBgr) -> bytes:
    """A picture as JPEG, made smaller where its longer side is above `LONGEST_SIDE_PX`."""
    scale = LONGEST_SIDE_PX / max(picture_bgr.shape[:2])
    if scale < 1:
        smaller = cv2.resize(picture_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    else:
        smaller = picture_bgr
    return cv2.imencode(".jpg", smaller, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1].tobytes()


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _pictures_in(folder: Path) -> dict[int, int]:
    """Part number and bytes of each picture, the oldest first; what a crash left unfinished is removed."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        (folder / _UNFINISHED).unlink(missing_ok=True)
        with os.scandir(folder) as entries:
            for entry in entries:
                number, dot, kind = entry.name.partition(".")
                if (dot + kind, number.isdecimal()) == (".jpg", True) and entry.is_file():
                    found[int(number)] = entry.stat().st_size
    return dict(sorted(found.items()))
