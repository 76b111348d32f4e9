"""The planner's rules, one by one, on West's line of gates (150 mm/s, 0.19 s a movement)."""

from __future__ import annotations

import pytest

from edge.errors import ConfigError
from edge.scheduling.topology import Fork, GateSettings, Topology

PART_MM = 30.0


@pytest.fixture
def planner(scheduling):
    return scheduling.planner(scheduling.line(3))


@pytest.fixture
def plan(planner, scheduling):
    """Plans a part whose leading edge is at a station now, the belt's travel being 1,000 mm."""

    def ask(track_id, lead_x_mm, *bins, now_mm=1000.0, length_mm=PART_MM):
        lead_mm = 1000.0 - lead_x_mm
        extent = (lead_mm, lead_mm + length_mm, now_mm, scheduling.speed_mm_per_s)
        if not bins:
            return planner.plan_default(track_id, *extent)
        return planner.plan(scheduling.decide(track_id, *bins), *extent)

    return ask


def test_a_free_way_is_granted_with_the_part_and_its_margins(plan):
    answer = plan(1, 200, "l2")
    assert (answer.bin, answer.refused) == ("l2", False)
    assert [(c.gate, c.position) for c in answer.commands] == [("g1", "pass"), ("g2", "left")]
    first = answer.commands[0]
    assert (first.from_belt_mm, first.to_belt_mm) == (800 + 400 - 6, 800 + 30 + 400 + 6)


def test_a_part_without_a_bin_holds_every_gate_at_pass(plan):
    answer = plan(1, 200)
    assert (answer.bin, answer.refused, answer.why) == ("rest", False, "")
    assert [(c.gate, c.position) for c in answer.commands] == [("g1", "pass"), ("g2", "pass"), ("g3", "pass")]


def test_the_default_bin_can_be_asked_for_and_is_no_refusal(plan):
    answer = plan(1, 200, "rest")
    assert (answer.bin, answer.refused) == ("rest", False)


def test_neighbours_that_agree_share_the_position(plan):
    assert not plan(1, 250, "l2").refused
    assert not plan(2, 215, "l2").refused


def test_a_neighbour_too_close_to_move_between_is_refused_with_gate_and_track(plan):
    plan(1, 250)
    answer = plan(2, 210, "l1")
    assert (answer.bin, answer.refused) == ("rest", True)
    assert answer.why == "g1 holds pass for track 1"


def test_a_neighbour_far_enough_to_move_between_is_served(plan):
    plan(1, 250)
    gap_mm = 0.19 * 150 * 1.1 + 2 * 6
    assert not plan(2, 250 - PART_MM - gap_mm - 0.1, "l1").refused
    assert plan(3, 250 - 2 * (PART_MM + gap_mm) + 0.3, "r1").refused


def test_candidates_are_tried_in_their_order(plan):
    plan(1, 250)
    answer = plan(2, 210, "l1", "r1", "rest")
    assert (answer.bin, answer.refused) == ("rest", True)
    plan(3, 100, "r1")
    assert plan(4, 65, "l1", "r1").bin == "r1"


def test_a_gate_too_near_to_move_is_refused(plan):
    answer = plan(1, 390, "l1")
    assert (answer.bin, answer.refused) == ("rest", True)
    assert answer.why == "g1 is too near to move in time, 4 mm ahead"


def test_a_part_given_up_late_makes_the_one_before_it_give_way(plan):
    assert plan(1, 250, "l1").bin == "l1"
    answer = plan(2, 215)
    assert (answer.bin, answer.refused) == ("rest", False)
    assert [(p.track_id, p.bin, p.refused) for p in answer.revised] == [(1, "rest", True)]
    assert answer.revised[0].why == "made way for track 2 at g1"


def test_who_gives_way_gets_another_of_its_bins_where_a_gate_is_quick_enough(scheduling):
    slow = GateSettings("slow", 400, ("out", "pass"), "pass", 0.02, 0.5)
    quick = GateSettings("quick", 600, ("out", "pass"), "pass", 0.0, 0.02, settle_s=0.0)
    layout = Fork("slow", {"out": "first", "pass": Fork("quick", {"out": "second", "pass": "rest"})})
    planner = scheduling.planner(Topology(layout, [slow, quick], "rest"))
    decision = scheduling.decide(1, "first", "second")
    assert planner.plan(decision, -200, -170, 0, 150.0).bin == "first"
    answer = planner.plan_default(2, -140, -110, 0, 150.0)
    assert [(p.track_id, p.bin, p.refused, p.why) for p in answer.revised] == [(1, "second", False, "")]


