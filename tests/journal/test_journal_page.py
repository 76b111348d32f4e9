"""docs/journal.md says what is in a record: all of it, and with a record that is one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from edge.journal.export import COLUMNS
from edge.journal.lines import decode, is_intact
from edge.records import Confirmed, DecisionReason, PartRecord

PAGE = (Path(__file__).parents[2] / "docs" / "journal.md").read_text()


def test_every_field_is_explained_and_exported():
    names = {field.name for field in fields(PartRecord)}
    explained = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert names <= explained
    assert names - {"time_s", "top"} <= set(COLUMNS)


def test_every_reason_and_confirmation_is_explained():
    for word in (*DecisionReason, *Confirmed):
        assert f"`{word}`" in PAGE


def test_the_example_is_a_record():
    (line,) = re.findall(r"^\{.*\}$", PAGE, re.MULTILINE)
    assert is_intact(line.encode() + b"\n")
    record = decode(line.encode())
    assert (record.part_id, record.bin, record.gate_reports) == (
        5,
        "plates-small-a",
        (("g1", "left", "done", -0.0178),),
    )
