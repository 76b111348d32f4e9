"""A hand-over of frames that drops none."""

from __future__ import annotations

from edge.capture.slot import NewestFrame


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
