"""The last parts of the journal, from its end: a bounded read, however large the journal is."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge.journal.picture_files import picture_of

TAIL_BYTES = 128_000
"""Some fifty parts, each with its three lines."""
_MODELS = Path(__file__).parents[1] / "models"


@dataclass(frozen=True, slots=True)
class SeenPart:
    """A part as the page shows it."""

    part_id: int
    number: str
    """The likeliest part number; empty where the network said nothing."""
    name: str
    colour: str
    bin: str
    reason: str
    has_picture: bool


def last_parts(journal: Path, count: int) -> tuple[SeenPart, ...]:
    """The newest parts of a journal, the newest first; fewer, or none, where it cannot be read."""
    from edge.errors import JournalError
    from edge.journal.lines import decode, is_intact

    names = part_names()
    latest: dict[int, SeenPart] = {}
    for line in reversed(_tail(journal)):
        with contextlib.suppress(JournalError, ValueError):
            if not is_intact(line):
                continue
            record = decode(line)
            if record.part_id in latest:
                continue
            number = record.top[0][0] if record.top else ""
            colour = record.colour[0][0] if record.colour else ""
            has_picture = picture_of(journal, record.part_id) is not None
            latest[record.part_id] = SeenPart(
                record.part_id, number, names.get(number, ""), colour, record.bin, record.reason, has_picture
            )
    return tuple(latest[part_id] for part_id in sorted(latest, reverse=True)[:count])


def _tail(journal: Path) -> list[bytes]:
    """Whole lines from the end of the newest file, and of the one before where that has been begun just now."""
    lines: list[bytes] = []
    for file in (journal.with_name(journal.name + ".1"), journal):
        with contextlib.suppress(OSError), file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - TAIL_BYTES, 0))
            lines += stream.read(TAIL_BYTES).splitlines(keepends=True)
    return lines


@cache
def part_names() -> Mapping[str, str]:
    """Name of each part that a shipped model knows, by its number; read once."""
    names: dict[str, str] = {}
    for file in sorted(_MODELS.glob("*/parts.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            names.update({part["number"]: part["name"] for part in json.loads(file.read_text(encoding="utf-8"))})
    return names
