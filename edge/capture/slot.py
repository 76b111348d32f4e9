"""The place where the camera's thread leaves the newest frame for the pipeline."""

from __future__ import annotations

from threading import Condition

from edge.records import Frame


class NewestFrame:
    """Holds one frame at most: a newer one takes the place of one that nobody fetched. Any thread may call anything.

    The pipeline is never behind by more than one frame, and memory is bounded whatever the camera does.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Frames that were replaced, or came after the end, before anybody fetched them."""
        with self._changed:
            return self._dropped

    @property
    def ended(self) -> bool:
        """True when no frame is left and none will come."""
        with self._changed:
            return self._ended and self._frame is None

    def put(self, frame: Frame) -> None:
        """Leaves a frame; never blocks. After the end it is dropped."""
        with self._changed:
            if self._ended:
                self._dropped += 1
                return
            self._dropped += self._frame is not None
            self._frame = frame
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Frame | None:
        """Fetches the newest frame, waiting for it at most `timeout_s`.

        Returns:
            None when none came in time or when the recording has ended: `ended` tells which.

        Raises:
            BaseException: what the camera failed with, once the last frame is fetched, each time anew.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def end(self) -> None:
        """The recording has ended: the frame that is left can still be fetched."""
        self._finish()

    def fail(self, error: BaseException) -> None:
        """The camera failed: `take` raises the error after the frame that is left. The first error counts."""
        self._finish(error)

    def close(self) -> None:
        """The pipeline has stopped: nothing is handed over any more, waiting threads go on. Idempotent."""
        with self._changed:
            self._dropped += self._frame is not None
            self._frame = self._error = None
            self._ended = True
            self._changed.notify_all()

    def _finish(self, error: BaseException | None = None) -> None:
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()
