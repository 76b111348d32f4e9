"""Verdicts: when they are unsure, and what size and colour add."""

from __future__ import annotations

import numpy as np
import pytest

from edge.fusion.evidence import Method
from edge.fusion.verdict import MOST_TRACKS, Fusion, FusionSettings
from edge.records import Prediction, Scores

SURE = np.log(np.array([0.97, 0.02, 0.01], np.float32))
SPLIT = np.log(np.array([0.49, 0.48, 0.03], np.float32))
NO_COLOUR = np.zeros(0, np.float32)


class SizeOfSecond:
    """Says that only the second part has the measured size; counts how often it is asked."""

    def __init__(self, free: float = 0.0) -> None:
        self.asked: list[tuple[float, float]] = []
        self.free = free

    def log_likelihood(self, length_mm: float, width_mm: float) -> Scores:
        self.asked.append((length_mm, width_mm))
        return np.array([-3, 0, -3], np.float32)

    def best_pose(self, length_mm: float, width_mm: float) -> tuple[Scores, Scores]:
        return np.array([40, 0, 40], np.float32), np.array([0, self.free, 0], np.float32)


def look(scores: Scores, track_id: int = 1, quality: float = 1.0, colour: Scores = NO_COLOUR) -> Prediction:
    return Prediction(track_id, 0, "top", scores, colour, quality)


def test_a_sure_verdict_says_how_sure() -> None:
    fusion = Fusion(3, 0, FusionSettings(min_looks=2, sure_above=0.9))
    fusion.add(look(SURE))
    fusion.add(look(SURE))
    verdict = fusion.verdict(1)
    assert not verdict.unsure
    assert verdict.looks == 2
    assert verdict.part_posterior.argmax() == 0
    assert verdict.reason.endswith("after 2 looks")


def test_too_few_looks_are_unsure() -> None:
    fusion = Fusion(3, 0, FusionSettings(min_looks=2))
    fusion.add(look(SURE))
    fusion.add(look(SURE, quality=0.0))
    assert fusion.verdict(1).unsure
    assert fusion.verdict(1).reason == "too few looks: 1 of 2"


def test_a_split_posterior_is_unsure() -> None:
    fusion = Fusion(3, 0, FusionSettings(sure_above=0.9))
    fusion.add(look(SPLIT))
    assert fusion.verdict(1).unsure
    assert fusion.verdict(1).reason == "low posterior: 0.49, sure above 0.90"


def test_touching_parts_are_unsure_until_they_part() -> None:
    fusion = Fusion(3, 0)
    fusion.add(look(SURE))
    fusion.set_touching(1)
    assert fusion.verdict(1).reason == "touching parts"
    assert not fusion.certain(1, 1.0)
    fusion.set_touching(1, False)
    assert not fusion.verdict(1).unsure


def test_a_bin_can_be_certain_where_the_part_is_not() -> None:
    fusion = Fusion(3, 0, FusionSettings(sure_above=0.9))
    fusion.add(look(SPLIT))
    assert fusion.verdict(1).unsure
    assert fusion.certain(1, mass=0.97)
    assert not fusion.certain(1, mass=0.89)


def test_an_unknown_track_is_the_prior_and_leaves_no_trace() -> None:
    fusion = Fusion(3, 2, part_prior=np.array([0.5, 0.3, 0.2], np.float32))
    verdict = fusion.verdict(99)
    assert verdict.part_posterior == pytest.approx([0.5, 0.3, 0.2])
    assert verdict.unsure
    assert verdict.colour_posterior.size == 0
    assert len(fusion) == 0
    assert not fusion.certain(99, 1.0)


def test_size_counts_once_whatever_the_number_of_looks() -> None:
    size = SizeOfSecond()
    fusion = Fusion(3, 0, FusionSettings(exponent=1.0, size_exponent=1.0), size)
    for _ in range(4):
        fusion.add(look(np.log(np.full(3, 1 / 3, np.float32))))
        fusion.set_size(1, 16.0, 8.0)
        posterior = fusion.verdict(1).part_posterior
    assert posterior[1] == pytest.approx(1 / (1 + 2 * np.exp(-3)), abs=1e-4)
    assert size.asked == [(16.0, 8.0)]
    fusion.set_size(1, 16.1, 8.0)
    fusion.verdict(1)
    assert size.asked[-1] == (16.1, 8.0)


def test_the_size_is_tempered() -> None:
    fusion = Fusion(3, 0, FusionSettings(size_exponent=0.5), SizeOfSecond())
    fusion.set_size(1, 16.0, 8.0)
    assert fusion.verdict(1).part_posterior[1] == pytest.approx(1 / (1 + 2 * np.exp(-1.5)), abs=1e-4)


