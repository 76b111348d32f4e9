"""One gate and what it still has to do: commands are turned into movements here, at the last moment."""

from __future__ import annotations

from bisect import insort
from contextlib import suppress
from dataclasses import dataclass, replace

from edge.errors import HardwareError
from edge.hardware.interfaces import Gate
from edge.records import CommandStatus, GateCommand, GateReport
from edge.scheduling.gate_worker import GateBusyError, GateWorker
from edge.scheduling.topology import Action, GateSettings


@dataclass(frozen=True, slots=True)
class DispatcherSettings:
    """How commands become movements."""

    headroom: float = 0.10
    """Share of the gate's moving time by which a movement starts early; lateness eats it up first."""
    least_headroom_s: float = 0.01
    """Of quick gates, which move within the dispatcher's own lateness: no less than two of its slices."""
    rest_after_s: float = 0.5
    """A gate with nothing reserved for this long goes to rest."""
    max_lateness_s: float = 0.0
    """A command later than this against its latest useful moment is dropped."""
    slice_s: float = 0.005
    """The longest sleep of the dispatcher's thread."""


@dataclass(frozen=True, slots=True)
class BeltState:
    """The belt at one step: its travel and the speed to reckon with."""

    now_s: float
    belt_mm: float
    mm_per_s: float


def _by_place(command: GateCommand) -> float:
    return command.from_belt_mm


