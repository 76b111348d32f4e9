"""Parts of the simulated machine: their shapes, how they are drawn at random, and the truth about each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import Colour
from edge.errors import InputError

COMMON_CODES = frozenset({0, 1, 4, 14, 15, 19, 71, 72})
COMMON_WEIGHT = 4.0
"""Black, white, greys, red, blue, yellow and tan: how much more of them there is in any bucket of parts."""

Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PoseShape:
    """One way to lie. `outline_mm` (N, 2) is convex, seen from above (right, down), 0 at the middle of its box."""

    probability: float
    height_mm: float
    outline_mm: Points


@dataclass(frozen=True, eq=False)
class PartShape:
    """One part family: its number, the mould that was rendered, its LDraw title and how it lies."""

    family: str
    mould: str
    title: str
    poses: tuple[PoseShape, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A part that somebody chose; what is None is drawn at random. `colour` is a code of LDraw."""

    family: str | None = None
    colour: int | None = None


ANY = Wanted()


@dataclass(eq=False, slots=True)
class SimPart:
    """The truth about one part. Places on the belt are true travel; `yaw_deg` turns clockwise as seen from above."""

    part_id: int
    family: str
    mould: str
    colour: Colour
    pose: int
    yaw_deg: float
    height_mm: float
    outline_mm: Points
    """(N, 2) along and across the belt, turned by the yaw, around the part's middle."""
    y_mm: float
    x_belt_mm: float = 0.0
    """Of its middle."""
    fed_s: float = 0.0
    touching: bool = False
    """It was fed against the part before it, or the part after it was fed against it."""
    against: int | None = None
    """The number of the part before it, against which it was fed."""
    seen_belt_mm: float | None = None
    """`x_belt_mm` of its middle by the machine's own belt reading, noted as it passed the middle of the picture."""
    bin: str | None = None
    """Where it really ended; None while it is on its way, and for a lost part."""
    why: str = ""
    """The gates' positions that brought it there."""
    ended_s: float | None = None
    rounds: int = 0
    """How often it was fed before: each time it is a `SimPart` of its own."""
    fed_again_as: int | None = None
    """The number under which it came next, once it did."""
    bar: bool = False
    """A plain bar of its outline, in place of a part of its family."""
    struck: tuple[str, ...] = field(default=())
    """Gates that moved, or stood between two positions, while it was passing."""

    @property
    def lead_belt_mm(self) -> float:
        """`x_belt_mm` of its leading edge."""
        return self.x_belt_mm - float(self.outline_mm[:, 0].max())

    @property
    def trail_belt_mm(self) -> float:
        """`x_belt_mm` of its trailing edge."""
        return self.x_belt_mm - float(self.outline_mm[:, 0].min())


def turn_outline(outline_mm: Points, yaw_deg: float) -> Points:
    """(N, 2) points turned clockwise in axes right and down."""
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    return outline_mm @ np.array([[c, s], [-s, c]], np.float32)


class PartMaker:
    """Draws parts: any family alike, colours weighted as in a bucket of used parts, poses by their probability."""

    def __init__(
        self,
        shapes: Sequence[PartShape],
        colours: Sequence[Colour],
        transparent_share: float,
        half_width_mm: float,
        rng: np.random.Generator,
    ) -> None:
        if not shapes or not colours:
            raise ValueError("the simulated machine needs at least one part and one colour")
        self._shapes = tuple(shapes)
        self._colours = tuple(colours)
        self._weights = _colour_weights(colours, transparent_share)
        self._half_width_mm = half_width_mm
        self._rng = rng

    def make(self, part_id: int, wanted: Wanted = ANY) -> SimPart:
        """Draw the next part; it is not on the belt yet.

        Raises:
            InputError: there is no such part or colour.
        """
        rng = self._rng
        shape = self._shapes[int(rng.integers(len(self._shapes)))]
        colour = self._colours[int(rng.choice(len(self._colours), p=self._weights))]
        if wanted.family is not None:
            shape = self._shape(wanted.family)
        if wanted.colour is not None:
            colour = self._colour(wanted.colour)
        return self._lay(part_id, shape, colour)

    def make_again(self, part_id: int, part: SimPart) -> SimPart:
        """The same part once more, as it comes to lie this time."""
        shape = next(shape for shape in self._shapes if (shape.family, shape.mould) == (part.family, part.mould))
        again = self._lay(part_id, shape, part.colour)
        again.rounds, part.fed_again_as = part.rounds + 1, part_id
        return again

    def _lay(self, part_id: int, shape: PartShape, colour: Colour) -> SimPart:
        rng = self._rng
        chances = np.array([pose.probability for pose in shape.poses])
        pose = int(rng.choice(len(chances), p=chances / chances.sum()))
        yaw_deg = float(rng.uniform(0, 360))
        outline = turn_outline(shape.poses[pose].outline_mm, yaw_deg)
        room_mm = max(self._half_width_mm - float(np.abs(outline[:, 1]).max()) / 2, 0.0)
        return SimPart(
            part_id=part_id,
            family=shape.family,
            mould=shape.mould,
            colour=colour,
            pose=pose,
            yaw_deg=yaw_deg,
            height_mm=shape.poses[pose].height_mm,
            outline_mm=outline,
            y_mm=float(rng.uniform(-room_mm, room_mm)),
        )

    def _shape(self, family: str) -> PartShape:
        for shape in self._shapes:
            if shape.family == family:
                return shape
        raise InputError(f"the simulated machine has no sprites of part {family}: choose a starter part")

    def _colour(self, code: int) -> Colour:
        for colour in self._colours:
            if colour.code == code:
                return colour
        raise InputError(f"the simulated machine has no parts of colour {code}: choose another")


def _colour_weights(colours: Sequence[Colour], transparent_share: float) -> NDArray[np.float64]:
    weights = np.array([COMMON_WEIGHT if colour.code in COMMON_CODES else 1.0 for colour in colours])
    clear = np.array([colour.transparent for colour in colours])
    if clear.any() and not clear.all():
        weights[clear] *= transparent_share / weights[clear].sum()
        weights[~clear] *= (1 - transparent_share) / weights[~clear].sum()
    return weights / weights.sum()
