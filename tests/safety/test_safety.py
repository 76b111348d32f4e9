"""A stop stops everything: twice, from any thread, in the middle of anything, whatever fails."""

from __future__ import annotations

import threading
from itertools import product

import pytest

from edge.errors import HardwareError
from edge.safety import Safety


class Device:
    """Feeder, belt motor and gate in one: remembers its state and may refuse a command."""

    positions, rest = ("left", "pass"), "pass"

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error, self.state = name, error, "moving"
        self.before = lambda: None

    def set_rate(self, parts_per_min: float) -> None:
        self._to("off" if parts_per_min == 0 else f"{parts_per_min:g}")

    def start(self) -> None:
        self._to("on")

    def reverse(self) -> None:
        self._to("back")

    def stop(self) -> None:
        self._to("off")

    def move_to(self, position: str) -> None:
        self._to(position)

    def close(self) -> None: ...

    def _to(self, state: str) -> None:
        before, self.before = self.before, lambda: None
        before()
        if self.error:
            raise self.error
        self.state = state


@pytest.fixture
def devices():
    return {name: Device(name) for name in ("feeder", "belt", "g1", "g2")}


@pytest.fixture
def build(devices):
    def make(**more):
        return Safety(devices["feeder"], devices["belt"], [devices["g1"], devices["g2"]], **more)

    return make


def states(devices):
    return [device.state for device in devices.values()]


def test_a_stop_leaves_feeder_and_belt_off_and_gates_at_rest(devices, build):
    safety = build()
    assert safety.start_belt()
    assert safety.set_feed_rate(60)
    assert states(devices) == ["60", "on", "moving", "moving"]
    safety.stop("a test")
    assert states(devices) == ["off", "off", "pass", "pass"]
    assert (safety.stopped, safety.reason, safety.problems) == (True, "a test", ())


def test_nothing_starts_after_a_stop(devices, build):
    safety = build()
    safety.stop("a test")
    assert not safety.start_belt()
    assert not safety.set_feed_rate(60)
    assert states(devices) == ["off", "off", "pass", "pass"]


def test_the_first_reason_is_kept(build):
    safety = build()
    safety.stop("first")
    safety.stop("second")
    assert safety.reason == "first"


def test_a_device_that_does_not_obey_is_told(devices, build):
    told = []
    devices["belt"].error = HardwareError("belt motor: no answer: check its cable")
    build(warn=told.append).stop("a test")
    assert told == ["while stopping: belt motor: no answer: check its cable"]


@pytest.mark.parametrize(
    ("name", "error"),
    list(product(["feeder", "belt", "g1", "g2"], [HardwareError("gone"), OSError("broken"), KeyError("x")])),
)
def test_one_device_that_fails_keeps_no_other_from_stopping(devices, build, name, error):
    devices[name].error = error
    safety = build()
    safety.stop("a test")
    expected = {"feeder": "off", "belt": "off", "g1": "pass", "g2": "pass", name: "moving"}
    assert {key: device.state for key, device in devices.items()} == expected
    assert len(safety.problems) == 1


def test_a_failing_device_is_tried_again_by_the_next_stop(devices, build):
    devices["belt"].error = HardwareError("belt: no answer")
    safety = build()
    safety.stop("first")
    devices["belt"].error = None
    safety.stop("second")
    assert devices["belt"].state == "off"
    assert safety.problems == ()


@pytest.mark.parametrize("name", ["feeder", "belt", "g1", "g2"])
def test_a_stop_in_the_middle_of_a_stop_finishes_both(devices, build, name):
    safety = build()
    devices[name].before = lambda: safety.stop("a signal")
    safety.stop("a test")
    assert states(devices) == ["off", "off", "pass", "pass"]
    assert safety.reason == "a test"


def test_a_stop_from_another_thread_while_the_feeder_is_being_started_wins(devices, build):
    safety = build()
    entered, go_on = threading.Event(), threading.Event()

    def hold():
        entered.set()
        go_on.wait(10)

    devices["feeder"].before = hold
    starter = threading.Thread(target=safety.set_feed_rate, args=(60,))
    starter.start()
    assert entered.wait(10)
    stopper = threading.Thread(target=safety.stop, args=("a test",))
    stopper.start()
    go_on.set()
    starter.join(10)
    stopper.join(10)
    assert states(devices) == ["off", "off", "pass", "pass"]


def test_a_thread_that_hangs_in_a_driver_keeps_nothing_from_stopping(devices, build, monkeypatch):
    monkeypatch.setattr("edge.safety.LOCK_S", 0.01)
    safety = build()
    entered, go_on = threading.Event(), threading.Event()

    def hang():
        entered.set()
        go_on.wait(10)

    devices["belt"].before = hang
    starter = threading.Thread(target=safety.start_belt)
    starter.start()
    assert entered.wait(10)
    safety.stop("a test")
    assert states(devices) == ["off", "off", "pass", "pass"]
    go_on.set()
    starter.join(10)


