"""Writes the journal without ever making the control path wait.

Records go into a bounded queue; one thread writes them, forces them to the card at most every half second, turns the
file over when it is full, and keeps what cannot be written until it can. `Journal.open` repairs a damaged tail.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from edge.errors import JournalError
from edge.journal.lines import decode, encode, rotated
from edge.records import PartRecord

SYNC_EVERY_S = 0.5
MOST_WAITING = 10_000
"""Records kept while the card does not take them; beyond that the oldest are given up, and counted."""


class Journal:
    """Append-only. `append` may come from any thread and returns at once; `close` writes what is left.

    Attributes:
        repaired_bytes: length of the damaged tail that was cut off at opening.
        unsaved: records that had to be given up.
        trouble: why the card does not take records at present; "" when it does.
    """

    def __init__(
        self, file: Path, max_bytes: int, next_part_id: int, repaired_bytes: int, warn: Callable[[str], None]
    ) -> None:
        self.file = file
        self.repaired_bytes = repaired_bytes
        self.unsaved = 0
        self.trouble = ""
        self._max_bytes = max_bytes
        self._next_part_id = next_part_id
        self._warn = warn
        self._waiting: deque[PartRecord] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def open(
        cls, file: Path, max_mb: float = 200.0, warn: Callable[[str], None] = lambda line: None, threaded: bool = True
    ) -> Journal:
        """Opens a journal, going on with an existing one: part numbers continue.

        Args:
            file: made, with its folder, where it is missing.
            max_mb: the journal and its older half together stay below that.
            warn: told in one line of a repair, and of a card that takes no records.
            threaded: False writes only in `flush` and `close`, for virtual time.

        Raises:
            JournalError: the place cannot be written.
        """
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            repaired, last_id = _repair(file, warn)
            with file.open("ab"):
                pass
        except OSError as error:
            raise JournalError(
                f"the journal {file} cannot be written ({error.strerror}): free space, or give another place"
            ) from error
        journal = cls(file, int(max_mb * 1e6), last_id + 1, repaired, warn)
        if threaded:
            journal._thread = threading.Thread(target=journal._write_on, name="journal", daemon=True)
            journal._thread.start()
        return journal

    def append(self, record: PartRecord) -> int:
        """Takes a record and returns its part number: the record's own, or the next one where that is below 0."""
        with self._lock:
            if record.part_id < 0:
                record = replace(record, part_id=self._next_part_id)
                self._next_part_id += 1
            self._waiting.append(record)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self.unsaved += 1
        return record.part_id

    def flush(self) -> None:
        """Writes what waits and forces it to the card; trouble is kept in `trouble`, never raised."""
        with self._lock:
            batch = list(self._waiting)
        if not batch:
            return
        try:
            self._write(batch)
        except OSError as error:
            if not self.trouble:
                self._warn(f"the journal {self.file} cannot be written ({error.strerror}): records wait in memory")
            self.trouble = error.strerror or str(error)
            return
        if self.trouble:
            self._warn(f"the journal {self.file} is written again")
        self.trouble = ""
        with self._lock:
            for record in batch:
                if self._waiting and self._waiting[0] is record:
                    self._waiting.popleft()

    def close(self) -> None:
        """Writes what waits and ends the thread; records that still cannot be written are counted as unsaved."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)
            self._thread = None
        self.flush()
        with self._lock:
            lost = len(self._waiting)
            self._waiting.clear()
        if lost:
            self.unsaved += lost
            self._warn(f"{lost} records of the journal {self.file} could not be saved ({self.trouble})")

    def _write_on(self) -> None:
        while not self._closing.wait(SYNC_EVERY_S):
            self.flush()

    def _write(self, batch: list[PartRecord]) -> None:
        """All of the batch, or an error and nothing of it."""
        lines = b"".join(map(encode, batch))
        self._turn_over(len(lines))
        with self.file.open("ab") as stream:
            size = stream.tell()
            try:
                stream.write(lines)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                _cut(stream, size)
                raise

    def _turn_over(self, coming_bytes: int) -> None:
        if self.file.exists() and self.file.stat().st_size + coming_bytes > self._max_bytes / 2:
            self.file.replace(rotated(self.file))


def _cut(stream: BinaryIO, size: int) -> None:
    """Takes back half-written lines; where even that fails, the next opening repairs them."""
    try:
        os.ftruncate(stream.fileno(), size)
    except OSError:
        return


def _repair(file: Path, warn: Callable[[str], None]) -> tuple[int, int]:
    """Cuts a damaged tail off, or sets a file aside that holds no record at all.

    Returns:
        The bytes cut off, and the highest part number (-1 for none).
    """
    older = rotated(file)
    last_id = max((_scan(path)[1] for path in (older, file) if path.is_file()), default=-1)
    if not file.is_file() or file.stat().st_size == 0:
        return 0, last_id
    good_bytes, _ = _scan(file)
    size = file.stat().st_size
    if good_bytes == size:
        return 0, last_id
    if good_bytes == 0:
        aside = _free_name(file)
        file.replace(aside)
        warn(f"{file} is no journal of Brickgate: it was set aside as {aside.name}")
        return 0, last_id
    with file.open("r+b") as stream:
        stream.truncate(good_bytes)
    warn(f"the journal {file} ended in {size - good_bytes} damaged bytes (a power cut?): they were cut off")
    return size - good_bytes, last_id


def _scan(path: Path) -> tuple[int, int]:
    """Where the last whole line ends, in bytes, and the highest part number. Damage in the middle is passed over."""
    end = place = 0
    last_id = -1
    with path.open("rb") as stream:
        for line in stream:
            place += len(line)
            record = decode(line)
            if record is not None:
                end, last_id = place, max(last_id, record.part_id)
    return end, last_id


def _free_name(file: Path) -> Path:
    number = 1
    while (aside := file.with_name(f"{file.name}.broken-{number}")).exists():
        number += 1
    return aside
