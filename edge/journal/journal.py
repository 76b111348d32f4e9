"""The journal: one durable line a part, written behind the control path's back."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from edge.errors import JournalError
from edge.journal.file import Disk, JournalFile
from edge.journal.lines import encode
from edge.journal.picture_files import pictures_folder
from edge.journal.pictures import PictureRing, PictureWriter, RingSize
from edge.journal.watch import Backlog, StallWatch
from edge.journal.writer import SYNC_EVERY_S, LineWriter
from edge.records import ImageBgr, PartRecord

QUEUE_RECORDS = 10_000
BATCH_RECORDS = 64
CLOSE_S = 30.0
"""What a stalled disk is given to take the last records."""
LONGEST_WAIT_S = 60.0
_END = None


@dataclass(frozen=True, slots=True)
class _Picture:
    part_id: int
    picture_bgr: ImageBgr


_Item = PartRecord | _Picture | threading.Event | None


class Journal:
    """Appends records. `append` never waits: a thread of its own writes and syncs, and what the disk would
    not take is kept in memory and tried again. `unsaved` and `lost` count what is not on the disk, yet or for
    good.

    A second thread keeps the pictures, and a third tells of a disk that hangs.

    Without threads (virtual time) the caller writes, in batches; `flush`, `save_when_due` and `close` make them
    durable.
    """

    def __init__(
        self,
        file: JournalFile,
        ring: PictureRing,
        warn: Callable[[str], None],
        *,
        threaded: bool = True,
        queue_records: int = QUEUE_RECORDS,
    ) -> None:
        def tell(line: str) -> None:
            # Whoever listened may be gone: no reason to stop recording.
            with contextlib.suppress(OSError, ValueError):
                warn(line)

        self._file = file
        self._warn = tell
        self._writer = LineWriter(file, tell, background=threaded)
        self.pictures = PictureWriter(ring, tell, threaded=threaded)
        self.watch = StallWatch(f"journal {file.path}", self._backlog, tell)
        self._part_ids = itertools.count(max(file.last_part_id, ring.last_part_id) + 1)
        self._closing = threading.Event()
        self._saved_s = time.monotonic()
        self._queue: queue.Queue[_Item] = queue.Queue(queue_records)
        self._batch: list[bytes] = []
        self._given_up = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._writer.tell_repair()
        if threaded:
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()
            watch = self.watch
            threading.Thread(target=watch.run, args=(self._closing,), name="journal watch", daemon=True).start()

    @classmethod
    def open(
        cls,
        path: Path | str,
        max_mb: float = 200.0,
        warn: Callable[[str], None] = lambda _line: None,
        *,
        threaded: bool = True,
        disk: Disk | None = None,
        queue_records: int = QUEUE_RECORDS,
        pictures: RingSize = RingSize(),  # noqa: B008
    ) -> Self:
        """Opens or makes a journal and its folder; part numbers go on. A damaged end is cut off, a broken
        file kept under another name, both reported.

        Args:
            path: the newest file; older ones have `.1`, `.2` … after their name.
            max_mb: space for all of them; the oldest records go first.
            warn: told one line when something is wrong with the file or the disk, from the journal's thread.
            threaded: False for virtual time.
            disk: the system calls.
            queue_records: records that may wait for the writing thread.
            pictures: how many pictures are kept beside the journal; their folder has `.pictures` after its name.

        Raises:
            JournalError: the file cannot be opened or written, or another process writes to it.
        """
        path = Path(path)
        file = JournalFile(path, int(max_mb * 1e6), disk or Disk())
        ring = PictureRing(pictures_folder(path), pictures)
        return cls(file, ring, warn, threaded=threaded, queue_records=queue_records)

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def unsaved(self) -> int:
        """Parts that are not durable yet, or not all of what is known of them; those that still wait for the thread may
        be counted twice."""
        return self._queue.qsize() + len(self._batch) + self._writer.unsaved

    @property
    def lost(self) -> int:
        """Records that will never be: the disk failed for too long, or the queue was full."""
        return self._writer.lost + self._given_up

    def pictures_in_words(self) -> str:
        """What a summary says of them behind the journal's name; nothing when there were none."""
        missing = f" ({self.pictures.missing} missing)" if self.pictures.missing else ""
        return f", {self.pictures.kept} pictures{missing}" if self.pictures.kept or missing else ""

    def append(self, record: PartRecord) -> int:
        """Takes one record; returns at once with its part number: the record's own, or the next one where
        that is below 0. A second record of the same part replaces the first for readers.

        Raises:
            JournalError: the journal is closed.
        """
        if self._closed:
            raise JournalError(f"journal {self.path}: written to after it was closed")
        if record.part_id < 0:
            record = replace(record, part_id=next(self._part_ids))
        if self._thread is None:
            self._batch += self._lines([record])
            if len(self._batch) >= BATCH_RECORDS:
                self._write_batch()
            return record.part_id
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self._given_up += 1  # The watch tells of it: a listener may block.
        return record.part_id

    def keep_picture(self, part_id: int, picture_bgr: ImageBgr) -> None:
        """Takes the picture of a part; never waits. Pictures that come faster than the disk takes them are dropped.

        Args:
            part_id: as `append` gave it.
            picture_bgr: (H, W, 3) uint8; not to be changed any more.
        """
        if self._closed or not self.pictures.admit(picture_bgr):
            return
        if self._thread is None:
            self._write_batch()
            self.pictures.hand_over(part_id, picture_bgr)
            return
        # Behind its record: a number that only a picture has would be lost to the parts after a crash.
        try:
            self._queue.put_nowait(_Picture(part_id, picture_bgr))
        except queue.Full:
            self.pictures.refuse(picture_bgr)

    def save_when_due(self) -> None:
        """Without a thread, makes durable what was appended, a few times a second of real time; else does nothing."""
        if self._thread is None and time.monotonic() - self._saved_s >= SYNC_EVERY_S:
            self.flush()
            self._saved_s = time.monotonic()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Waits until everything appended so far is durable; False when the disk would not, or not in
        time."""
        if self._thread is None:
            self._write_batch()
            self._writer.sync(time.monotonic())
        else:
            reached = threading.Event()
            with contextlib.suppress(queue.Full):
                self._queue.put(reached, timeout=timeout_s)
                reached.wait(timeout_s)
        return self.unsaved == 0

    def close(self) -> None:
        """Writes what is left and closes; what the disk does not take now is lost, and reported."""
        if self._closed:
            return
        self._closed = True
        self._closing.set()
        if self._thread is None:
            self._write_batch()
            self._writer.sync(time.monotonic())
        else:
            with contextlib.suppress(queue.Full):
                self._queue.put(_END, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                self._warn(f"journal {self.path}: the disk does not answer, {self.unsaved} records may be lost")
                return
        if self._writer.unsaved:
            self._warn(f"journal {self.path}: {self._writer.unsaved} records could not be saved")
        self._file.close()
        self.pictures.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _backlog(self) -> Backlog:
        return Backlog(self._writer.busy_since_s, self.unsaved, self.lost)

    def _write_batch(self) -> None:
        now_s = time.monotonic()
        self._writer.write(self._batch, now_s)
        self._batch = []
        self._writer.sync_when_due(now_s)

    def _lines(self, records: list[PartRecord]) -> list[bytes]:
        """The lines of what can be written; one bad record must not end the journal."""
        lines = []
        for record in records:
            try:
                lines.append(encode(record))
            except (TypeError, ValueError) as error:
                self._given_up += 1
                self._warn(f"journal {self.path}: part {record.part_id} cannot be written: {error}")
        return lines

    def _run(self) -> None:
        while True:
            wait_s = max(self._writer.next_due_s - time.monotonic(), 0.0)
            items = self._take(min(wait_s, LONGEST_WAIT_S))
            records = [item for item in items if isinstance(item, PartRecord)]
            self._writer.write(self._lines(records), time.monotonic())
            for item in items:
                if isinstance(item, _Picture):
                    self.pictures.hand_over(item.part_id, item.picture_bgr)
                elif not isinstance(item, PartRecord):
                    self._writer.sync(time.monotonic())
                if isinstance(item, threading.Event):
                    item.set()
            if items and items[-1] is _END:
                return
            self._writer.sync_when_due(time.monotonic())

    def _take(self, wait_s: float) -> list[_Item]:
        """What has come, at most a batch; waits for the first of it."""
        items = []
        with contextlib.suppress(queue.Empty):
            items.append(self._queue.get(timeout=wait_s))
            while len(items) < BATCH_RECORDS:
                items.append(self._queue.get_nowait())
        return items
