"""The journal as a table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from edge.journal.read import read_journal

COLUMNS = (
    "part_id", "time", "bin", "bin_wanted", "reason", "detail", "part", "part_score", "colour", "colour_score",
    "probability", "looks", "frame_first", "frame_last", "length_mm", "width_mm", "gates", "decision_latency_s",
    "lateness_s",
)  # fmt: skip


def export_csv(file: Path, out: TextIO, warn: Callable[[str], None] = lambda _line: None) -> int:
    """Writes every part sorted as CSV, and returns their number; `warn` is told of damaged lines.

    Raises:
        JournalError: the journal cannot be read.
    """
    records = read_journal(file, warn)
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for record in records:
        part, part_score = record.top[0] if record.top else ("", 0.0)
        colour, colour_score = record.colour[0] if record.colour else ("", 0.0)
        time = datetime.fromtimestamp(record.time_s, UTC).isoformat(timespec="milliseconds")
        writer.writerow(
            (
                record.part_id, time, record.bin, record.bin_wanted, record.reason, record.detail, part, part_score,
                colour, colour_score, record.probability, record.looks, record.frame_first, record.frame_last,
                record.length_mm, record.width_mm, " ".join(record.gates), record.decision_latency_s,
                record.lateness_s,
            )
        )  # fmt: skip
        count += 1
    return count
