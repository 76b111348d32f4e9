"""What the stages hand to each other. Stages share this module and never import one another.

Coordinates
    `u_px`, `v_px`   pixels of the camera picture, right and down.
    `x_mm`           a station: a place of the machine, along the belt's way, 0 at the upstream edge of the seen belt.
    `belt_mm`        the belt's travel since the start, from the encoder or from time × speed.
    `x_belt_mm`      a place on the moving belt: the travel at which it passed station 0. It is at station `x_mm`
                     when the travel is `x_belt_mm + x_mm`, so `x_belt_mm = belt_mm - x_mm`, whatever the speed.
    `y_mm`           across the belt, 0 at the middle of the seen belt, positive to the right of the way it moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

ImageBgr = NDArray[np.uint8]
"""(H, W, 3) uint8, blue-green-red as OpenCV and picamera2's "RGB888" deliver it."""
Box = tuple[int, int, int, int]
"""u0, v0, u1, v1 in pixels, the end excluded."""
Scores = NDArray[np.float32]

TOP_VIEW = "top"
UNFILLED = 5.8
"""What the share of its rectangle that a track leaves free adds to its `twofold`."""


class Picture(Protocol):
    """A camera's picture (H, W, 3): an `ImageBgr`, or one that is made only where somebody looks, by slices."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, place: Any, /) -> Any: ...


@runtime_checkable
class ShrinksItself(Protocol):
    """A picture that makes a smaller one of itself sooner than it makes itself."""

    def shrunk(self, box: Box, factor: int) -> ImageBgr:
        """The box at 1/`factor` of its size."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera picture, with the belt's travel at the moment of exposure."""

    index: int
    time_s: float
    belt_mm: float
    image_bgr: Picture


@dataclass(frozen=True, slots=True)
class CameraLock:
    """How a camera is locked. `white_balance` is its red and blue gains; `focus_dioptres` None where the lens has no
    motor."""

    exposure_s: float
    gain: float
    white_balance: tuple[float, float]
    focus_dioptres: float | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """One blob in one view of one frame. Lengths along the belt are stations; `length_mm >= width_mm` are the sides
    of the smallest enclosing rectangle on the belt plane, whatever its angle."""

    view: str
    box_px: Box
    area_px: float
    lead_x_mm: float
    trail_x_mm: float
    y_mm: float
    length_mm: float
    width_mm: float
    at_edge: bool
    """True when the blob touches the border of its region, so that part of it may be unseen."""


@dataclass(frozen=True, slots=True)
class Look:
    """One view of one track in one frame, cut out and ready for the classifier."""

    track_id: int
    frame_index: int
    view: str
    crop_bgr: ImageBgr
    mm_per_px: float | None
    quality: float
    """0 (worthless) … 1 (sharp, complete, well exposed)."""
    background_bgr: tuple[float, float, float] | None = None
    """Mean colour of the bare belt around the part, to white-balance on; None when it could not be seen."""
    mask: NDArray[np.bool_] | None = None
    """(h, w) of the crop: the pixels of the part."""
    number: int = 0
    """Its place among the track's looks from this view: the network sees each turned by a quarter more than the one
    before."""