def test_size_tells_look_alikes_apart() -> None:
    fusion = Fusion(3, 0, FusionSettings(), SizeOfSecond())
    fusion.add(look(SPLIT))
    assert fusion.verdict(1).part_posterior.argmax() == 0
    fusion.set_size(1, 16.0, 8.0)
    assert fusion.verdict(1).part_posterior.argmax() == 1


def test_colours_are_fused_and_unmeasured_ones_left_out() -> None:
    fusion = Fusion(3, 2)
    fusion.add(look(SURE, colour=np.log(np.array([0.2, 0.8], np.float32))))
    before = fusion.verdict(1).colour_posterior
    fusion.add(look(SURE))
    assert np.array_equal(fusion.verdict(1).colour_posterior, before)
    assert before.argmax() == 1


def test_tracks_do_not_mix() -> None:
    fusion = Fusion(3, 0)
    fusion.add(look(SURE, track_id=1))
    fusion.add(look(SURE[::-1].copy(), track_id=2))
    assert fusion.verdict(1).part_posterior.argmax() == 0
    assert fusion.verdict(2).part_posterior.argmax() == 2


def test_forgotten_tracks_are_gone() -> None:
    fusion = Fusion(3, 0)
    fusion.add(look(SURE))
    fusion.forget(1)
    fusion.forget(1)
    assert len(fusion) == 0
    assert fusion.looks(1) == 0


def test_memory_is_bounded_even_if_nothing_is_forgotten() -> None:
    fusion = Fusion(3, 0)
    for track_id in range(MOST_TRACKS + 10):
        fusion.add(look(SURE, track_id))
    assert len(fusion) == MOST_TRACKS
    assert fusion.looks(MOST_TRACKS + 9) == 1


@pytest.mark.parametrize("method", list(Method))
def test_a_rounded_zero_is_no_veto(method: Method) -> None:
    fusion = Fusion(3, 0, FusionSettings(method, exponent=1.0))
    fusion.add(look(np.array([-np.inf, -0.1, -2.3], np.float32)))
    for _ in range(12):
        fusion.add(look(np.array([-0.02, -4.7, -4.7], np.float32)))
    assert fusion.verdict(1).part_posterior.argmax() == 0


@pytest.mark.parametrize(
    ("scores", "quality"),
    [(np.zeros(2, np.float32), 1.0), (np.array([0, np.nan, 0], np.float32), 1.0), (SURE, -0.1), (SURE, np.nan)],
)
def test_unusable_looks_are_refused(scores: Scores, quality: float) -> None:
    with pytest.raises(ValueError, match="a look"):
        Fusion(3, 0).add(look(scores, quality=quality))


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"exponent": 1.5}, "exponent is 1.5"), ({"sure_above": -1}, "sure_above"), ({"min_looks": 0}, "min_looks is 0")],
)
def test_settings_out_of_bounds_are_refused(changes: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        FusionSettings(**changes)


@pytest.mark.parametrize(("likeliest", "twofold", "touching"), [(1, 5.0, False), (0, 1.0, False), (0, 3.0, True)])
def test_a_size_that_does_not_fit_what_the_looks_show_speaks_for_two_parts(
    likeliest: int, twofold: float, touching: bool
) -> None:
    fusion = Fusion(3, 0, FusionSettings(exponent=1.0), SizeOfSecond())
    scores = np.full(3, -9, np.float32)
    scores[likeliest] = 0
    fusion.add(Prediction(1, 0, "top", scores, np.zeros(0, np.float32), 1.0))
    fusion.set_touching(1, False, twofold)
    assert not fusion.is_touching(1)
    fusion.set_size(1, 16.0, 8.0)
    assert fusion.is_touching(1) is touching
    assert (fusion.verdict(1).reason == "touching parts") is touching


@pytest.mark.parametrize(
    ("likeliest", "free", "touching"), [(1, 0.0, True), (1, 0.04, True), (1, 0.4, False), (0, 0.4, True)]
)
def test_what_a_part_leaves_free_of_its_rectangle_by_itself_speaks_for_no_second_one(
    likeliest: int, free: float, touching: bool
) -> None:
    """An arch lies on its side; what looks like another part and is as open may be two."""
    fusion = Fusion(3, 0, FusionSettings(exponent=1.0), SizeOfSecond(free))
    scores = np.full(3, -9, np.float32)
    scores[likeliest] = 0
    fusion.add(Prediction(1, 0, "top", scores, np.zeros(0, np.float32), 1.0))
    fusion.set_size(1, 16.0, 8.0)
    fusion.set_touching(1, False, 6.0)
    assert fusion.is_touching(1) is touching
