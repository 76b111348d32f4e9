"""Every fault of the table is answered as the table says and told once, and a sound machine tells nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_trial import LASTS_S, Trial
from truth_machine import TruthMachine

from edge.sim.faults import FAULTS, Answer


@pytest.mark.parametrize("name", FAULTS)
def test_the_machine_answers_a_fault_as_the_table_says_and_tells_it_once(name: str, tmp_path: Path) -> None:
    slow = name in ("camera-drifting", "camera-fading")
    trial = Trial([name], 5.0, tmp_path, parts=24 if slow else 12, lasts_s=20.0 if slow else LASTS_S)
    assert trial.judge() == []


@pytest.mark.parametrize("seed", [2, 3])
def test_a_sound_machine_tells_nothing_and_puts_every_part_where_it_belongs(seed: int) -> None:
    machine = TruthMachine(seed, parts=20)
    machine.run()
    assert (machine.lines, machine.reason, machine.astray) == ([], "", [])
    assert len(machine.decided) == 20
    assert all(part.bin for part in machine.world.truth)


def test_a_machine_that_is_held_goes_on_by_itself_and_sorts_every_part(tmp_path: Path) -> None:
    trial = Trial(["camera-dark"], 5.0, tmp_path)
    assert trial.run() == []
    world = trial.machine.world
    assert len(world.truth) == 12
    assert all(part.bin for part in world.truth)
    assert trial.told[-1] == "camera: no longer dark"


def test_there_are_forty_kinds_and_each_says_what_to_do() -> None:
    assert len(FAULTS) >= 40
    for kind in FAULTS.values():
        assert kind.happens and kind.does
        assert kind.todo or kind.answer is Answer.GOES_ON
