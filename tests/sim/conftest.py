"""A small simulated machine: two gates, one square part, no pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.sim.parts import PartMaker, PartShape, PoseShape
from edge.sim.settings import BeltSettings, CameraSettings, FeedSettings, GateSettings, Layout, SimSettings
from edge.sim.world import SimWorld

POSITIONS = ("left", "pass", "right")
LAYOUT = Layout(
    "g1",
    {
        "g1": {"left": "a", "right": "b", "pass": "g2"},
        "g2": {"left": "c", "right": "d", "pass": "rest"},
    },
    "rest",
)
GATES = (
    GateSettings("g1", 400.0, POSITIONS, "pass", latency_s=0.02, travel_s=0.1, jitter_s=0.0),
    GateSettings("g2", 520.0, POSITIONS, "pass", latency_s=0.02, travel_s=0.1, jitter_s=0.0),
)
STEADY = BeltSettings(belt_mm_per_s=100.0, ripple=0.0, ramp_s=0.0, tick_error=0.0)
SQUARE = PartShape(
    "3003",
    "3003",
    "Brick 2 x 2",
    (PoseShape(1.0, 11.0, np.array([[-8, -8], [8, -8], [8, 8], [-8, 8]], np.float32)),),
)

MakeWorld = Callable[..., SimWorld]


@pytest.fixture
def make_world() -> MakeWorld:
    """Build a running world: `make_world(parts=3, seed=1, belt=…, **feed)`."""

    def make(
        parts: int = 1, seed: int = 1, belt: BeltSettings = STEADY, layout: Layout = LAYOUT, **feed: Any
    ) -> SimWorld:
        wanted = replace(FeedSettings(parts=parts, touching_share=0.0), **feed)
        settings = SimSettings(GATES, layout, belt=belt, feed=wanted, camera=CameraSettings())
        maker = PartMaker([SQUARE], load_colours(), 0.05, 38.0, np.random.default_rng(seed))
        world = SimWorld(settings, maker, seed)
        world.encoder.start()
        world.belt_motor.start()
        world.feeder.set_rate(wanted.parts_per_min)
        return world

    return make
