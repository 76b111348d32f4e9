"""Writes lines and keeps what the disk would not take: nothing is forgotten before it is durable."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.errors import JournalError
from edge.journal.file import JournalFile
from edge.journal.lines import part_id_of

SYNC_EVERY_S = 0.4
"""Everything decided more than a second ago is on the disk."""
POLL_S = 0.02
RETRY_EVERY_S = 1.0
KEPT_LINES = 10_000
"""Parts whose lines wait for a disk that is full or away; beyond that the oldest are lost."""


class _Sync(threading.Thread):
    """A sync in a thread of its own, and the lines that it makes durable."""

    def __init__(self, act: Callable[[], None], lines: dict[int, bytes]) -> None:
        super().__init__(name="journal sync", daemon=True)
        self.lines = lines
        self.error: OSError | JournalError | None = None
        self._act = act

    def run(self) -> None:
        try:
            self._act()
        except (OSError, JournalError) as error:
            self.error = error


class LineWriter:
    """Takes lines in order; called by one thread. Warns once when the disk fails and once when it is back.

    Args:
        background: whether `sync_when_due` syncs in a thread, so that lines are with the operating system at once, and
            survive a killed process, even while a slow card takes its time to make those before them durable.
    """

    def __init__(
        self,
        file: JournalFile,
        warn: Callable[[str], None],
        kept_lines: int = KEPT_LINES,
        *,
        background: bool = False,
    ) -> None:
        self._file = file
        self._warn = warn
        self._unsynced: dict[int, bytes] = {}
        """The newest line of each part that is not durable yet; the parts in the order in which they came."""
        self._kept_lines = kept_lines
        self._background = background
        self._sync: _Sync | None = None
        self._failed = self._outgrown = False
        self._next_sync_s = math.inf
        self._sync_from_s = self._act_from_s = math.inf
        self.lost = 0

    @property
    def unsaved(self) -> int:
        """Parts of which not all is durable yet."""
        return len(self._unsynced)

    @property
    def next_due_s(self) -> float:
        """When `sync_when_due` wants to be called next; infinity when there is nothing to do."""
        return self._next_sync_s

    @property
    def busy_since_s(self) -> float:
        """When the disk was first asked for something that it has not answered yet; infinity when there is nothing."""
        return min(self._sync_from_s, self._act_from_s)

    def tell_repair(self) -> None:
        """Says what was found and done when the file was opened."""
        if self._file.repaired:
            self._warn(self._file.repaired)
        self._file.repaired = ""

    def write(self, lines: list[bytes], now_s: float) -> None:
        """Takes new lines; they are with the operating system when this returns, unless the disk fails."""
        if not lines:
            return
        self._unsynced.update((part_id_of(line), line) for line in lines)
        if not self._failed and self._attempt(lambda: self._file.write(b"".join(lines)), now_s):
            self._next_sync_s = min(self._next_sync_s, now_s + SYNC_EVERY_S)
        if len(self._unsynced) > self._kept_lines and not self._failed:
            self.sync(now_s)
        while len(self._unsynced) > self._kept_lines:
            del self._unsynced[next(iter(self._unsynced))]
            self.lost += 1

    def sync_when_due(self, now_s: float) -> None:
        """Makes lines durable, or tries a failed disk again, when it is time to."""
        if now_s < self._next_sync_s:
            return
        if self._sync is not None:
            if self._sync.is_alive():
                self._next_sync_s = now_s + POLL_S
                return
            self._settle(now_s)
        if now_s < self._next_sync_s or not self._unsynced:
            return
        if self._failed or not self._background:
            self.sync(now_s)
            return
        self._sync = _Sync(self._file.sync, dict(self._unsynced))
        self._sync_from_s, self._next_sync_s = now_s, now_s + POLL_S
        self._sync.start()

    def sync(self, now_s: float) -> None:
        """Makes everything durable now, if the disk lets it."""
        if self._sync is not None:
            self._sync.join()
            self._settle(now_s)
        if not self._unsynced or not self._attempt(self._write_again if self._failed else self._file.sync, now_s):
            return
        if self._failed:
            self._failed = False
            lost = f", {self.lost} were lost" if self.lost else ""
            saved = f"{len(self._unsynced)} records were saved late{lost}"
            self._warn(f"journal {self._file.path}: is written again; {saved}")
            self.tell_repair()
        self._unsynced.clear()
        self._next_sync_s = math.inf
        self._rotate(now_s)

    def _settle(self, now_s: float) -> None:
        """Takes in what became of a sync in the background."""
        assert self._sync is not None
        sync, self._sync = self._sync, None
        began_s, self._sync_from_s = self._sync_from_s, math.inf
        if sync.error is not None:
            self._note_failure(sync.error, now_s)
            return
        for part_id, line in sync.lines.items():
            if self._unsynced.get(part_id) is line:
                del self._unsynced[part_id]
        if self._failed:
            return
        self._next_sync_s = began_s + SYNC_EVERY_S if self._unsynced else math.inf
        if self._file.is_full and self._unsynced:
            self.sync(now_s)
        elif not self._unsynced:
            self._rotate(now_s)

    def _rotate(self, now_s: float) -> None:
        """Turns to a new file. Where that cannot be, the old one grows on until after the next sync."""
        try:
            with self._busy(now_s):
                self._file.rotate_when_full()
        except (OSError, JournalError) as error:
            if not self._outgrown:
                self._warn(
                    f"journal {self._file.path}: no new file can be begun ({_why(error)}): "
                    f"see to its folder; this one grows"
                )
            self._outgrown = True
        else:
            self._outgrown = False

    def _write_again(self) -> None:
        self._file.roll_back()
        self._file.write(b"".join(self._unsynced.values()))
        self._file.sync()

    @contextmanager
    def _busy(self, now_s: float) -> Iterator[None]:
        self._act_from_s = now_s
        try:
            yield
        finally:
            self._act_from_s = math.inf

    def _attempt(self, act: Callable[[], None], now_s: float) -> bool:
        try:
            with self._busy(now_s):
                act()
        except (OSError, JournalError) as error:
            self._note_failure(error, now_s)
            return False
        return True

    def _note_failure(self, error: OSError | JournalError, now_s: float) -> None:
        if not self._failed:
            self._warn(
                f"journal {self._file.path}: cannot be written ({_why(error)}): free or replace the disk; "
                f"records are kept in memory meanwhile"
            )
        self._failed = True
        self._next_sync_s = now_s + RETRY_EVERY_S


def _why(error: OSError | JournalError) -> str:
    return getattr(error, "strerror", None) or str(error)
