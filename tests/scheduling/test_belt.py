"""The belt coordinate: travel and speed."""

from __future__ import annotations

import pytest

from edge.scheduling.belt import BeltCoordinate


class Encoder:
    travel_mm = 0.0

    def start(self) -> None: ...

    def close(self) -> None: ...

    def belt_mm(self) -> float:
        return self.travel_mm


@pytest.fixture
def encoder():
    return Encoder()


@pytest.fixture
def belt(encoder):
    return BeltCoordinate(encoder, 150.0)


def ride(belt, encoder, from_s, to_s, mm_per_s):
    steps = round((to_s - from_s) / 0.02)
    start_mm = encoder.travel_mm
    for i in range(1, steps + 1):
        encoder.travel_mm = start_mm + mm_per_s * 0.02 * i
        belt.sample(from_s + 0.02 * i)


def test_until_there_is_travel_the_speed_is_the_nominal_one(belt):
    assert belt.mm_per_s() == 150.0
    belt.sample(5.0)
    assert belt.mm_per_s() == 150.0


def test_the_speed_follows_the_last_half_second(belt, encoder):
    ride(belt, encoder, 0.0, 1.0, 100.0)
    ride(belt, encoder, 1.0, 2.0, 40.0)
    assert belt.mm_per_s() == pytest.approx(40.0)


def test_a_standing_belt_has_no_speed(belt, encoder):
    ride(belt, encoder, 0.0, 1.0, 0.0)
    assert belt.mm_per_s() == 0.0


def test_samples_are_forgotten(belt, encoder):
    ride(belt, encoder, 0.0, 30.0, 100.0)
    assert len(belt._samples) < 300
    assert belt.mm_per_s() == pytest.approx(100.0)
