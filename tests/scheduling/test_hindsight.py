"""The best plan in hindsight, against every choice there is."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.scheduling.hindsight import Hindsight, Rider
from edge.scheduling.topology import Action, Fork, GateSettings, Topology

MM_PER_S = 150.0


def unlike() -> Topology:
    """A tree of gates that take different times, one of which is a pusher."""
    gates = [
        GateSettings("slow", 400, ("a", "b"), "a", 0.05, 0.5),
        GateSettings("quick", 600, ("a", "b"), "a", 0.0, 0.03, settle_s=0.0, margin_mm=2.0),
        GateSettings("pusher", 700, ("pass", "push"), "pass", 0.02, 0.2, action=Action.STROKE),
    ]
    rest = Fork("pusher", {"push": "p", "pass": "rest"})
    return Topology(Fork("slow", {"b": "s", "a": Fork("quick", {"b": "q", "a": rest})}), gates, "rest")


def disagree(topology: Topology, one: Rider, way, other: Rider, other_way) -> bool:
    """By the gates' claims, as `GateSettings` describes them."""
    positions = dict(other_way)
    for gate_name, position in way:
        if gate_name not in positions:
            continue
        gate, others = topology.gates[gate_name], positions[gate_name]
        change_s = gate.change_s(position, others)
        between_mm = other.lead_mm + gate.enter_mm - (one.trail_mm + gate.leave_mm)
        if change_s > 0 and between_mm < change_s * MM_PER_S:
            return True
    return False


def best_of_all(topology: Topology, riders: list[Rider]) -> int:
    best = 0
    choices = [
        [(None, way) for way in topology.paths("rest")]
        + [(name, way) for name in rider.wanted for way in topology.paths(name)]
        for rider in riders
    ]
    for plan in product(*choices):
        pairs = ((i, j) for j in range(len(riders)) for i in range(j))
        if not any(disagree(topology, riders[i], plan[i][1], riders[j], plan[j][1]) for i, j in pairs):
            best = max(best, sum(name is not None for name, _ in plan))
    return best


@st.composite
def rides(draw, bins):
    riders, lead_mm = [], 0.0
    for _ in range(draw(st.integers(1, 6))):
        length_mm = draw(st.floats(4, 60))
        wanted = draw(st.lists(st.sampled_from(bins), max_size=2, unique=True))
        riders.append(Rider(lead_mm, lead_mm + length_mm, tuple(wanted)))
        lead_mm += length_mm + draw(st.floats(0.5, 130))
    return riders


@pytest.mark.parametrize("shape", ["line", "tree", "unlike"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_it_is_the_best_of_all_choices(scheduling, shape, data):
    topology = {"line": lambda: scheduling.line(2), "tree": scheduling.tree, "unlike": unlike}[shape]()
    riders = data.draw(rides([name for name in topology.bins if name != "rest"]))
    assert Hindsight(topology, MM_PER_S).most_served(riders) == best_of_all(topology, riders)


def test_parts_far_apart_are_all_served(scheduling):
    riders = [Rider(i * 200.0, i * 200.0 + 30, (f"l{1 + i % 3}",)) for i in range(300)]
    assert Hindsight(scheduling.line(3), MM_PER_S).most_served(riders) == 300


def test_near_neighbours_are_served_only_by_a_bin_that_suits_both(scheduling):
    best = Hindsight(scheduling.line(3), MM_PER_S)
    assert best.most_served([Rider(0, 30, ("l1",)), Rider(40, 70, ("l2",))]) == 0
    assert best.most_served([Rider(0, 30, ("l1", "l2")), Rider(40, 70, ("l2",))]) == 2
    assert best.most_served([Rider(0, 30, ("l1",)), Rider(40, 70, ())]) == 0
