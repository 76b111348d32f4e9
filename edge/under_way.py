"""The parts from their confirmation to their last gate: what gates and sensors tell of them, and plans that change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from edge.clock import Clock
from edge.errors import HardwareError
from edge.part_state import PartState
from edge.records import BinDecision, CommandStatus, DecisionReason, GateReport, Plan
from edge.stages import Stages

REPORTED_WITHIN_MM = 100.0
"""Belt travel after the last gate within which a gate's report has come, if it comes at all."""
UNSEEN = 0
"""In the place of a track's number: what lay on the belt before the run; what nobody saw later counts down from it.
Tracks count from 1."""


class UnderWay:
    """All parts that the machine knows: those in view, and those that ride on to their last gate.

    Args:
        stages: the built stages.
        clock: the machine's clock.
        record: told of each part that is to be recorded, or recorded anew; must not block.
    """

    def __init__(self, stages: Stages, clock: Clock, record: Callable[[PartState], None]) -> None:
        self._stages, self._clock, self._record = stages, clock, record
        self._riding: dict[int, PartState] = {}
        self._reports: deque[GateReport] = deque()
        self._next_unseen = UNSEEN
        self.in_view: dict[int, PartState] = {}

    def catch_up(self) -> None:
        """What happened since the last frame: gates that reported, and plans that the planner had to change."""
        self._absorb_reports()
        for plan in self._stages.planner.keep_up(*self.belt_now()):
            self._stages.dispatcher.submit(plan)
            self.revise(plan)

    def look_after(self) -> None:
        """What the sensors saw; parts that are through are let go."""
        for finding in self._stages.confirmation.update(self._clock.now_s(), self.belt_now()[0]):
            if part := self._known(finding.track_id):
                part.confirmation, part.seen_in, part.amended = finding.confirmed, finding.seen_in, True
        self._let_go()

    def report(self, report: GateReport) -> None:
        """Takes the dispatcher's word on a command, from any thread; acted on with the next frame."""
        self._reports.append(report)

    def send_unsorted(self, track_ids: Collection[int], why: str) -> int:
        """Sends parts to the default bin, as far as the gates still allow, and forgets what was seen of them. Returns
        how many of them are known."""
        doubtful = [part for track_id in track_ids if (part := self._known(track_id))]
        for part in doubtful:
            track_id = part.track.track_id
            self._stages.fusion.forget(track_id)
            if part.decision is not None:
                plan = self._stages.planner.plan_default(track_id, *part.extent_mm, *self.belt_now())
                part.decision = BinDecision(track_id, plan.bin, DecisionReason.UNSURE, 0.0, why)
                self._take_over(plan)
        return len(doubtful)

    @property
    def bound(self) -> list[PartState]:
        """The parts that ride to another bin than the belt's end, as far as they have gates before them."""
        now_mm, end = self.belt_now()[0], self._stages.planner.default_bin
        known = (*self.in_view.values(), *self._riding.values())
        return [part for part in known if part.plan and part.plan.bin != end and not _is_past_gates(part, now_mm)]

    def take_back(self, riding: Collection[PartState]) -> int:
        """The belt is about to carry back what is in view, and these parts that have left it. Returns how many parts
        that are."""
        back = [*self.in_view.values(), *riding]
        for part in back:
            track_id = part.track.track_id
            self._stages.fusion.forget(track_id)
            self._stages.confirmation.forget(track_id)
            self._riding.pop(track_id, None)
            if part.plan is not None and part.decision is not None:
                self._stages.router.taken_back(part.plan.bin, part.verdict)
                part.went_back = part.left_view = True
                self.put_down(part)
        self.in_view.clear()
        return len(back)

    def ride_out(self, from_x_mm: float, to_x_mm: float) -> None:
        """What lies between two stations now was never seen by this run: as if it were one long part, it rides to the
        default bin, and no gate moves for another part under it."""
        now_mm, mm_per_s = self.belt_now()
        extent = now_mm - to_x_mm, now_mm - from_x_mm
        plan = self._stages.planner.plan_default(self._next_unseen, *extent, now_mm, mm_per_s)
        self._next_unseen -= 1
        self._stages.dispatcher.submit(plan)
        for revised in plan.revised:
            self.revise(revised)

    def leave_view(self, part: PartState) -> None:
        """Lets a part ride on, and the sensors look out for it."""
        self._expect(part)
        self._riding[part.track.track_id] = self.in_view.pop(part.track.track_id)

    def revise(self, plan: Plan) -> None:
        """Notes a plan that took the place of another."""
        part = self._known(plan.track_id)
        if part is None or part.decision is None or part.plan is None:
            return
        self._stages.router.sent(plan.bin, part.plan.bin, part.verdict)
        part.plan = plan
        if part.left_view:
            self._expect(part)
        if part.recorded:
            self.put_down(part)

    def put_down(self, part: PartState) -> None:
        """Records a part as it is known now."""
        self._record(part)
        part.recorded, part.amended = True, False

    def close(self) -> None:
        """Takes the last reports, records every part that was decided and has not passed its last gate, and forgets
        all."""
        with suppress(HardwareError):
            # A stop may come because the encoder is gone: the records are then what was last known.
            self._absorb_reports()
        for part in self.in_view.values():
            if part.plan is not None and part.decision is not None:
                part.left_view = True
                self.put_down(part)
        for part in self._riding.values():
            if part.amended:
                self.put_down(part)
        self.in_view.clear()
        self._riding.clear()

    def belt_now(self) -> tuple[float, float]:
        """The belt's travel in mm and its speed in mm/s."""
        now_mm = self._stages.belt.sample(self._clock.now_s())
        return now_mm, self._stages.belt.mm_per_s()

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

    def _divert(self, part: PartState, report: GateReport) -> None:
        """Plans the rest of the way of a part that a gate let through as it stood; once for each gate."""
        gate = report.command.gate
        if gate in part.late_gates:
            return
        part.late_gates.add(gate)
        now_mm, mm_per_s = self.belt_now()
        plan = self._stages.planner.divert(report.command.track_id, gate, report.held, now_mm, mm_per_s)
        if plan is not None:
            self._take_over(plan)

    def _take_over(self, plan: Plan) -> None:
        """Puts a new plan in the place of what was planned for a part that is on its way."""
        now_mm, _ = self.belt_now()
        # What lies behind the part is done with: asked for again, it would only be late again.
        ahead = tuple(command for command in plan.commands if command.to_belt_mm > now_mm)
        self._stages.dispatcher.submit(replace(plan, commands=ahead))
        for each in (plan, *plan.revised):
            self.revise(each)

    def _expect(self, part: PartState) -> None:
        """Lets the sensors look out for a part that has left the view."""
        if part.plan is not None:
            self._stages.confirmation.expect(part.plan, *part.extent_mm, touching=part.track.touching)

    def _known(self, track_id: int) -> PartState | None:
        return self.in_view.get(track_id) or self._riding.get(track_id)

    def _let_go(self) -> None:
        """Forgets the parts that have passed their last gate and that no sensor may still see."""
        now_mm, _ = self.belt_now()
        for track_id, part in list(self._riding.items()):
            if _is_through(part, now_mm) and not self._stages.confirmation.awaits(track_id):
                del self._riding[track_id]
                if part.amended:
                    self.put_down(part)


def _is_through(part: PartState, now_mm: float) -> bool:
    """Whether it has passed its last gate, and what the gates did for it is known."""
    commands = part.plan.commands if part.plan else ()
    reported = all(command.gate in part.reports for command in commands)
    return _is_past_gates(part, now_mm - (0.0 if reported else REPORTED_WITHIN_MM))


def _is_past_gates(part: PartState, now_mm: float) -> bool:
    commands = part.plan.commands if part.plan else ()
    return now_mm > max((command.to_belt_mm for command in commands), default=float("-inf"))
