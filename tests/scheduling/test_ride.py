"""Random machines, parts, decisions and speeds, ridden through in virtual time against the gates' true movement."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SEEN_MM = 256.0
"""Every part is decided, or given up, before it leaves the seen belt."""


@dataclass(frozen=True)
class Part:
    gap_mm: float
    length_mm: float
    decided_at_mm: float
    choices: tuple[int, ...]
    """Indices of the bins that would do; none for a part that nobody could name."""


parts = st.lists(
    st.builds(
        Part,
        gap_mm=st.floats(0.5, 160),
        length_mm=st.floats(8, 80),
        decided_at_mm=st.floats(30, SEEN_MM),
        choices=st.lists(st.integers(0, 5), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=12,
)
speeds = st.lists(st.tuples(st.floats(0.05, 1.5), st.sampled_from([0.0, 60.0, 130.0, 150.0, 154.0])), max_size=6)


def ride(scheduling, topology, parts, speeds):
    """Feeds the parts, plans each when it is seen and again when it is decided; returns its way and wishes."""
    bench = scheduling.bench(topology)
    extents, events, lead_mm = {}, [], 0.0
    for track_id, part in enumerate(parts):
        extents[track_id] = (lead_mm, lead_mm + part.length_mm)
        seen_mm = lead_mm + part.length_mm + 2
        events.append((seen_mm, track_id, ()))
        decided_mm = min(max(seen_mm + 1, lead_mm + part.decided_at_mm), lead_mm + SEEN_MM)
        wishes = tuple(dict.fromkeys(topology.bins[i % len(topology.bins)] for i in part.choices))
        events.append((decided_mm, track_id, wishes))
        lead_mm += part.length_mm + part.gap_mm
    wishes_of = {}
    changes = [(0.0, scheduling.speed_mm_per_s), *speeds]
    for at_mm, track_id, wishes in sorted(events):
        while bench.belt.travel_mm < at_mm:
            if changes:
                duration_s, bench.belt.mm_per_s = changes.pop(0)
                bench.run(duration_s)
            else:
                bench.belt.mm_per_s = scheduling.speed_mm_per_s
                bench.run(0.02)
        if wishes:
            bench.plan(scheduling.decide(track_id, *wishes), *extents[track_id])
        else:
            bench.protect(track_id, *extents[track_id])
        wishes_of[track_id] = wishes
        scheduling.check_promises(bench.planner, topology)
    bench.belt.mm_per_s = scheduling.speed_mm_per_s
    bench.run((max(g.x_mm for g in topology.gates.values()) + lead_mm + 500) / 150)
    return bench, extents, wishes_of


@pytest.mark.parametrize("shape", ["line", "tree"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=parts, speeds=speeds)
def test_every_part_ends_in_the_bin_of_its_plan_and_no_gate_moves_under_it(scheduling, shape, parts, speeds):
    topology = scheduling.line(3) if shape == "line" else scheduling.tree()
    # A part that jumps with the belt past its planning moment is a fault of the test, not of the plan.
    bench, extents, wishes_of = ride(scheduling, topology, parts, [s for s in speeds if s[0] < 0.3])
    for track_id, extent in extents.items():
        plan = bench.plans[track_id]
        assert bench.bin_reached(*extent) == plan.bin, (track_id, plan)
        assert plan.bin in {*wishes_of[track_id], "rest"}, plan
        assert not plan.refused or plan.why
        wanted_default = not wishes_of[track_id] or wishes_of[track_id][0] == "rest"
        assert plan.refused == (plan.bin == "rest" and not wanted_default)
    assert not bench.failures
    assert all(report.status == "done" for report in bench.reports)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=parts, passed=st.integers(1, 60))
def test_plans_do_not_depend_on_how_many_parts_went_before(scheduling, parts, passed):
    def plans(history):
        planner = scheduling.planner(scheduling.line(3))
        now_mm = 1e5
        for i in range(history):
            lead_mm = now_mm - 3000 - 60 * (history - i)
            planner.plan(scheduling.decide(10_000 + i, "l1"), lead_mm, lead_mm + 20, lead_mm + 200, 150.0)
        answers, lead_mm = [], now_mm
        for track_id, part in enumerate(parts):
            wishes = tuple(dict.fromkeys(planner_bins[i % 6] for i in part.choices)) or ("rest",)
            decision = scheduling.decide(track_id, *wishes)
            extent = (lead_mm, lead_mm + part.length_mm)
            answers.append(planner.plan(decision, *extent, lead_mm + 200, 150.0))
            lead_mm += part.length_mm + part.gap_mm
        return answers, sum(len(part.reservations) for part in planner.bookings.parts.values())

    planner_bins = scheduling.line(3).bins
    (fresh, held), (later, held_later) = plans(0), plans(passed)
    assert fresh == later
    assert held == held_later