class TrackState(StrEnum):
    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    FINISHED = "finished"
    """Left the seen belt (or was lost for good): nothing more will be learned about it."""
    REJECTED = "rejected"
    """Never confirmed: dust, a reflection, a flicker."""

    @property
    def may_be_in_view(self) -> bool:
        """Whether there may be more to learn about it."""
        return self in (TrackState.TENTATIVE, TrackState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Track:
    """One physical part on the belt, as known after one frame."""

    track_id: int
    state: TrackState
    first_frame: int
    last_frame: int
    lead_belt_mm: float
    """`x_belt_mm` of its leading edge; the leading edge passed station 0 first, so `lead_belt_mm <= trail_belt_mm`."""
    trail_belt_mm: float
    y_mm: float
    length_mm: float
    width_mm: float
    looks: tuple[Look, ...] = ()
    """Looks won from this frame (not the history)."""
    complete: bool = False
    """True once the whole part has been seen inside the picture, so that its extent is known."""
    touching: bool = False
    """True when two parts may hide in it (its extent jumped, or blobs merged): it must not be binned as one."""
    twofold: float = 0.0
    """How much its outline and colours look like two parts that touch, by the measure of `edge.tracking.twofold`."""
    across_mm: float = 0.0
    """Its extent across the belt when last seen."""
    too_long: bool = False
    """True when it reaches from one edge of the picture to the other: it was never seen whole, and never will be."""


@dataclass(frozen=True, slots=True)
class SeenMotion:
    """The belt's way since the last frame as the parts in view show it; `step_mm` is None when none was followed."""

    step_mm: float | None = None
    track_ids: frozenset[int] = frozenset()
    """The tracks that show it. One alone may be a part that rolls."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network and the colour meter say of one look."""

    track_id: int
    frame_index: int
    view: str
    part_log_scores: Scores
    """(K,) log-probabilities of the K parts of the bundle, after its temperature."""
    colour_log_scores: Scores
    """(C,) log-probabilities of the C colours of the catalogue; empty when the colour was not measured."""
    quality: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fused answer for one track."""

    track_id: int
    part_posterior: Scores
    """(K,) sums to 1."""
    colour_posterior: Scores
    """(C,) sums to 1, or empty."""
    looks: int
    unsure: bool
    reason: str
    """Why it is unsure, or how it was decided, in a few words."""


class DecisionReason(StrEnum):
    CERTAIN = "certain"
    UNSURE = "unsure"
    """The network's doubt, too few looks, or touching parts: to the default bin."""
    NO_RULE = "no rule"
    """Known well enough, but no bin asks for it: to the default bin, where it belongs."""
    REFUSED = "refused"
    """The planner could not reserve a gate on the way: to the default bin."""


@dataclass(frozen=True, slots=True)
class BinDecision:
    """Which bin a track should go to."""

    track_id: int
    bin: str
    reason: DecisionReason
    probability: float
    """Posterior mass of what `bin` accepts."""
    detail: str = ""
    candidates: tuple[str, ...] = ()
    """Other bins that accept the same parts (a category spread over several), in the order to try them."""


@dataclass(frozen=True, slots=True)
class GateCommand:
    """Hold `gate` in `position` while the travel is between the two, for one track. Both are belt travel at the gate:
    the part's `x_belt_mm` plus the gate's station."""

    track_id: int
    gate: str
    position: str
    from_belt_mm: float
    to_belt_mm: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The planner's answer: the bin the part will really reach, and what the gates must do for it."""

    track_id: int
    bin: str
    refused: bool
    commands: tuple[GateCommand, ...] = ()
    why: str = ""
    """For a refusal: which gate, and which track stood in the way."""
    revised: tuple[Plan, ...] = ()
    """New plans of other tracks, which had to give way so that this part is not swept into their bin."""


class CommandStatus(StrEnum):
    DONE = "done"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GateReport:
    """What became of one command; `lateness_s` > 0 is time lost against the latest useful moment."""

    command: GateCommand
    status: CommandStatus
    time_s: float
    lateness_s: float
    detail: str = ""
    held: str = ""
    """The position the gate is really in for this part; for a late command that may not be the one asked for."""
    delay_s: float = 0.0
    """From the moment at which the dispatcher should have acted (the command due and known, the gate free) until it
    did. Its own lateness: the headroom is there to take it in."""


class Confirmed(StrEnum):
    """What the sensors say of a part after its last gate, against what was planned."""

    NOT_WATCHED = "not watched"
    """No sensor is on its way, or it was not due yet when this was written."""
    SEEN = "seen"
    MISSING = "missing"
    WRONG_PLACE = "wrong place"


@dataclass(frozen=True, slots=True)
class PartRecord:
    """One line of the journal: everything about one part, in plain values (JSON-ready)."""

    part_id: int
    time_s: float
    frame_first: int
    frame_last: int
    looks: int
    top: tuple[tuple[str, float], ...]
    """(part number, posterior) best first, at most 5."""
    colour: tuple[tuple[str, float], ...]
    bin_wanted: str
    bin: str
    """The bin the part was really sent to."""
    reason: str
    detail: str
    probability: float
    gates: tuple[str, ...]
    """"gate=position" of every command."""
    decision_latency_s: float
    """From the last frame that showed it to the decision."""
    lateness_s: float = 0.0
    length_mm: float = 0.0
    width_mm: float = 0.0
    gate_reports: tuple[tuple[str, str, str, float], ...] = ()
    """(gate, position it held for the part, "done", "late" or "failed", lateness_s) of every command that was acted on;
    a lateness below 0 is time to spare."""
    confirmation: str = Confirmed.NOT_WATCHED
    """What a sensor saw of it, as a `Confirmed`."""
    seen_in: str = ""
    """Where the sensors saw a part that was in the wrong place."""
    again: bool = False
    """It went back to the feeder, for `reason`: the same part comes once more, under another number."""
