"""The journal as a table."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from edge.errors import InputError
from edge.journal.lines import without_nan
from edge.journal.picture_files import picture_of
from edge.journal.read import read_journal
from edge.records import PartRecord

FORMATS = ("csv", "jsonl")
COLUMNS = (
    "part_id", "time", "bin", "bin_wanted", "reason", "detail", "part", "part_score", "colour", "colour_score",
    "probability", "looks", "frame_first", "frame_last", "length_mm", "width_mm", "gates", "decision_latency_s",
    "lateness_s", "gate_reports", "confirmation", "seen_in", "again", "picture",
)  # fmt: skip


def export_journal(
    file: Path,
    output_format: str,
    out: TextIO,
    pictures: Path | None = None,
    warn: Callable[[str], None] = lambda _line: None,
) -> int:
    """Writes every part sorted, and returns their number.

    Args:
        file: the journal.
        output_format: one of `FORMATS`: a table with a row a part, or a JSON object a line.
        out: where to.
        pictures: a folder to copy the parts' pictures to; without one their places beside the journal are named.
        warn: told of damaged lines.

    Raises:
        JournalError: the journal cannot be read.
        InputError: the pictures cannot be copied, or the table not be written.
    """
    records = read_journal(file, warn)
    count = 0
    try:
        write = _table(out) if output_format == "csv" else _objects(out)
        for record in records:
            write(record, _picture(file, record.part_id, pictures))
            count += 1
        out.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        raise
    except OSError as error:
        raise InputError(f"the table cannot be written ({error.strerror}): make room, or write it elsewhere") from error
    return count


def _table(out: TextIO) -> Callable[[PartRecord, str], object]:
    writer = csv.writer(out)
    writer.writerow(COLUMNS)

    def write(record: PartRecord, picture: str) -> None:
        part, part_score = record.top[0] if record.top else ("", 0.0)
        colour, colour_score = record.colour[0] if record.colour else ("", 0.0)
        reports = (f"{gate}={held}:{status}:{late_s:+.3f}" for gate, held, status, late_s in record.gate_reports)
        writer.writerow(
            (
                record.part_id, _time(record), record.bin, record.bin_wanted, record.reason, record.detail, part,
                part_score, colour, colour_score, record.probability, record.looks, record.frame_first,
                record.frame_last, record.length_mm, record.width_mm, " ".join(record.gates),
                record.decision_latency_s, record.lateness_s, " ".join(reports), record.confirmation,
                record.seen_in, "yes" if record.again else "", picture,
            )
        )  # fmt: skip

    return write


def _objects(out: TextIO) -> Callable[[PartRecord, str], object]:
    def write(record: PartRecord, picture: str) -> None:
        values = {**asdict(record), "time": _time(record), "picture": picture or None}
        out.write(json.dumps(without_nan(values), ensure_ascii=False) + "\n")

    return write


def _time(record: PartRecord) -> str:
    """When it was decided; "" where that is no time."""
    try:
        return datetime.fromtimestamp(record.time_s, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _picture(journal: Path, part_id: int, folder: Path | None) -> str:
    """Where the part's picture is, or its copy; "" where there is none."""
    kept = picture_of(journal, part_id)
    if kept is None or folder is None:
        return str(kept or "")
    copy = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # A running machine may have put a newer one in its place.
            copy = str(shutil.copy(kept, folder))
    except OSError as error:
        raise InputError(f"--pictures {folder}: cannot be written ({error.strerror}): name another folder") from error
    return copy
