"""Compares what is known of the belt: its encoder, the parts that ride on it, its nominal speed, and whether its motor
is on. What they disagree on is told once; what would send parts into wrong bins stops the machine.

Two eyes, in two threads. `reading` looks at every reading of the belt, every few milliseconds, in the dispatcher's
thread: a belt or an encoder that has stopped, or a belt that suddenly runs faster than the plans reckon with, leaves
no time to ask the camera. `frame` compares the encoder with the parts, frame by frame, in the control loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.records import SeenMotion

START_S = 2.0
"""From the motor's start until the belt runs evenly."""
SILENT_S, SILENT_TICKS = 0.08, 3
"""A running belt tells its next tick within this, or within so many ticks' time."""
JUMP_S, JUMP_SHARE = 0.1, 0.15
"""Faster than usual by this share, over so long: the planner's headroom and the gates' are used up."""
USUAL_S = 10.0
"""The usual speed is that of about so long, the time a plan lives."""
WINDOW_S = 1.5
SLIP_MM, SLIP_SHARE = 8.0, 0.06
"""Encoder and parts may differ by so much within the window: about a gate's margin."""
TALL_SHARE = 0.12
"""A part of 30 mm under a camera at 300 mm seems so much faster than the belt: its top is nearer to the camera. Ticks
that are lost make the encoder slower than usual, tall parts do not."""
SCALE_MM, SCALE_SHARE = 600.0, 0.02
"""Over this way a smaller difference that stays is one of scale."""
OFF_SHARE = 0.10
"""A speed that differs from the nominal one by more is told."""
DRIFT_SHARE, EVEN_S = 0.04, 4.0
"""One that was calibrated drifts by less; over so long a belt's ripple and an encoder's whole ticks even out."""


@dataclass(frozen=True, slots=True)
class BeltSources:
    """What there is to compare."""

    nominal_mm_per_s: float
    encoder: bool
    """An encoder measures the belt; else its travel is time × speed."""
    mm_per_tick: float = 0.0
    follows: bool = False
    """Its travel is the way of the parts themselves (`BeltFollower`)."""
    switched: bool = True
    """The machine switches the belt's motor; else the belt may be stopped at any time."""
    measured: bool = False
    """The nominal speed was calibrated, and is not only meant."""


@dataclass(frozen=True, slots=True)
class _Step:
    took_s: float
    time_s: float
    told_mm: float
    seen_mm: float | None
    track_ids: frozenset[int]


