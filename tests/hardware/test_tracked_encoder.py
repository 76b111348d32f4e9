"""The belt's travel as the tracker corrects it."""

from __future__ import annotations

import pytest

from edge.clock import VirtualClock
from edge.hardware.tracked_encoder import TrackedEncoder


def test_a_correction_backwards_lets_the_reading_stand_until_the_belt_has_caught_up() -> None:
    clock = VirtualClock(50.0)
    encoder = TrackedEncoder(100.0, clock.now_s)
    encoder.start()
    read = []
    for _ in range(4):
        clock.advance(1.0)
        read.append(encoder.belt_mm())
        if len(read) == 1:
            encoder.follow(-150.0, age_s=0.5, mm_per_s=100.0)
    assert read == pytest.approx([100.0, 100.0, 100.0, 200.0])
