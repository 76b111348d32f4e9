"""One track: how its looks are numbered."""

from __future__ import annotations

import numpy as np

from edge.records import Look, TrackState
from edge.tracking.track import LOOK_STEP_MM, PENDING_LOOKS, LiveTrack


def look(view: str, frame_index: int) -> Look:
    return Look(1, frame_index, view, np.zeros((4, 4, 3), np.uint8), None, 1.0)


def test_looks_are_numbered_view_by_view() -> None:
    track = LiveTrack(1, 0, 0.0)
    for frame in range(5):
        for view in ("top", "mirror"):
            track.add_look(look(view, frame), frame * LOOK_STEP_MM)
    numbers = {view: [own.number for own in track.pending if own.view == view] for view in ("top", "mirror")}
    assert numbers == {"top": [1, 2, 3, 4], "mirror": [1, 2, 3, 4]}  # the first of each was one too many


def test_numbers_go_on_where_looks_were_dropped() -> None:
    track = LiveTrack(1, 0, 0.0)
    for frame in range(PENDING_LOOKS + 3):
        track.add_look(look("top", frame), frame * LOOK_STEP_MM)
    assert [own.number for own in track.pending] == list(range(3, PENDING_LOOKS + 3))
    track.state = TrackState.CONFIRMED
    track.add_look(look("top", 20), 40.0)
    assert track.pending[-1].number == PENDING_LOOKS + 3