def test_giving_way_passes_on_along_the_belt(plan):
    assert plan(1, 300, "l1").bin == "l1"
    assert plan(2, 265, "l1").bin == "l1"
    answer = plan(3, 230)
    assert {p.track_id: p.bin for p in answer.revised} == {1: "rest", 2: "rest"}


def test_a_part_behind_a_gate_that_already_moves_follows_it_and_says_so(plan):
    plan(1, 300, "l1")
    answer = plan(2, 345 - 35, now_mm=1060.0)
    assert (answer.bin, answer.refused) == ("l1", True)
    assert answer.why == "g1 holds left for track 1, too late to undo"
    assert answer.revised == ()


def test_neighbours_that_wait_for_each_other_are_both_served_when_they_agree(plan):
    plan(1, 200)
    plan(2, 165)
    assert plan(1, 200, "l1").why == "g1 holds pass for track 2"
    answer = plan(2, 165, "l1")
    assert answer.bin == "l1"
    assert [(p.track_id, p.bin, p.refused) for p in answer.revised] == [(1, "l1", False)]


def test_neighbours_that_wait_for_each_other_ride_on_when_they_disagree(plan):
    plan(1, 200)
    plan(2, 165)
    assert plan(1, 200, "l1").bin == "rest"
    answer = plan(2, 165, "r1")
    assert (answer.bin, answer.why, answer.revised) == ("rest", "g1 holds pass for track 1", ())


def test_planning_a_track_again_replaces_its_plan(plan, planner, scheduling):
    plan(1, 200, "l2")
    assert plan(1, 200, "r1").bin == "r1"
    assert not plan(2, 200 - 31, "r1").refused
    scheduling.check_promises(planner, scheduling.line(3))


def test_measuring_noise_keeps_the_plan_and_a_true_change_does_not(plan):
    gap_mm = 0.19 * 150 * 1.1 + 2 * 6
    before = plan(1, 250, "l1")
    plan(2, 250 - PART_MM - gap_mm - 0.1, "r1")
    assert plan(1, 248.5, "l1") == before
    moved = plan(1, 246, "l1")
    assert (moved.bin, moved.why) == ("rest", "g1 holds right for track 2")


def test_a_late_command_sends_the_rest_of_the_way_to_the_default_bin(plan, planner):
    plan(1, 300, "l1")
    answer = planner.divert(1, "g1", "pass", 1070.0, 150.0)
    assert (answer.bin, answer.refused) == ("rest", True)
    assert [(c.gate, c.position) for c in answer.commands] == [("g1", "pass"), ("g2", "pass"), ("g3", "pass")]
    assert answer.why == "g1 was late and stayed at pass"


def test_a_late_command_tells_the_bin_that_the_gate_chose(plan, planner):
    plan(1, 300, "l1")
    assert planner.divert(1, "g1", "right", 1070.0, 150.0).bin == "r1"


def test_an_unknown_track_cannot_be_diverted(planner):
    assert planner.divert(99, "g1", "pass", 0.0, 150.0) is None


def test_a_standing_belt_plans_for_the_speed_it_will_run_at(planner, scheduling):
    planner.plan_default(1, 750, 780, 1000, 0.0)
    assert planner.plan(scheduling.decide(2, "l1"), 790, 820, 1000, 0.0).refused


def test_a_bin_without_a_way_is_refused(plan):
    answer = plan(1, 200, "nowhere")
    assert (answer.refused, answer.why) == (True, "no way leads to nowhere")


def test_a_branch_without_the_default_bin_is_left_by_the_way_that_has_one(scheduling):
    topology = scheduling.tree()
    assert topology.default_path == (("top", "a"), ("right", "a"), ("last", "a"))
    assert topology.paths("l2") == ((("top", "b"), ("left", "b")),)


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        (Fork("g7", {"a": "rest"}), "gate 'g7' is not in the machine"),
        (Fork("g1", {"up": "rest"}), "gate 'g1' has no position 'up': a, b"),
        (Fork("g1", {"a": "bin", "b": "bin"}), "no way leads to the default bin 'rest'"),
        (Fork("g1", {"a": Fork("g1", {"a": "rest"}), "b": "x"}), "gate 'g1' comes twice"),
    ],
)
def test_a_layout_that_cannot_be_is_named(layout, problem):
    with pytest.raises(ConfigError, match=problem):
        Topology(layout, [GateSettings("g1", 100, ("a", "b"), "a", 0.0, 0.1)], "rest")
