"""What the simulated machine is like; `edge.sim.build` fills these from machine.yaml and bins.yaml."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.records import Box

Direction = Literal["right", "left", "up", "down"]
Arrivals = Literal["regular", "poisson"]

TICK_S = 0.005
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class BeltSettings:
    """The belt and its encoder. Ripple is the amplitude of the speed's swing, as a share of the speed."""

    belt_mm_per_s: float = 150.0
    ripple: float = 0.015
    ripple_period_s: float = 1.7
    ramp_s: float = 0.3
    """From standstill to full speed."""
    mm_per_tick: float = 0.25
    believed_mm_per_tick: float | None = None
    """What the machine takes a tick for; None: what it is."""
    tick_error: float = 0.001
    """Standard deviation of the encoder's scale error, drawn once a machine."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How parts come. `jitter` is the standard deviation of a regular interval, as a share of it."""

    parts: int = 1000
    parts_per_min: float = 60.0
    arrivals: Arrivals = "regular"
    jitter: float = 0.25
    least_gap_mm: float = 12.0
    """Free belt that the feeder keeps between two parts."""
    touching_share: float = 0.005
    """Share of parts that come to lie against the one before."""
    feed_mm: float = 30.0
    """How far upstream of the seen belt a part's leading edge lands."""
    half_width_mm: float = 38.0
    """Parts lie with their middle at most so far from the belt's middle."""
    transparent_share: float = 0.06


@dataclass(frozen=True, slots=True)
class GateSettings:
    """One gate, pusher, jet or chute; `positions` in the order in which it moves through them. Jitter is a standard
    deviation."""

    name: str
    x_mm: float
    positions: tuple[str, ...]
    rest: str
    latency_s: float = 0.02
    travel_s: float = 0.15
    jitter_s: float = 0.004
    kind: Literal["gate", "pusher", "jet", "chute"] = "gate"
    reach_mm: float = 0.0
    """Belt that a pusher's face or a jet's mouth covers on either side of `x_mm`."""
    beyond_mm: float = 0.0
    """Belt that passes while a part falls through a chute."""
    angles_deg: tuple[float, ...] = ()
    """Of a chute: where each position is; `travel_s` takes it from the least to the greatest."""
    burns_after_s: float = math.inf
    """A coil that is on for longer burns out."""
    pulses_us: tuple[float, ...] = ()
    """Of a servo: what it is sent for each position."""
    true_pulses_us: tuple[float, ...] = ()
    """Of a servo: those with which it really stands in each position."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each position of each gate leads: to another gate or to a bin, by name."""

    first: str
    exits: Mapping[str, Mapping[str, str]]
    default_bin: str


@dataclass(frozen=True, slots=True)
class HiddenCamera:
    """How a camera really looks at the belt, as `edge.sim.hidden.HiddenTruth` has it."""

    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    k1: float = 0.0
    k2: float = 0.0
    lamp_k: float = 5500.0
    lamp: float = 1.0
    focus_dioptres: float = 1000 / 300


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """The camera and the light above the belt: a picture seen straight from above, unless something is hidden."""

    width_px: int = 1280
    height_px: int = 720
    frames_per_s: float = 12.0
    px_per_mm: float = 5.0
    direction: Direction = "right"
    region_px: Box = (0, 60, 1280, 660)
    station_mm: float = 0.0
    """Station of the upstream edge of the region."""
    height_mm: float = 300.0
    exposure_s: float = 0.002
    lens_blur_px: float = 0.7
    noise: float = 2.2
    """Standard deviation of a pixel, of 255."""
    vignetting: float = 0.12
    """Light lost in the corners."""
    drift: float = 0.03
    """How far exposure and white balance wander, as a share."""
    drift_period_s: float = 90.0
    belt_colour: str | None = None
    """One of `edge.sim.texture.COLOURS_RGB`; None: the seed chooses among the pale ones."""
    hidden: HiddenCamera | None = None
    """What the raw picture is bent and lit by; None: it is as straight as these settings say. Either way `px_per_mm`,
    `region_px` and `station_mm` hold in the straight picture, whose middle is the raw one's."""

    @property
    def seen_mm(self) -> float:
        """Length of the seen belt."""
        u0, v0, u1, v1 = self.region_px
        return (u1 - u0 if self.direction in ("left", "right") else v1 - v0) / self.px_per_mm

    @property
    def across_mm(self) -> float:
        """Width of the seen belt."""
        u0, v0, u1, v1 = self.region_px
        return (v1 - v0 if self.direction in ("left", "right") else u1 - u0) / self.px_per_mm


@dataclass(frozen=True, slots=True)
class ReturnSettings:
    """How parts come back from the belt's end to the feeder."""

    way_s: float = 6.0
    """From the belt's end until it lies on top in the feeder."""
    most_rounds: int = 10
    """A part that has gone round so often is taken out by hand."""


@dataclass(frozen=True, slots=True)
class SimSettings:
    """The whole simulated machine."""

    gates: tuple[GateSettings, ...]
    layout: Layout
    belt: BeltSettings = field(default_factory=BeltSettings)
    feed: FeedSettings = field(default_factory=FeedSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    returns: ReturnSettings | None = None
    """Of a belt that recirculates: what ends in the default bin is fed again."""
    ends_mm: tuple[float, float] | None = None
    """Stations of the ends of a belt that can run back: what falls over the first is fed again, what falls over the
    second is in the default bin. None: the last gate is the end."""
    linger_s: float = 0.0
    """Virtual time for which a run goes on when the last part has ended: sensors have yet to tell of it."""
    patience_s: float = PATIENCE_S
    """Virtual time without any part fed or ended after which a run is over and what is left counts as lost."""
