"""A gate's driver in a thread of its own: it may hang, fail or be slow, and nothing else does."""

from __future__ import annotations

import threading

import pytest

from edge.clock import VirtualClock
from edge.errors import HardwareError
from edge.records import CommandStatus, GateCommand, Plan
from edge.scheduling.gate_worker import HUNG_S, GateBusyError, GateWorker

PATIENCE_S = 10


class Driver:
    """A gate whose driver can be held up, or told to fail."""

    positions, rest = ("left", "pass", "right"), "pass"

    def __init__(self, name="g1"):
        self.name = name
        self.moves, self.error, self.closed = [], None, False
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.hangs = False
        self.moved = threading.Condition()

    def move_to(self, position):
        if self.hangs:
            self.entered.set()
            self.go_on.wait(PATIENCE_S)
        if self.error:
            raise self.error
        with self.moved:
            self.moves.append(position)
            self.moved.notify_all()

    def wait_for(self, *moves):
        with self.moved:
            return self.moved.wait_for(lambda: self.moves == list(moves), PATIENCE_S)

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However busy this computer is, a driver that answers is waited for; one that hangs is in `hang`."""
    monkeypatch.setattr("edge.scheduling.gate_worker.ANSWER_S", PATIENCE_S)


@pytest.fixture
def driver():
    driver = Driver()
    yield driver
    driver.go_on.set()


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def hang(monkeypatch):
    """Lets a driver hang in its next movement."""

    def hold_up(driver, worker, position="left"):
        driver.hangs = True
        monkeypatch.setattr("edge.scheduling.gate_worker.ANSWER_S", 0.001)
        worker.move_to(position)
        assert driver.entered.wait(PATIENCE_S)

    return hold_up


def test_it_moves_as_the_driver_does_and_closes_it(driver, clock):
    prepared = []
    worker = GateWorker(driver, clock, lambda: prepared.append(threading.current_thread().name))
    worker.move_to("left")
    worker.move_by("right", 5.0)
    worker.close()
    worker.close()
    assert (driver.moves, driver.closed, prepared) == (["left", "right"], True, ["gate g1"])
    assert (worker.name, worker.positions, worker.rest, worker.trouble) == ("g1", driver.positions, "pass", None)


def test_it_refuses_what_the_gate_cannot_do(driver, clock):
    worker = GateWorker(driver, clock)
    with pytest.raises(ValueError, match="no position 'up'"):
        worker.move_to("up")
    worker.close()
    with pytest.raises(HardwareError, match="moved after it was closed"):
        worker.move_to("left")


@pytest.mark.parametrize(
    ("error", "line"),
    [(HardwareError("gate g1: no answer"), "gate g1: no answer"), (KeyError("x"), "gate g1: its driver failed: 'x'")],
)
def test_an_error_of_the_driver_is_the_callers(driver, clock, error, line):
    worker = GateWorker(driver, clock)
    driver.error = error
    with pytest.raises(HardwareError) as caught:
        worker.move_by("left", 5.0)
    assert str(caught.value) == line
    driver.error = None
    worker.move_by("right", 5.0)
    assert driver.moves == ["right"]


def test_a_movement_never_begins_after_its_latest_moment(driver, clock):
    worker = GateWorker(driver, clock)
    clock.advance(3.0)
    with pytest.raises(GateBusyError, match="too late"):
        worker.move_by("left", 2.9)
    assert driver.moves == []
    assert worker.trouble is None


def test_a_driver_that_hangs_is_told_after_a_while_and_goes_to_rest_when_it_returns(driver, clock, hang):
    worker = GateWorker(driver, clock)
    hang(driver, worker)
    assert worker.trouble is None
    with pytest.raises(GateBusyError):
        worker.move_by("right", 9.0)
    clock.advance(HUNG_S)
    assert worker.trouble.startswith("gate g1: its driver has not returned from moving to left within 0.15 s")
    with pytest.raises(HardwareError, match="has not returned"):
        worker.move_by("right", 9.0)
    with pytest.raises(HardwareError, match="has not returned"):
        worker.move_to("pass")
    driver.hangs = False
    driver.go_on.set()
    assert driver.wait_for("left", "pass")


def test_a_driver_that_hangs_is_not_waited_for_at_the_close(driver, clock, hang, monkeypatch):
    monkeypatch.setattr("edge.scheduling.gate_worker.CLOSE_S", 0.01)
    worker = GateWorker(driver, clock)
    hang(driver, worker)
    with pytest.raises(HardwareError, match="its driver hangs and could not be closed"):
        worker.close()


def test_a_gate_that_hangs_stops_the_machine_while_the_others_go_on(scheduling, hang):
    topology = scheduling.line(2)
    stuck, clock = Driver(), VirtualClock()
    worker = GateWorker(stuck, clock)
    bench = scheduling.bench(topology, step_s=0.005, broken={"g1": worker})
    clock.now_s = bench.clock.now_s
    hang(stuck, worker)
    bench.take(Plan(1, "l1", False, (GateCommand(1, "g1", "left", 60.0, 90.0),)))
    bench.take(Plan(2, "l2", False, (GateCommand(2, "g2", "left", 60.0, 90.0),)))
    bench.run(0.3)
    assert bench.failures[0].startswith("gate g1: its driver has not returned")
    assert [position for _, position in bench.gates["g2"].moves[1:]] == ["left"]
    assert [(r.command.gate, r.status) for r in bench.reports if r.command.gate == "g2"] == [("g2", CommandStatus.DONE)]
    assert [report.status for report in bench.reports if report.command.gate == "g1"] in (
        [CommandStatus.LATE],
        [CommandStatus.FAILED],
        [CommandStatus.FAILED, CommandStatus.LATE],
    )
    stuck.go_on.set()


def test_a_gate_that_was_busy_is_asked_again_until_it_is_too_late(scheduling, driver):
    class BusyWorker(GateWorker):
        def move_by(self, position, latest_s):
            raise GateBusyError("gate g1: the processor was not free to move it")

    topology = scheduling.line(1)
    bench = scheduling.bench(topology, step_s=0.001, broken={"g1": BusyWorker(driver, VirtualClock())})
    bench.take(Plan(1, "l1", False, (GateCommand(1, "g1", "left", 60.0, 90.0),)))
    bench.run(0.5)
    (report,) = bench.reports
    assert (report.status, report.held, driver.moves) == (CommandStatus.LATE, "pass", [])
    assert 0 < report.lateness_s <= 0.003
    assert bench.failures == []
