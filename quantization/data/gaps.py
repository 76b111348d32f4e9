"""What a set of shards lacks of what it was asked to hold: it is not finished yet, or shards were lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CUT_BY = {"pictures": "tile", "captures": "capture"}
"""Key of set.json that only this command's sets have."""


def gap_of_set(folder: Path, found: int) -> str | None:
    """A line where a set holds fewer samples than it was asked to.

    Args:
        folder: of the set; one whose set.json asks for nothing has no gap.
        found: samples in its finished shards.
    """
    wanted = _read(folder / "set.json")
    if not isinstance(wanted, dict):
        return None
    command = next((command for key, command in CUT_BY.items() if key in wanted), None)
    return _gap_of_cuts(folder, found, command) if command else _gap_of_renders(folder, found, wanted)


def _gap_of_renders(folder: Path, found: int, wanted: dict[str, Any]) -> str | None:
    try:
        looks = len(wanted["families"]) * int(wanted["per_family"])
    except (ValueError, KeyError, TypeError):
        return None
    if found >= looks:
        return None
    return f"{folder} holds {found} of the {looks} looks that it was asked for: 'brickgate-model render' makes the rest"


def _gap_of_cuts(folder: Path, found: int, command: str) -> str | None:
    """How many samples there will be is known once they are cut: summary.json is written last."""
    rest = f"'brickgate-model {command}' with the same options makes the rest"
    try:
        cut = sum(sum(parts.values()) for parts in _read(folder / "summary.json")["samples"].values())
    except (KeyError, TypeError, AttributeError):
        return f"{folder} holds {found} samples and is not finished: {rest}"
    return f"{folder} holds {found} of its {cut} samples: {rest}" if found < cut else None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
