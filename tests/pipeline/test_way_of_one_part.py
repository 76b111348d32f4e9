"""Whole stages together: a part is protected, decided, planned and recorded once; what goes wrong is recorded, too."""

from __future__ import annotations

import re

import cv2
import pytest

from edge.journal.journal import Journal
from edge.journal.picture_files import picture_of
from edge.journal.read import read_journal
from edge.records import DecisionReason

RED = (60.0, "red")
"""In full view at 1 s, gone from it at 2.8 s, at gate g1 at 3.6 s."""
DECIDED_S = 2.0
AT_G1_S = 3.6


def test_each_part_goes_to_its_bin_and_is_recorded_once(drawn_machine):
    belt = drawn_machine(RED, (130.0, "green", 20.0), (220.0, "blue", -10.0))
    belt.run(7.5)
    assert belt.recorded == [(1, "reds", "certain"), (2, "greens", "certain"), (3, "box", "no rule")]
    assert belt.gates["g1"].moves == ["left", "pass"]
    assert belt.gates["g2"].moves == ["left", "pass"]


def test_a_part_is_measured_where_it_lies(drawn_machine):
    belt = drawn_machine((60.0, "red", 12.0, 32.0, 8.0))
    belt.run(4.0)
    track = belt.states[1].track
    assert (track.lead_belt_mm, track.trail_belt_mm) == pytest.approx((60, 92), abs=0.8)
    assert (track.length_mm, track.width_mm, track.y_mm) == pytest.approx((32, 8, 12), abs=1.5)


def test_the_gates_are_held_for_a_part_before_it_is_known(drawn_machine, monkeypatch):
    belt = drawn_machine(RED)
    submitted = []
    dispatcher = belt.machine.dispatcher
    submit = dispatcher.submit
    monkeypatch.setattr(
        dispatcher, "submit", lambda plan: (submitted.append((belt.network.invoked, plan)), submit(plan))
    )
    belt.run(DECIDED_S)
    looks, first = submitted[0]
    assert (looks, first.bin, [command.position for command in first.commands]) == (0, "box", ["pass", "pass"])
    assert submitted[-1][1].bin == "reds"


def test_the_network_looks_no_more_once_the_bin_is_certain(drawn_machine):
    belt = drawn_machine(RED)
    belt.run(4.0)
    assert belt.network.invoked == belt.machine.plans.config.fusion.min_looks
    assert belt.states[1].verdict.looks == belt.network.invoked


def test_two_parts_that_touch_are_unsure(drawn_machine):
    belt = drawn_machine((60.0, "red"), (84.0, "green"))
    belt.run(5.0)
    assert {(bin_, reason) for _, bin_, reason in belt.recorded} == {("box", "unsure")}
    assert "left" not in belt.gates["g1"].moves


def test_a_part_seen_too_briefly_is_unsure_and_rides_to_the_end(drawn_machine):
    belt = drawn_machine(RED, min_looks=60)
    belt.run(4.0)
    assert belt.recorded == [(1, "box", "unsure")]
    assert re.fullmatch(r"too few looks: \d+ of 60", belt.states[1].decision.detail)


def test_a_gate_that_comes_late_amends_the_record(drawn_machine, tmp_path):
    file = tmp_path / "journal.jsonl"
    with Journal.open(file, threaded=False) as journal:
        belt = drawn_machine(RED, journal=journal)
        belt.run(DECIDED_S)
        belt.dispatching = False
        belt.run(AT_G1_S - 0.1)
        assert belt.recorded == [(1, "reds", "certain")]
        belt.dispatching = True
        belt.run(AT_G1_S + 0.5)
    assert belt.recorded == [(1, "reds", "certain"), (1, "box", "certain")]
    (record,) = read_journal(file)
    assert (record.part_id, record.bin_wanted, record.bin, record.reason) == (1, "reds", "box", "refused")
    assert record.detail == "g1 was late and stayed at pass"
    assert record.lateness_s > 0
    assert belt.gates["g1"].moves == []


def test_a_late_report_that_comes_with_the_stop_still_amends_the_record(drawn_machine):
    belt = drawn_machine(RED)
    belt.run(DECIDED_S)
    belt.dispatching = False
    belt.run(AT_G1_S - 0.1)
    belt.dispatching = True
    belt.step()
    belt.machine.pipeline.close()
    assert belt.recorded == [(1, "reds", "certain"), (1, "box", "certain")]


def test_a_part_is_recorded_as_soon_as_it_is_decided_and_closing_adds_its_picture(drawn_machine, tmp_path):
    with Journal.open(tmp_path / "journal.jsonl", threaded=False) as journal:
        belt = drawn_machine(RED, (200.0, "green"), journal=journal)
        belt.run(DECIDED_S)
        assert belt.recorded == [(1, "reds", "certain")]
        assert (journal.unsaved, journal.pictures.kept) == (1, 0)
        belt.machine.pipeline.close()
        belt.machine.pipeline.close()
        assert (len(belt.recorded), journal.unsaved, journal.pictures.kept) == (1, 1, 1)
        assert belt.states[1].best_look is None


def test_a_gate_that_fails_stops_the_machine_with_its_line(drawn_machine):
    belt = drawn_machine(RED)
    belt.run(DECIDED_S)
    belt.gates["g1"].broken = True
    belt.run(AT_G1_S)
    assert belt.machine.safety.reason == "gate g1: no answer: check its cable"
    assert belt.recorded == [(1, "reds", "certain")]
    assert belt.warnings == ["while stopping: gate g1: no answer: check its cable"]


def test_what_is_remembered_of_parts_ends_with_them(drawn_machine):
    belt = drawn_machine(*((60.0 + 60 * k, "red") for k in range(8)))
    belt.run(11.0)
    assert all(state.best_look is None for state in belt.states.values())
    pipeline = belt.machine.pipeline
    assert [track for track, *_ in belt.recorded] == list(range(1, 9))
    under_way = pipeline._under_way
    assert (len(under_way.in_view), len(under_way._riding), len(pipeline._stages.fusion)) == (0, 0, 0)


def test_the_record_tells_all_of_a_part(drawn_machine, tmp_path):
    file = tmp_path / "journal.jsonl"
    with Journal.open(file, threaded=False) as journal:
        drawn_machine(RED, journal=journal).run(4.0)
    (record,) = read_journal(file)
    assert (record.bin, record.bin_wanted, record.reason) == ("reds", "reds", str(DecisionReason.CERTAIN))
    assert (record.top[0][0], record.looks, record.gates) == ("3001", 3, ("g1=left",))
    assert len(record.colour) == 3
    assert re.fullmatch(r"posterior (1.00|0.9\d) after 3 looks", record.detail)
    assert record.decision_latency_s > 0
    assert (record.length_mm, record.width_mm) == pytest.approx((24, 16), abs=1.5)
    assert sum(score for _, score in record.top) <= 1.001
    ((gate, held, status, lateness_s),) = record.gate_reports
    assert (gate, held, status, record.confirmation) == ("g1", "left", "done", "not watched")
    assert lateness_s < 0
    picture = picture_of(file, record.part_id)
    assert picture is not None
    blue, green, red = cv2.imread(str(picture)).reshape(-1, 3).max(axis=0)
    assert red > 150 > max(blue, green)
