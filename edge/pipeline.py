"""The way of one part, on one screen: capture → track → classify → fuse → decide → schedule → actuate → journal.

The pipeline knows the stages by what they do; `edge/machine.py` builds them, and `edge/under_way.py` follows the parts
that ride to their gates. Everything here runs in the control thread and in bounded time: nothing blocks on a disk, a
client or a log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence

from edge.clock import Clock
from edge.part_state import Outcome, PartState
from edge.records import TOP_VIEW, DecisionReason, Frame, GateReport, Look, Track, TrackState
from edge.stages import Stages
from edge.under_way import UnderWay

EARLY_DOUBT_SHARE = 0.35
"""Looking at a part stops before it leaves the view when the doubt is down to this share of what is allowed."""
GROWN_MM = 3.0
"""A part that is not decided yet is planned for anew when more of it than this has come into view."""
CARRIED_LOOKS = 64
"""Looks that may wait for the network at most; older ones of the same part go first."""


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
        self._doubt = 1 - sure_above
        self._looks_per_frame = looks_per_frame
        self._under_way = UnderWay(stages, clock, record)
        self._waiting: deque[Look] = deque(maxlen=CARRIED_LOOKS)
        self._classified: deque[int] = deque(maxlen=CARRIED_LOOKS)
        self.looks = 0

    def process(self, frame: Frame) -> Outcome:
        """One frame through all stages."""
        start_s = self._stopwatch.now_s()
        self._under_way.catch_up()
        tracks = self._stages.tracker.update(frame)
        for track in tracks:
            self._follow(track)
        self._classify()
        finished = [part for track in tracks if (part := self._settle(track, frame, start_s))]
        self._under_way.look_after()
        self._feed(frame, tracks, finished)
        return Outcome(frame, list(self._under_way.in_view.values()), finished)

    def pass_over(self, frame: Frame) -> Outcome:
        """A frame that must not be looked at: what is known rides on."""
        self._under_way.catch_up()
        self._under_way.look_after()
        return Outcome(frame, list(self._under_way.in_view.values()))

    def distrust(self, looks: int) -> int:
        """The network's last so many answers were nonsense: what they decided goes to the default bin, as far as the
        gates still allow, and what they said of the others is forgotten. Returns for how many parts."""
        return self._under_way.send_unsorted({*list(self._classified)[-looks:]}, "the accelerator answered nonsense")

    def ride_out(self, from_x_mm: float, to_x_mm: float) -> None:
        """What lies between two stations was never seen by this run: it rides to the default bin."""
        self._under_way.ride_out(from_x_mm, to_x_mm)

    def bound(self) -> list[PartState]:
        """The parts that still have gates between them and their bins; not those that ride to the belt's end."""
        return self._under_way.bound

    def to_belt_end(self, parts: Iterable[PartState], why: str) -> None:
        """Sends parts to the default bin, as far as the gates still allow."""
        self._under_way.send_unsorted([part.track.track_id for part in parts], why)

    def take_back(self, riding: Collection[PartState]) -> int:
        """The belt is about to carry back what is in view, and these parts that have left it: they will come again.
        Returns how many parts that are."""
        return self._under_way.take_back(riding)

    def report(self, report: GateReport) -> None:
        """Takes the dispatcher's word on a command, from any thread; acted on with the next frame."""
        self._under_way.report(report)

    def close(self, *, decide_rest: bool = False) -> None:
        """Takes the last reports and records every part that was decided and has not passed its last gate; with
        `decide_rest` the others are decided by what is known of them."""
        for part in self._under_way.in_view.values():
            if decide_rest and part.decision is None:
                self._decide(part, True, self._clock.now_s(), self._stopwatch.now_s())
        self._under_way.close()

    def _follow(self, track: Track) -> None:
        """Keeps a confirmed track and its looks, and protects it from the gates from the first moment."""
        if track.state not in (TrackState.CONFIRMED, TrackState.FINISHED):
            return
        part = self._under_way.in_view.get(track.track_id)
        if part is None:
            part = self._under_way.in_view[track.track_id] = PartState(track)
        if part.decision is None and (part.planned_mm is None or track.trail_belt_mm > part.planned_mm[1] + GROWN_MM):
            # Until it is decided it rides to the default bin, as long as it has come out to be so far.
            part.planned_mm = _extent(track)
            self._stages.dispatcher.submit(
                self._stages.planner.plan_default(track.track_id, *_extent(track), *self._under_way.belt_now())
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
            part = self._under_way.in_view.get(look.track_id)
            if part is not None and part.decision is None:
                self._stages.fusion.add(self._stages.classifier.classify(look))
                self._classified.append(look.track_id)
                self.looks += 1

    def _settle(self, track: Track, frame: Frame, start_s: float) -> PartState | None:
        """Decides a part as soon as its bin is certain, at the latest when it leaves the view, which ends it here."""
        part = self._under_way.in_view.get(track.track_id)
        if part is None:
            return None
        leaves = track.state is TrackState.FINISHED
        if part.decision is None or (leaves and self._stages.fusion.is_touching(track.track_id)):
            self._decide(part, leaves, frame.time_s, start_s)
        if part.decision is not None and part.planned_mm != _extent(track) and (leaves or part.plan is None):
            self._schedule(part)
        part.left_view = leaves
        if leaves or (part.decision is not None and not part.recorded):
            self._under_way.put_down(part)
        if not leaves:
            return None
        self._stages.fusion.forget(track.track_id)
        self._under_way.leave_view(part)
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
        part.plan = self._stages.planner.plan(part.decision, *part.extent_mm, *self._under_way.belt_now())
        part.planned_mm = part.extent_mm
        self._stages.dispatcher.submit(part.plan)
        self._stages.router.sent(part.plan.bin, before.bin if before else None, part.verdict)
        for revised in part.plan.revised:
            self._under_way.revise(revised)

    def _feed(self, frame: Frame, tracks: Sequence[Track], finished: Sequence[PartState]) -> None:
        """Lets the feeder follow what rides past and how busy the machine is."""
        load = self._stages.planner.load(*self._under_way.belt_now())
        ended = [(part.track, part.plan) for part in finished]
        self._stages.feeding.follow(frame, tracks, ended, len(self._waiting), load)


def _clearness(look: Look) -> tuple[bool, float]:
    """The view from above before a mirror's, and the better look before the worse."""
    return look.view == TOP_VIEW, look.quality


def _extent(track: Track) -> tuple[float, float]:
    return track.lead_belt_mm, track.trail_belt_mm
