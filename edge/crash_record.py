"""How the last starts of the service ended, so that a machine that keeps failing is left standing still."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from edge.clock import Clock

MOST, WITHIN_S = 4, 600.0
"""So many failed starts in so long a time are enough: the fault does not go away by itself."""
KILLED = "the process was killed or crashed"


class CrashRecord:
    """A small file in the service's run-time folder: one entry for each start that has not ended well.

    An entry is made at the start and taken away by a good end, so that a process that was killed leaves its own.

    Args:
        file: gone with the power, as is the clock's count.
        clock: the same for all processes since the system's start.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    def too_many(self) -> str | None:
        """Why the machine should not be started again; None when it may."""
        entries = self._recent()
        if len(entries) < MOST:
            return None
        return f"{len(entries)} starts in {WITHIN_S / 60:.0f} minutes failed, the last one so: {entries[-1]['reason']}"

    def begin(self) -> None:
        """A start, taken for a crash until it is said to be none."""
        self._write([*self._recent(), {"at_s": self._clock.now_s(), "reason": KILLED}])

    def failed(self, reason: str) -> None:
        """This start has failed, and that is why."""
        entries = self._recent()
        if entries:
            entries[-1] = {"at_s": self._clock.now_s(), "reason": reason}
        self._write(entries)

    def clear(self) -> None:
        """A good end, or somebody has seen to it."""
        with contextlib.suppress(OSError):
            self._file.unlink()

    def _recent(self) -> list[dict[str, Any]]:
        now_s = self._clock.now_s()
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            return [
                {"at_s": float(entry["at_s"]), "reason": str(entry["reason"])}
                for entry in entries
                if 0 <= now_s - float(entry["at_s"]) <= WITHIN_S
            ]
        return []

    def _write(self, entries: list[dict[str, Any]]) -> None:
        with contextlib.suppress(OSError):
            self._file.write_text(json.dumps(entries[-2 * MOST :]), encoding="utf-8")
