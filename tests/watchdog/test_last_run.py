"""What the next run says of the last one, and what the service manager is told."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from edge.last_run import LastRun
from edge.priority import SWITCH_S, GatePriority, quick_hand_over
from edge.service_manager import ALIVE, READY, ServiceManager


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.jsonl"


def test_the_first_run_and_one_after_a_good_end_say_nothing(journal):
    first = LastRun(journal)
    assert first.begin() is None
    first.end()
    assert LastRun(journal).begin() is None
    assert [path.name for path in journal.parent.iterdir()] == ["journal.jsonl.run"]


def test_a_run_that_was_killed_is_told_once(journal):
    LastRun(journal).begin()
    after = LastRun(journal)
    assert after.begin().startswith("the last run was cut off (killed, or the power failed): gates are at rest")
    after.end()
    assert LastRun(journal).begin() is None


def test_a_run_that_the_watchdog_ended_says_why(journal):
    run = LastRun(journal)
    run.begin()
    run.note("the control loop has hung for 3.2 s (at: frame 8)")
    told = LastRun(journal).begin()
    assert told == "the last run was ended by the watchdog: the control loop has hung for 3.2 s (at: frame 8)"


@pytest.mark.parametrize("left", [b"", b"\xff\xfe\x00", b"running\n"])
def test_a_mark_that_was_cut_off_itself_is_no_obstacle(journal, left):
    journal.with_name("journal.jsonl.run").write_bytes(left)
    assert LastRun(journal).begin() is not None


def test_a_disk_that_takes_no_mark_is_no_obstacle(tmp_path):
    run = LastRun(tmp_path / "no such folder" / "journal.jsonl")
    assert run.begin() is None
    run.note("hung")
    run.end()


def test_told_at_its_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("notify")
        listener.settimeout(10)
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        manager.tell(READY, "STATUS=sorting")
        manager.tell(ALIVE)
        assert [listener.recv(100), listener.recv(100)] == [b"READY=1\nSTATUS=sorting", b"WATCHDOG=1"]
        manager.close()
        manager.tell(ALIVE)


def test_an_abstract_socket_is_understood():
    name = f"brickgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(10)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).tell(READY)
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "nonsense", "/no/such/socket", "@nobody listens here"])
def test_without_a_service_manager_nothing_happens(address):
    ServiceManager({"NOTIFY_SOCKET": address}).tell(READY)
    ServiceManager({}).tell(ALIVE)


def grants(monkeypatch, *, fifo, nice):
    """A system that grants what it is said to; the calls it got."""
    calls = []

    def schedule(pid, policy, param):
        calls.append(("fifo", pid, param.sched_priority))
        if not fifo:
            raise PermissionError(1, "Operation not permitted")

    def set_priority(which, thread, value):
        calls.append(("nice", value))
        if not nice:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "sched_setscheduler", schedule)
    monkeypatch.setattr(os, "setpriority", set_priority)
    return calls


@pytest.mark.parametrize(
    ("fifo", "nice", "granted"),
    [(True, True, "real time"), (False, True, "nice -15"), (False, False, "ordinary priority")],
)
def test_the_gates_threads_get_the_best_priority_there_is(monkeypatch, fifo, nice, granted):
    calls = grants(monkeypatch, fifo=fifo, nice=nice)
    priority = GatePriority(40)
    assert priority.notice() is None
    priority.raise_own()
    priority.raise_own()
    assert calls[0] == ("fifo", 0, 40)
    assert priority.granted == granted
    assert (priority.notice() is None) == fifo
    if not fifo:
        assert priority.notice().startswith(f"the gates' threads run at {granted}: the system grants them no real-time")


def test_priority_0_changes_nothing_and_says_nothing(monkeypatch):
    calls = grants(monkeypatch, fifo=True, nice=True)
    priority = GatePriority(0)
    priority.raise_own()
    assert (calls, priority.notice()) == ([], None)


def test_the_interpreter_is_handed_over_quickly_during_a_run_only():
    before_s = sys.getswitchinterval()
    with quick_hand_over():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert sys.getswitchinterval() == before_s
