"""Lists that people keep in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError


def read_csv(file: Path, what: str, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV with their lines; all cells are stripped, and empty where they are missing.

    Args:
        what: it is to be, for who reads of an error.
        needed: columns.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    all_needed = ", ".join(needed)
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets write a mark before the first name
            reader = csv.DictReader(stream)
            rows = [
                (reader.line_num, {key: (value or "").strip() for key, value in row.items() if key}) for row in reader
            ]
            columns = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{file} cannot be read as {what} ({why}): save a CSV in UTF-8 with {all_needed}") from error
    missing = [column for column in needed if column not in columns]
    if missing:
        has = ", ".join(columns) or "nothing"
        raise InputError(f"{file} has no column '{missing[0]}': it needs {all_needed}, and has {has}")
    return rows
