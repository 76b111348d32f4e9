"""The dispatcher: when movements start, what happens to late ones, and that a stop is a stop."""

from __future__ import annotations

import threading

import pytest

from edge.clock import VirtualClock
from edge.errors import HardwareError
from edge.records import CommandStatus, GateCommand, Plan
from edge.scheduling.gate_worker import GateBusyError
from edge.scheduling.topology import Action, Fork, GateSettings, Topology

MOVE_S = 0.19


@pytest.fixture
def bench(scheduling):
    bench = scheduling.bench(scheduling.line(2), step_s=0.001)
    bench.run(0.2)
    return bench


@pytest.fixture
def order(bench):
    """Submits one command for a gate, as a plan of its own."""

    def submit(track_id, gate, position, from_mm, to_mm):
        bench.take(Plan(track_id, "some bin", False, (GateCommand(track_id, gate, position, from_mm, to_mm),)))

    return submit


def test_a_gate_moves_just_early_enough(bench, order):
    order(1, "g1", "left", 300.0, 340.0)
    bench.run(1.6)
    moved_s, position = bench.gates["g1"].moves[1]
    assert position == "left"
    assert moved_s == pytest.approx(300 / 150 - MOVE_S * 1.1, abs=0.002)
    (report,) = bench.reports
    assert (report.status, report.held) == (CommandStatus.DONE, "left")
    assert report.lateness_s == pytest.approx(-0.1 * MOVE_S, abs=0.002)


