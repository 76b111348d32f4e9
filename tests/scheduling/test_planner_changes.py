"""What changes after a plan was made: gates out of service, a faster belt, longer parts, parts half on their way."""

from __future__ import annotations

import pytest

from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Action, Fork, GateSettings, Topology

NOW_MM = 1000.0
LENGTH_MM = 30.0


@pytest.fixture
def planner(scheduling):
    return scheduling.planner(scheduling.line(3))


@pytest.fixture
def plan(planner, scheduling):
    """Plans a part whose leading edge is at a station when the belt's travel is 1,000 mm."""

    def ask(track_id, lead_x_mm, *bins, now_mm=NOW_MM, length_mm=LENGTH_MM, of=planner):
        lead_mm = NOW_MM - lead_x_mm
        extent = (lead_mm, lead_mm + length_mm, now_mm, scheduling.speed_mm_per_s)
        if not bins:
            return of.plan_default(track_id, *extent)
        return of.plan(scheduling.decide(track_id, *bins), *extent)

    return ask


def positions(plan):
    return [(command.gate, command.position) for command in plan.commands]


def test_bins_behind_a_gate_out_of_service_are_refused_by_its_name(plan, planner):
    planner.out_of_service("g1")
    assert planner.gates_out_of_service == {"g1"}
    answer = plan(1, 200, "l1")
    assert (answer.bin, answer.refused, answer.why) == ("rest", True, "gate g1 is out of service")
    assert plan(2, 100, "l2").bin == "l2"
    planner.in_service("g1")
    assert plan(3, 20, "l1").bin == "l1"


def test_another_bin_that_would_do_is_taken_instead(plan, planner):
    planner.out_of_service("g1")
    assert plan(1, 200, "l1", "l3").bin == "l3"


def test_parts_promised_a_bin_of_a_gate_that_goes_out_of_service_are_planned_anew(plan, planner):
    plan(1, 200, "l2")
    plan(2, 100, "l2", "r3")
    plan(3, 20, "l1")
    planner.out_of_service("g2")
    revised = {p.track_id: p for p in planner.keep_up(NOW_MM, 150.0)}
    assert {track_id: p.bin for track_id, p in revised.items()} == {1: "rest", 2: "r3"}
    assert (revised[1].refused, revised[1].why) == (True, "gate g2 is out of service")
    assert positions(revised[1]) == [("g1", "pass"), ("g2", "pass"), ("g3", "pass")]
    assert planner.keep_up(NOW_MM, 150.0) == ()


def test_a_part_in_a_bin_s_way_when_a_gate_fails_is_told_of_both_gates(scheduling, plan):
    quick, slow = (
        GateSettings(n, x, ("pass", "left"), "pass", 0.02, t) for n, x, t in (("g1", 400, 0), ("g2", 520, 0.4))
    )
    layout = Fork("g1", {"left": "l1", "pass": Fork("g2", {"left": "l2", "pass": "rest"})})
    planner = scheduling.planner(Topology(layout, [quick, slow], "rest"))
    assert plan(1, 200, "l2", of=planner).bin == "l2"
    assert plan(2, 130, "l1", of=planner).bin == "l1"
    planner.out_of_service("g1")
    (revised,) = planner.keep_up(NOW_MM + 240, 150.0)
    assert (revised.track_id, revised.bin, revised.refused) == (2, "l2", True)
    assert revised.why == "gate g1 is out of service; g2 holds left for track 1, too late to undo"


def test_a_gate_that_is_none_cannot_go_out_of_service(planner):
    with pytest.raises(ValueError, match="no gate 'g7'"):
        planner.out_of_service("g7")


def test_with_a_gate_out_of_service_the_default_way_is_by_its_rest(scheduling):
    settings = [GateSettings("g", 400, ("a", "b"), "a", 0.02, 0.15)]
    planner = scheduling.planner(Topology(Fork("g", {"a": "wrong", "b": "rest"}), settings, "rest"))
    planner.out_of_service("g")
    answer = planner.plan_default(1, 900, 930, NOW_MM, 150.0)
    assert (answer.bin, answer.refused) == ("wrong", True)
    assert answer.why == "no way leads to rest while a gate is out of service"


def test_a_belt_that_runs_faster_than_planned_for_costs_parts_too_near_their_bins(plan, planner):
    gap_mm = 0.19 * 150 * 1.1 + 2 * 6
    plan(1, 250, "l1")
    assert plan(2, 250 - LENGTH_MM - gap_mm - 1, "r1").bin == "r1"
    assert planner.keep_up(NOW_MM, 150.0) == ()
    revised = planner.keep_up(NOW_MM, 180.0)
    assert {p.track_id: p.bin for p in revised} == {1: "rest", 2: "rest"}
    assert revised[0].why == "the belt became too fast for g1 to move in time"
    assert planner.keep_up(NOW_MM, 180.0) == ()


