"""Every way in which the service can end leaves a state that can be read."""

from __future__ import annotations

import pytest

from edge.crash_record import MOST, WITHIN_S
from edge.errors import ConfigError, HardwareError
from edge.run import RunReport
from edge.service import CHANGED, FAULT
from edge.service_manager import ALIVE, READY, STOPPING
from edge.web.state import State, read_state


def sorts(plans, journal, say, stop, started):
    return RunReport(frames=10, parts=2, reason="SIGTERM received")


def no_camera(plans, journal, say, stop, started):
    raise HardwareError("camera: none is connected: check the ribbon cable")


def never(plans, journal, say, stop, started):
    raise AssertionError("the machine was started")


def test_a_good_end_leaves_no_trace_of_a_crash(bench):
    assert bench.start(sorts) == 0
    assert bench.state["state"] == "stopped"
    assert bench.said == ["10 frames, 2 parts"]
    assert sorted(path.name for path in bench.run.iterdir()) == ["issue", "state.json"]


def test_a_missing_camera_is_said_and_tried_again(bench):
    assert bench.start(no_camera) == FAULT
    assert bench.state["state"] == "stopped"
    assert bench.state["reason"] == "camera: none is connected: check the ribbon cable; it will be tried again"
    assert "none is connected" in bench.issue
    assert bench.start(sorts) == 0


def test_repeated_failures_end_in_safe_mode_which_a_restart_leaves(bench):
    for _ in range(MOST):
        assert bench.start(no_camera) == FAULT
    assert bench.start(never) == 0
    assert bench.said[0].startswith("safe mode: 4 starts in 10 minutes failed, the last one so: camera: none is")
    assert bench.manager.lines[0] == READY
    assert ALIVE in bench.manager.lines
    assert bench.manager.lines[-1] == STOPPING
    assert bench.start(sorts) == 0


def test_failures_long_ago_do_not_count(bench):
    for _ in range(3 * MOST):
        assert bench.start(no_camera) == FAULT
        bench.clock.advance(WITHIN_S / (MOST - 1.5))


def test_a_killed_process_counts_as_a_failure(bench):
    def killed(plans, journal, say, stop, started):
        raise KeyboardInterrupt  # What ends a process at once runs no more of it than the `finally`.

    for _ in range(MOST):
        with pytest.raises(KeyboardInterrupt):
            bench.start(killed)
    assert bench.start(never) == 0
    assert "safe mode" in bench.said[0]


def test_a_bad_configuration_is_safe_mode_with_every_line(bench):
    text = bench.files.machine.read_text()
    bench.files.machine.write_text(
        text.replace("belt_mm_per_s: 100", "belt_mm_per_s: fast").replace("parts_per_", "x_")
    )

    def look_then_stop(sleeps):
        assert bench.state["state"] == "safe-mode"
        told = read_state(bench.run / "state.json")
        assert told.state is State.SAFE_MODE
        assert len(told.config_errors) == 2
        assert f"{bench.files.machine}:12" in told.config_errors[0]
        assert "SAFE MODE: the machine stands still" in bench.issue
        assert "belt_mm_per_s" in bench.issue
        bench.ask_to_stop()

    assert bench.start(never, look_then_stop) == 0
    assert bench.clock.sleeps == 1


def test_a_configuration_put_right_starts_by_itself(bench):
    good = bench.files.bins.read_text()
    bench.files.bins.write_text("bins: 3\n")

    def put_right(sleeps):
        if sleeps == 4:
            bench.files.bins.write_text(good)

    assert bench.start(never, put_right) == CHANGED
    assert bench.clock.sleeps == 5
    assert bench.start(sorts) == 0


def test_a_missing_configuration_is_safe_mode(bench):
    bench.files.machine.unlink()
    assert bench.start(never) == 0
    assert "machine.yaml" in "".join(bench.said)


def test_what_only_the_devices_can_tell_of_the_configuration_is_safe_mode_too(bench):
    def no_path(plans, journal, say, stop, started):
        raise ConfigError("camera.path is missing")

    assert bench.start(no_path) == 0
    assert bench.said == ["safe mode: camera.path is missing", "camera.path is missing"]
    assert not (bench.run / "crashes.json").exists()


def test_a_model_that_is_not_there_is_safe_mode(bench):
    text = bench.files.machine.read_text()
    bench.files.machine.write_text(text.replace("bundle: universal", "bundle: nonesuch"))
    assert bench.start(never) == 0
    assert bench.said[0].startswith("safe mode: no model bundle at nonesuch")


def test_a_crash_count_that_cannot_be_read_is_no_obstacle(bench):
    for left in ("", "[3]", '{"a": 1}', '[{"at_s": "x"}]', "\0"):
        (bench.run / "crashes.json").write_text(left)
        assert bench.start(sorts) == 0


def test_a_folder_that_takes_no_state_keeps_nothing_from_sorting(bench):
    bench.run.rmdir()
    assert bench.start(sorts) == 0


def test_an_unforeseen_error_is_a_failure_with_its_traceback(bench):
    def broken(plans, journal, say, stop, started):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.start(broken)
    assert bench.state["reason"] == "an unforeseen error; it will be tried again"
