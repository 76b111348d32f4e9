"""calibration.yaml: what `brickgate-calibrate` measured of one machine. People write machine.yaml, this one is written.

One section a step, each with its date, what it was measured from, and how well it fits. `calibrated.py` lays it over
machine.yaml, whose values it replaces.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from edge.config.fields import Number, Section, Text, Whole
from edge.config.gates import PulseUs

NAME = "calibration.yaml"
STEPS = ("camera", "plane", "belt", "colour", "confidence")
"""Of the walk, in the order in which they build on each other."""
ALONE = ("positions", "gates")
"""Steps that are done by themselves: not every gate is a servo, and parts ride past the gates for minutes each, too
long for the walk."""

SIMULATED = "simulated machine"
"""How `measured_from` begins where no machine was there."""

Positive = Annotated[Number, Field(gt=0)]
Triple = tuple[Number, Number, Number]
Matrix = tuple[Triple, Triple, Triple]


class Residual(Section):
    """How well a fit holds: `value` must be at most `limit`, both in `unit`."""

    value: Number
    limit: Number
    unit: str

    @property
    def passes(self) -> bool:
        return self.value <= self.limit


class Measured(Section):
    """What every section says of its measurement."""

    made_at: AwareDatetime
    measured_from: Text
    """Such as "the machine, 40 frames" or a recording's path."""
    residuals: dict[Text, Residual]


class CameraCalibration(Measured):
    """The locked camera and what the bare belt looks like through it."""

    exposure_s: Positive
    gain: Positive
    white_balance: tuple[Positive, Positive]
    """Red and blue gains."""
    focus_dioptres: Annotated[Number, Field(ge=0)] | None = None
    """None: the lens is turned by hand, or fixed."""
    belt_bgr: Triple
    """Mean of the bare belt, 0…255."""
    sharpness: Positive
    """Of the belt's own texture, as `edge.capture.measures` has it: only compared with itself."""


class LensCalibration(Section):
    """OpenCV's pinhole model with two radial terms, in px of the raw picture."""

    focal_px: Positive
    centre_px: tuple[Number, Number]
    k1: Number
    k2: Number


class PlaneCalibration(Measured):
    """From the raw picture to one in which every mm of the belt's surface has the same `px_per_mm`, and the belt runs
    along the picture's edge. The straightened picture has the raw one's size and its belt region."""

    size_px: tuple[Whole, Whole]
    px_per_mm: Positive
    """Of the straightened picture."""
    lens: LensCalibration | None = None
    homography: Matrix
    """From undistorted px of the raw picture to px of the straightened one; [2][2] is 1."""


class ColourCalibration(Measured):
    """Colours as daylight would show them, from those of this camera under this lamp."""

    belt_rgb: Triple
    """sRGB of the bare belt, 0…255, in daylight, as bright as it looks beside the upper faces of parts."""
    flat_field: tuple[tuple[Positive, ...], ...]
    """(rows, columns) of the belt's brightness in linear light over the straightened belt region, its mean 1. For the
    record: colours are measured against the belt around each part."""
    matrix: Matrix
    """Of linear RGB ÷ that of the belt, from the camera's to daylight's; each row sums to 1."""


class BeltCalibration(Measured):
    """The belt as the camera measured it."""

    belt_mm_per_s: Positive
    ripple: Annotated[Number, Field(ge=0)]
    """Amplitude of the speed's swing, as a share."""
    mm_per_tick: Positive | None = None
    """Of the encoder's edges; None without one."""
    slip: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """The share by which stretches of the same count differ."""
    direction: Literal["right", "left", "up", "down"]
    edge_px: Positive | None = None
    """How wide the belt's edges are in the straightened picture, as `edge.capture.drift` has it: how sharp it is."""


class PositionsCalibration(Measured):
    """The servos by name: the pulse width of each of their positions, as they were nudged."""

    pulse_us: Annotated[dict[Text, dict[Text, PulseUs]], Field(min_length=1)]


class GateCalibration(Section):
    """One gate. What is None was not measured, and machine.yaml holds."""

    x_mm: Positive | None = None
    latency_s: Annotated[Number, Field(ge=0, le=2)] | None = None
    travel_s: Annotated[Number, Field(ge=0, le=5)] | None = None
    repeatability_s: Annotated[Number, Field(ge=0, le=2)] | None = None


class GatesCalibration(Measured):
    """The gates by name."""

    gates: Annotated[dict[Text, GateCalibration], Field(min_length=1)]


class WorkingPoint(Section):
    """One point of the curve of purity against recovery."""

    sure_above: Annotated[Number, Field(ge=0.5, le=0.9999)]
    purity: Annotated[Number, Field(ge=0, le=1)]
    recovery: Annotated[Number, Field(ge=0, le=1)]


class ConfidenceCalibration(Measured):
    """How far this machine's scores may be believed, and the working point that its user chose."""

    bundle: Text
    """The model it holds for."""
    network: str = ""
    """`Bundle.network` of that model: one of the same name that an update brought is another. Empty: not told, as in
    files from before it was asked."""
    temperature: Positive
    """The scores of a look are raised to 1/temperature, after the bundle's own."""
    exponent: Annotated[Number, Field(gt=0, le=1)]
    sure_above: Annotated[Number, Field(ge=0.5, le=0.9999)]
    curve: tuple[WorkingPoint, ...]


class Calibration(Section):
    """calibration.yaml. A section that is missing has not been calibrated."""

    version: Literal[1] = 1
    camera: CameraCalibration | None = None
    plane: PlaneCalibration | None = None
    colour: ColourCalibration | None = None
    belt: BeltCalibration | None = None
    positions: PositionsCalibration | None = None
    gates: GatesCalibration | None = None
    confidence: ConfidenceCalibration | None = None

    def measured(self) -> dict[str, Measured]:
        """The sections that there are, by their steps."""
        return {step: section for step in (*STEPS, *ALONE) if (section := getattr(self, step)) is not None}
