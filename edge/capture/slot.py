"""Where the camera's thread leaves the newest frame for the pipeline: newest wins, what was not taken is counted."""

from __future__ import annotations

import threading

from edge.errors import BrickgateError
from edge.records import Frame


class NewestFrame:
    """Holds one frame at most. One thread puts, one takes; neither makes the other wait for it.

    Attributes:
        dropped: frames that a newer one replaced before they were taken.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._frame: Frame | None = None
        self._error: BrickgateError | None = None
        self._ended = False
        self._changed = threading.Condition()

    @property
    def ended(self) -> bool:
        """True once no frame will come any more and none is left."""
        with self._changed:
            return self._ended and self._frame is None

    def put(self, frame: Frame) -> None:
        """Leaves a frame; after the end it is let go."""
        with self._changed:
            if self._ended:
                return
            if self._frame is not None:
                self.dropped += 1
            self._frame = frame
            self._changed.notify()

    def end(self) -> None:
        """The recording is over: the last frame may still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def fail(self, error: BrickgateError) -> None:
        """The camera failed: the next `take` raises its error."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def close(self) -> None:
        """Nothing more is wanted: a waiting `take` returns, and later frames are let go."""
        with self._changed:
            self._ended, self._frame = True, None
            self._changed.notify()

    def take(self, timeout_s: float) -> Frame | None:
        """The newest frame, once; None after the end, or when none comes within `timeout_s`.

        Raises:
            BrickgateError: what the camera failed with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._error or self._ended, timeout_s)
            if self._error is not None:
                raise self._error
            frame, self._frame = self._frame, None
            return frame