def test_a_broken_notice_or_dispatcher_stops_nothing_from_stopping(devices, build):
    def fail(*_args):
        raise RuntimeError("no")

    safety = build(warn=fail, halt=fail)
    safety.stop("a test")
    assert states(devices) == ["off", "off", "pass", "pass"]
    assert safety.problems == ("dispatcher: could not be stopped: no",)


def test_a_machine_without_feeder_and_motor_stops_its_gates(devices):
    safety = Safety(None, None, [devices["g1"]])
    assert safety.start_belt()
    safety.stop("a test")
    assert devices["g1"].state == "pass"


def test_a_hold_stops_feeder_and_belt_only_and_its_release_brings_back_what_was_asked_for_last(devices, build):
    safety = build()
    safety.start_belt()
    safety.set_feed_rate(60)
    assert safety.hold("dark")
    assert states(devices) == ["off", "off", "moving", "moving"]
    assert safety.set_feed_rate(40)
    assert safety.start_belt()
    assert states(devices)[:2] == ["off", "off"]
    assert safety.held == ("dark",)
    assert safety.release("dark")
    assert states(devices) == ["40", "on", "moving", "moving"]


def test_the_last_of_several_holds_frees_the_machine(devices, build):
    safety = build()
    safety.start_belt()
    for cause in ("dark", "frozen", "dark"):
        safety.hold(cause)
    safety.release("dark")
    assert devices["belt"].state == "off"
    safety.release("never held")
    assert devices["belt"].state == "off"
    safety.release("frozen")
    assert devices["belt"].state == "on"


def test_a_release_after_a_stop_starts_nothing(devices, build):
    safety = build()
    safety.start_belt()
    safety.set_feed_rate(60)
    safety.hold("dark")
    safety.stop("a test")
    assert not safety.release("dark")
    assert not safety.hold("dark")
    assert states(devices) == ["off", "off", "pass", "pass"]


def test_a_release_does_not_start_a_belt_that_nobody_started(devices, build):
    safety = build()
    safety.hold("dark")
    safety.release("dark")
    assert devices["belt"].state == "off"
    assert devices["feeder"].state == "off"


@pytest.mark.parametrize("name", ["feeder", "belt", "g1", "g2"])
def test_a_device_that_hangs_keeps_no_other_from_stopping_and_is_told(devices, build, monkeypatch, name):
    monkeypatch.setattr("edge.safety.DEVICE_S", 0.05)
    go_on, told = threading.Event(), []
    devices[name].before = lambda: go_on.wait(10)
    safety = build(warn=told.append)
    safety.stop("a test")
    expected = {"feeder": "off", "belt": "off", "g1": "pass", "g2": "pass", name: "moving"}
    assert {key: device.state for key, device in devices.items()} == expected
    device = {"feeder": "feeder", "belt": "belt motor"}.get(name, f"gate {name}")
    assert told == [f"while stopping: {device}: has not stopped within 0.05 s: switch it off by hand"]
    go_on.set()


def test_stops_and_starts_from_many_threads_at_once_leave_everything_off(devices, build):
    safety = build()
    together = threading.Barrier(8)

    def work(number):
        together.wait(10)
        for step in range(20):
            if number < 3:
                safety.stop(f"thread {number}")
            elif number < 6:
                safety.set_feed_rate(60)
                safety.start_belt()
            else:
                safety.hold(f"{number} {step}")
                safety.release(f"{number} {step}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert states(devices) == ["off", "off", "pass", "pass"]
    assert safety.reason.startswith("thread ")
    assert safety.belt_on is False


def test_the_belt_is_on_while_it_was_started_and_is_not_held(devices, build):
    safety = build()
    assert safety.belt_on is False
    safety.start_belt()
    assert safety.belt_on is True
    safety.hold("dark")
    assert safety.belt_on is False
    safety.release("dark")
    assert safety.belt_on is True
    safety.stop("a test")
    assert safety.belt_on is False
    assert Safety(None, None, []).belt_on is None


def test_the_belt_runs_back_only_while_it_is_held_for_that_alone(build, devices):
    safety, belt = build(), devices["belt"]
    safety.start_belt()
    assert not safety.run_back("pair")
    assert belt.state == "on"
    safety.hold("pair")
    assert safety.run_back("pair")
    assert (belt.state, safety.belt_on) == ("back", False)
    safety.hold("camera dark")
    assert belt.state == "off"
    assert not safety.run_back("pair")
    assert belt.state == "off"
    safety.release("camera dark")
    assert belt.state == "off"
    assert safety.run_back("pair")
    safety.stand()
    assert belt.state == "off"
    safety.release("pair")
    assert belt.state == "on"
    safety.stand()
    assert belt.state == "on", "only what runs back is ended"


def test_nothing_runs_back_after_a_stop(build, devices):
    safety = build()
    safety.start_belt()
    safety.hold("pair")
    safety.run_back("pair")
    safety.stop("enough")
    assert devices["belt"].state == "off"
    assert not safety.run_back("pair")
    assert devices["belt"].state == "off"
