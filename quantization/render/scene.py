"""What a render shows: the part's pose, the camera, the framing and the light."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Light:
    """A lamp far away.

    Attributes:
        direction: towards the lamp, world, z up.
        intensity: against the surroundings' mean of 1.
        softness_deg: half the angle that the lamp spans.
    """

    direction: tuple[float, float, float]
    intensity: float = 2.0
    softness_deg: float = 6.0


@dataclass(frozen=True, slots=True)
class Fill:
    """Framing for training: the part's box fills a share of a square picture.

    Attributes:
        fill: longer side of the part's box ÷ side of the picture.
        offset: shift of the box's middle, as a share of the picture.
    """

    fill: float = 0.62
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Framing for sprites: a fixed scale on the belt, in a box just large enough.

    Attributes:
        mm_per_px: at the anchor on the belt plane.
        margin_px: room round the part, for its shadow.
    """

    mm_per_px: float
    margin_px: int = 8


@dataclass(frozen=True, slots=True)
class Scene:
    """One look at one part.

    Attributes:
        rotation: (3, 3) part → world, z up, before the part is set down on the belt plane z = 0.
        elevation_deg: of the camera: 90 straight down, 20 oblique, below 0 from beneath through glass.
        azimuth_deg: of the camera, counter-clockwise from world x.
        roll_deg: of the camera about its axis.
        distance_mm: from the camera to the part's middle.
        framing: how the picture is cut out.
        lights: the lamps; the first is the key light.
        environment_seed: draws the softboxes and the gradient of the surroundings.
        ambient: strength of the surroundings.
        ground_albedo: how much light the belt throws back.
        roughness: GGX roughness of the plastic.
        edge_wear: 0..1, strength of the light that rounded edges catch.
        transparent: render the part as if of clear plastic.
        pose: index of the resting pose, or -1 for a part that leans on something.
    """

    rotation: Floats
    elevation_deg: float
    azimuth_deg: float = 0.0
    roll_deg: float = 0.0
    distance_mm: float = 250.0
    framing: Fill | Scale = field(default_factory=Fill)
    lights: tuple[Light, ...] = (Light((0.4, -0.3, 0.87)),)
    environment_seed: int = 0
    ambient: float = 1.0
    ground_albedo: float = 0.5
    roughness: float = 0.15
    edge_wear: float = 0.5
    transparent: bool = False
    pose: int = -1


@dataclass(frozen=True, eq=False)
class RenderedLook:
    """A picture in layers, and what is known about it.

    Attributes:
        layers: (H, W, 4) uint8, see `quantization.render.compose`.
        box_px: x0, y0, x1, y1 of the part's projection.
        mm_per_px: scale at the anchor.
        anchor_px: x, y of the part's middle, projected straight down on the belt plane.
        pose: index of the resting pose, or -1.
        elevation_deg: of the camera.
        azimuth_deg: of the camera.
        transparent: whether the layers are those of clear plastic.
    """

    layers: NDArray[np.uint8]
    box_px: tuple[float, float, float, float]
    mm_per_px: float
    anchor_px: tuple[float, float]
    pose: int
    elevation_deg: float
    azimuth_deg: float
    transparent: bool
