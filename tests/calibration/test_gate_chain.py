"""Parts that are tried at one gate after the other, and how they are supplied."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from calibration.gate_belief import Batch, GateUnderTrial
from calibration.gate_chain import given_count, update_chain
from calibration.gate_counts import COUNT_S, EACH_S
from calibration.gate_design import BOTH, COUNTS, ENOUGH_LATENCY_S, FIRST, is_worth_a_batch, next_batch
from calibration.gate_looks import GateLooks
from calibration.gate_model import Trial
from calibration.gate_supply import MOST_PARTS, Supply
from calibration.gate_wanted import Wanted, next_gate
from calibration.rig import Rig, Task
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError
from edge.config import example
from edge.config.gates import SimGateConfig
from edge.config.load import load_bins, load_machine
from edge.records import Frame

LEFT, PASS = 0, 1
OFF_MM = 4.0
PLACES_MM = np.arange(-20.25, 15, 0.5).tolist()


def gate(name: str) -> GateUnderTrial:
    return GateUnderTrial(SimGateConfig(name=name, driver="sim", x_mm=400, positions=("left", "pass", "right")), 150.0)


def stands(name: str) -> tuple[Trial, ...]:
    """Part by part, farther down."""
    return tuple(Trial(name, "stand", at, PASS, LEFT, part=part) for part, at in enumerate(PLACES_MM))


def test_a_count_tells_which_parts_are_gone():
    assert given_count(np.array([0.9, 0.5, 0.1]), 3).tolist() == pytest.approx([1, 1, 1])
    assert given_count(np.array([0.9, 0.5, 0.1]), 0).tolist() == [0, 0, 0]
    chances = np.array([0.8, 0.3])
    only_first, only_second = 0.8 * 0.7, 0.2 * 0.3
    assert given_count(chances, 1)[0] == pytest.approx(only_first / (only_first + only_second))
    assert given_count(chances, 1).sum() == pytest.approx(1)


def test_parts_that_the_first_gate_took_tell_nothing_of_the_second():
    """The first gate stands 4 mm on and takes 48 of 71; the other 23 stand beyond where the second can be."""
    first, second = gate("first"), gate("second")
    taken = sum(at < OFF_MM - 0.3 for at in PLACES_MM)
    update_chain(
        [first, second], {"first": Batch(stands("first"), {LEFT: taken}), "second": Batch(stands("second"), {})}
    )
    assert second.reached[10] < 0.02
    assert second.reached[65] > 0.98
    assert sum(second.reached.values()) == pytest.approx(len(PLACES_MM) - taken, abs=1)


def test_what_is_learnt_of_the_first_gate_holds_for_the_parts_of_earlier_batches():
    first, second = gate("first"), gate("second")
    few = stands("first")[40:50]
    update_chain([first, second], {"first": Batch(few, {LEFT: 5}), "second": Batch(few, {LEFT: 0})})
    before = second.reached[47]
    later = tuple(Trial("first", "stand", at, PASS, LEFT, part=100 + index) for index, at in enumerate(PLACES_MM))
    update_chain([first, second], {"first": Batch(later, {LEFT: sum(at < OFF_MM for at in PLACES_MM)})})
    assert second.reached[47] != pytest.approx(before, abs=1e-3)
    assert len(second.batches) == 1


def test_a_batch_is_checked_before_it_is_added():
    under = gate("g")
    seen: list[int] = []
    update_chain([under], {"g": Batch(stands("g"), {LEFT: 48})}, lambda one, batch: seen.append(len(one.batches)))
    assert seen == [0]
    assert len(under.batches) == 1


def test_trials_on_parts_that_had_most_likely_gone_are_done_again():
    trial = Trial("g", "stand", 0.0, PASS, LEFT)
    wanted = Wanted([])
    for part in range(3):
        wanted.note(trial, trial, 0.6)
        assert len(wanted.todo) == (part == 2)
    assert len(wanted.done) == 3


@pytest.mark.parametrize("name", ["chute-9", "pushers-4", "jets-6", "west-18"])
def test_every_kind_of_gate_has_first_trials(name):
    for config in load_machine(example(name) / "machine.yaml").gates:
        for stands in (True, False):
            sweeps = next_batch(GateUnderTrial(config, 150.0, stands))
            assert sweeps
            assert all(len(sweep.trials()) == sweep.count <= COUNTS[-1] for sweep in sweeps)
            assert len(sweeps[0].trials()) == FIRST or not stands


def test_positions_are_tried_together_at_first_and_then_in_turn():
    (config, *_) = load_machine(example("west-18") / "machine.yaml").gates
    under = GateUnderTrial(config, 150.0)
    for number in range(BOTH + 2):
        tried = [sweep.trial.went for sweep in next_batch(under)]
        assert tried == (list(under.working) if number < BOTH else [under.working[number % 2]])
        under.batches.append(Batch((), {}))


def test_no_batch_is_done_for_a_gate_that_is_nearly_known():
    (config, *_) = load_machine(example("west-18") / "machine.yaml").gates
    under = GateUnderTrial(config, 150.0)
    assert is_worth_a_batch([under])
    assert not is_worth_a_batch([])
    under.batches, under.told_apart = [Batch((), {})] * BOTH, True
    under.off_std_mm, under.travel_std_s = 0.1, 0.002
    under.latency_std_s = 1.1 * ENOUGH_LATENCY_S
    assert not is_worth_a_batch([under])
    under.latency_std_s = 1.5 * ENOUGH_LATENCY_S
    assert is_worth_a_batch([under])


def test_a_part_goes_to_the_first_gate_that_has_much_to_do():
    trial = Trial("g", "stand", 0.0, PASS, LEFT)
    wanted = {"a": Wanted([trial] * 2), "b": Wanted([trial] * 8), "c": Wanted([trial] * 10)}
    stations_mm = {"a": 100.0, "b": 200.0, "c": 300.0}
    assert next_gate(wanted, stations_mm, 0.0) == "b"
    assert next_gate(wanted, stations_mm, 250.0) == "c"
    assert next_gate(wanted, stations_mm, 300.0) is None
    wanted["c"].todo.clear()
    wanted["b"].todo.clear()
    assert next_gate(wanted, stations_mm, 0.0) == "a"


@pytest.fixture
def rig():
    folder = example("beginner-4")
    return simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 1)


def test_a_feeder_that_was_switched_off_runs_again_as_soon_as_parts_are_wanted(rig):
    """It was once left off when the last trial was under way and had to be done again: 15 s each time, and somebody was
    asked for parts that lay there."""
    supply = Supply(rig, 60)
    supply.begin(50)
    supply.stop()
    assert rig.feeder.parts_per_min == 0
    assert supply.comes(1)
    assert rig.feeder.parts_per_min == rig.machine.feeder.parts_per_min


def test_a_feeder_that_was_off_for_long_is_not_taken_to_be_empty(rig):
    """The last stand's part rode past nine gates for longer than an empty feeder is waited for, and all swings of the
    batch were left out."""
    supply = Supply(rig, 60)
    supply.begin(50)
    assert supply.comes(1)
    supply.stop()
    rig.wait_until(rig.clock.now_s() + 60)
    assert supply.comes(1)
    rig.wait_until(rig.clock.now_s() + 60)
    assert not supply.comes(1)


def test_parts_are_asked_for_once_and_no_more_than_anybody_has(rig):
    assert isinstance(rig.operator, SimOperator)
    assert Supply.parts_for(10_000) == MOST_PARTS
    supply = Supply(rig, 60)
    supply.begin(50)
    supply.begin(40)
    assert ["Put 60" in task.words for task in rig.operator.tasks] == [True]


def test_an_empty_feeder_is_filled_from_the_last_bin_until_that_brings_nothing(rig):
    assert isinstance(rig.operator, SimOperator)
    supply = Supply(rig, 60)
    supply.begin(50)
    assert supply.comes(3)
    rig.wait_until(rig.clock.now_s() + 60)
    assert not supply.comes(3)
    assert supply.refill()
    first, second = rig.operator.tasks
    assert "Tip what lies in" in second.words
    assert second.takes_s < first.takes_s
    assert supply.comes(3)
    assert not supply.refill()
    supply.begin(50)
    with pytest.raises(RefusedError, match="no parts are seen on the belt"):
        supply.refill()


def test_what_was_counted_or_tipped_back_is_in_the_simulated_feeder_and_nothing_else(rig):
    assert isinstance(rig.operator, SimOperator)
    world = rig.operator.sim.world
    Supply(rig, 60).begin(50)
    rig.belt_motor.start()
    rig.wait_until(rig.clock.now_s() + 30)
    rig.feeder.set_rate(0)
    rig.wait_until(rig.clock.now_s() + 20)
    assert world.hopper is not None
    left, passed = len(world.hopper), len(world.truth)
    assert passed > 5
    assert rig.operator.do(Task("", "count", {"bin": "bricks"})) == "0"
    assert len(world.hopper) == left
    rig.operator.emptied["bricks"] = -7
    assert rig.operator.do(Task("", "count", {"bin": "bricks"}, takes_s=99.0)) == "7"
    assert rig.operator.tasks[-1].takes_s == COUNT_S + 7 * EACH_S
    assert len(world.hopper) == left + 7
    for tipped in (passed, 0):
        before = len(world.hopper)
        rig.operator.do(Task("", "fill", {"bin": rig.bins.default_bin}))
        assert len(world.hopper) == before + tipped
    assert left + passed == 60


class Belt:
    """A plain belt, on which a part of 16 mm comes every 100 mm, always in its middle."""

    PX_PER_MM, EVERY_MM = 5.0, 100.0

    def __init__(self):
        self.travel_mm = 0.0
        self.rng = np.random.default_rng(1)

    def frames(self, count: int) -> Iterator[Frame]:
        for _ in range(count):
            image = self.rng.normal(180, 2, (720, 1280, 3)).clip(0, 255).astype(np.uint8)
            for station_mm in np.arange(self.travel_mm % self.EVERY_MM, min(self.travel_mm, 256.0), self.EVERY_MM):
                left, right = (round(self.PX_PER_MM * (station_mm + side_mm)) for side_mm in (-8, 8))
                image[320:400, max(left, 0) : right] = (40, 40, 200)
            yield Frame(0, self.travel_mm / 100, self.travel_mm, image)
            self.travel_mm += 5.0


def test_a_part_where_another_lay_at_the_look_before_leaves_no_ghost(rig, monkeypatch):
    """Looks are so sparse that parts are seen where those before were. That was taken for the bare scene after 300 mm
    of belt, and the ghost of it in the picture spoilt every fifth part."""
    belt = Belt()
    monkeypatch.setattr(Rig, "straight_frames", lambda rig, count: belt.frames(count))
    looks = GateLooks(rig, 1.0, lambda: belt.travel_mm)
    looks.begin()
    for look in range(1, 16):
        belt.travel_mm = 100.0 * look + 30.0
        looks.look()
    complete = [ride for ride in looks.rides if ride.x_belt_mm <= 15 * 100.0 - 100.0]
    assert len(complete) == 14
    assert all(ride.confirmed and ride.single for ride in complete)