def test_an_idle_gate_returns_to_rest(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    bench.run(1.0)
    assert bench.gates["g1"].moves[-1] == (pytest.approx(130 / 150, abs=0.002), "pass")


def test_a_gate_that_is_wanted_again_soon_stays(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    order(2, "g1", "left", 180.0, 210.0)
    bench.run(1.1)
    assert [position for _, position in bench.gates["g1"].moves[1:]] == ["left"]


def test_a_gate_waits_for_the_part_before(bench, order):
    order(1, "g1", "left", 100.0, 150.0)
    order(2, "g1", "right", 150.0 + MOVE_S * 1.1 * 150 - 1, 200.0)
    bench.run(1.5)
    assert bench.gates["g1"].moves[2] == (pytest.approx(1.0, abs=0.002), "right")
    assert all(report.status is CommandStatus.DONE for report in bench.reports)


def test_a_late_command_is_dropped_and_the_gate_stays_until_the_part_has_passed(bench, order):
    order(1, "g1", "left", 45.0, 80.0)
    order(2, "g1", "left", 120.0, 150.0)
    bench.run(0.01)
    (report,) = bench.reports
    assert (report.status, report.held) == (CommandStatus.LATE, "pass")
    assert report.lateness_s == pytest.approx(MOVE_S - 15 / 150, abs=0.005)
    assert report.detail.startswith("g1: left for track 1 came 0.09")
    bench.run(0.35)
    assert len(bench.gates["g1"].moves) == 1
    assert bench.dispatcher.counts[CommandStatus.LATE] == 1


def test_a_command_whose_place_has_passed_is_late(bench, order):
    order(1, "g1", "left", 5.0, 20.0)
    bench.run(0.01)
    assert bench.reports[0].status is CommandStatus.LATE


def test_a_new_plan_replaces_what_is_not_done_yet(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    order(1, "g1", "right", 100.0, 130.0)
    bench.run(1.0)
    assert [position for _, position in bench.gates["g1"].moves[1:]] == ["right", "pass"]


def test_a_new_plan_keeps_what_the_gate_already_does(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    bench.run(0.4)
    order(1, "g1", "left", 100.0, 140.0)
    bench.run(1.0)
    assert [position for _, position in bench.gates["g1"].moves[1:]] == ["left", "pass"]
    assert bench.gates["g1"].moves[-1][0] == pytest.approx(140 / 150, abs=0.002)
    assert len(bench.reports) == 1


def test_a_plan_that_comes_after_the_gate_moved_is_reported_late(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    bench.run(0.5)
    order(1, "g1", "pass", 100.0, 130.0)
    bench.run(0.5)
    assert [(r.status, r.held) for r in bench.reports] == [
        (CommandStatus.DONE, "left"),
        (CommandStatus.LATE, "left"),
    ]


def test_a_standing_belt_holds_the_plan(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    bench.belt.mm_per_s = 0.0
    bench.run(5.0)
    assert len(bench.gates["g1"].moves) == 1
    bench.belt.mm_per_s = 150.0
    bench.run(1.0)
    assert [r.status for r in bench.reports] == [CommandStatus.DONE]
    assert bench.gates["g1"].during(bench.belt.instant(100.0), bench.belt.instant(130.0)) == "left"


def test_stepping_from_deadline_to_deadline_does_the_same(bench, order):
    order(1, "g1", "left", 300.0, 340.0)
    order(2, "g1", "right", 400.0, 440.0)
    steps = 0
    while bench.belt.travel_mm < 600:
        due_s = min(bench.dispatcher.next_due_s(bench.clock.now_s()), bench.clock.now_s() + 1.0)
        bench.belt.advance(due_s - bench.clock.now_s())
        bench.reports += bench.dispatcher.step(bench.clock.now_s())
        steps += 1
    moves = bench.gates["g1"].moves[1:]
    assert [position for _, position in moves] == ["left", "right", "pass"]
    assert moves[1][0] == pytest.approx(400 / 150 - MOVE_S * 1.1, abs=0.002)
    assert steps < 20


def test_as_the_belt_restarts_it_wakes_in_time_for_a_command_that_is_nearly_due(bench, order):
    order(1, "g1", "left", 300.0, 340.0)
    due_mm = 300.0 - MOVE_S * 1.1 * 150
    bench.belt.advance((due_mm - 1.5 - bench.belt.travel_mm) / 150)
    bench.belt.mm_per_s = 0.0
    bench.run(1.0)
    bench.belt.mm_per_s = 150.0
    now_s = bench.clock.now_s()
    assert bench.coordinate.mm_per_s() == 0
    assert bench.dispatcher.next_due_s(now_s) == pytest.approx(now_s + 0.01)


class BrokenGate:
    name, positions, rest = "g1", ("left", "pass", "right"), "pass"

    def move_to(self, position: str) -> None:
        raise HardwareError("gate g1: the servo board does not answer: check its cable")

    def close(self) -> None: ...


class TiredPusher:
    """A pusher whose driver is busy until a moment when it is to come back."""

    name, positions, rest = "p", ("pass", "push"), "pass"

    def __init__(self, busy_until_s):
        self._busy_until_s = busy_until_s
        self.clock = VirtualClock()
        self.moves = []

    def move_to(self, position):
        if position == self.rest and self.clock.now_s() < self._busy_until_s:
            raise GateBusyError("gate p: its driver is still moving it")
        self.moves.append(position)

    def close(self): ...


@pytest.fixture
def pushed(scheduling):
    """A bench with one pusher, which is to strike at 60 and at 120 mm: its driver is busy until a moment."""

    def make(busy_until_s=0.0):
        own = GateSettings("p", 400.0, ("pass", "push"), "pass", 0.02, 0.08, 0.0, action=Action.STROKE)
        topology = Topology(Fork("p", {"pass": "rest", "push": "one"}), [own], "rest")
        pusher = TiredPusher(busy_until_s)
        bench = scheduling.bench(topology, step_s=0.001, broken={"p": pusher})
        pusher.clock = bench.clock
        for track_id, at_mm in ((1, 60.0), (2, 120.0)):
            bench.take(Plan(track_id, "one", False, (GateCommand(track_id, "p", "push", at_mm, at_mm + 1),)))
        return bench, pusher

    return make


def test_a_pusher_that_comes_back_late_strikes_the_next_part_when_there_is_time(pushed):
    bench, pusher = pushed(busy_until_s=0.55)
    bench.run(1.0)
    assert pusher.moves == ["push", "pass", "push", "pass"]
    assert [report.status for report in bench.reports] == [CommandStatus.DONE, CommandStatus.DONE]


def test_a_pusher_that_is_not_back_in_time_is_late_for_the_next_part(pushed):
    bench, pusher = pushed(busy_until_s=0.75)
    bench.run(1.0)
    assert pusher.moves == ["push", "pass"]
    assert [(report.status, report.held) for report in bench.reports] == [
        (CommandStatus.DONE, "push"),
        (CommandStatus.LATE, "pass"),
    ]


def test_a_pusher_that_nobody_called_back_has_not_struck_the_next_part(pushed):
    bench, pusher = pushed()
    bench.run(0.3)
    bench.belt.advance(0.4)  # No processor for the dispatcher, until the next command is due.
    bench.run(0.3)
    assert pusher.moves == ["push", "pass"]
    assert [report.status for report in bench.reports] == [CommandStatus.DONE, CommandStatus.LATE]


def test_a_gate_that_fails_is_reported_and_stops_the_machine(scheduling):
    topology = scheduling.line(1)
    bench = scheduling.bench(topology, broken={"g1": BrokenGate()})
    bench.take(Plan(1, "l1", False, (GateCommand(1, "g1", "left", 60.0, 90.0),)))
    bench.run(0.5)
    assert [report.status for report in bench.reports] == [CommandStatus.FAILED]
    assert bench.failures == ["gate g1: the servo board does not answer: check its cable"]


def test_after_a_halt_gates_only_go_to_rest(bench, order):
    order(1, "g1", "left", 100.0, 300.0)
    order(2, "g2", "left", 200.0, 300.0)
    bench.run(0.6)
    bench.dispatcher.halt()
    bench.run(2.0)
    assert [position for _, position in bench.gates["g1"].moves[1:]] == ["left", "pass"]
    assert len(bench.gates["g2"].moves) == 1


def test_the_thread_runs_until_told_and_hands_over_reports(bench, order):
    order(1, "g1", "left", 100.0, 130.0)
    stop, reports = threading.Event(), []

    def take(report):
        reports.append(report)
        stop.set()

    class RidingClock:
        """Sleeping lets the belt ride on."""

        now_s = bench.clock.now_s

        def sleep_until(self, instant_s):
            bench.belt.advance(max(instant_s - bench.clock.now_s(), 0.0))

    bench.dispatcher.run_forever(RidingClock(), stop, take)
    assert [report.status for report in reports] == [CommandStatus.DONE]


def test_an_unforeseen_error_in_the_thread_stops_the_machine(bench):
    class BadClock:
        def now_s(self):
            raise RuntimeError("no time")

    with pytest.raises(RuntimeError):
        bench.dispatcher.run_forever(BadClock(), threading.Event(), print)
    assert bench.failures == ["the dispatcher failed: no time"]
