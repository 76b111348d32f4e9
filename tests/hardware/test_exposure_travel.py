"""Where the belt was at an exposure, also when the processor is taken away between two readings."""

from __future__ import annotations

import pytest

from edge.clock import VirtualClock
from edge.hardware.exposure import ExposureTravel

MM_PER_S = 200.0


class SteadyBelt:
    """Travel by the clock; reading it takes as long as `delays_s` says, one after another."""

    def __init__(self, clock, delays_s=()):
        self.clock, self.delays_s = clock, list(delays_s)

    def belt_mm(self):
        if self.delays_s:
            self.clock.advance(self.delays_s.pop(0))
        return MM_PER_S * self.clock.now_s()


def test_travel_at_an_instant_just_past():
    clock = VirtualClock()
    travel = ExposureTravel(SteadyBelt(clock), clock)
    clock.advance(0.1)
    travel.mm_at(0.1)
    clock.advance(0.1)
    assert travel.mm_at(0.19) == pytest.approx(0.19 * MM_PER_S)


@pytest.mark.parametrize("stalls", [1, 3])
def test_a_stall_between_time_and_travel_does_not_move_the_belt(stalls):
    clock = VirtualClock()
    belt = SteadyBelt(clock)
    travel = ExposureTravel(belt, clock)
    travel.mm_at(0.0)
    clock.advance(0.1)
    belt.delays_s = [0.2] * stalls
    assert travel.mm_at(0.1) == pytest.approx(0.1 * MM_PER_S)


def test_travel_never_goes_back():
    clock = VirtualClock(1.0)
    travel = ExposureTravel(SteadyBelt(clock), clock)
    first = travel.mm_at(1.0)
    clock.advance(0.1)
    assert travel.mm_at(0.5) == first
