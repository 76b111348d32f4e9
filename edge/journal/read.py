"""Reading a journal back: every part once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edge.errors import JournalError
from edge.journal.file import files_of
from edge.journal.lines import decode, is_intact
from edge.journal.repair import read_lines
from edge.records import PartRecord

CORRECTED_WITHIN = 1024
"""Records after which a part is not corrected any more: it has long passed its last gate."""


def read_journal(path: Path | str, warn: Callable[[str], None] = lambda _line: None) -> Iterator[PartRecord]:
    """Every part of a journal, the oldest first, rotated files included. Of a part that was recorded again (a
    gate came late) only the last record is given. Damaged lines are left out, and their number is told to
    `warn`.

    Raises:
        JournalError: there is no such journal, or it cannot be read.
    """
    path = Path(path)
    files = files_of(path)
    if not files:
        raise JournalError(f"journal {path}: there is no such file: give the journal's path")
    return _latest(_records(files, path, warn))


def _records(files: Iterable[Path], path: Path, warn: Callable[[str], None]) -> Iterator[PartRecord]:
    damaged = intact = 0
    try:
        for file in files:
            for line in read_lines(file):
                if is_intact(line):
                    intact += 1
                    yield decode(line)
                else:
                    damaged += 1
    except OSError as error:
        raise JournalError(f"journal {path}: cannot be read ({error.strerror or error})") from error
    if damaged and not intact:
        raise JournalError(f"journal {path}: holds no record that can be read: give a journal of run or simulate")
    if damaged:
        warn(f"journal {path}: {damaged} damaged lines were left out")


def _latest(records: Iterable[PartRecord]) -> Iterator[PartRecord]:
    recent: OrderedDict[int, PartRecord] = OrderedDict()
    for record in records:
        recent[record.part_id] = record
        if len(recent) > CORRECTED_WITHIN:
            yield recent.popitem(last=False)[1]
    yield from recent.values()
