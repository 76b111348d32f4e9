"""What the tracker must know of the camera and the belt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.config.schema import MachineConfig
from edge.records import Box

BeltDirection = Literal["right", "left", "up", "down"]


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """Another region of the picture that shows the same parts, a mirror for instance. A part x mm down
    the seen belt is seen there `x + shift_mm` below the upstream edge of `region_px`, at the view's own scale."""

    name: str
    region_px: Box
    shift_mm: float = 0.0
    px_per_mm: float | None = None
    """The view's scale when it differs from the belt's: what a mirror shows is further away."""
    tolerance_mm: float = 12.0
    """How far a blob of the view may lie from a part's place: the scale differs with the distance to the mirror."""


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """Lengths are on the belt's surface. The defaults serve parts of 5 to 80 mm at 1 mm per frame and more."""

    px_per_mm: float
    belt_direction: BeltDirection
    belt_region_px: Box
    station_mm: float = 0.0
    """Station of the upstream edge of the seen belt, on the axis of the gates."""
    views: tuple[ViewSettings, ...] = ()
    min_area_mm2: float = 12.0
    """Smaller blobs are lint."""
    measure_motion: bool = False
    """True when `Frame.belt_mm` is a guess: the belt's motion is then measured on the parts themselves."""
    max_step_mm: float = 80.0
    """With `measure_motion` and no idea of the speed yet: the furthest a part may move between two frames."""
    confirm_hits: int = 3
    """Frames in which a part must be seen moving with the belt before it counts as one."""
    max_missed_frames: int = 3
    """Frames in a row that a part may stay unseen before it is given up."""
    max_looks: int = 12
    """Looks a track may give in one view."""

    def __post_init__(self) -> None:
        if not self.px_per_mm > 0:
            raise ValueError(f"px_per_mm is {self.px_per_mm}: it must be above 0")
        for region in (self.belt_region_px, *(view.region_px for view in self.views)):
            u0, v0, u1, v1 = region
            if not (0 <= u0 < u1 and 0 <= v0 < v1):
                raise ValueError(f"the region {region} is no u0, v0, u1, v1 with u0 < u1 and v0 < v1")


def tracking_settings(config: MachineConfig) -> TrackingSettings:
    """The tracker's view of machine.yaml. Without an encoder the belt's motion is measured on the parts."""
    camera = config.camera
    return TrackingSettings(
        px_per_mm=camera.px_per_mm,
        belt_direction=camera.belt_direction,
        belt_region_px=camera.belt_region_px,
        station_mm=camera.station_mm,
        views=tuple(ViewSettings(view.name, view.region_px, view.shift_mm, view.px_per_mm) for view in camera.views),
        measure_motion=config.belt.encoder.driver in {"constant", "tracker"},
        max_looks=config.fusion.max_looks,
    )
