"""The rate's controller on a simulated plant: feeder, a belt that delays, and gates that lose parts."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.feeding.rate import MOST_LOOKS_WAITING, FeedController, FeedSigns, RateSettings

FRAME_S = 1 / 12
QUIET = FeedSigns()


class Plant:
    """Parts come at random at the rate that is set; `delay_s` later each is lost with a chance of `slope` times the
    rate it came at, in parts per minute."""

    def __init__(self, slope: float, delay_s: float = 2.5, seed: int = 1) -> None:
        self.slope, self.delay_s = slope, delay_s
        self._rng = np.random.default_rng(seed)
        self._way: deque[tuple[float, bool]] = deque()
        self.now_s = 0.0

    def step(self, parts_per_min: float) -> FeedSigns:
        self.now_s += FRAME_S
        for _ in range(self._rng.poisson(parts_per_min * FRAME_S / 60)):
            lost = bool(self._rng.random() < min(self.slope * parts_per_min, 1.0))
            self._way.append((self.now_s + self.delay_s, lost))
        ended = []
        while self._way and self._way[0][0] <= self.now_s:
            ended.append(self._way.popleft()[1])
        return FeedSigns(served=len(ended) - sum(ended), lost=sum(ended))


def ride(controller: FeedController, plant: Plant, duration_s: float) -> list[float]:
    rates = [controller.parts_per_min]
    while plant.now_s < duration_s:
        rates.append(controller.update(plant.now_s, plant.step(rates[-1])))
    return rates


@pytest.mark.parametrize("slope", [1 / 600, 1 / 1200, 1 / 2400])
@pytest.mark.parametrize("delay_s", [0.0, 2.5, 6.0])
def test_it_settles_where_the_wanted_share_is_lost(slope: float, delay_s: float) -> None:
    controller = FeedController(RateSettings(600.0, 5.0, target_lost=0.1, delay_s=delay_s))
    rates = ride(controller, Plant(slope, delay_s), 2400.0)
    settled = np.array(rates[len(rates) // 3 :])
    assert settled.mean() == pytest.approx(0.1 / slope, rel=0.1)
    assert settled.std() < 0.25 * settled.mean()


def test_it_is_quick_to_slow_down_but_halves_the_rate_once_a_delay() -> None:
    controller = FeedController(RateSettings(200.0, 20.0, delay_s=2.0))
    for frame in range(5):
        controller.update(frame * FRAME_S, FeedSigns(lost=1))
    assert controller.parts_per_min == pytest.approx(200 * np.exp(-0.08 * 0.9 * 5))
    for frame in range(5, 24):
        controller.update(frame * FRAME_S, FeedSigns(lost=2))
    assert controller.parts_per_min == pytest.approx(100.0)
    for frame in range(24, 200):
        controller.update(frame * FRAME_S, FeedSigns(lost=2))
    assert controller.parts_per_min == pytest.approx(20.0)


def test_losses_at_the_lower_bound_are_not_held_against_it() -> None:
    controller = FeedController(RateSettings(200.0, 20.0))
    for second in range(1000):
        controller.update(second, FeedSigns(lost=1))
    for second in range(300):
        controller.update(1000 + second, FeedSigns(served=1))
    assert controller.parts_per_min == pytest.approx(200.0)


def test_a_feeder_that_runs_dry_is_not_asked_for_more() -> None:
    controller = FeedController(RateSettings(200.0, 20.0))
    for second in range(4):
        controller.update(second, FeedSigns(lost=2))
    slow = controller.parts_per_min
    for second in range(200):
        controller.update(4 + second, FeedSigns(served=1, arrivals_per_min=0.5 * slow))
    assert controller.parts_per_min == pytest.approx(slow)
    controller.update(210, FeedSigns(served=1, arrivals_per_min=0.9 * slow))
    assert controller.parts_per_min > slow


def test_parts_that_wait_for_room_are_not_taken_for_an_empty_hopper() -> None:
    controller = FeedController(RateSettings(200.0, 20.0))
    for second in range(4):
        controller.update(second, FeedSigns(lost=2))
    slow = controller.parts_per_min
    controller.update(4, FeedSigns(served=1, arrivals_per_min=0.4 * slow, room=0.5))
    assert controller.parts_per_min > slow


@pytest.mark.parametrize(
    ("signs", "why"),
    [
        (replace(QUIET, frames_dropped=1), "frames are dropped"),
        (replace(QUIET, looks_waiting=MOST_LOOKS_WAITING + 4), "20 looks wait for the network"),
        (replace(QUIET, gate_load=0.96), "the gates are reserved on 96% of the belt"),
    ],
)
def test_overload_slows_it_down_and_it_comes_back_when_it_is_over(signs: FeedSigns, why: str) -> None:
    controller = FeedController(RateSettings(120.0, 5.0))
    for frame in range(36):
        controller.update(frame * FRAME_S, signs)
    assert controller.brake == why
    assert controller.parts_per_min == pytest.approx(120 * np.exp(-0.5 * 35 * FRAME_S))
    controller.update(3.0, QUIET)
    assert controller.brake == ""
    assert controller.parts_per_min < 40
    for frame in range(37, 400):
        controller.update(frame * FRAME_S, QUIET)
    assert controller.parts_per_min == pytest.approx(120.0)


def test_a_control_loop_that_was_held_up_makes_one_small_step() -> None:
    controller = FeedController(RateSettings(120.0, 5.0))
    controller.update(0.0, QUIET)
    controller.update(600.0, replace(QUIET, frames_dropped=900))
    assert controller.parts_per_min == pytest.approx(120 * np.exp(-0.5))


SIGNS = st.builds(
    FeedSigns,
    served=st.integers(0, 4),
    lost=st.integers(0, 4),
    arrivals_per_min=st.none() | st.floats(0, 1000),
    room=st.floats(0, 1),
    frames_dropped=st.integers(0, 3),
    looks_waiting=st.integers(0, 64),
    gate_load=st.floats(0, 1),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 10), SIGNS), max_size=60), st.floats(1, 50), st.floats(50, 900))
def test_whatever_comes_the_rate_stays_within_its_bounds_and_is_the_same_again(
    steps: list[tuple[float, FeedSigns]], least: float, most: float
) -> None:
    rates: list[list[float]] = []
    for _ in range(2):
        controller, now_s = FeedController(RateSettings(most, least)), 0.0
        rates.append([])
        for step_s, signs in steps:
            now_s += step_s
            rates[-1].append(controller.update(now_s, signs))
    assert rates[0] == rates[1]
    assert all(least * (1 - 1e-9) <= rate <= most * (1 + 1e-9) for rate in rates[0])


@pytest.mark.parametrize(("most", "least", "target"), [(10.0, 20.0, 0.1), (10.0, 0.0, 0.1), (10.0, 1.0, 1.0)])
def test_bounds_that_are_none_are_refused(most: float, least: float, target: float) -> None:
    with pytest.raises(ValueError, match=r"parts a minute|target_lost"):
        RateSettings(most, least, target)