class BeltGuard:
    """One belt's guard.

    Args:
        sources: what there is.
        motor_on: whether the machine has switched the motor on; None where it has no say.
        say: told in one line of what does not endanger the bins.
        stop: told in one line of what does: `Safety.stop`.
    """

    def __init__(
        self,
        sources: BeltSources,
        motor_on: Callable[[], bool | None],
        say: Callable[[str], None],
        stop: Callable[[str], None],
    ) -> None:
        self._sources = sources
        self._motor_on = motor_on
        self._say, self._stop = say, stop
        self._told: set[str] = set()
        self._ran = False
        self._on_s = self._moved_s = 0.0
        self._last_mm: float | None = None
        self._readings: deque[tuple[float, float]] = deque()
        self._usual_mm_per_s = sources.nominal_mm_per_s
        self._frame: tuple[float, float] | None = None
        self._frame_on: bool | None = None
        self._switched_s = float("-inf")
        self._steps: deque[_Step] = deque()
        self._told_mm = self._seen_mm = 0.0
        self._followed = False
        self._off_since_s: float | None = None
        self._even: tuple[float, float] | None = None

    def reading(self, now_s: float, belt_mm: float) -> str | None:
        """Looks at a reading of the encoder; a line where the machine must be stopped at once."""
        if not self._sources.encoder:
            return None
        moved = self._last_mm is not None and belt_mm > self._last_mm
        if moved or self._last_mm is None:
            self._moved_s, self._last_mm = now_s, belt_mm
        on = self._motor_on() is not False
        if on and not self._ran:
            self._on_s = now_s
            self._readings.clear()
        self._ran = on
        return (self._silence(now_s) or self._jump(now_s, belt_mm)) if on else None

    def frame(self, time_s: float, belt_mm: float, seen: SeenMotion) -> None:
        """Compares the travel that a frame was told with the way its parts have gone."""
        before, self._frame = self._frame, (time_s, belt_mm)
        if (on := self._motor_on()) is not self._frame_on:
            self._frame_on, self._switched_s = on, time_s
        if before is None or time_s <= before[0]:
            return
        step = _Step(time_s - before[0], time_s, belt_mm - before[1], seen.step_mm, seen.track_ids)
        # Time × speed knows nothing of how a belt runs up and down.
        even = self._sources.encoder or time_s - self._switched_s >= START_S
        if on is not False and even:
            self._compare(step)
        else:
            self._steps.clear()

    def _compare(self, step: _Step) -> None:
        sources = self._sources
        way_mm = step.seen_mm if sources.follows else step.told_mm
        if way_mm is not None:
            if sources.measured:
                self._compare_with_calibrated(step, way_mm)
            else:
                self._compare_speed(step.time_s, way_mm / step.took_s)
        if step.seen_mm is None:
            return
        self._steps.append(step)
        while self._steps[0].time_s < step.time_s - WINDOW_S:
            self._steps.popleft()
        if sources.follows:
            self._compare_with_motor()
        else:
            self._compare_ways()
            self._compare_scales(step.told_mm, step.seen_mm)

    def _silence(self, now_s: float) -> str | None:
        sources = self._sources
        if not sources.switched:
            return None
        starting = self._moved_s <= self._on_s
        usual_s = max(SILENT_S, SILENT_TICKS * sources.mm_per_tick / sources.nominal_mm_per_s)
        silent_s = now_s - max(self._moved_s, self._on_s)
        if silent_s <= (START_S if starting else usual_s):
            return None
        return self._once(
            "silent",
            f"belt: its encoder has told no travel for {silent_s:.2f} s though the motor is on: look for what blocks "
            "the belt, then at the encoder and its cable",
        )

    def _jump(self, now_s: float, belt_mm: float) -> str | None:
        readings = self._readings
        readings.append((now_s, belt_mm))
        while len(readings) > 1 and readings[1][0] <= now_s - JUMP_S:
            readings.popleft()
        since_s = now_s - readings[0][0]
        if since_s < JUMP_S:
            return None
        speed = (belt_mm - readings[0][1]) / since_s
        usual = self._usual_mm_per_s
        if now_s - self._on_s < START_S:
            self._usual_mm_per_s = max(usual, speed)
            return None
        # A reading may be a tick short at one end and full at the other.
        if speed > (1 + JUMP_SHARE) * usual + self._sources.mm_per_tick / since_s:
            return self._once(
                "jump",
                f"belt: its speed has jumped from {usual:.0f} to {speed:.0f} mm/s, which the gates cannot follow: look "
                "at the motor's speed control, then at the encoder",
            )
        if speed > 0.5 * self._sources.nominal_mm_per_s:
            step_s = min(now_s - readings[-2][0] if len(readings) > 1 else 0.0, JUMP_S)
            nearer = usual + (speed - usual) * step_s / USUAL_S
            self._usual_mm_per_s = max(nearer, self._sources.nominal_mm_per_s)
        return None

    def _compare_ways(self) -> None:
        """The encoder against the parts. One part alone may roll: it takes two to witness."""
        told_mm = sum(step.told_mm for step in self._steps)
        seen_mm = sum(step.seen_mm or 0.0 for step in self._steps)
        off_mm = seen_mm - told_mm
        may_be_tall = off_mm > 0 and self._sources.encoder and self._told_share(self._steps) > 1 - SLIP_SHARE / 2
        if abs(off_mm) <= max(SLIP_MM, (TALL_SHARE if may_be_tall else SLIP_SHARE) * max(told_mm, seen_mm)):
            return
        steps = [step for step in self._steps if ((step.seen_mm or 0.0) - step.told_mm) * off_mm > 0]
        if len(steps) < 2 or len(_witnesses(steps)) < (1 if self._alone_wrong(steps) else 2):
            return
        ways = f"parts went {seen_mm:.0f} mm where {{told}} {told_mm:.0f} mm"
        if not self._sources.encoder:
            line = (
                ways.format(told="time and belt_mm_per_s say")
                + ": gates would come at the wrong time: set belt.belt_mm_per_s, or belt.encoder: {driver: tracker}"
            )
        elif off_mm < 0:
            line = ways.format(told="its encoder says") + ": it slips: look at its tension and at the parts' way"
        else:
            line = ways.format(told="its encoder says") + ": ticks are lost: look at the encoder, its gap and its cable"
        if told := self._once("ways", f"belt: {line}"):
            self._stop(told)

    def _told_share(self, steps: Iterable[_Step]) -> float:
        """The speed that was told, as a share of the usual one."""
        return sum(step.told_mm for step in steps) / sum(step.took_s for step in steps) / self._usual_mm_per_s

    def _alone_wrong(self, steps: list[_Step]) -> bool:
        """Whether the parts go at the usual speed and the encoder alone tells another: that needs no second part."""
        took_s = sum(step.took_s for step in steps)
        told = self._told_share(steps)
        seen = sum(step.seen_mm or 0.0 for step in steps) / took_s / self._usual_mm_per_s
        return self._sources.encoder and abs(seen - 1) < OFF_SHARE < abs(told - 1)

    def _compare_with_motor(self) -> None:
        """The parts against the motor and the usual speed, where they are the only measure of the belt."""
        steps = [step for step in self._steps if step.time_s > self._steps[-1].time_s - 0.5 * WINDOW_S]
        took_s = sum(step.took_s for step in steps)
        if took_s < 0.3 * WINDOW_S or len(_witnesses(steps)) < 2:
            return
        speed = sum(step.seen_mm or 0.0 for step in steps) / took_s
        nominal, usual = self._sources.nominal_mm_per_s, self._usual_mm_per_s
        if speed < 0.05 * nominal and self._sources.switched:
            line = self._once("silent", "belt: its parts stand still though the motor is on: look for what blocks it")
        elif self._followed and speed > (1 + JUMP_SHARE) * usual:
            line = self._once(
                "jump",
                f"belt: its speed has jumped from {usual:.0f} to {speed:.0f} mm/s, which the gates"
                " cannot follow: look at the motor's speed control",
            )
        else:
            line, self._followed = None, True
            self._usual_mm_per_s = max(speed, nominal)
        if line:
            self._stop(line)

    def _compare_scales(self, told_mm: float, seen_mm: float) -> None:
        """A small difference that stays."""
        self._told_mm += told_mm
        self._seen_mm += seen_mm
        if self._told_mm < SCALE_MM:
            return
        ratio = self._seen_mm / self._told_mm
        self._told_mm = self._seen_mm = 0.0
        if abs(ratio - 1) <= SCALE_SHARE:
            return
        sources = self._sources
        if sources.encoder and sources.mm_per_tick:
            cure = f"set mm_per_tick to {sources.mm_per_tick * ratio:.4g}, if px_per_mm is right"
        elif sources.encoder:
            cure = "correct mm_per_tick or px_per_mm"
        else:
            cure = f"set belt_mm_per_s to {sources.nominal_mm_per_s * ratio:.4g}, if px_per_mm is right"
        line = f"belt: parts go {ratio:.1%} of the way that is reckoned with; gates further down miss them: {cure}"
        if told := self._once("scale", line):
            self._say(told)

    def _compare_speed(self, time_s: float, mm_per_s: float) -> None:
        """A speed that is not the nominal one; the plans follow it."""
        nominal = self._sources.nominal_mm_per_s
        steady = abs(mm_per_s / nominal - 1) > OFF_SHARE and mm_per_s > 0.1 * nominal and time_s - self._on_s > START_S
        if not steady:
            self._off_since_s = None
            return
        if self._off_since_s is None:
            self._off_since_s = time_s
        if time_s - self._off_since_s < START_S:
            return
        line = f"belt: runs at {mm_per_s:.0f} mm/s, belt_mm_per_s is {nominal:g}; plans follow it: set what is meant"
        if told := self._once("speed", line):
            self._say(told)

    def _compare_with_calibrated(self, step: _Step, way_mm: float) -> None:
        """The speed of the last seconds against the one that was measured."""
        if step.time_s - max(self._switched_s, self._on_s) < START_S:
            self._even = None
            return
        before, since_s = self._even or (way_mm / step.took_s, step.time_s)
        speed = before + min(step.took_s / EVEN_S, 1.0) * (way_mm / step.took_s - before)
        self._even = speed, since_s
        nominal = self._sources.nominal_mm_per_s
        if step.time_s - since_s < 2 * EVEN_S or abs(speed / nominal - 1) <= DRIFT_SHARE:
            return
        line = (
            f"belt: runs at {speed:.0f} mm/s, it was calibrated at {nominal:.0f}; plans follow it: look at its motor"
            " and its tension, then brickgate-calibrate belt"
        )
        if told := self._once("speed", line):
            self._say(told)

    def _once(self, trouble: str, line: str) -> str | None:
        """The line, the first time."""
        if trouble in self._told:
            return None
        self._told.add(trouble)
        return line


def _witnesses(steps: Iterable[_Step]) -> set[int]:
    """The tracks that show these steps."""
    return {track_id for step in steps for track_id in step.track_ids}
