"""Looks after the machine between two frames: what the pictures, the accelerator and the parts in view tell of a fault,
and what is done about it. Each fault is told once, in one line.

Three answers, by what a wrong picture may cost. *Hold*: nobody knows what rides past, so feeder and belt stand until
the picture is right again; the plans hold, for they are made on the belt coordinate. *Stop*: hands are needed, and a
machine must not start by itself while they are in it. *Tell*: sorting goes on as well as it can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.capture.health import CameraTrouble, FrameHealth, Notice
from edge.hardware.guarded import GuardedAccelerator
from edge.hardware.interfaces import Accelerator
from edge.part_state import Outcome
from edge.pipeline import Pipeline
from edge.records import Frame, Track
from edge.safety import Safety
from edge.tracking.tracker import Tracker

HOLDS = frozenset({CameraTrouble.FROZEN, CameraTrouble.DARK, CameraTrouble.OVEREXPOSED})
STOPS = frozenset({CameraTrouble.MOVED})
PACE = frozenset({CameraTrouble.DROPPING, CameraTrouble.LATE})
"""What a recording, which is played as fast as it goes, does not have."""
LINES = {
    CameraTrouble.FROZEN: "camera: sends the same picture again and again, {what}; {answer}: look at it and its cable",
    CameraTrouble.DARK: "camera: the belt is dark ({what}); {answer}: look at the lamp and the lens",
    CameraTrouble.OVEREXPOSED: "camera: {what} is over-exposed; {answer}: look at the lamp, exposure_s and gain",
    CameraTrouble.DROPPING: "camera: {what}, parts are seen less often; sorting goes on: look at its cable",
    CameraTrouble.LATE: (
        "camera: {what}, the accelerator is busy {busy:.0%} of the time; the feeder is slowed: see what else this"
        " computer does, or lower camera.frames_per_s"
    ),
    CameraTrouble.DRIFTING: (
        "camera: the light has changed since the start ({what}); sorting goes on: look at the lamp, clean the lens,"
        " lock exposure_s, gain and white_balance"
    ),
    CameraTrouble.BLURRED: (
        "camera: less sharp than at the start ({what}); sorting goes on: clean the lens, see whether it has turned"
    ),
    CameraTrouble.MOVED: "camera: was moved {what}, places on the belt are wrong: fix it and calibrate again",
}
SINCE_CALIBRATED = {
    CameraTrouble.DRIFTING: (
        "camera: the belt looks otherwise than when it was calibrated ({what}); sorting goes on: look at the lamp,"
        " clean the lens, then brickgate-calibrate camera and colour"
    ),
    CameraTrouble.BLURRED: (
        "camera: less sharp than when it was calibrated ({what}); sorting goes on: clean the lens, then"
        " brickgate-calibrate camera and plane"
    ),
}
EDGE_MM = 10.0
"""A part that was seen last so near to the end of the view has left it."""
SEEN_LOOKS = 3
"""What was looked at less often may never have been a part: a shadow, a flicker on the belt."""
JAM_SEEN_FRAMES = 8
"""By then a part that is no longer followed is seen to stand, if it does."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What this machine can do about a fault."""

    moves: bool
    """False for a recording, which nothing can stop and nothing rides past."""
    holds: bool
    """Whether the belt can be stopped for a while; where it has a switch of its own, a hold is a stop."""


class Lookout:
    """Called by the control loop around each frame.

    Args:
        health: judges each picture.
        view_end_mm: station of the downstream end of the view.
        answers: what this machine can do.
        safety: holds and stops it.
        say: told each fault in one line, but for one that stops the machine, whose line is the reason of the stop.
    """

    def __init__(
        self,
        health: FrameHealth,
        tracker: Tracker,
        accelerator: Accelerator,
        pipeline: Pipeline,
        view_end_mm: float,
        answers: Answers,
        safety: Safety,
        say: Callable[[str], None],
    ) -> None:
        self._health = health
        self._tracker = tracker
        self._guarded = accelerator if isinstance(accelerator, GuardedAccelerator) else None
        self._pipeline = pipeline
        self._view_end_mm = view_end_mm
        self._answers = answers
        self._safety = safety
        self._say = say
        self._missed: deque[tuple[int, Track, float]] = deque()
        """(frame, track, station) of parts that were given up in the middle of the picture."""

    def admits(self, frame: Frame, now_s: float) -> bool:
        """Whether a frame may go to the tracker. Acts on what it shows of the camera.

        Raises:
            HardwareError: feeder or belt do not obey.
        """
        health = self._health.check(frame, now_s)
        for notice in health.notices:
            if self._answers.moves or notice.trouble not in PACE:
                self._begin(notice, now_s) if notice.began else self._end(notice)
        return health.fit

    def after(self, outcome: Outcome) -> None:
        """Looks at what the pipeline made of a frame."""
        if self._guarded is not None and self._guarded.suspects:
            suspects, self._guarded.suspects = self._guarded.suspects, 0
            if parts := self._pipeline.distrust(suspects):
                self._say(
                    f"accelerator: its last {suspects} answers are not believed: {_count(parts)} sent on unsorted"
                )
        jam_mm = self._tracker.standing_mm
        if jam_mm is not None and self._answers.moves and not self._safety.stopped:
            self._safety.stop(
                f"jam: a part stands still {jam_mm:.0f} mm down the belt while the belt goes on: free it, start again"
            )
        self._look_for_lost(outcome)

    def _begin(self, notice: Notice, now_s: float) -> None:
        answer = "feeder and belt stand until that is over" if self._answers.holds else "the machine stops"
        busy = self._guarded.busy_share(now_s) if self._guarded else 0.0
        lines = SINCE_CALIBRATED if notice.calibrated else LINES
        line = lines[notice.trouble].format(what=notice.what, answer=answer, busy=busy)
        grave = notice.trouble in STOPS or (notice.trouble in HOLDS and not self._answers.holds)
        if self._answers.moves and grave:
            self._safety.stop(line)
            return
        if self._answers.moves and notice.trouble in HOLDS:
            self._safety.hold(f"camera {notice.trouble}")
        self._say(line)

    def _end(self, notice: Notice) -> None:
        if self._answers.moves and notice.trouble in HOLDS:
            self._safety.release(f"camera {notice.trouble}")
        self._say(f"camera: no longer {notice.trouble}")

    def _look_for_lost(self, outcome: Outcome) -> None:
        """Tells of parts that were given up in the middle of the picture, once it is clear that they did not jam."""
        frame = outcome.frame
        for part in outcome.finished:
            x_mm = frame.belt_mm - part.track.trail_belt_mm
            if part.verdict is None or part.verdict.looks < SEEN_LOOKS:
                continue
            if x_mm < self._view_end_mm - EDGE_MM and part.track.last_frame < frame.index:
                self._missed.append((frame.index, part.track, x_mm))
        while self._missed and self._missed[0][0] + JAM_SEEN_FRAMES < frame.index:
            _, track, x_mm = self._missed.popleft()
            self._say(f"track {track.track_id}: vanished {x_mm:.0f} mm down the belt: it fell off, or was taken away")


def _count(parts: int) -> str:
    return "1 part is" if parts == 1 else f"{parts} parts are"