def test_a_gate_that_moves_for_a_part_is_held_for_as_long_as_it_turns_out_to_be(plan):
    plan(1, 355, length_mm=30)
    answer = plan(1, 355, length_mm=80)
    assert answer.commands[0].to_belt_mm == pytest.approx(NOW_MM - 355 + 80 + 400 + 6)


def test_a_far_end_that_comes_into_view_does_not_cost_a_part_its_place_by_the_noise_of_its_near_edge(plan):
    assert plan(1, 250, "l1").bin == "l1"
    assert plan(2, 176.4, "l2").bin == "l2"
    answer = plan(2, 176.4 + 1, "l2", now_mm=NOW_MM + 110, length_mm=LENGTH_MM + 6)
    assert (answer.bin, answer.commands[0].position) == ("l2", "pass")


def test_a_part_measured_within_the_margin_of_a_gate_that_moves_for_another_is_not_given_up_to_it(plan):
    plan(1, 250, "l1")
    plan(2, 176.4, "l2")
    answer = plan(2, 176.4 + 2.6, "l2", now_mm=NOW_MM + 110)
    assert (answer.bin, answer.why) == ("rest", "g1 holds left for track 1")
    stands_mm = NOW_MM - 250 + LENGTH_MM + 400 + 6 + 0.19 * 150 * 1.1
    command = answer.commands[0]
    assert (command.gate, command.position, command.from_belt_mm) == ("g1", "pass", pytest.approx(stands_mm))


def test_a_part_planned_anew_asks_only_for_gates_that_it_has_not_passed(plan):
    plan(1, 200, "l3")
    answer = plan(1, 200, "r3", now_mm=NOW_MM + 300)
    assert positions(answer) == [("g2", "pass"), ("g3", "right")]


def test_three_that_want_the_same_are_all_served_once_the_last_is_decided(plan):
    for track_id, lead_x_mm in ((1, 200), (2, 165), (3, 130)):
        plan(track_id, lead_x_mm)
    assert plan(1, 200, "l1").refused
    assert plan(3, 130, "l1").refused
    answer = plan(2, 165, "l1")
    assert (answer.bin, {p.track_id: p.bin for p in answer.revised}) == ("l1", {1: "l1", 3: "l1"})


def test_a_neighbour_with_several_bins_changes_to_the_one_that_suits_both(plan):
    assert plan(1, 200, "l1", "l2").bin == "l1"
    assert plan(2, 165, "l2").bin == "l2"
    assert plan(1, 200, "l1", "l2").bin == "l2"


def test_a_row_is_refused_that_could_not_be_undone_for_what_follows_it_unseen(scheduling, plan):
    careful = Planner(scheduling.line(3), PlannerSettings(scheduling.speed_mm_per_s, known_by_mm=60))
    assert plan(1, 200, "l1", of=careful, length_mm=130).bin == "l1"
    answer = plan(2, 65, "l1", of=careful, length_mm=130)
    assert (answer.bin, answer.why) == ("rest", "g1 would move before the camera sees what follows")
    assert {p.track_id: p.bin for p in answer.revised} == {1: "rest"}


def test_strokes_are_given_to_one_part_each(scheduling, plan):
    gates = [GateSettings("g", 400, ("pass", "push"), "pass", 0.02, 0.15, action=Action.STROKE)]
    planner = scheduling.planner(Topology(Fork("g", {"push": "bin", "pass": "rest"}), gates, "rest"))
    assert plan(1, 250, "bin", of=planner).bin == "bin"
    answer = plan(2, 215, "bin", of=planner)
    assert (answer.bin, answer.refused, answer.why) == ("rest", True, "g holds push for track 1")
    assert [p.bin for p in answer.revised] == ["rest"]
    (stroke,) = plan(3, 100, "bin", of=planner).commands
    assert (stroke.position, stroke.from_belt_mm) == ("push", NOW_MM - 100 + 15 + 400)


def test_load_is_the_share_of_the_belt_that_the_busiest_gate_is_taken_for(plan, planner):
    now = (NOW_MM, 150.0)
    assert planner.load(*now) == 0
    plan(1, 200, "l1")
    taken_mm = LENGTH_MM + 2 * 6 + 0.19 * 150 * 1.1
    assert planner.load(*now) == pytest.approx(taken_mm / 400)
    for track_id in range(2, 14):
        plan(track_id, 200 - 40 * track_id)
    assert 0.4 < planner.load(*now) < 1


def test_a_part_decided_behind_all_gates_is_refused_though_its_neighbour_is_still_booked(scheduling, plan):
    """The control loop stood still for seconds: the planner has forgotten the part, its neighbour not yet."""
    planner = scheduling.planner(scheduling.line(1))
    plan(1, 200, of=planner)
    plan(2, 150, of=planner)
    answer = plan(1, 200, "l1", of=planner, now_mm=NOW_MM + 360)
    assert (answer.bin, answer.refused, answer.commands, answer.revised) == ("rest", True, (), ())
