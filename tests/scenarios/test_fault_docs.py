"""docs/faults.md says what the table of faults says."""

from __future__ import annotations

from fault_docs import PAGE, page

from edge.sim.faults import FAULTS


def test_the_page_is_made_from_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "docs/faults.md is old: run python tests/scenarios/fault_docs.py"


def test_every_fault_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in FAULTS if f"| `{name}` |" not in text] == []
