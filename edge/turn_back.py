"""A belt that can run backwards: touching parts go back to the feeder, which lays them anew.

Nothing may be sorted wrongly for it, so the belt turns only when no gate has anything left to do: the feeder pauses,
the parts before the pair go to their bins, those behind it ride towards the belt's end, and every gate comes to rest.
With the gates at rest the way from the belt's end to its start is free, as `check-config` has made sure. What lies on
the belt then goes back, all of it; each part comes again under a new number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from edge.clock import Clock
from edge.config.schema import MachineConfig, ReversalConfig
from edge.errors import HardwareError
from edge.fusion.verdict import TOUCHING
from edge.hardware.interfaces import Encoder
from edge.part_state import Outcome, PartState
from edge.pipeline import Pipeline
from edge.safety import Safety
from edge.stages import Stages

CAUSE = "touching parts go back"
STAND_S = 1.0
"""A belt that was switched off stands after this, and may be switched on the other way."""
STOPS_S = 0.5
"""For so long a belt may run on when it is switched off, and frames may be late."""
BEYOND_MM = 30.0
"""Part that lies on the belt, in front of its middle, and a belt that has not gone quite as far as was counted."""
SLOWER = 2.0
"""A belt that needs longer than this times its nominal time for the way back does not run back."""


class _Step(Enum):
    WATCHING = auto()
    WAITING = auto()
    """For the parts before the pair to get to their bins; the feeder pauses."""
    CLEARING = auto()
    """For the gates to come to rest; from here on nobody looks at the belt."""
    STOPPING = auto()
    BACK = auto()
    TURNING = auto()
    """Stands again, before it goes on."""


@dataclass(frozen=True, slots=True)
class Turner:
    """What runs the belt the other way, and who must know."""

    safety: Safety
    encoder: Encoder
    clock: Clock
    say: Callable[[str], None]


class TurnBack:
    """Called by the control loop around each frame.

    Args:
        reversal: where the belt ends, and how many pairs ride on.
        view_mm: stations of the ends of the seen belt.
        belt_mm_per_s: its nominal speed, either way.
        stages: the built stages.
        pipeline: around them.
        turner: the belt's devices.
    """

    def __init__(
        self,
        reversal: ReversalConfig,
        view_mm: tuple[float, float],
        belt_mm_per_s: float,
        stages: Stages,
        pipeline: Pipeline,
        turner: Turner,
    ) -> None:
        self._reversal, self._view_mm, self._mm_per_s = reversal, view_mm, belt_mm_per_s
        self._stages, self._pipeline, self._do = stages, pipeline, turner
        self._step = _Step.WATCHING
        self._pair: PartState | None = None
        self._pairs = 0
        self._left_view: deque[PartState] = deque()
        """Those that may still lie on the belt."""
        self._since_s = self._last_s = self._ran_s = 0.0
        self._from_mm = self._way_mm = 0.0

    def before(self) -> bool:
        """Goes on with a belt that is being turned. Whether the frame may be looked at.

        Raises:
            HardwareError: a device does not obey.
        """
        now_s = self._do.clock.now_s()
        if self._step is _Step.CLEARING:
            self._clear(now_s)
        elif self._step is _Step.STOPPING and now_s - self._since_s >= STAND_S:
            self._send_back()
        elif self._step is _Step.BACK:
            self._run_back(now_s - self._last_s)
        elif self._step is _Step.TURNING and now_s - self._since_s >= STAND_S:
            self._go_on()
        self._last_s = now_s
        return self._step in (_Step.WATCHING, _Step.WAITING)

    def after(self, outcome: Outcome) -> None:
        """Looks at what the pipeline made of a frame.

        Raises:
            HardwareError: a device does not obey.
        """
        self._left_view.extend(outcome.finished)
        now_mm = self._now_mm()
        while self._left_view and _middle_mm(self._left_view[0], now_mm) > self._reversal.end_mm:
            self._left_view.popleft()
        if self._step is _Step.WATCHING:
            self._look_for_pair(outcome.finished)
        if self._step is _Step.WAITING:
            self._wait()

    def _look_for_pair(self, finished: Sequence[PartState]) -> None:
        for part in finished:
            if part.verdict is None or part.verdict.reason != TOUCHING or self._pair is not None:
                continue
            self._pairs += 1
            if self._pairs % self._reversal.pair_rounds:
                self._pair, self._step = part, _Step.WAITING
                self._stages.feeding.pause()

    def _wait(self) -> None:
        """Until nothing that lies before the pair has a gate to pass; for the rest the way to its bin ends here."""
        assert self._pair is not None
        if self._is_too_late():
            self._give_up()
            return
        bound, lead_mm = self._pipeline.bound(), self._pair.track.lead_belt_mm
        if any(part.track.lead_belt_mm < lead_mm for part in bound):
            return
        self._pipeline.to_belt_end(bound, CAUSE)
        self._step, self._from_mm = _Step.CLEARING, self._now_mm()

    def _clear(self, now_s: float) -> None:
        """Until no gate has anything to do. One that moves for a part already still serves it."""
        if self._is_too_late():
            # What came meanwhile was seen by nobody: no gate may move under it.
            start_mm, end_mm = self._view_mm
            self._pipeline.ride_out(start_mm, end_mm + self._now_mm() - self._from_mm)
            self._give_up()
        elif not self._pipeline.bound() and self._stages.dispatcher.at_rest(now_s):
            self._do.safety.hold(CAUSE)
            self._step, self._since_s = _Step.STOPPING, now_s

    def _is_too_late(self) -> bool:
        """Whether the pair would fall off the end before the belt stands."""
        assert self._pair is not None
        room_mm = STOPS_S * self._mm_per_s
        return self._now_mm() - self._pair.track.lead_belt_mm > self._reversal.end_mm - room_mm

    def _give_up(self) -> None:
        self._do.say(f"{CAUSE}: not this time, the gates before them were busy; they ride on to the default bin")
        self._watch_on()

    def _send_back(self) -> None:
        """The belt stands: what lies on it is taken back, and it is started the other way."""
        self._do.encoder.turn()
        now_mm, reversal = self._now_mm(), self._reversal
        end = self._stages.planner.default_bin
        on_belt = [
            part
            for part in self._left_view
            if part.plan and part.plan.bin == end and _middle_mm(part, now_mm) <= reversal.end_mm
        ]
        furthest_mm = max((now_mm - part.track.lead_belt_mm for part in on_belt), default=reversal.end_mm)
        self._left_view.clear()
        count = self._pipeline.take_back(on_belt)
        carries = "1 part" if count == 1 else f"{count} parts"
        self._do.say(f"{CAUSE}: the belt carries {carries} back to the feeder")
        self._from_mm, self._way_mm = now_mm, furthest_mm - reversal.start_mm + BEYOND_MM
        self._step, self._ran_s = _Step.BACK, 0.0
        self._run_back(0.0)

    def _run_back(self, took_s: float) -> None:
        if not self._do.safety.run_back(CAUSE):
            return  # It is held for something else as well, and goes on when that is over.
        self._ran_s += took_s
        if self._now_mm() - self._from_mm >= self._way_mm:
            self._do.safety.stand()
            self._step, self._since_s = _Step.TURNING, self._do.clock.now_s()
        elif self._ran_s > STAND_S + SLOWER * self._way_mm / self._mm_per_s:
            raise HardwareError(
                f"belt: has not run {self._way_mm:.0f} mm back within {self._ran_s:.0f} s: look for what blocks it,"
                " then at the motor's reverse_pin and the encoder"
            )

    def _go_on(self) -> None:
        self._do.encoder.turn()
        self._stages.tracker.restart()
        self._watch_on()
        self._do.safety.release(CAUSE)

    def _watch_on(self) -> None:
        self._pair, self._step = None, _Step.WATCHING
        self._stages.feeding.go_on()

    def _now_mm(self) -> float:
        return self._stages.belt.sample(self._do.clock.now_s())


def _middle_mm(part: PartState, now_mm: float) -> float:
    """The station of its middle."""
    return now_mm - (part.track.lead_belt_mm + part.track.trail_belt_mm) / 2


def turn_back(config: MachineConfig, stages: Stages, pipeline: Pipeline, turner: Turner) -> TurnBack | None:
    """For a belt that can run back; a recording stands for none."""
    reversal = config.belt.reversal
    if reversal is None or config.camera.driver == "frames":
        return None
    camera = config.camera
    view_mm = camera.station_mm, camera.station_mm + camera.seen_mm
    return TurnBack(reversal, view_mm, config.belt.belt_mm_per_s, stages, pipeline, turner)
