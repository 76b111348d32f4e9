"""A record to write, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.records import PartRecord


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture(scope="session")
def part() -> Callable[..., PartRecord]:
    """Makes the record of a part."""

    def make(part_id: int = -1, **changes: object) -> PartRecord:
        record = PartRecord(
            part_id, 12.5, 3, 9, 4, (("3001", 0.97), ("3003", 0.02)), (("Red", 0.9),), "l1", "rest", "refused",
            "g1 holds pass for track 2", 0.97, ("g1=pass", "g2=left"), 0.031, -0.019, 31.8, 15.8,
        )  # fmt: skip
        return replace(record, **changes)  # type: ignore[arg-type]

    return make
