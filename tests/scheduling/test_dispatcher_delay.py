"""What a report says of the dispatcher's own delay, and what an encoder that is gone does."""

from __future__ import annotations

import pytest

from edge.errors import HardwareError
from edge.records import CommandStatus, GateCommand, Plan


def command(gate, position, from_mm, to_mm, track_id=1):
    return Plan(track_id, "some bin", False, (GateCommand(track_id, gate, position, from_mm, to_mm),))


@pytest.fixture
def bench(scheduling):
    bench = scheduling.bench(scheduling.line(2), step_s=0.001)
    bench.run(0.2)
    return bench


def test_a_command_that_is_acted_on_when_due_has_no_delay(bench):
    bench.take(command("g1", "left", 300.0, 340.0))
    bench.run(2.0)
    assert bench.reports[0].delay_s == pytest.approx(0.0, abs=0.0015)


def test_a_dispatcher_that_slept_says_by_how_much(bench):
    bench.take(command("g1", "left", 300.0, 340.0))
    bench.run(0.1)
    due_mm = 300.0 - 0.19 * 1.1 * 150
    bench.belt.advance((due_mm - bench.belt.travel_mm) / 150 + 0.015)
    bench.reports += bench.dispatcher.step(bench.clock.now_s())
    (report,) = bench.reports
    assert (report.status, report.delay_s) == (CommandStatus.DONE, pytest.approx(0.015, abs=0.001))
    assert list(bench.dispatcher.delays_s) == [report.delay_s]


def test_waiting_for_the_part_before_or_for_the_plan_is_no_delay(bench):
    bench.take(command("g1", "left", 100.0, 150.0))
    bench.take(command("g1", "right", 150.0 + 0.19 * 1.1 * 150 - 1, 220.0, track_id=2))
    bench.run(1.0)
    bench.take(command("g2", "left", bench.belt.travel_mm + 30.0, bench.belt.travel_mm + 60.0, track_id=3))
    bench.run(1.0)
    assert [report.status for report in bench.reports] == ["done", "done", "done"]
    assert max(report.delay_s for report in bench.reports) < 0.003


def test_an_encoder_that_is_gone_stops_the_machine_and_gates_still_go_to_rest(bench, monkeypatch):
    bench.take(command("g1", "left", 100.0, 400.0))
    bench.run(0.6)

    def gone():
        raise HardwareError("encoder: does not answer: look at its cable")

    monkeypatch.setattr(bench.belt, "belt_mm", gone)
    bench.run(0.01)
    assert bench.failures[0] == "encoder: does not answer: look at its cable"
    bench.dispatcher.halt()
    bench.run(0.01)
    assert bench.gates["g1"].moves[-1][1] == "pass"
    assert bench.dispatcher.next_due_s(bench.clock.now_s()) > bench.clock.now_s()
