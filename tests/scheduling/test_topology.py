"""Any layout of gates becomes ways that lead where it says, and any kind of gate gives the planner sound figures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.gates import FASTER, LEAST_EARLY_S, STARTS_EARLY, SimGateConfig
from edge.config.schema import MachineConfig
from edge.errors import ConfigError
from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.gates import gate_settings
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.topology import Action, Fork, GateSettings, Topology

MM_PER_S = 120.0
DEFAULT = "box"


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Fork, list[GateSettings]]:
    """A tree of gates with two to five ways; its leaves are bins, which may come again, and one is the default."""
    gates: list[GateSettings] = []

    def grow(depth: int) -> Fork | str:
        if depth > 4 or len(gates) >= 12 or (gates and not draw(st.booleans())):
            return f"bin{draw(st.integers(0, 8))}"
        positions = tuple("abcde"[: draw(st.integers(2, 5))])
        name = f"g{len(gates)}"
        gates.append(GateSettings(name, 100.0 * len(gates), positions, draw(st.sampled_from(positions)), 0.02, 0.1))
        return Fork(name, {position: grow(depth + 1) for position in positions})

    first = grow(0)
    assert isinstance(first, Fork)
    leaves = list(walks(first))
    spot = draw(st.integers(0, len(leaves) - 1))
    return put(first, leaves[spot][0], DEFAULT), gates


def walks(node: Fork | str, way: tuple[tuple[str, str], ...] = ()) -> list[tuple[tuple[tuple[str, str], ...], str]]:
    """Every way through a layout with the bin at its end."""
    if isinstance(node, str):
        return [(way, node)]
    return [found for position, on in node.ways.items() for found in walks(on, (*way, (node.gate, position)))]


def put(node: Fork, way: tuple[tuple[str, str], ...], bin_name: str) -> Fork:
    """The layout with another bin at the end of a way."""
    position = way[0][1]
    on = node.ways[position]
    return Fork(node.gate, {**node.ways, position: put(on, way[1:], bin_name) if isinstance(on, Fork) else bin_name})


@settings(max_examples=150, deadline=None)
@given(layouts())
def test_the_ways_of_a_topology_are_those_of_its_layout(drawn: tuple[Fork, list[GateSettings]]) -> None:
    layout, gates = drawn
    topology = Topology(layout, gates, DEFAULT)
    ways = walks(layout)
    assert set(topology.bins) == {bin_name for _, bin_name in ways}
    for bin_name in topology.bins:
        found = topology.paths(bin_name)
        assert sorted(map(tuple, found)) == sorted(way for way, leads_to in ways if leads_to == bin_name)
        assert list(map(len, found)) == sorted(map(len, found)), "the shortest first"
    assert (topology.default_path, DEFAULT) in ways
    assert topology.paths("no such bin") == ()


@settings(max_examples=60, deadline=None)
@given(layouts(), st.data())
def test_a_layout_with_a_mistake_is_refused(drawn: tuple[Fork, list[GateSettings]], data: st.DataObject) -> None:
    layout, gates = drawn
    way, _ = data.draw(st.sampled_from(walks(layout)))
    twice = put(layout, way, "x")
    twice = Fork(twice.gate, {**twice.ways, way[0][1]: Fork(twice.gate, {"a": "x"})})
    with pytest.raises(ConfigError, match="comes twice"):
        Topology(twice, gates, DEFAULT)
    with pytest.raises(ConfigError, match="no way leads to the default bin"):
        Topology(layout, gates, "nowhere")
    with pytest.raises(ConfigError, match="is not in the machine"):
        Topology(layout, gates[1:], DEFAULT)
    with pytest.raises(ConfigError, match="has no position 'z'"):
        Topology(Fork(layout.gate, {**layout.ways, "z": "x"}), gates, DEFAULT)


TIMES = st.floats(0, 1)


@st.composite
def gate_configs(draw: st.DrawFn) -> SimGateConfig:
    kind = draw(st.sampled_from(["gate", "pusher", "jet", "chute"]))
    own: dict[str, object] = (
        {"positions": ["left", "pass", "right"][: draw(st.integers(2, 3))]} if kind == "gate" else {}
    )
    if kind == "chute":
        angles = draw(st.lists(st.integers(-180, 180), min_size=2, max_size=9, unique=True))
        own = {"angle_deg": {f"s{place}": float(angle) for place, angle in enumerate(angles)}, "rest": "s0"}
        own |= {"fall_s": draw(TIMES)}
    if kind in ("pusher", "jet"):
        own = {"face_mm": draw(st.floats(1, 60))}
    times = {key: draw(TIMES) for key in ("latency_s", "travel_s", "settle_s", "repeatability_s")}
    margin_mm = draw(st.floats(0, 20))
    return SimGateConfig.model_validate(
        {"name": "g", "driver": "sim", "kind": kind, "x_mm": 500.0, "margin_mm": margin_mm, **times, **own}
    )


@settings(max_examples=200, deadline=None)
@given(gate_configs(), st.floats(0, 100))
def test_every_kind_of_gate_gives_sound_figures(config: SimGateConfig, length_mm: float) -> None:
    gate = gate_settings(config, MM_PER_S)
    assert gate.move_s == pytest.approx(
        config.latency_s + config.travel_s + config.settle_s + config.repeatability_s, abs=1e-9
    )
    assert gate.enter_mm <= gate.x_mm <= gate.leave_mm
    claim = gate.enter_mm, gate.leave_mm + length_mm
    for one in gate.positions:
        for other in gate.positions:
            assert gate.change_s(one, other) == pytest.approx(gate.change_s(other, one))
            assert -1e-9 <= gate.change_s(one, other) <= gate.move_s + 1e-9
        assert gate.acts_mm(gate.rest, *claim) == claim
        assert gate.change_s(gate.rest, gate.rest) == 0
        acts = gate.acts_mm(one, *claim)
        assert acts[0] < acts[1] or acts == claim
        if gate.action is not Action.STROKE:
            assert acts == claim
            assert gate.change_s(one, one) == 0, "neighbours share a position that stands"


def test_a_chute_turns_to_its_neighbour_in_less_time() -> None:
    config = SimGateConfig.model_validate(
        {
            "name": "c", "driver": "sim", "kind": "chute", "x_mm": 500.0, "rest": "b", "latency_s": 0.02,
            "travel_s": 0.6, "settle_s": 0.05, "repeatability_s": 0.01, "fall_s": 0.5,
            "angle_deg": {"a": 0, "b": 30, "c": 120},
        }
    )  # fmt: skip
    gate = gate_settings(config, 100.0)
    assert gate.change_s("a", "b") == pytest.approx(0.08 + 0.6 * 30 / 120)
    assert gate.change_s("c", "a") == pytest.approx(gate.move_s) == pytest.approx(0.68)
    assert gate.leave_mm == pytest.approx(500 + 6 + 0.5 * 100 * FASTER)


def test_a_pusher_is_out_when_the_middle_of_the_part_is_in_the_middle_of_its_face() -> None:
    config = SimGateConfig.model_validate(
        {
            "name": "p", "driver": "sim", "kind": "pusher", "x_mm": 500.0, "face_mm": 24.0, "latency_s": 0.02,
            "travel_s": 0.1, "settle_s": 0.0, "repeatability_s": 0.01,
        }
    )  # fmt: skip
    gate = gate_settings(config, 100.0)
    lead_mm, trail_mm = 1000.0, 1040.0
    out_mm, back_mm = gate.acts_mm("push", lead_mm + gate.enter_mm, trail_mm + gate.leave_mm)
    stroke_mm = (0.13 * (1 + STARTS_EARLY) - 0.02 + 0.01) * 100.0
    assert out_mm == pytest.approx(1020 + 500 + stroke_mm / 2)
    assert out_mm < back_mm < out_mm + 2
    assert gate.change_s("push", "push") == gate.move_s, "it strikes each part by itself"


def test_the_configuration_reckons_as_the_planner_and_the_dispatcher_do() -> None:
    planner, dispatcher = PlannerSettings(100.0), DispatcherSettings()
    assert dispatcher.headroom == STARTS_EARLY
    assert dispatcher.least_headroom_s == planner.least_headroom_s == LEAST_EARLY_S
    assert 1 + planner.headroom == FASTER


def test_old_gates_are_as_they_were() -> None:
    gate = MachineConfig.model_validate(
        {
            "camera": {"driver": "sim", "px_per_mm": 5.0, "belt_region_px": [0, 60, 1280, 660]},
            "belt": {"belt_mm_per_s": 100.0},
            "gates": [{"name": "g1", "driver": "sim", "x_mm": 400.0, "positions": ["left", "pass"]}],
        }
    ).gates[0]
    settings_ = gate_settings(gate, 100.0)
    assert (settings_.action, settings_.enter_mm, settings_.leave_mm) == (Action.HOLD, 394.0, 406.0)
    assert settings_.change_shares() is None
