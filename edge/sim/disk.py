"""A bad SD card under the journal: full, read-only, or one that does not answer."""

from __future__ import annotations

import errno
import os
import threading
from enum import StrEnum

from edge.journal.file import Disk

LONGEST_STALL_S = 60.0


class DiskFault(StrEnum):
    """What may be wrong with the card."""

    NONE = "none"
    FULL = "full"
    READ_ONLY = "read-only"
    """The system has remounted it after an error."""
    STALLED = "stalled"
    """Calls do not return until it is repaired."""


class SimDisk(Disk):
    """The real system calls, unless `fault` says otherwise. Called by the journal's thread."""

    def __init__(self) -> None:
        self._fault = DiskFault.NONE
        self._free = threading.Event()
        self._free.set()

    def break_down(self, fault: DiskFault) -> None:
        """Let the card fail from now on, or repair it with `DiskFault.NONE`; any thread."""
        self._fault = fault
        self._free.clear() if fault is DiskFault.STALLED else self._free.set()

    def let_go(self) -> None:
        """Ends a stall, for a run that ends."""
        if self._fault is DiskFault.STALLED:
            self.break_down(DiskFault.NONE)

    def write(self, fd: int, data: bytes) -> int:
        self._suffer()
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._suffer()
        super().sync(fd)

    def _suffer(self) -> None:
        self._free.wait(LONGEST_STALL_S)
        if self._fault is DiskFault.FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._fault is DiskFault.READ_ONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
