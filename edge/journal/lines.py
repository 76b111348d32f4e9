"""One part, one line: `crc32 json`, so that a damaged line is known for what it is."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.errors import JournalError
from edge.records import PartRecord


def encode(record: PartRecord) -> bytes:
    """A record's line: eight hex digits of the JSON's CRC-32, a space, the JSON, a line feed."""
    text = json.dumps(asdict(record), separators=(",", ":"), ensure_ascii=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> PartRecord | None:
    """The record of a line, or None for a damaged one."""
    try:
        if not line.endswith(b"\n") or int(line[:8], 16) != zlib.crc32(line[9:-1]):
            return None
        values: dict[str, Any] = json.loads(line[9:])
        pairs = {name: tuple((key, score) for key, score in values[name]) for name in ("top", "colour")}
        return PartRecord(**{**values, **pairs, "gates": tuple(values["gates"])})
    except (ValueError, TypeError, KeyError):
        return None


def read_journal(file: Path) -> Iterator[PartRecord]:
    """The records of a journal file and its older, rotated one, in order; damaged lines are passed over.

    Raises:
        JournalError: no such file, or it cannot be read.
    """
    older = rotated(file)
    if not file.is_file():
        raise JournalError(f"no journal at {file}: name the file that 'brickgate run' or 'simulate --journal' wrote")
    for path in (older, file):
        if path.is_file():
            yield from _records(path)


def _records(path: Path) -> Iterator[PartRecord]:
    try:
        with path.open("rb") as stream:
            for line in stream:
                record = decode(line)
                if record is not None:
                    yield record
    except OSError as error:
        raise JournalError(f"{path} cannot be read ({error.strerror}): check its owner and the card") from error


def newest(records: Iterator[PartRecord]) -> Iterator[PartRecord]:
    """The last word on each part: a part that a late gate sent elsewhere has two lines, of which the later holds."""
    by_id: dict[int, PartRecord] = {}
    for record in records:
        by_id[record.part_id] = record
    yield from by_id.values()


def rotated(file: Path) -> Path:
    """Where the older half of a journal goes."""
    return file.with_name(file.name + ".1")
