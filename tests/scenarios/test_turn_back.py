"""A belt that runs back when parts touch: the whole machine, which recognises perfectly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from truth_machine import BIN_OF, TruthMachine

from edge.sim.belt import EncoderFault
from edge.sim.camera import CameraFault
from edge.sim.parts import SimPart
from edge.turn_back import CAUSE

TURNS = "the belt carries"


def sorted_with_pairs(seed: int, share: float = 0.3, **machine: object) -> TruthMachine:
    sorter = TruthMachine(seed=seed, parts=24, touching_share=share, runs_back=True, **machine)  # type: ignore[arg-type]
    sorter.run(longest_s=600.0)
    return sorter


def when_told(sorter: TruthMachine, words: str, act: Callable[[], object]) -> None:
    """Does something when the user first reads a line with these words."""
    read, told = sorter._read, list[str]()

    def listen(line: str) -> None:
        read(line)
        if words in line and not told:
            told.append(line)
            act()

    sorter._read = listen


def last_times(sorter: TruthMachine) -> list[SimPart]:
    return [part for part in sorter.world.truth if part.fed_again_as is None]


@pytest.mark.parametrize("sensors", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_touching_parts_come_again_until_they_are_sorted(seed: int, sensors: bool) -> None:
    sorter = sorted_with_pairs(seed, sensors=sensors)
    assert sorter.reason == ""
    assert sorter.astray == []
    last = last_times(sorter)
    assert len(last) == sorter.world.fed == 24
    assert all(part.bin is not None for part in last)
    went_back = [part for part in sorter.world.truth if part.why.endswith("went back")]
    assert sum(part.touching for part in went_back) >= 4
    # What was carried back was in nobody's way, and came again.
    assert all(part.fed_again_as is not None and part.bin is None and not part.struck for part in went_back)
    missed = [part for part in last if part.bin != BIN_OF[part.family]]
    alone = [part for part in missed if not part.touching]
    assert len(missed) <= 24 / 4
    assert len(alone) <= 2, [part.why for part in alone]


def test_the_belt_turns_only_when_no_gate_has_anything_to_do() -> None:
    sorter = TruthMachine(seed=3, parts=24, touching_share=0.3, runs_back=True, sensors=False)
    world, rates, turns = sorter.world, [0.0], []

    def watch(now_s: float) -> None:
        turning = CAUSE in sorter.machine.safety.held
        if turning and rates[-1] is not None:
            at_rest = all(gate.held(now_s, now_s) == gate.rest for gate in world.gates.values())
            turns.append((at_rest, len(sorter.machine.pipeline.bound()), rates[-1]))
        rates.append(None if turning else world.feeder.parts_per_min)

    world.on_tick(watch)
    sorter.run(longest_s=600.0)
    assert len(turns) >= 3
    assert set(turns) == {(True, 0, 0.0)}


def test_no_gate_moves_under_what_nobody_saw_while_the_gates_were_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.scheduling.dispatcher.Dispatcher.at_rest", lambda _dispatcher, _now_s: False)
    # A feeder that goes on spilling parts.
    monkeypatch.setattr("edge.feeding.feeding.Feeding.pause", lambda _feeding: None)
    sorter = TruthMachine(seed=3, parts=24, touching_share=0.3, runs_back=True, sensors=False)
    world, seen_again_mm, moved = sorter.world, list[float](), list[tuple[float, str]]()
    first_gate_mm = min(gate.x_mm for gate in world.gates.values())

    def watch(now_s: float) -> None:
        if sum("not this time" in line for _, line in sorter.lines) > len(seen_again_mm):
            seen_again_mm.append(world.belt.travel_mm)
        if seen_again_mm and world.belt.travel_mm < seen_again_mm[-1] + first_gate_mm:
            moved.extend((now_s, name) for name, gate in world.gates.items() if gate.held(now_s, now_s) != gate.rest)

    world.on_tick(watch)
    sorter.run(longest_s=16.0)
    assert len(seen_again_mm) >= 2
    assert moved == []
    assert sorter.astray == []


def test_every_fourth_pair_rides_on() -> None:
    sorter = sorted_with_pairs(7, share=0.5)
    turns = [line for _, line in sorter.lines if TURNS in line]
    in_the_box = {part.against for part in sorter.world.truth if part.bin == "box" and part.against is not None}
    assert len(turns) >= 4
    assert in_the_box


def test_what_went_back_is_recorded_as_such_and_counted_for_no_bin() -> None:
    sorter = sorted_with_pairs(2)
    back = [part for part in sorter.decided.values() if part.went_back]
    assert back
    assert sorter.machine.router.fill.again == len(back)
    counts = sorter.machine.router.counts
    for name in ("reds", "greens"):
        assert counts[name] == sum(part.bin == name for part in sorter.world.truth)
    in_box = [part for part in last_times(sorter) if part.bin == "box"]
    # Two that touch were one to the machine.
    assert counts["box"] == len(in_box) - sum(part.against in {other.part_id for other in in_box} for part in in_box)


def test_a_belt_that_only_runs_forwards_sends_them_to_its_end() -> None:
    sorter = TruthMachine(seed=1, parts=24, touching_share=0.3)
    sorter.run(longest_s=600.0)
    assert sorter.machine.turn_back is None
    touching = [part for part in sorter.world.truth if part.touching]
    assert touching
    assert {part.bin for part in touching} == {"box"}


def test_a_belt_that_does_not_run_back_stops_the_machine() -> None:
    sorter = TruthMachine(seed=1, parts=24, touching_share=0.5, runs_back=True, sensors=False)
    when_told(sorter, TURNS, lambda: setattr(sorter.world.belt, "stalled", True))
    sorter.run(longest_s=600.0)
    assert "has not run" in sorter.reason
    assert "reverse_pin" in sorter.reason
    assert not sorter.world.belt.running
    assert all(gate.held(sorter.world.clock.now_s(), sorter.world.clock.now_s()) == gate.rest
               for gate in sorter.world.gates.values())  # fmt: skip


def test_an_encoder_that_fails_on_the_way_back_stops_the_machine() -> None:
    sorter = TruthMachine(seed=1, parts=24, touching_share=0.5, runs_back=True, sensors=False)
    when_told(sorter, TURNS, lambda: sorter.world.encoder.break_down(EncoderFault.DROPPED))
    sorter.run(longest_s=600.0)
    assert "has not run" in sorter.reason
    assert not sorter.world.belt.running


def test_a_dark_camera_holds_the_belt_on_its_way_back_too() -> None:
    sorter = TruthMachine(seed=1, parts=24, touching_share=0.5, runs_back=True, sensors=False)
    board, clock = sorter.faults, sorter.world.clock

    def darken() -> None:
        board.at(clock.now_s() + 1, lambda board: board.fail_camera(CameraFault.DARK))
        board.at(clock.now_s() + 9, lambda board: board.repair_camera(CameraFault.DARK))

    held: list[tuple[str, ...]] = []
    when_told(sorter, TURNS, darken)
    sorter.world.on_tick(lambda now_s: held.append((*sorter.machine.safety.held, str(sorter.world.belt.running))))
    sorter.run(longest_s=600.0)
    both = {state for state in held if CAUSE in state and "camera dark" in state}
    assert {state[-1] for state in both} == {"False"}
    assert sorter.reason == ""
    assert sorter.astray == []
    assert all(part.bin is not None for part in last_times(sorter))


def test_a_stop_on_the_way_back_is_a_stop() -> None:
    sorter = TruthMachine(seed=1, parts=24, touching_share=0.5, runs_back=True, sensors=False)
    when_told(sorter, TURNS, lambda: sorter.machine.safety.stop("enough"))
    sorter.run(longest_s=600.0)
    assert sorter.reason == "enough"
    assert not sorter.world.belt.running
    assert sorter.world.belt.speed_mm_per_s == 0
