"""The way of one part, on one screen: capture → track → classify → fuse → decide → schedule → actuate → journal.

The pipeline knows the stages by what they do; `edge/machine.py` builds them. Everything here runs in the control
thread and in bounded time: nothing blocks on a disk, a client or a log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from edge.clock import Clock
from edge.confirmation.confirmation import Confirmation
from edge.errors import HardwareError
from edge.feeding.feeding import Feeding
from edge.fusion.verdict import Fusion
from edge.inference.classifier import Classifier
from edge.records import (
    TOP_VIEW,
    BinDecision,
    CommandStatus,
    Confirmed,
    DecisionReason,
    Frame,
    GateReport,
    Look,
    Plan,
    Track,
    TrackState,
    Verdict,
)
from edge.routing.router import Router
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.planner import Planner
from edge.tracking.tracker import Tracker

EARLY_DOUBT_SHARE = 0.35
"""Looking at a part stops before it leaves the view when the doubt is down to this share of what is allowed."""
GROWN_MM = 3.0
"""A part that is not decided yet is planned for anew when more of it than this has come into view."""
REPORTED_WITHIN_MM = 100.0
"""Belt travel after the last gate within which a gate's report has come, if it comes at all."""
UNSEEN = 0
"""In the place of a track's number: what lay on the belt before the run. Tracks count from 1."""
CARRIED_LOOKS = 64
"""Looks that may wait for the network at most; older ones of the same part go first."""


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
    recorded: bool = False
    amended: bool = False
    """Whether something came to be known after it was recorded last."""
    part_id: int | None = None
    """Its number in the journal, once it is there."""
    time_s: float | None = None
    """Of the decision, in seconds since 1970, likewise."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One frame's result: the parts in view, and those that have left it for good."""

    frame: Frame
    parts: list[PartState]
    finished: list[PartState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one machine."""

    tracker: Tracker
    classifier: Classifier
    fusion: Fusion
    router: Router
    planner: Planner
    dispatcher: Dispatcher
    belt: BeltCoordinate
    feeding: Feeding
    confirmation: Confirmation


class Pipeline:
    """Takes frames one by one through the stages.

    Args:
        stages: the built stages.
        clock: the machine's clock, virtual in the simulator.
        stopwatch: measures how long decisions take; a real clock in either case.
        record: told of each part when it is decided, when it has left the view, when a gate that came late sent it
            elsewhere, and after its last gate; must not block.
        sure_above: posterior mass of a bin from which the router decides for it.
        looks_per_frame: how many looks the network is given at most for one frame; the others wait.
    """

    def __init__(
        self,
        stages: Stages,
        clock: Clock,
        stopwatch: Clock,
        record: Callable[[PartState], None],
        sure_above: float,
        looks_per_frame: int = 8,
    ) -> None:
        self._stages = stages
        self._clock, self._stopwatch = clock, stopwatch
        self._record = record
        self._doubt = 1 - sure_above
        self._looks_per_frame = looks_per_frame
        self._parts: dict[int, PartState] = {}
        self._riding: dict[int, PartState] = {}
        self._waiting: deque[Look] = deque(maxlen=CARRIED_LOOKS)
        self._classified: deque[int] = deque(maxlen=CARRIED_LOOKS)
        self._reports: deque[GateReport] = deque()
        self.looks = 0

    def process(self, frame: Frame) -> Outcome:
        """One frame through all stages."""
        start_s = self._stopwatch.now_s()
        self._absorb_reports()
        self._keep_up()
        tracks = self._stages.tracker.update(frame)
        for track in tracks:
            self._follow(track)
        self._classify()
        finished = [part for track in tracks if (part := self._settle(track, frame, start_s))]
        self._confirm()
        self._let_go()
        ended = [(part.track, part.plan) for part in finished]
        load = self._stages.planner.load(self._stages.planner.bookings.at(*self._belt_now()))
        self._stages.feeding.follow(frame, tracks, ended, len(self._waiting), load)
        return Outcome(frame, list(self._parts.values()), finished)

    def pass_over(self, frame: Frame) -> Outcome:
        """A frame that must not be looked at: what is known rides on."""
        self._absorb_reports()
        self._keep_up()
        self._confirm()
        self._let_go()
        return Outcome(frame, list(self._parts.values()))

    def distrust(self, looks: int) -> int:
        """The network's last so many answers were nonsense: what they decided goes to the default bin, as far as the
        gates still allow, and what they said of the others is forgotten. Returns for how many parts."""
        doubtful = [part for track_id in {*list(self._classified)[-looks:]} if (part := self._known(track_id))]
        for part in doubtful:
            self._stages.fusion.forget(part.track.track_id)
            if part.decision is not None:
                plan = self._stages.planner.plan_default(part.track.track_id, *_extent(part.track), *self._belt_now())
                why = "the accelerator answered nonsense"
                part.decision = BinDecision(part.track.track_id, plan.bin, DecisionReason.UNSURE, 0.0, why)
                self._take_over(plan)
        return len(doubtful)

    def ride_out(self, from_x_mm: float, to_x_mm: float) -> None:
        """What lies between two stations was never seen by this run: as if it were one long part, it rides to the
        default bin, and no gate moves for another part under it."""
        extent = -to_x_mm, -from_x_mm
        self._stages.dispatcher.submit(self._stages.planner.plan_default(UNSEEN, *extent, *self._belt_now()))

    def report(self, report: GateReport) -> None:
        """Takes the dispatcher's word on a command, from any thread; acted on with the next frame."""
        self._reports.append(report)

    def close(self, *, decide_rest: bool = False) -> None:
        """Takes the last reports and records every part that was decided and has not passed its last gate; with
        `decide_rest` the others are decided by what is known of them."""
        with suppress(HardwareError):
            # A stop may come because the encoder is gone: the records are then what was last known.
            self._absorb_reports()
        for part in self._parts.values():
            if decide_rest and part.decision is None:
                self._decide(part, True, self._clock.now_s(), self._stopwatch.now_s())
            if part.plan is not None and part.decision is not None:
                part.left_view = True
                self._put_down(part)
        for part in self._riding.values():
            if part.amended:
                self._put_down(part)
        self._parts.clear()
        self._riding.clear()

    def _follow(self, track: Track) -> None:
        """Keeps a confirmed track and its looks, and protects it from the gates from the first moment."""
        if track.state not in (TrackState.CONFIRMED, TrackState.FINISHED):
            return
        part = self._parts.get(track.track_id)
        if part is None:
            part = self._parts[track.track_id] = PartState(track)
        if part.decision is None and (part.planned_mm is None or track.trail_belt_mm > part.planned_mm[1] + GROWN_MM):
            # Until it is decided it rides to the default bin, as long as it has come out to be so far.
            part.planned_mm = _extent(track)
            self._stages.dispatcher.submit(
                self._stages.planner.plan_default(track.track_id, *_extent(track), *self._belt_now())
            )
        part.track = track
        part.best_look = max(filter(None, (part.best_look, *track.looks)), key=_clearness, default=None)
        if part.decision is None:
            self._waiting.extend(track.looks)
        self._stages.fusion.set_touching(track.track_id, track.touching, track.twofold)
        if track.too_long:
            self._stages.fusion.set_too_long(track.track_id)
        if track.complete:
            self._stages.fusion.set_size(track.track_id, track.length_mm, track.width_mm)

    def _classify(self) -> None:
        """Gives the network the looks that matter, the oldest first."""
        for _ in range(min(len(self._waiting), self._looks_per_frame)):
            look = self._waiting.popleft()
            part = self._parts.get(look.track_id)
            if part is not None and part.decision is None:
                self._stages.fusion.add(self._stages.classifier.classify(look))
                self._classified.append(look.track_id)
                self.looks += 1

    def _settle(self, track: Track, frame: Frame, start_s: float) -> PartState | None:
        """Decides a part as soon as its bin is certain, at the latest when it leaves the view, which ends it here."""
        part = self._parts.get(track.track_id)
        if part is None:
            return None
        leaves = track.state is TrackState.FINISHED
        if part.decision is None or (leaves and self._stages.fusion.is_touching(track.track_id)):
            self._decide(part, leaves, frame.time_s, start_s)
        if part.decision is not None and part.planned_mm != _extent(track) and (leaves or part.plan is None):
            self._schedule(part)
        part.left_view = leaves
        if leaves or (part.decision is not None and not part.recorded):
            self._put_down(part)
        if not leaves:
            return None
        self._expect(part)
        self._stages.fusion.forget(track.track_id)
        self._riding[track.track_id] = self._parts.pop(track.track_id)
        return part

    def _decide(self, part: PartState, leaves: bool, seen_s: float, start_s: float) -> None:
        verdict = self._stages.fusion.verdict(part.track.track_id)
        decision = self._stages.router.decide(verdict)
        part.verdict = verdict
        sure = decision.reason in (DecisionReason.CERTAIN, DecisionReason.NO_RULE)
        # Each further look is another chance to be sure by accident: to stop looking takes more than to decide.
        certain = sure and part.track.complete and 1 - decision.probability <= EARLY_DOUBT_SHARE * self._doubt
        if not (certain or leaves):
            return
        part.decision, part.planned_mm = decision, None
        waited_s = max(self._clock.now_s() - seen_s, 0.0)
        part.decision_latency_s = waited_s + self._stopwatch.now_s() - start_s
        self._schedule(part)

    def _schedule(self, part: PartState) -> None:
        """Plans the part's way on the belt coordinate and hands it to the dispatcher."""
        assert part.decision is not None
        before = part.plan
        part.plan = self._stages.planner.plan(part.decision, *_extent(part.track), *self._belt_now())
        part.planned_mm = _extent(part.track)
        self._stages.dispatcher.submit(part.plan)
        self._stages.router.sent(part.plan.bin, before.bin if before else None, part.verdict)
        for revised in part.plan.revised:
            self._revise(revised)

    def _absorb_reports(self) -> None:
        """Plans anew for parts whose gate came late."""
        while self._reports:
            report = self._reports.popleft()
            if part := self._known(report.command.track_id):
                part.lateness_s = max(part.lateness_s, report.lateness_s)
                part.reports[report.command.gate] = report
                part.amended = True
                if report.status is CommandStatus.LATE and report.held:
                    self._divert(part, report)

    def _keep_up(self) -> None:
        """Takes the plans that the planner had to change: the belt is faster, or a gate went out of service."""
        for plan in self._stages.planner.keep_up(*self._belt_now()):
            self._stages.dispatcher.submit(plan)
            self._revise(plan)

    def _divert(self, part: PartState, report: GateReport) -> None:
        """Plans the rest of the way of a part that a gate let through as it stood; once for each gate."""
        gate = report.command.gate
        if gate in part.late_gates:
            return
        part.late_gates.add(gate)
        now_mm, mm_per_s = self._belt_now()
        plan = self._stages.planner.divert(report.command.track_id, gate, report.held, now_mm, mm_per_s)
        if plan is not None:
            self._take_over(plan)

    def _take_over(self, plan: Plan) -> None:
        """Puts a new plan in the place of what was planned for a part that is on its way."""
        now_mm, _ = self._belt_now()
        # What lies behind the part is done with: asked for again, it would only be late again.
        ahead = tuple(command for command in plan.commands if command.to_belt_mm > now_mm)
        self._stages.dispatcher.submit(replace(plan, commands=ahead))
        for each in (plan, *plan.revised):
            self._revise(each)

    def _revise(self, plan: Plan) -> None:
        part = self._known(plan.track_id)
        if part is None or part.decision is None or part.plan is None:
            return
        self._stages.router.sent(plan.bin, part.plan.bin, part.verdict)
        part.plan = plan
        if part.left_view:
            self._expect(part)
        if part.recorded:
            self._put_down(part)

    def _expect(self, part: PartState) -> None:
        """Lets the sensors look out for a part that has left the view."""
        if part.plan is not None:
            self._stages.confirmation.expect(part.plan, *_extent(part.track), touching=part.track.touching)

    def _confirm(self) -> None:
        """Takes what the sensors saw of parts behind the gates."""
        for finding in self._stages.confirmation.update(self._clock.now_s(), self._belt_now()[0]):
            if part := self._known(finding.track_id):
                part.confirmation, part.seen_in, part.amended = finding.confirmed, finding.seen_in, True

    def _put_down(self, part: PartState) -> None:
        self._record(part)
        part.recorded, part.amended = True, False

    def _known(self, track_id: int) -> PartState | None:
        return self._parts.get(track_id) or self._riding.get(track_id)

    def _let_go(self) -> None:
        """Forgets the parts that have passed their last gate and that no sensor may still see."""
        now_mm, _ = self._belt_now()
        for track_id, part in list(self._riding.items()):
            if _is_through(part, now_mm) and not self._stages.confirmation.awaits(track_id):
                del self._riding[track_id]
                if part.amended:
                    self._put_down(part)

    def _belt_now(self) -> tuple[float, float]:
        now_mm = self._stages.belt.sample(self._clock.now_s())
        return now_mm, self._stages.belt.mm_per_s()


def _is_through(part: PartState, now_mm: float) -> bool:
    """Whether it has passed its last gate, and what the gates did for it is known."""
    commands = part.plan.commands if part.plan else ()
    last_mm = max((command.to_belt_mm for command in commands), default=float("-inf"))
    reported = all(command.gate in part.reports for command in commands)
    return now_mm > last_mm + (0.0 if reported else REPORTED_WITHIN_MM)


def _clearness(look: Look) -> tuple[bool, float]:
    """The view from above before a mirror's, and the better look before the worse."""
    return look.view == TOP_VIEW, look.quality


def _extent(track: Track) -> tuple[float, float]:
    return track.lead_belt_mm, track.trail_belt_mm
