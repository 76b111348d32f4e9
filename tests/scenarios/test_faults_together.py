"""Faults come in pairs, at any moment: the machine is left safe, nothing decided is lost, and nothing mixes unseen."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fault_trial import Trial
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sim.faults import FAULTS

NAMES = st.sampled_from(sorted(FAULTS))


@settings(max_examples=8)
@given(
    names=st.lists(NAMES, min_size=2, max_size=3, unique=True),
    at_ms=st.integers(0, 9000),
    lasts_ms=st.integers(50, 9000),
    seed=st.integers(1, 1000),
)
def test_faults_together_leave_the_machine_safe(names: list[str], at_ms: int, lasts_ms: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(names, at_ms / 1000, Path(folder), seed, parts=10, lasts_s=lasts_ms / 1000)
        assert trial.run() == []
        assert not trial.stopped_wrongly, trial.machine.reason
