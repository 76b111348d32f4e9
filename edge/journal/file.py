"""The journal's files on the disk: the one being written, and the older ones it was rotated into."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from edge.errors import JournalError
from edge.journal.repair import Condition, examine, mend

SEGMENTS = 8
"""Files that share the space; the oldest goes when the newest is full."""
CORRECTED_WITHIN = 1024
"""Records after which a part is not corrected any more: it has long passed its last gate."""


class Disk:
    """The system calls that a bad disk makes fail; tests stand in for it."""

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


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
        self._max_bytes = max_bytes
        self._segment_bytes = max(max_bytes // SEGMENTS, 1)
        self._disk = disk
        self._fd = -1
        self._folder_synced = self._prepared = False
        try:
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
        """Makes everything written durable, and the file's name with it."""
        size = self._size  # More may be written meanwhile.
        self._disk.sync(self._fd)
        if os.fstat(self._fd).st_nlink == 0:
            raise OSError(errno.ENOENT, "the file was removed")
        if not self._folder_synced:
            self._sync_folder()
        self._synced = size

    @property
    def is_full(self) -> bool:
        """Whether it has its share."""
        return self._synced >= self._segment_bytes

    def rotate_when_full(self) -> None:
        """Turns to a new file when this one has its share; the oldest goes. Everything must be synced."""
        if not self.is_full:
            return
        for number in range(SEGMENTS - 1, 0, -1):
            source = older(self.path, number - 1) if number > 1 else self.path
            if source.exists():
                self._disk.rename(source, older(self.path, number))
        self.close()
        self._open()
        self._trim()
        self._sync_folder()

    def roll_back(self) -> None:
        """Takes back what was written since the last `sync`: after a failure nobody knows what of it is there.

        The file is opened anew, as that of a disk that was away answers no more. Where another has come in its place,
        that one is gone on with.
        """
        synced, before = self._synced, self._inode
        self.close()
        self._open()
        if self._prepared and self._inode == before and self._size >= synced:
            self._synced = synced
            os.ftruncate(self._fd, synced)
            self._size = synced
        else:
            self._prepared = False
            self._prepare()

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # A disk that is away refuses this, too, but the file is closed.
            with contextlib.suppress(OSError):
                os.close(fd)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._folder_synced = False
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            state = os.fstat(fd)
            if not stat.S_ISREG(state.st_mode):
                raise JournalError(f"journal {self.path}: is a device or a pipe: give an ordinary file")
        except BlockingIOError as error:
            os.close(fd)
            raise JournalError(
                f"journal {self.path}: another brickgate writes to it: stop that one or give another file"
            ) from error
        except (OSError, JournalError):
            os.close(fd)
            raise
        self._fd, self._inode = fd, (state.st_dev, state.st_ino)
        self._size = self._synced = state.st_size

    def _prepare(self) -> None:
        condition = examine(self.path)
        self.repaired = mend(self.path, condition)
        if self.repaired:
            self.close()
            self._open()
        self.last_part_id = max(self.last_part_id, self._highest_part_id(condition))
        self._trim()
        self._sync_folder()
        self._prepared = True

    def _highest_part_id(self, newest: Condition) -> int:
        """The newest file may hold nothing but corrections of parts that are in the one before."""
        highest, lines = newest.last_part_id, newest.lines
        for file in reversed(files_of(self.path)[:-1]):
            if lines >= CORRECTED_WITHIN:
                break
            condition = examine(file)
            highest, lines = max(highest, condition.last_part_id), lines + condition.lines
        return highest

    def _trim(self) -> None:
        """Removes the oldest files where they took more than their share: they grow until they are synced, and less
        may be allowed than before. The newest two stay, and what makes up half of the space: one file that grew
        large beside a slow disk must not take with it nearly all that is kept."""
        taken = self._segment_bytes
        for age, file in enumerate(reversed(files_of(self.path)[:-1])):
            before, taken = taken, taken + file.stat().st_size
            if age > 0 and before >= self._max_bytes / 2 and taken > self._max_bytes:
                file.unlink()

    def _sync_folder(self) -> None:
        """A new name is only durable once its folder is."""
        self._disk.sync_folder(self.path.parent)
        self._folder_synced = True
