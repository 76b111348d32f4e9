"""The journal's files on the disk: the one being written, and the older ones it was rotated into."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from edge.errors import JournalError
from edge.journal.repair import examine, mend

SEGMENTS = 8
"""Files that share the space; the oldest goes when the newest is full."""


class Disk:
    """The system calls that a bad disk makes fail; tests stand in for it."""

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        os.fsync(fd)


def older(path: Path, number: int) -> Path:
    """The file that was rotated away `number` files ago."""
    return path.with_name(f"{path.name}.{number}")


def files_of(path: Path) -> list[Path]:
    """All files of a journal that exist, the oldest first."""
    if not path.name:
        return []
    every = [older(path, number) for number in range(SEGMENTS - 1, 0, -1)] + [path]
    return [file for file in every if file.is_file()]


class JournalFile:
    """Appends to the newest file; every method raises OSError when the disk does.

    Raises:
        JournalError: the file cannot be opened, or another process writes to it.
    """

    def __init__(self, path: Path, max_bytes: int, disk: Disk) -> None:
        self.path = path
        self.repaired = ""
        self.last_part_id = 0
        self._segment_bytes = max(max_bytes // SEGMENTS, 1)
        self._disk = disk
        self._fd = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
            self._prepare()
        except JournalError:
            self.close()
            raise
        except OSError as error:
            self.close()
            why = error.strerror or str(error)
            raise JournalError(
                f"journal {path}: cannot be opened ({why}): give a file in a folder that can be written to"
            ) from error

    def write(self, data: bytes) -> None:
        """Appends; not durable before `sync`."""
        if self._fd < 0:
            self._open()
        written = 0
        while written < len(data):
            written += self._disk.write(self._fd, data[written:])
        self._size += len(data)

    def sync(self) -> None:
        """Makes everything written durable."""
        self._disk.sync(self._fd)
        self._synced = self._size

    def rotate_when_full(self) -> None:
        """Turns to a new file when this one has its share; the oldest goes."""
        if self._synced < self._segment_bytes:
            return
        for number in range(SEGMENTS - 1, 0, -1):
            source = older(self.path, number - 1) if number > 1 else self.path
            if source.exists():
                source.replace(older(self.path, number))
        self.close()
        self._open()
        self._sync_folder()

    def roll_back(self) -> None:
        """Takes back what was written since the last `sync`: after a failure nobody knows what of it is
        there."""
        if self._fd < 0:
            self._open()
        os.ftruncate(self._fd, self._synced)
        self._size = self._synced

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalError(
                f"journal {self.path}: another brickgate writes to it: stop that one or give another file"
            ) from error
        state = os.fstat(self._fd)
        if not stat.S_ISREG(state.st_mode):
            raise JournalError(f"journal {self.path}: is a device or a pipe: give an ordinary file")
        self._size = self._synced = state.st_size

    def _prepare(self) -> None:
        condition = examine(self.path)
        self.repaired = mend(self.path, condition)
        if self.repaired:
            self.close()
            self._open()
        self.last_part_id = condition.last_part_id
        previous = older(self.path, 1)
        if condition.lines == 0 and previous.is_file():
            self.last_part_id = examine(previous).last_part_id
        self._sync_folder()

    def _sync_folder(self) -> None:
        """A new name is only durable once its folder is."""
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
