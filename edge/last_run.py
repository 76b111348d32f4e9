"""How the last run ended: a small file beside the journal that exists while the machine runs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

RUNNING = "running"


class LastRun:
    """The mark of a run. It is made at the start, and gone after an end in good order.

    What it says to the next run: killed or without power ("running"), or why the watchdog ended it.
    """

    def __init__(self, journal: Path) -> None:
        self._file = journal.with_name(journal.name + ".run")

    def begin(self) -> str | None:
        """Marks this run as running. Returns one line on how the last one ended, or None when that was in good order.

        A disk that does not take the mark is no reason not to run: the journal tells of such a disk.
        """
        left = self._read()
        self._write(RUNNING)
        if left is None:
            return None
        if left in ("", RUNNING):
            return (
                "the last run was cut off (killed, or the power failed): gates are at rest, part numbers go on, and "
                "what lies on the belt is not sorted"
            )
        return f"the last run was ended by the watchdog: {left}"

    def note(self, reason: str) -> None:
        """Leaves word of why this run is about to be ended from outside."""
        self._write(reason)

    def end(self) -> None:
        """This run ends in good order."""
        with contextlib.suppress(OSError):
            self._file.unlink()

    def _read(self) -> str | None:
        try:
            return self._file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError), self._file.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
