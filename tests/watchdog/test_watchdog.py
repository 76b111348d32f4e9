"""A control loop that hangs: noticed, ended, and told by the next run."""

from __future__ import annotations

import threading

import pytest

from edge.clock import VirtualClock
from edge.watchdog import EXIT_HUNG, LOOKS_PER_TIMEOUT, Watchdog, end_by_force


@pytest.fixture
def clock():
    return VirtualClock()


def look(watchdog, clock, duration_s):
    """As its thread does, for a while."""
    alive = True
    for _ in range(round(duration_s / (2.0 / LOOKS_PER_TIMEOUT))):
        clock.advance(2.0 / LOOKS_PER_TIMEOUT)
        alive = watchdog.check(clock.now_s())
    return alive


def test_a_loop_that_feeds_it_is_left_alone_and_told_of(clock):
    barks, alive = [], []
    watchdog = Watchdog(2.0, clock, barks.append, lambda: alive.append(clock.now_s()))
    for frame in range(40):
        watchdog.feed(f"frame {frame}")
        assert look(watchdog, clock, 1.5)
    assert barks == []
    assert len(alive) == 40 * 6


def test_a_loop_that_hangs_is_barked_at_once_with_what_it_was_doing(clock):
    barks, alive = [], []
    watchdog = Watchdog(2.0, clock, barks.append, lambda: alive.append(1))
    watchdog.feed("frame 17")
    assert not look(watchdog, clock, 5.0)
    assert barks == ["the control loop has hung for 2.2 s (at: frame 17)"]
    assert len(alive) == LOOKS_PER_TIMEOUT


def test_a_process_that_was_halted_as_a_whole_gets_the_chance_to_go_on(clock):
    barks = []
    watchdog = Watchdog(2.0, clock, barks.append)
    watchdog.feed("frame 1")
    clock.advance(60.0)
    assert watchdog.check(clock.now_s())
    watchdog.feed("frame 2")
    assert look(watchdog, clock, 1.5)
    assert barks == []


def test_its_thread_ends_with_the_run_or_with_the_bark(clock):
    barks, stop = [], threading.Event()
    watchdog = Watchdog(2.0, clock, barks.append)
    watchdog.run_forever(stop)
    assert len(barks) == 1
    stop.set()
    Watchdog(2.0, clock, barks.append, lambda: pytest.fail("looked after the end")).run_forever(stop)
    assert len(barks) == 1


def test_the_end_waits_for_no_step_that_hangs_or_fails():
    done, never = [], threading.Event()

    def fail():
        raise OSError("disk gone")

    steps = ((lambda: never.wait(10), 0.01), (fail, 1.0), (lambda: done.append("last step"), 10.0))
    end_by_force(steps, done.append)
    never.set()
    assert done == ["last step", EXIT_HUNG]
