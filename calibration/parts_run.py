"""Parts run past the camera: followed as the machine does, on a belt whose travel is what was measured of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from calibration.measured_belt import told_scale
from calibration.rig import Rig
from calibration.step import RefusedError
from edge.records import Frame, Track
from edge.tracking.settings import tracking_settings
from edge.tracking.tracker import Tracker

WARM_UP_FRAMES = 5
"""The tracker learns the bare belt first."""


class PartsRun:
    """The parts in view, frame by frame.

    Args:
        rig: its belt at rest.
        see: told each frame, and the tracks in it.
    """

    def __init__(self, rig: Rig, see: Callable[[Frame, list[Track]], None]) -> None:
        self._rig = rig
        self._see = see
        self._tracker = Tracker(tracking_settings(rig.config))
        self._scale = told_scale(rig)
        self._any_in_view = False

    def start(self) -> None:
        """Lets the belt run, and shows the tracker that it is bare."""
        self._rig.belt_motor.start()
        for _ in range(WARM_UP_FRAMES):
            self.look()

    def look(self) -> None:
        """One frame.

        Raises:
            RefusedError: a recording has ended.
        """
        frame = next(self._rig.straight_frames(1), None)
        if frame is None:
            raise RefusedError("the recording has ended before there were enough parts: record more of them")
        frame = replace(frame, belt_mm=frame.belt_mm * self._scale)
        tracks = self._tracker.update(frame)
        self._any_in_view = any(track.state.may_be_in_view for track in tracks)
        self._see(frame, tracks)

    def look_until_quiet(self, enough: Callable[[], bool], patience_s: float, quiet_s: float) -> None:
        """Looks until there is enough and no part has been in view for `quiet_s`, or for `patience_s`.

        Raises:
            RefusedError: a recording has ended.
        """
        clock = self._rig.clock
        until_s = end_s = clock.now_s() + patience_s
        while clock.now_s() < min(until_s, end_s):
            self.look()
            if self._any_in_view:
                end_s = until_s
            elif end_s == until_s and enough():
                end_s = clock.now_s() + quiet_s
