"""The belt's motion, measured on the parts while its told travel is only a guess."""

import pytest

from edge.tracking.motion import BeltMotion


def test_a_dropped_frame_counts_as_a_step_more() -> None:
    motion = BeltMotion(True, 80.0)
    for told_mm in (0.0, 10.0, 20.0, 30.0):
        motion.advance(told_mm)
        if told_mm:
            motion.correct([12.0 - motion.step_mm])
    assert motion.step_mm == pytest.approx(12.0)
    motion.advance(50.0)
    assert motion.step_mm == pytest.approx(24.0)
