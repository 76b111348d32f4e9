"""A simulated belt whose end leads back to the feeder, and the truth about the parts that went round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.sim.parts import SimPart
from edge.sim.score import Decided, Fate, fate_of, score
from edge.sim.settings import ReturnSettings

SQUARE = np.array([[-8, -8], [8, -8], [8, 8], [-8, 8]], np.float32)


def _going_round(make_world, most_rounds=10, **feed):
    world = make_world(**feed)
    world.settings = replace(world.settings, returns=ReturnSettings(way_s=3.0, most_rounds=most_rounds))
    return world


def test_a_part_that_comes_to_the_end_of_a_belt_that_recirculates_is_fed_again_as_it_then_lies(make_world):
    world = _going_round(make_world, most_rounds=2)
    world.run()
    assert (world.fed, len(world.truth)) == (1, 3)
    first, second, third = world.truth
    assert [part.fed_again_as for part in world.truth] == [1, 2, None]
    assert [part.rounds for part in world.truth] == [0, 1, 2]
    assert {(part.family, part.colour.code) for part in world.truth} == {(first.family, first.colour.code)}
    assert len({part.yaw_deg for part in world.truth}) == 3
    assert second.fed_s - first.ended_s >= 3.0
    assert third.bin == "rest"


def test_a_part_that_is_sorted_the_second_time_ends_there(make_world):
    world = _going_round(make_world)
    while len(world.truth) < 2:
        world.advance_to(world.clock.now_s() + 0.1)
    world.gates["g1"].move_to("left")
    world.run()
    assert [part.bin for part in world.truth] == ["rest", "a"]


def test_what_has_come_back_lies_on_top_of_what_is_new(make_world):
    world = _going_round(make_world, most_rounds=1, parts=40, parts_per_min=60.0)
    world.run()
    assert (world.fed, len(world.truth)) == (40, 80)
    assert any(part.rounds for part in world.truth[:40])


def test_a_run_goes_on_for_a_while_when_the_last_part_has_ended(make_world):
    world = make_world()
    world.settings = replace(world.settings, linger_s=4.0)
    world.run()
    assert world.clock.now_s() - world.truth[0].ended_s == pytest.approx(4.0, abs=0.3)


def _ride(number: int, bin_: str | None, next_: int | None = None) -> SimPart:
    part = SimPart(number, "3003", "3003", load_colours()[0], 0, 0.0, 9.6, SQUARE, 0.0, seen_belt_mm=400.0 * number)
    part.bin, part.fed_again_as = bin_, next_
    return part


def test_a_part_counts_where_it_was_last_and_once():
    truth = [_ride(0, "back", 2), _ride(1, "a"), _ride(2, "back", 3), _ride(3, "a"), _ride(4, "back")]
    tracks = [Decided(400.0 * number, 0.0, "3003", number == 4, "a") for number in range(5)]
    result = score(truth, tracks, lambda part: ("a",), ("a",), "back", "rest")
    assert (result.parts_fed, result.again, result.matched) == (3, 2, 3)
    assert (result.fates[Fate.RIGHT], result.fates[Fate.REFUSED]) == (2, 1)
    assert (result.purity, result.recovery) == (1.0, pytest.approx(2 / 3))
    assert result.bins["rest"].wanted == result.bins["back"].wanted == 0


@pytest.mark.parametrize(
    ("bin_", "wanted", "fate"),
    [
        ("rest", (), Fate.RIGHT),
        ("rest", ("a",), Fate.UNSURE),
        ("back", (), Fate.UNSURE),
        ("back", ("a",), Fate.UNSURE),
        ("a", (), Fate.WRONG),
    ],
)
def test_leftovers_have_a_bin_of_their_own_where_the_default_bin_comes_back(bin_, wanted, fate):
    assert fate_of(_ride(0, bin_), wanted, None, "rest", "back") is fate
