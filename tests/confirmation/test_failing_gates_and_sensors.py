"""The whole sorting line with the simulated gates and beams failing in the middle of a run."""

from __future__ import annotations

import pytest
from sorting_line import BINS, FRAME_S, SortingLine, machine_config

from edge.records import Confirmed
from edge.sim.gates import GateFault
from edge.sim.sensors import SensorFault

FAULT_S, RUN_S = 12.0, 45.0
WANTED = ("left2", "right2", "left3", "right3", "right4", "box")


def line_at_fault(**changes: object) -> SortingLine:
    line = SortingLine(**{"wanted": WANTED, **changes})  # type: ignore[arg-type]
    line.run(FAULT_S)
    assert (line.said, line.stopped, line.wrong()) == ([], [], [])
    assert line.found(Confirmed.SEEN) == line.findings
    return line


def wait_for(line: SortingLine, gate: str, position: str) -> None:
    """Until the gate has come to a position."""
    while True:
        now_s = line.world.clock.now_s()
        if line.world.gates[gate].held(now_s - FRAME_S, now_s) == position:
            return
        line.run(FRAME_S)


@pytest.mark.parametrize("fault", [GateFault.STUCK, GateFault.DEAD])
def test_a_gate_stuck_at_rest_goes_out_of_service_and_is_told_in_two_lines(fault: GateFault) -> None:
    line = line_at_fault()
    wait_for(line, "g3", "pass")
    line.world.gates["g3"].break_down(fault)
    line.run(RUN_S)
    assert line.planner.gates_out_of_service == {"g3"}
    assert len(line.said) == 2
    assert ": g3 should have stood at" in line.said[0]
    assert line.said[1].startswith("gate g3 is out of service: 3 of its last")
    assert "'left3', 'right3' get no parts" in line.said[1]
    assert len(line.found(Confirmed.WRONG_PLACE)) <= 5, "those on the belt when the third was noticed"
    assert line.wrong() == [], "what it does not divert ends in the box"
    assert line.found(Confirmed.MISSING) == []
    late = [part for part in line.world.truth if part.fed_s > FAULT_S + 30 and part.part_id in line.planned]
    assert late
    assert not {line.planned[part.part_id] for part in late} & {"left3", "right3"}
    assert {line.planned[part.part_id] for part in late} >= {"right2", "right4"}, "the others go on"
    assert line.stopped == []


def test_a_gate_stuck_in_the_way_stops_the_machine_before_it_mixes_on() -> None:
    line = line_at_fault()
    wait_for(line, "g2", "left")
    line.world.gates["g2"].break_down(GateFault.STUCK)
    line.run(RUN_S)
    assert len(line.stopped) == 1
    assert line.stopped[0].startswith("gate g2 stays at left: ")
    assert len(line.said) == 1
    assert {finding.seen_in for finding in line.found(Confirmed.WRONG_PLACE)} == {"left2"}
    assert len(line.wrong()) < 10


@pytest.mark.parametrize(
    ("beam", "fault", "told"),
    [
        ("s-right2", SensorFault.BLIND, "sensor s-right2 did not see 3 of the last "),
        ("s-end", SensorFault.BLIND, "sensor s-end did not see 3 of the last "),
        ("s-right2", SensorFault.STUCK, "sensor s-right2 is dark all the time"),
        ("s-end", SensorFault.STUCK, "sensor s-end is dark all the time"),
        ("s-right2", SensorFault.DUSTY, "sensor s-right2 fired 3 of the last "),
        ("s-end", SensorFault.DUSTY, "sensor s-end fired 3 of the last "),
    ],
)
def test_a_failing_sensor_is_told_as_such_once_and_all_gates_stay_in_service(
    beam: str, fault: SensorFault, told: str
) -> None:
    line = line_at_fault()
    line.beams[beam].break_down(fault)
    line.run(RUN_S)
    assert [text for text in line.said if text.startswith("sensor")] == [line.said[-1]]
    assert line.said[-1].startswith(told)
    assert len(line.said) <= 2
    assert (line.planner.gates_out_of_service, line.stopped) == (frozenset(), [])
    assert line.found(Confirmed.WRONG_PLACE) == []


@pytest.mark.parametrize("beam", ["s-right2", "s-end"])
def test_a_bouncing_beam_confuses_nobody(beam: str) -> None:
    line = line_at_fault()
    line.beams[beam].break_down(SensorFault.BOUNCING)
    line.run(RUN_S)
    assert line.said == []
    assert line.found(Confirmed.SEEN) == line.findings
    assert f"sensor {beam} is" not in str(line.confirmation.in_words())


@pytest.mark.parametrize("beam", ["s-left1", "s-end"])
def test_a_repaired_beam_is_trusted_again(beam: str) -> None:
    line = line_at_fault(wanted=("left1", "box"))
    line.beams[beam].break_down(SensorFault.STUCK)
    line.run(10)
    line.beams[beam].break_down(SensorFault.NONE)
    line.run(5)
    assert f"sensor {beam} is" not in str(line.confirmation.in_words())
    assert line.said[-1].startswith(f"sensor {beam} works again")


def test_two_gates_may_fail_at_once() -> None:
    line = line_at_fault()
    wait_for(line, "g2", "pass")
    wait_for(line, "g3", "pass")
    for gate in ("g2", "g3"):
        line.world.gates[gate].break_down(GateFault.DEAD)
    line.run(RUN_S)
    assert line.planner.gates_out_of_service == {"g2", "g3"}
    assert len(line.said) <= 5
    assert line.wrong() == []


def test_a_line_that_is_only_watched_at_its_end_finds_a_gate_that_does_not_divert() -> None:
    line = line_at_fault(config=machine_config((), end=True))
    wait_for(line, "g2", "pass")
    line.world.gates["g2"].break_down(GateFault.DEAD)
    line.run(RUN_S)
    assert line.planner.gates_out_of_service == {"g2"}
    assert line.wrong() == []


def test_a_standing_belt_is_no_fault_of_anybody() -> None:
    line = line_at_fault()
    for _ in range(3):
        line.world.belt_motor.stop()
        line.run(5)
        line.world.belt_motor.start()
        line.run(7)
    assert line.said == []
    assert line.found(Confirmed.SEEN) == line.findings
    assert len(line.findings) > 15


def test_a_long_run_without_faults_says_nothing() -> None:
    line = SortingLine(seed=7)
    line.run(100)
    assert (line.said, line.stopped) == ([], [])
    assert line.found(Confirmed.SEEN) == line.findings
    assert len(line.findings) > 80
    assert {line.planned[finding.track_id] for finding in line.findings} > {*BINS[:4], "box"}
