"""Lists that people keep in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError

LONGEST_FOUND = 120
"""Letters of what is there instead of the columns: where a quotation mark is never closed, that is the whole file."""


def read_csv(file: Path, what: str, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV with their lines; all cells are stripped, and empty where they are missing. Rows that hold
    nothing at all, which spreadsheets leave behind, are passed over.

    Args:
        what: it is to be, for who reads of an error.
        needed: columns.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    all_needed = ", ".join(needed)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets write a mark before the first name
            reader = csv.DictReader(stream, strict=True)  # or a quotation mark too many swallows the rows after it
            for row in reader:
                cells = {key: (value or "").strip() for key, value in row.items() if key}
                if any(cells.values()):
                    rows.append((reader.line_num, cells))
            columns = reader.fieldnames or ()
    except csv.Error as error:
        after = f"line {rows[-1][0]}" if rows else "its beginning"
        raise InputError(
            f"{file} cannot be read as {what} after {after} ({error}): is there a quotation mark too many?"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{file} cannot be read as {what} ({why}): save a CSV in UTF-8 with {all_needed}") from error
    missing = [column for column in needed if column not in columns]
    if missing:
        raise InputError(f"{file} has no column '{missing[0]}': it needs {all_needed}, and has {_found(columns)}")
    return rows


def _found(columns: Sequence[str]) -> str:
    """The columns that there are, in one line, and what to do where they are not told apart by commas."""
    one_line = " ".join(", ".join(columns).split()) or "nothing"
    has = one_line if len(one_line) <= LONGEST_FOUND else f"{one_line[:LONGEST_FOUND]}…"
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and mark in columns[0]:
            return f"{has}: save it with commas instead of {name}"
    return has
