"""Reading a journal back: every part once."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.errors import JournalError
from edge.journal.file import CORRECTED_WITHIN, files_of
from edge.journal.lines import decode, is_intact
from edge.journal.repair import lines_of
from edge.records import PartRecord


def read_journal(path: Path | str, warn: Callable[[str], None] = lambda _line: None) -> Iterator[PartRecord]:
    """Every part of a journal, the oldest first, rotated files included. Of a part that was recorded again (a
    gate came late) only the last record is given. Damaged lines are left out, and their number is told to
    `warn`.

    Raises:
        JournalError: there is no such journal, or it cannot be read.
    """
    path = Path(path)
    files = _opened(path)
    if not files:
        raise JournalError(f"journal {path}: there is no such file: give the journal's path")
    return _latest(_records(files, path, warn))


def _opened(path: Path) -> list[BinaryIO]:
    """The journal's files, the oldest first. They are opened from the newest on, and kept open: a machine that turns
    to a new file meanwhile renames them."""
    opened: dict[tuple[int, int], BinaryIO] = {}
    try:
        for file in reversed(files_of(path)):
            with contextlib.suppress(FileNotFoundError):
                stream = file.open("rb")
                state = os.fstat(stream.fileno())
                opened.setdefault((state.st_dev, state.st_ino), stream)
    except OSError as error:
        raise _unreadable(path, error) from error
    return list(reversed(opened.values()))


def _records(files: Iterable[BinaryIO], path: Path, warn: Callable[[str], None]) -> Iterator[PartRecord]:
    damage, intact = Damage(), 0
    for file in files:
        with file:
            try:
                for record in damage.left_out(file):
                    intact += 1
                    yield record
            except OSError as error:
                raise _unreadable(path, error) from error
    if damage.lines and not intact:
        raise JournalError(f"journal {path}: holds no record that can be read: give a journal of run or simulate")
    if damage.lines:
        warn(f"journal {path}: {damage}")


@dataclass(slots=True)
class Damage:
    """What could not be read: how many lines, and where the first of them is."""

    lines: int = 0
    first: str = ""

    def left_out(self, file: BinaryIO) -> Iterator[PartRecord]:
        """The records of one file; the damage between them is noted."""
        at_byte = 0
        for line in lines_of(file):
            try:
                record = decode(line) if is_intact(line) else None
            except JournalError:
                record = None
            if record is not None:
                yield record
            else:
                self.lines += 1
                self.first = self.first or f"{Path(file.name).name} at byte {at_byte}"
            at_byte += len(line)

    def __str__(self) -> str:
        if self.lines == 1:
            return f"a damaged line was left out: {self.first}"
        return f"{self.lines} damaged lines were left out, the first in {self.first}"


def _unreadable(path: Path, error: OSError) -> JournalError:
    return JournalError(f"journal {path}: cannot be read ({error.strerror or error})")


def _latest(records: Iterable[PartRecord]) -> Iterator[PartRecord]:
    recent: OrderedDict[int, PartRecord] = OrderedDict()
    for record in records:
        recent[record.part_id] = record
        if len(recent) > CORRECTED_WITHIN:
            yield recent.popitem(last=False)[1]
    yield from recent.values()
