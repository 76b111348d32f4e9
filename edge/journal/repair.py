"""What a journal file is worth after a crash: intact, with a damaged tail to cut off, or to be set aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.journal.lines import is_intact, part_id_of, split_at_record

LONGEST_LINE = 1 << 20
LONGEST_TAIL = 1 << 20
"""Bytes at the end that a crash may have damaged; more than that is another kind of damage."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The findings on one file. `intact_bytes` is where the last good line ends."""

    lines: int
    last_part_id: int
    intact_bytes: int
    damaged_before: int
    """Bad lines that have good ones after them."""
    tail_bytes: int


def read_lines(path: Path) -> Iterator[bytes]:
    """Every line of a file, good or bad, in pieces of bounded length."""
    with path.open("rb") as file:
        yield from lines_of(file)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Likewise of an open file. A good line that stands right behind damage is a piece of its own."""
    while line := file.readline(LONGEST_LINE):
        if is_intact(line):
            yield line
        else:
            yield from filter(None, split_at_record(line))


def examine(path: Path) -> Condition:
    """Reads a journal file through and checks every line."""
    lines = last_part_id = position = intact_bytes = bad = damaged_before = 0
    for line in read_lines(path):
        position += len(line)
        if not is_intact(line):
            bad += 1
            continue
        damaged_before, intact_bytes, lines = bad, position, lines + 1
        last_part_id = max(last_part_id, part_id_of(line))
    return Condition(lines, last_part_id, intact_bytes, damaged_before, position - intact_bytes)


def mend(path: Path, condition: Condition) -> str:
    """Makes the file fit to be appended to; returns what was done in one line, or "" when nothing had to be.

    A damaged tail is cut off. A file with damage elsewhere, or without any good line, is kept under another
    name, and a copy of its good lines takes its place.
    """
    hopeless = condition.lines == 0 or condition.tail_bytes > LONGEST_TAIL
    if condition.damaged_before or (hopeless and condition.tail_bytes):
        aside = _set_aside(path)
        return f"journal {path}: was damaged, kept as {aside.name}; {condition.lines} good records were taken over"
    if condition.tail_bytes:
        with path.open("r+b") as file:
            file.truncate(condition.intact_bytes)
            os.fsync(file.fileno())
        return f"journal {path}: its end was damaged, {condition.tail_bytes} bytes after the last record were cut off"
    return ""


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    rescued = path.with_name(f"{path.name}.rescue")
    with rescued.open("wb") as file:
        file.writelines(line for line in read_lines(path) if is_intact(line))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(path, aside)
    except OSError:
        shutil.copy2(path, aside)
    # The name never stands for nothing: a crash leaves either the broken file or the rescued one.
    rescued.replace(path)
    return aside