class GateLane:
    """The commands of one gate. Holds the gate still while any part is in it; not thread-safe."""

    def __init__(self, gate: Gate, settings: GateSettings, dispatch: DispatcherSettings) -> None:
        self.gate = gate
        self.position = gate.rest
        self._settings = settings
        self._dispatch = dispatch
        self._pending: list[GateCommand] = []
        self._holds: list[GateCommand] = []
        self._moved_s = self._still_at_s = float("-inf")
        self._free_mm = float("-inf")
        """Where the last part left the gate."""
        self._told_mm: dict[int, float] = {}
        """Travel at which each pending command was first seen here."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with the gate's driver, where it has a thread of its own."""
        return self.gate.trouble if isinstance(self.gate, GateWorker) else None

    def at_rest(self, now_s: float) -> bool:
        """Whether the gate stands at rest, and has come there."""
        return self.position == self.gate.rest and now_s >= self._still_at_s

    @property
    def pending(self) -> tuple[GateCommand, ...]:
        return tuple(self._pending)

    def replace_track(self, track_id: int, command: GateCommand | None) -> None:
        """Puts `command` in the place of what the track had here; what the gate already does for it goes
        on."""
        self._pending = [c for c in self._pending if c.track_id != track_id]
        self._told_mm.pop(track_id, None)
        if command is None:
            return
        for index, hold in enumerate(self._holds):
            if hold.track_id == track_id and hold.position == command.position:
                to_mm = max(hold.to_belt_mm, command.to_belt_mm)
                self._holds[index] = replace(hold, to_belt_mm=to_mm)
                return
        insort(self._pending, command, key=_by_place)

    def next_mm(self, mm_per_s: float) -> float:
        """Travel at which this gate next wants attention; infinity when it has nothing to do."""
        free_mm = max((hold.to_belt_mm for hold in self._holds), default=float("-inf"))
        next_mm = free_mm if self._holds and self.position != self.gate.rest else float("inf")
        if self._pending:
            first = self._pending[0]
            due_mm = first.from_belt_mm - self._lead_mm(mm_per_s)
            next_mm = min(next_mm, due_mm if first.position == self.position else max(due_mm, free_mm))
        return next_mm

    def advance(self, belt: BeltState) -> list[GateReport]:
        """Acts on everything that is due at this moment."""
        self._let_pass(belt)
        reports = []
        while self._pending:
            command = self._pending[0]
            if command.from_belt_mm - self._lead_mm(belt.mm_per_s) > belt.belt_mm:
                break
            if self._must_come_back(command, belt):
                break
            report = self._act(command, belt)
            if report is None:
                break
            self._pending.pop(0)
            self._told_mm.pop(command.track_id, None)
            reports.append(report)
        return reports

    def rest_when_idle(self, belt: BeltState) -> None:
        """Goes to rest when no part is in the gate and none is expected soon; what falls back does so at once, and
        while the belt stands after `max_on_s`."""
        if self.position == self.gate.rest:
            return
        too_long = belt.now_s - self._moved_s > self._settings.max_on_s
        if self._holds and not too_long:
            return
        if self._settings.returns or too_long:
            with suppress(GateBusyError):
                self._move(self.gate.rest, belt)
            return
        soon_mm = belt.belt_mm + self._dispatch.rest_after_s * belt.mm_per_s + self._lead_mm(belt.mm_per_s)
        if not self._pending or self._pending[0].from_belt_mm > soon_mm:
            with suppress(GateBusyError):
                self._move(self.gate.rest, belt)

    def force_rest(self, belt: BeltState) -> None:
        """Goes to rest at once, whatever is in the gate: the machine has been stopped."""
        if self.position != self.gate.rest:
            with suppress(GateBusyError):
                self._move(self.gate.rest, belt)

    def _let_pass(self, belt: BeltState) -> None:
        """Lets go of the parts that have left, and notes which commands are new."""
        staying = [hold for hold in self._holds if hold.to_belt_mm > belt.belt_mm]
        if len(staying) < len(self._holds):
            self._free_mm = max(hold.to_belt_mm for hold in self._holds if hold.to_belt_mm <= belt.belt_mm)
        self._holds = staying
        if len(self._told_mm) < len(self._pending):
            for command in self._pending:
                self._told_mm.setdefault(command.track_id, belt.belt_mm)

    def _act(self, command: GateCommand, belt: BeltState) -> GateReport | None:
        """Moves, holds or drops; None when the part before must leave first, or the gate did not begin to move."""
        if command.to_belt_mm <= belt.belt_mm:
            return self._late(command, belt, self._lateness_s(command, belt), hold=False)
        late_s = self._lateness_s(command, belt)
        if late_s > self._dispatch.max_lateness_s:
            return self._late(command, belt, late_s, hold=True)
        if command.position != self.position:
            if self._holds:
                return None
            try:
                self._move(command.position, belt, belt.now_s - late_s + self._dispatch.max_lateness_s)
            except GateBusyError:
                return None
            except HardwareError as error:
                return self._report(command, CommandStatus.FAILED, belt, late_s, str(error))
        self._holds.append(command)
        return self._report(command, CommandStatus.DONE, belt, late_s)

    def _must_come_back(self, command: GateCommand, belt: BeltState) -> bool:
        """Whether a pusher that is to strike is still out, for its driver was busy or the dispatcher got no processor:
        by staying there it strikes nothing."""
        strikes = self._settings.action is Action.STROKE and command.position != self.gate.rest
        back = self.position == self.gate.rest and belt.now_s >= self._still_at_s - self._settings.latency_s
        return strikes and not back and command.to_belt_mm > belt.belt_mm

    def _late(self, command: GateCommand, belt: BeltState, late_s: float, *, hold: bool) -> GateReport:
        """Drops a command: the gate stays as it is until the part has passed, rather than move under it."""
        if hold:
            self._holds.append(replace(command, position=self.position))
        detail = f"{command.gate}: {command.position} for track {command.track_id} came {late_s:.3f} s late"
        return self._report(command, CommandStatus.LATE, belt, late_s, detail)

    def _move(self, position: str, belt: BeltState, latest_s: float = float("inf")) -> None:
        if isinstance(self.gate, GateWorker):
            self.gate.move_by(position, latest_s)
        else:
            self.gate.move_to(position)
        self._still_at_s = belt.now_s + self._settings.change_s(self.position, position)
        self.position, self._moved_s = position, belt.now_s

    def _lateness_s(self, command: GateCommand, belt: BeltState) -> float:
        """Time lost against the latest moment at which the gate would still stand when the part comes; never
        above 0 for a gate that stands there already."""
        move_s = self._settings.change_s(self.position, command.position)
        if command.position == self.position:
            move_s = max(self._still_at_s - belt.now_s, 0.0)
        late_s = move_s - (command.from_belt_mm - belt.belt_mm) / belt.mm_per_s
        return late_s if move_s > 0 else min(late_s, 0.0)

    def _lead_mm(self, mm_per_s: float) -> float:
        move_s, dispatch = self._settings.move_s, self._dispatch
        return (move_s + max(dispatch.headroom * move_s, dispatch.least_headroom_s)) * mm_per_s

    def _report(
        self, command: GateCommand, status: CommandStatus, belt: BeltState, late_s: float, detail: str = ""
    ) -> GateReport:
        due_mm = command.from_belt_mm - self._lead_mm(belt.mm_per_s)
        due_mm = max(due_mm, self._told_mm.get(command.track_id, due_mm), self._free_mm)
        delay_s = max(belt.belt_mm - due_mm, 0.0) / belt.mm_per_s
        return GateReport(command, status, belt.now_s, late_s, detail, held=self.position, delay_s=delay_s)
