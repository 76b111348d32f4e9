"""What the ledger makes of the word of a sensor that cannot quite be trusted."""

from __future__ import annotations

import pytest
from sorting_line import bins_config, machine_config

from edge.confirmation.expected import Kind
from edge.confirmation.ledger import Ledger, Trust
from edge.confirmation.places import Places
from edge.records import Plan

AT_LEFT1_MM = 408.0
PAST_ALL_MM = 3000.0


def kinds(planned: str, trust: Trust, seen_mm: tuple[float, ...] = ()) -> list[Kind]:
    """What is found out about a part with a beam in the bin `left1` alone."""
    ledger = Ledger(Places(machine_config(["left1"], end=False), bins_config(), ["s-left1"]))
    ledger.expect(Plan(1, planned, False), 0.0, 16.0)
    for place_mm in seen_mm:
        ledger.seen("s-left1", place_mm)
    return [news.kind for news in ledger.due({"s-left1": PAST_ALL_MM}, {"s-left1": trust})]


@pytest.mark.parametrize(("trust", "found"), [(Trust(), [Kind.LOST]), (Trust(dark=True), [])])
def test_a_beam_that_is_broken_already_misses_nobody(trust: Trust, found: list[Kind]) -> None:
    assert kinds("left1", trust) == found


@pytest.mark.parametrize(("trust", "found"), [(Trust(), [Kind.ASTRAY]), (Trust(doubtful=True), [])])
def test_a_sensor_that_lately_saw_nothing_accuses_nobody_by_itself(trust: Trust, found: list[Kind]) -> None:
    assert kinds("left2", trust, (AT_LEFT1_MM,)) == found
