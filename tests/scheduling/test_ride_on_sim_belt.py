"""Parts on the simulated belt, which ramps, ripples, stops and changes its speed while an encoder only measures it:
every part ends where its plan says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.sim.belt import SimBelt, SimBeltMotor, SimEncoder
from edge.sim.settings import BeltSettings

SEEN_MM = 256.0
READ_S = 0.004


class MeasuredBelt:
    """In the place of the bench's belt: the simulated one. Reads as its encoder, and knows where it really was when."""

    def __init__(self, clock, belt_settings):
        rng = np.random.default_rng(3)
        self.clock, self.sim = clock, SimBelt(belt_settings, rng)
        self.motor, self.encoder = SimBeltMotor(self.sim), SimEncoder(self.sim, rng)
        self.encoder.start()
        self.motor.start()
        self.times_s, self.ways_mm = [0.0], [0.0]

    def belt_mm(self):
        return self.encoder.belt_mm()

    def advance(self, duration_s):
        self.clock.advance(duration_s)
        self.sim.advance(duration_s)
        self.times_s.append(self.clock.now_s())
        self.ways_mm.append(self.sim.travel_mm)

    def instant(self, travel_mm):
        """When the belt really was there: at the end of a stop, if it stood there."""
        after = int(np.searchsorted(self.ways_mm, travel_mm, side="right"))
        t0, t1, mm0, mm1 = *self.times_s[after - 1 : after + 1], *self.ways_mm[after - 1 : after + 1]
        return t0 + (t1 - t0) * (travel_mm - mm0) / (mm1 - mm0)


changes = st.lists(
    st.tuples(st.floats(0.02, 1.2), st.sampled_from(["off", "on", 0.3, 0.7, 1.0, "stall", "free"])), max_size=12
)
arrivals = st.lists(st.tuples(st.floats(12, 120), st.floats(8, 60), st.integers(0, 5)), min_size=1, max_size=8)


@pytest.mark.parametrize("shape", ["line", "tree"])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrivals=arrivals, changes=changes, ramp_s=st.sampled_from([0.0, 0.3, 0.8]))
def test_stops_restarts_and_changes_of_speed_keep_every_plan(scheduling, shape, arrivals, changes, ramp_s):
    topology = scheduling.line(3) if shape == "line" else scheduling.tree()
    bench = scheduling.bench(topology, step_s=READ_S)
    belt = MeasuredBelt(bench.clock, BeltSettings(ramp_s=ramp_s))
    bench.belt = bench.coordinate._encoder = belt
    extents, events, lead_mm = {}, [], 60.0
    for track_id, (gap_mm, length_mm, choice) in enumerate(arrivals):
        extents[track_id] = (lead_mm, lead_mm + length_mm)
        events += [(lead_mm + length_mm + 2, track_id, None), (lead_mm + SEEN_MM - 20, track_id, choice)]
        lead_mm += length_mm + gap_mm
    todo = list(changes)
    for at_mm, track_id, choice in sorted(events, key=lambda event: event[:2]):
        while belt.sim.travel_mm < at_mm:
            change(belt, *todo.pop(0), bench) if todo else change(belt, 0.02, "go", bench)
        # As the camera tells it: places are right against the belt's reading of this moment.
        shift_mm = belt.belt_mm() - belt.sim.travel_mm
        lead, trail = (edge + shift_mm for edge in extents[track_id])
        if choice is None:
            bench.protect(track_id, lead, trail)
        else:
            bench.plan(scheduling.decide(track_id, topology.bins[choice % len(topology.bins)]), lead, trail)
    while todo:
        change(belt, *todo.pop(0), bench)
    while belt.sim.travel_mm < lead_mm + 1200:
        change(belt, 0.1, "go", bench)
    for track_id, extent in extents.items():
        assert bench.bin_reached(*extent) == bench.plans[track_id].bin, (track_id, bench.plans[track_id])
    assert bench.failures == []
    assert {report.status for report in bench.reports} <= {"done"}


def change(belt, duration_s, what, bench):
    """One thing that happens to the belt, and a while of it."""
    if what in {"off", "on"}:
        belt.motor.start() if what == "on" else belt.motor.stop()
    elif what in {"stall", "free"}:
        belt.sim.stalled = what == "stall"
    elif what == "go":
        belt.motor.start()
        belt.sim.stalled, belt.sim.speed_factor = False, 1.0
    else:
        belt.sim.speed_factor = what
    bench.run(duration_s)
