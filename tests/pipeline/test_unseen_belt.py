"""What lay on the belt before the run: nobody knows it, so it rides to the default bin."""

from __future__ import annotations


def test_gates_keep_still_until_what_nobody_saw_has_passed(drawn_machine):
    belt = drawn_machine((-60.0, "red"), (60.0, "red"))
    belt.machine.pipeline.ride_out(0.0, 400.0)
    moved_mm = []
    belt.run(8.0, lambda: moved_mm.append((belt.clock.now_s() * 100, len(belt.gates["g1"].moves))))
    assert belt.recorded == [(1, "box", "certain"), (2, "reds", "certain")]
    assert belt.gates["g1"].moves == ["left", "pass"]
    assert all(moves == 0 for travel_mm, moves in moved_mm if travel_mm < 306)


def test_without_it_a_part_in_view_at_the_start_is_sorted(drawn_machine):
    belt = drawn_machine((-60.0, "red"))
    belt.run(6.0)
    assert belt.recorded == [(1, "reds", "certain")]
