"""The physics: what a gate does to a part, and that every part ends once."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace

import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.config.bins import BinsConfig
from edge.config.schema import MachineConfig
from edge.errors import HardwareError, InputError
from edge.sim.build import build_world
from edge.sim.gates import GateFault
from edge.sim.parts import Wanted
from edge.sim.settings import BeltSettings, Layout


def _feed_one(world):
    while not world.truth:
        world.advance_to(world.clock.now_s() + 0.01)
    return world.truth[0]


def _meets_s(world, part, place_mm, x_mm):
    """When a place of the part is at a station of a steady belt of 100 mm/s."""
    return world.clock.now_s() + (place_mm + x_mm - world.belt.travel_mm) / 100.0


@pytest.mark.parametrize(("gate", "position", "bin_"), [("g1", "left", "a"), ("g1", "right", "b"), ("g2", "left", "c")])
def test_a_gate_in_position_takes_the_part_to_its_bin(make_world, gate, position, bin_):
    world = make_world()
    part = _feed_one(world)
    world.gates[gate].move_to(position)
    world.run()
    assert (part.bin, part.struck) == (bin_, ())
    assert f"{gate}={position}" in part.why


def test_the_last_part_is_waited_for_down_a_slow_belt():
    machine = MachineConfig.model_validate({
        "camera": {"driver": "sim", "width_px": 160, "height_px": 90, "frames_per_s": 12, "px_per_mm": 0.625,
                   "belt_region_px": [0, 8, 160, 82]},
        "belt": {"belt_mm_per_s": 10, "motor": {"driver": "sim"}, "encoder": {"driver": "sim"}},
        "gates": [{"name": "g1", "driver": "sim", "x_mm": 1500, "positions": ["left", "pass"]}],
    })  # fmt: skip
    bins = BinsConfig.model_validate({
        "default_bin": "rest", "layout": {"gate": "g1", "left": "a", "pass": "rest"},
        "bins": [{"name": "a", "accept": [{"parts": ["3001"]}]}],
    })  # fmt: skip
    world = build_world(machine, bins, load_colours(), seed=1, parts=1, parts_per_min=60).world
    world.belt_motor.start()
    world.feeder.set_rate(60)
    world.run()
    assert [part.bin for part in world.truth] == ["rest"]


def test_gates_at_rest_let_a_part_ride_to_the_default_bin(make_world):
    world = make_world()
    world.run()
    assert world.truth[0].bin == "rest"
    assert world.truth[0].why == "g1=pass g2=pass"


@pytest.mark.parametrize(("share", "bin_"), [(0.25, "a"), (0.75, "rest")])
def test_a_gate_moving_under_a_part_is_recorded_and_its_middle_decides(make_world, share, bin_):
    world = make_world()
    part = _feed_one(world)
    lead_s = _meets_s(world, part, part.lead_belt_mm, 400.0)
    trail_s = _meets_s(world, part, part.trail_belt_mm, 400.0)
    # The gate is half way after 0.02 s of latency and half of 0.1 s of travel.
    world.advance_to(lead_s + share * (trail_s - lead_s) - 0.07)
    world.gates["g1"].move_to("left")
    world.run()
    assert part.struck == ("g1",)
    assert part.bin == bin_


def test_a_gate_that_moves_just_before_and_just_after_a_part_does_not_strike_it(make_world):
    world = make_world()
    part = _feed_one(world)
    lead_s = _meets_s(world, part, part.lead_belt_mm, 400.0)
    trail_s = _meets_s(world, part, part.trail_belt_mm, 400.0)
    world.advance_to(lead_s - 0.125)
    world.gates["g1"].move_to("left")
    world.advance_to(trail_s + 0.005)
    world.gates["g1"].move_to("pass")
    world.run()
    assert (part.bin, part.struck) == ("a", ())


def test_a_position_that_leads_nowhere_loses_the_part(make_world):
    world = make_world(layout=Layout("g1", {"g1": {"pass": "rest"}}, "rest"))
    world.gates["g1"].move_to("left")
    world.run()
    assert world.truth[0].bin is None
    assert "leads nowhere" in world.truth[0].why


def test_a_gate_falls_back_to_rest_when_dead_and_stays_put_when_stuck(make_world):
    world = make_world()
    dead, stuck = world.gates["g1"], world.gates["g2"]
    for gate in (dead, stuck):
        gate.move_to("left")
    world.advance_to(0.07)
    stuck.break_down(GateFault.STUCK)
    world.advance_to(1.0)
    dead.break_down(GateFault.DEAD)
    world.advance_to(2.0)
    for gate in (dead, stuck):
        gate.move_to("right")
    world.advance_to(3.0)
    assert dead.coordinate(3.0) == 1.0
    assert stuck.coordinate(3.0) == pytest.approx(0.5)
    assert stuck.held(2.0, 3.0) is None


def test_a_slow_gate_takes_longer_and_a_repaired_one_does_not(make_world):
    gate = (world := make_world()).gates["g1"]
    gate.break_down(GateFault.SLOW, slowness=5.0)
    gate.move_to("left")
    world.advance_to(0.3)
    assert 0 < gate.coordinate(0.3) < 1
    world.advance_to(1.0)
    gate.break_down(GateFault.NONE)
    gate.move_to("pass")
    assert gate.coordinate(1.13) == 1.0


def test_a_command_during_a_movement_turns_the_gate_from_where_it_is(make_world):
    gate = (world := make_world()).gates["g1"]
    gate.move_to("left")
    world.advance_to(0.05)
    gate.move_to("right")
    here = gate.coordinate(0.07)
    assert here == pytest.approx(0.5)
    assert gate.coordinate(0.0701) > here
    assert gate.coordinate(0.18) == 2.0


def test_every_part_ends_once_whatever_the_gates_do(make_world):
    world = make_world(parts=150, parts_per_min=150, touching_share=0.1, arrivals="poisson")
    rng = np.random.default_rng(5)

    def stir(now_s: float) -> None:
        if rng.random() < 0.02:
            world.gates[str(rng.choice(["g1", "g2"]))].move_to(str(rng.choice(["left", "pass", "right"])))

    world.on_tick(stir)
    world.run()
    assert world.finished
    assert len(world.truth) == 150
    assert [part.part_id for part in world.truth] == list(range(150))
    ends = Counter(part.bin for part in world.truth)
    assert set(ends) == {"a", "b", "c", "d", "rest"}
    assert all(part.ended_s is not None and part.ended_s > part.fed_s for part in world.truth)
    assert any(part.struck for part in world.truth)


def test_the_same_seed_gives_the_same_run_and_another_does_not(make_world):
    def run(seed: int):
        world = make_world(parts=20, seed=seed, belt=BeltSettings(), arrivals="poisson")
        world.run()
        return [(p.colour.code, p.yaw_deg, p.x_belt_mm, p.y_mm, p.fed_s, p.ended_s) for p in world.truth]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_advancing_in_odd_steps_changes_neither_fates_nor_ticks(make_world):
    one, other = make_world(parts=3), make_world(parts=3)
    ticks: dict[int, list[float]] = {1: [], 2: []}
    one.on_tick(ticks[1].append)
    other.on_tick(ticks[2].append)
    one.advance_to(4.0)
    for instant_s in np.arange(0.0, 4.0, 0.0137):
        other.advance_to(float(instant_s))
    other.advance_to(4.0)
    assert ticks[1] == ticks[2]
    assert len(ticks[1]) == 800
    assert [p.fed_s for p in one.truth] == pytest.approx([p.fed_s for p in other.truth], abs=0.006)


def test_the_feeder_keeps_the_rate_and_the_gap(make_world):
    world = make_world(parts=60, parts_per_min=60)
    world.run()
    fed_s = [part.fed_s for part in world.truth]
    assert 59 * 0.85 < fed_s[-1] - fed_s[0] < 59 * 1.15
    gaps_mm = [b.lead_belt_mm - a.trail_belt_mm for a, b in zip(world.truth, world.truth[1:], strict=False)]
    assert min(gaps_mm) >= 12.0 - 1e-6
    assert not any(part.touching for part in world.truth)


def test_parts_wait_for_room_when_they_come_too_fast(make_world):
    world = make_world(parts=30, parts_per_min=600)
    world.run()
    gaps_mm = [b.lead_belt_mm - a.trail_belt_mm for a, b in zip(world.truth, world.truth[1:], strict=False)]
    assert min(gaps_mm) >= 12.0 - 1e-6
    assert max(gaps_mm) < 16.0


def test_touching_parts_come_in_pairs_that_touch(make_world):
    world = make_world(parts=40, touching_share=0.5, parts_per_min=30)
    world.run()
    together = [(a, b) for a, b in zip(world.truth, world.truth[1:], strict=False) if a.fed_s == b.fed_s]
    assert 4 < len(together) < 20
    for before, part in together:
        assert before.touching
        assert part.touching
        # Squares of 16 mm, however turned, have their middles 16 to 23 mm apart when they touch without overlapping.
        distance_mm = np.hypot(part.x_belt_mm - before.x_belt_mm, part.y_mm - before.y_mm)
        assert 15.5 < distance_mm < 23.0
    assert not any(part.touching for part in world.truth if _is_alone(part, together))


def _is_alone(part, pairs):
    return all(part not in pair for pair in pairs)


def test_a_stalled_belt_ends_the_run_with_its_parts_lost(make_world):
    world = make_world(parts=5)
    _feed_one(world)
    world.belt.stalled = True
    world.run()
    assert world.finished
    assert all(part.bin is None for part in world.truth)
    assert world.on_way == tuple(world.truth)


def test_the_machines_own_belt_reading_is_noted_for_each_part(make_world):
    world = make_world(parts=2)
    world.read_belt_mm = lambda: world.belt.travel_mm + 70.0
    world.run()
    for part in world.truth:
        assert part.seen_belt_mm == pytest.approx(part.x_belt_mm + 70.0)


def test_a_clock_that_another_has_moved_on_is_caught_up_with(make_world):
    world = make_world()
    world.advance_to(1.0)
    world.clock.advance(0.5)
    world.advance_to(2.0)
    assert world.belt.travel_mm == pytest.approx(200.0, abs=0.6)


def test_a_jam_catches_the_next_part_and_those_behind_it_and_lets_them_go_again(make_world):
    world = make_world(parts=4, parts_per_min=120)
    world.on_tick(lambda _now_s: [setattr(part, "y_mm", 0.0) for part in world.on_way])
    world.mishaps.jam(395.0)
    world.advance_to(12.0)
    standing = world.mishaps.standing
    assert len(standing) >= 2
    stations = [world.belt.travel_mm - part.lead_belt_mm for part in standing]
    assert stations[0] == pytest.approx(395.0, abs=1.0)
    world.advance_to(14.0)
    assert [world.belt.travel_mm - part.lead_belt_mm for part in standing] == pytest.approx(stations)
    assert not any(part.bin for part in world.truth)
    world.mishaps.free()
    world.run()
    assert [part.bin for part in world.truth] == ["rest"] * 4
    assert all(part.ended_s > 14.0 for part in standing)


def test_a_part_that_falls_off_ends_nowhere_and_no_other_does(make_world):
    world = make_world(parts=3)
    world.mishaps.fall_off(200.0)
    world.run()
    assert [part.bin for part in world.truth] == [None, "rest", "rest"]
    assert world.truth[0].why == "fell off"


def test_a_bar_is_one_part_as_long_as_it_was_asked_for(make_world):
    world = make_world(parts=3)
    world.mishaps.bar_mm = 300.0
    world.run()
    lengths = [part.trail_belt_mm - part.lead_belt_mm for part in world.truth]
    assert lengths[0] == pytest.approx(300.0)
    assert max(lengths[1:]) < 30.0
    assert world.truth[1].lead_belt_mm >= world.truth[0].trail_belt_mm + 12.0 - 1e-3
    assert {part.bin for part in world.truth} == {"rest"}


def test_parts_that_somebody_drops_come_one_after_another_and_are_those_that_were_chosen(make_world):
    world = make_world(parts=9)
    world.feeder.set_rate(0)
    world.drop([Wanted("3003", 4), Wanted("3003", 14)], every_s=2.0)
    world.advance_to(5.0)
    assert [(part.family, part.colour.code) for part in world.truth] == [("3003", 4), ("3003", 14)]
    assert world.truth[1].fed_s - world.truth[0].fed_s == pytest.approx(2.0, abs=0.02)


def test_nothing_is_dropped_on_a_belt_that_stands(make_world):
    world = make_world(parts=9)
    world.feeder.set_rate(0)
    world.belt_motor.stop()
    world.drop([Wanted("3003", 4)], every_s=2.0)
    world.advance_to(5.0)
    assert world.truth == []
    world.belt_motor.start()
    world.advance_to(6.0)
    assert len(world.truth) == 1


def test_a_feeder_gives_what_its_hopper_holds_and_then_nothing(make_world):
    world = make_world(parts=9, parts_per_min=60.0)
    world.hopper = deque([Wanted("3003", 1), Wanted(colour=4)])
    world.advance_to(10.0)
    assert [part.colour.code for part in world.truth] == [1, 4]


def test_a_part_without_sprites_cannot_be_dropped(make_world):
    world = make_world(parts=9)
    world.drop([Wanted("9999")], every_s=2.0)
    with pytest.raises(InputError, match="no sprites of part 9999"):
        world.advance_to(1.0)


@pytest.mark.parametrize(("back_s", "bin_"), [(0.04, "rest"), (0.07, "a")])
def test_a_gate_that_is_called_back_half_way_turns_round(make_world, back_s, bin_):
    """It takes the part only where it got past the middle between two positions, 0.05 s after it began to move."""
    world = make_world()
    part = _feed_one(world)
    meets_s = _meets_s(world, part, part.x_belt_mm, 400.0)
    world.advance_to(meets_s - 0.02 - back_s)
    world.gates["g1"].move_to("left")
    world.advance_to(meets_s - 0.02)
    world.gates["g1"].move_to("pass")
    world.run()
    assert part.bin == bin_


@pytest.mark.parametrize(("short_mm", "bin_"), [(3.0, "a"), (-3.0, "rest")])
def test_a_gate_that_moves_while_the_belt_stands_takes_what_has_not_come_to_it(make_world, short_mm, bin_):
    world = make_world()
    part = _feed_one(world)
    world.advance_to(_meets_s(world, part, part.x_belt_mm, 400.0 - short_mm))
    world.belt_motor.stop()
    world.gates["g1"].move_to("left")
    world.advance_to(world.clock.now_s() + 1.0)
    world.belt_motor.start()
    world.run()
    assert part.bin == bin_


def test_what_is_carried_over_the_start_of_a_belt_comes_again(make_world):
    world = make_world(parts=2, parts_per_min=60.0)
    world.settings = replace(world.settings, ends_mm=(-40.0, 700.0))
    while len(world.truth) < 2:
        world.advance_to(world.clock.now_s() + 0.1)
    world.belt_motor.stop()
    world.feeder.set_rate(0)
    world.advance_to(world.clock.now_s() + 1.0)
    world.belt_motor.reverse()
    world.advance_to(world.clock.now_s() + 6.0)
    assert world.on_way == ()
    assert [part.why for part in world.truth] == ["went back", "went back"]
    world.belt_motor.stop()
    world.advance_to(world.clock.now_s() + 1.0)
    world.belt_motor.start()
    world.feeder.set_rate(60)
    world.run()
    assert [part.bin for part in world.truth] == [None, None, "rest", "rest"]
    assert [part.fed_again_as for part in world.truth] == [3, 2, None, None], "the last on the belt fell back first"
    # It ends at the belt's end, and not at the last gate.
    assert world.belt.travel_mm - world.truth[3].x_belt_mm >= 700.0


def test_a_part_that_was_not_carried_all_the_way_passes_the_gates_again(make_world):
    world = make_world()
    world.settings = replace(world.settings, ends_mm=(-400.0, 700.0))
    world.advance_to(6.0)
    (part,) = world.truth
    gate_mm = world.gates["g1"].x_mm
    assert world.belt.travel_mm - part.x_belt_mm > gate_mm + 30
    world.belt_motor.stop()
    world.advance_to(7.0)
    world.belt_motor.reverse()
    world.advance_to(9.5)
    world.belt_motor.stop()
    world.advance_to(10.0)
    world.gates["g1"].move_to("left")
    world.belt_motor.start()
    world.run()
    assert (part.bin, part.struck) == ("a", ())


def test_a_gate_that_is_not_at_rest_strikes_what_is_carried_back(make_world):
    world = make_world()
    world.settings = replace(world.settings, ends_mm=(-40.0, 700.0))
    world.advance_to(6.0)
    world.belt_motor.stop()
    world.gates["g1"].move_to("left")
    world.advance_to(7.0)
    world.belt_motor.reverse()
    world.advance_to(14.0)
    assert world.truth[0].struck == ("g1",)


def test_a_belt_is_not_turned_while_it_runs(make_world):
    world = make_world()
    world.advance_to(1.0)
    with pytest.raises(HardwareError, match="let it stand first"):
        world.belt_motor.reverse()
    assert world.belt.speed_mm_per_s > 0
