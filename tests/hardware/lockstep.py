"""A hand-over of frames that drops none, and a clock that goes by the recording."""

from __future__ import annotations

import threading

from edge.capture.slot import NewestFrame
from edge.clock import VirtualClock
from edge.run import CAMERA_THREAD


class Lockstep(NewestFrame):
    """Drops no frame, however slow this computer is: a frame waits until the one before was fetched."""

    def put(self, frame):
        with self._changed:
            self._changed.wait_for(lambda: self._frame is None or self._ended, 10)
            super().put(frame)

    def take(self, timeout_s):
        frame = super().take(timeout_s)
        with self._changed:
            self._changed.notify_all()
        return frame


class FrameClock(VirtualClock):
    """Time goes on when the camera's thread waits for its next frame; the others wait for that."""

    def __init__(self):
        super().__init__()
        self._moved = threading.Condition()

    def sleep_until(self, instant_s):
        with self._moved:
            if threading.current_thread().name == CAMERA_THREAD:
                super().sleep_until(instant_s)
                self._moved.notify_all()
            else:
                self._moved.wait_for(lambda: self.now_s() >= instant_s, 0.1)
