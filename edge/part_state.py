"""What is known and planned of one part, and what one frame came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.records import BinDecision, Confirmed, Frame, GateReport, Look, Plan, Track, Verdict


@dataclass(slots=True)
class PartState:
    """What is known and planned of one part, from its confirmation to its end."""

    track: Track
    verdict: Verdict | None = None
    decision: BinDecision | None = None
    plan: Plan | None = None
    planned_mm: tuple[float, float] | None = None
    decision_latency_s: float = 0.0
    lateness_s: float = 0.0
    late_gates: set[str] = field(default_factory=set)
    """Gates that came late for it, and what was planned anew for."""
    reports: dict[str, GateReport] = field(default_factory=dict)
    """What each gate did for it."""
    best_look: Look | None = None
    """The clearest so far, until it is in the journal."""
    left_view: bool = False
    confirmation: Confirmed = Confirmed.NOT_WATCHED
    seen_in: str = ""
    """Where the sensors saw it, when that is the wrong place."""
    went_back: bool = False
    """To the feeder, on a belt that ran backwards: it comes again, under another number."""
    recorded: bool = False
    amended: bool = False
    """Whether something came to be known after it was recorded last."""
    part_id: int | None = None
    """Its number in the journal, once it is there."""
    time_s: float | None = None
    """Of the decision, in seconds since 1970, likewise."""

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Where its leading and its trailing edge are on the moving belt."""
        return self.track.lead_belt_mm, self.track.trail_belt_mm


@dataclass(frozen=True, slots=True)
class Outcome:
    """One frame's result: the parts in view, and those that have left it for good."""

    frame: Frame
    parts: list[PartState]
    finished: list[PartState] = field(default_factory=list)
