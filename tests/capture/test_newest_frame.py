"""The slot between the camera's thread and the pipeline."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge.capture.slot import NewestFrame
from edge.errors import HardwareError
from edge.records import Frame

PATIENCE_S = 30.0
"""No test waits so long unless it fails."""


def frame(index: int) -> Frame:
    return Frame(index, index / 10, 0.0, np.zeros((2, 2, 3), np.uint8))


def test_newest_frame_wins_and_the_others_are_counted() -> None:
    slot = NewestFrame()
    for index in range(5):
        slot.put(frame(index))
    taken = slot.take(0.0)
    assert taken is not None
    assert taken.index == 4
    assert slot.dropped == 4
    assert slot.take(0.0) is None
    assert not slot.ended


def test_last_frame_of_a_recording_is_still_handed_over() -> None:
    slot = NewestFrame()
    slot.put(frame(7))
    slot.end()
    assert not slot.ended
    taken = slot.take(0.0)
    assert taken is not None
    assert taken.index == 7
    assert slot.ended
    assert slot.take(PATIENCE_S) is None


def test_camera_error_reaches_the_pipeline_after_the_last_frame_and_stays() -> None:
    slot = NewestFrame()
    slot.put(frame(1))
    slot.fail(HardwareError("camera: gone"))
    assert slot.take(0.0) is not None
    for _ in range(2):
        with pytest.raises(HardwareError, match="camera: gone"):
            slot.take(PATIENCE_S)


def test_first_error_counts() -> None:
    slot = NewestFrame()
    slot.fail(HardwareError("first"))
    slot.fail(HardwareError("second"))
    slot.end()
    with pytest.raises(HardwareError, match="first"):
        slot.take(0.0)


def test_closed_slot_gives_nothing_and_takes_nothing() -> None:
    slot = NewestFrame()
    slot.put(frame(1))
    slot.close()
    slot.close()
    slot.put(frame(2))
    assert slot.take(PATIENCE_S) is None
    assert slot.ended
    assert slot.dropped == 2


def test_waiting_pipeline_wakes_for_each_frame_and_for_the_end() -> None:
    slot = NewestFrame()
    fetched: list[int] = []
    wanted = threading.Semaphore(0)

    def camera() -> None:
        for index in range(20):
            wanted.acquire()
            slot.put(frame(index))
        wanted.acquire()
        slot.end()

    thread = threading.Thread(target=camera)
    thread.start()
    wanted.release()
    while (taken := slot.take(PATIENCE_S)) is not None:
        fetched.append(taken.index)
        wanted.release()
    thread.join(PATIENCE_S)
    assert fetched == list(range(20))
    assert slot.ended
    assert slot.dropped == 0


def test_close_wakes_a_waiting_pipeline() -> None:
    slot = NewestFrame()
    results: list[Frame | None] = []
    thread = threading.Thread(target=lambda: results.append(slot.take(PATIENCE_S)))
    thread.start()
    slot.close()
    thread.join(PATIENCE_S)
    assert results == [None]
