"""Random machines with stops, changes of speed, failing gates and revised extents: the planner's invariants hold."""

from __future__ import annotations

import importlib
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import VirtualClock
from edge.scheduling.topology import GateSettings


@pytest.fixture(scope="module")
def soak() -> Any:
    sys.path.insert(0, str(Path(__file__).parent))
    yield importlib.import_module("plan_never_mixes")
    sys.path.remove(str(Path(__file__).parent))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1_000_000))
def test_no_gate_moves_under_a_part_and_each_ends_where_its_plan_says(soak: Any, seed: int) -> None:
    ride = soak.random_ride(seed, check_promises=True)
    ride.sort(soak.random_parts(ride, 12))
    assert ride.wrong == []
    assert ride.counts["parts"] == 12
    assert ride.counts["promises broken"] == 0
    assert ride.counts["refused without a reason"] == 0


def test_a_gate_slower_than_it_promises_is_found_out(soak: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak.TrueGate, "move_share", (1.5, 2.0))
    wrong = []
    for seed in range(3):
        ride = soak.random_ride(seed)
        ride.sort(soak.random_parts(ride, 40))
        wrong += ride.wrong
    assert wrong


def test_the_script_counts(soak: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--parts", "30", "--each", "15", "--seed", "3"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["parts"], counts["machines"]) == (30, 2)
    assert 0 < counts["served"] <= 30 - counts.get("refused", 0)


def test_a_gate_that_fell_counts_as_broken_until_it_is_moved_again(soak: Any) -> None:
    clock = VirtualClock()
    gate = soak.TrueGate(GateSettings("g", 400, ("pass", "left"), "pass", 0.02, 0.15), clock, random.Random(1))
    gate.move_to("left")
    clock.advance(1.0)
    gate.break_down(until_s=2.0)
    clock.advance(4.0)
    assert gate.was_broken(4.0, 5.0)
    gate.move_to("left")
    clock.advance(4.0)
    assert (gate.was_broken(4.0, 5.0), gate.was_broken(8.0, 9.0)) == (True, False)
    gate.move_to("pass")
    gate.break_down(until_s=10.0)
    clock.advance(4.0)
    assert not gate.was_broken(12.0, 13.0)
