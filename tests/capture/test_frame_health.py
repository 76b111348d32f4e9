"""Each trouble of the camera is told once when it begins and once when it ends, and a healthy belt tells nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge.capture.health import CameraTrouble, FrameHealth, Health
from edge.records import Frame

FPS = 12.0
MM_PER_FRAME = 12.5
PX_PER_MM = 2.0
REGION = (0, 20, 240, 140)
Change = Callable[[np.ndarray], np.ndarray]


@dataclass
class Belt:
    """Pictures of a mottled belt between two rails, with sensor noise; `check` hands the next one to the watch."""

    noise: float = 1.5
    health: FrameHealth = field(default_factory=lambda: FrameHealth(REGION, PX_PER_MM, False, FPS))
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(4))
    index: int = 0
    time_s: float = 0.0
    belt_mm: float = 0.0
    told: list[tuple[str, bool]] = field(default_factory=list)
    unfit: int = 0

    def __post_init__(self) -> None:
        self.mottle = self.rng.normal(0, 4, (120, 500, 1)).astype(np.float32)
        self.grain = self.rng.normal(0, self.noise, (220, 300, 3)).astype(np.float32)

    def picture(self) -> np.ndarray:
        image = np.full((160, 240, 3), 60, np.float32)
        image[12:148] = (128, 124, 120)
        image[20:140] = np.array([150, 165, 172]) + np.roll(self.mottle, round(self.belt_mm), axis=1)[:, :240]
        return image

    def check(self, image: np.ndarray, late_s: float = 0.0) -> Health:
        down, across = self.rng.integers(0, 60, 2)
        noise = self.grain[down : down + image.shape[0], across : across + image.shape[1]]
        noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
        return self.hand_over(noisy, late_s)

    def hand_over(self, image: np.ndarray, late_s: float = 0.0) -> Health:
        seen = self.health.check(Frame(self.index, self.time_s, self.belt_mm, image), self.time_s + late_s)
        self.told += [(str(notice.trouble), notice.began) for notice in seen.notices]
        self.unfit += not seen.fit
        self.step()
        return seen

    def step(self, frames: int = 1, numbers: int | None = None, moved_mm: float = MM_PER_FRAME) -> None:
        self.index += frames if numbers is None else numbers
        self.time_s += frames / FPS
        self.belt_mm += frames * moved_mm

    def run(self, frames: int, change: Change = lambda image: image) -> None:
        for _ in range(frames):
            self.check(change(self.picture()))


def once(*troubles: str) -> list[tuple[str, bool]]:
    return [(trouble, began) for trouble in troubles for began in (True, False)]


@pytest.fixture
def belt() -> Belt:
    belt = Belt()
    belt.run(40)
    assert (belt.told, belt.unfit) == ([], 0)
    return belt


@pytest.mark.parametrize(
    ("trouble", "change"),
    [
        ("dark", lambda image: image * 0.12),
        ("over-exposed", lambda image: image * 3),
    ],
)
def test_no_frame_in_bad_light_is_fit_and_the_trouble_is_told_once(belt, trouble, change):
    belt.run(20, change)
    belt.run(10)
    assert belt.told == once(trouble)
    assert belt.unfit == 20


def test_one_dark_frame_is_left_out_and_not_told(belt):
    belt.run(1, lambda image: image * 0.1)
    belt.run(10)
    assert (belt.told, belt.unfit) == ([], 1)


@pytest.mark.parametrize("share", [0.35, 0.5])
def test_parts_that_cover_much_of_the_belt_are_neither_dark_nor_light(belt, share):
    def cover(level):
        def change(image):
            image[20:140, : round(share * 240)] = level
            return image

        return change

    belt.run(30, cover(18))
    belt.run(30, cover(254))
    assert (belt.told, belt.unfit) == ([], 0)


def test_a_picture_that_comes_again_while_the_belt_moves_is_old(belt):
    old = belt.picture().astype(np.uint8)
    belt.hand_over(old)
    for _ in range(10):
        assert not belt.hand_over(old).fit
    belt.run(10)
    assert belt.told == once("frozen")


def test_a_frozen_camera_is_still_frozen_while_the_belt_stands_held(belt):
    old = belt.picture().astype(np.uint8)
    for _ in range(6):
        belt.hand_over(old)
    assert belt.told == once("frozen")[:1]
    for _ in range(100):
        belt.hand_over(old)
        belt.belt_mm -= MM_PER_FRAME
    assert belt.told == once("frozen")[:1]
    for _ in range(10):
        belt.check(belt.picture())
        belt.belt_mm -= MM_PER_FRAME
    assert belt.told == once("frozen")


def test_a_belt_that_stands_still_is_no_frozen_camera_with_noise_and_without(belt):
    still = belt.picture()
    for noisy in (True, False):
        for _ in range(60):
            belt.check(still) if noisy else belt.hand_over(still.astype(np.uint8))
            belt.belt_mm -= MM_PER_FRAME
    assert belt.told == []
    assert belt.unfit == 0


def test_a_drawn_belt_without_noise_or_texture_is_no_frozen_camera():
    belt = Belt()
    plain = np.full((160, 240, 3), 128, np.uint8)
    for _ in range(60):
        assert belt.hand_over(plain).fit
    assert belt.told == []


def test_a_camera_that_loses_frames_and_one_that_is_not_waited_for_are_told_apart(belt):
    for _ in range(30):
        belt.run(1)
        belt.step(1, numbers=0)
    belt.run(160)
    assert belt.told == once("dropping frames")
    belt.told.clear()
    for _ in range(30):
        belt.run(1)
        belt.step(1)
    belt.run(160)
    assert belt.told == once("late")


def test_a_camera_that_loses_one_frame_in_eight_is_not_spoken_of(belt):
    for _ in range(12):
        belt.run(7)
        belt.step(1, numbers=0)
    assert belt.told == []


def test_frames_that_are_handled_late_are_told(belt):
    for _ in range(40):
        belt.check(belt.picture(), late_s=0.4)
    belt.run(100)
    for _ in range(30):
        belt.check(belt.picture(), late_s=0.4)
    belt.run(160)
    assert belt.told == once("late")


@pytest.mark.parametrize("gains", [(1.0, 1.0, 1.4), (0.5, 0.5, 0.5), (1.0, 0.7, 1.0)])
def test_light_that_drifts_is_told_once_and_stays_fit(belt, gains):
    for step in range(120):
        belt.run(1, lambda image, step=step: image * np.array(gains) ** (step / 120))
    belt.run(100, lambda image: image * np.array(gains))
    assert belt.told == once("drifting")[:1]
    belt.run(120)
    assert belt.told == once("drifting")
    assert belt.unfit == 0


def test_daylight_and_a_passing_change_of_white_balance_are_not_spoken_of(belt):
    for step in range(400):
        belt.run(1, lambda image, step=step: image * (1 + 0.25 * np.sin(step / 40)))
    belt.run(30, lambda image: image * np.array([1.0, 1.0, 1.3]))
    belt.run(30)
    assert (belt.told, belt.unfit) == ([], 0)


@pytest.mark.parametrize("shift_px", [10, -10])
def test_a_camera_that_was_pushed_aside_is_told(belt, shift_px):
    belt.run(60)
    belt.run(60, lambda image: np.roll(image, shift_px, axis=0))
    assert belt.told == once("moved")[:1]
    assert belt.unfit == 0


def test_a_camera_that_shakes_a_little_is_not(belt):
    for step in range(120):
        belt.run(1, lambda image, step=step: np.roll(image, step % 3 - 1, axis=0))
    assert belt.told == []


def test_two_troubles_at_once_are_both_told(belt):
    for _ in range(30):
        belt.run(1, lambda image: image * 0.1)
        belt.step(1, numbers=0)
    assert set(belt.told) == {("dark", True), ("dropping frames", True)}


def test_every_trouble_was_covered(belt):
    covered: Iterable[str] = {"dark", "over-exposed", "frozen", "dropping frames", "late", "drifting", "moved"}
    covered = {*covered, "out of focus"}  # test_drift.py
    assert set(covered) == set(CameraTrouble)
