"""A part that the network was never taught is unsure, and the reason says so; a known one is not touched by it."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle.size import SizeEvidence
from edge.bundle.unknown import SCORES, Familiarity, FamiliarityTable, size_fit
from edge.fusion.verdict import Fusion, FusionSettings
from edge.records import Prediction, Scores

PARTS = 100
NO_COLOUR = np.zeros(0, np.float32)


def spread(best: float, among: int) -> Scores:
    """The likeliest part's share, and the rest evenly among so many others."""
    shares = np.full(PARTS, 1e-7)
    shares[0] = best
    shares[1 : among + 1] = (1 - best) / among
    return np.log(shares / shares.sum()).astype(np.float32)


KNOWN, STRANGE = spread(0.9, 2), spread(0.9, 90)


@pytest.fixture
def familiarity() -> Familiarity:
    score = SCORES["generalised entropy"]
    return Familiarity("generalised entropy", (1,), (float((score(KNOWN) + score(STRANGE)) / 2),))


def reason(familiarity: Familiarity | None, *looks: tuple[Scores, float]) -> str:
    fusion = Fusion(PARTS, 0, FusionSettings(sure_above=0.5), familiarity=familiarity)
    for number, (scores, quality) in enumerate(looks):
        fusion.add(Prediction(1, number, "top", scores, NO_COLOUR, quality))
    verdict = fusion.verdict(1)
    assert verdict.unsure == (not fusion.certain(1, 0.99))
    return verdict.reason if verdict.unsure else ""


def test_a_doubt_that_is_spread_over_many_parts_is_an_unknown_part(familiarity: Familiarity) -> None:
    assert reason(familiarity, (STRANGE, 1.0)) == "unknown part"
    assert reason(familiarity, (KNOWN, 1.0)) == ""


def test_without_a_threshold_nothing_is_unknown() -> None:
    assert reason(None, (STRANGE, 1.0)) == ""


def test_looks_count_by_their_quality(familiarity: Familiarity) -> None:
    assert reason(familiarity, (STRANGE, 0.2), (KNOWN, 1.0)) == ""
    assert reason(familiarity, (STRANGE, 1.0), (KNOWN, 0.2)) == "unknown part"


def test_too_few_looks_are_told_first(familiarity: Familiarity) -> None:
    assert reason(familiarity, (STRANGE, 0.0)) == "too few looks: 0 of 1"


def test_a_prior_makes_no_part_familiar(familiarity: Familiarity) -> None:
    prior = np.full(PARTS, 1e-4, np.float32)
    prior[0] = 1 - 99e-4
    fusion = Fusion(PARTS, 0, part_prior=prior, familiarity=familiarity)
    fusion.add(Prediction(1, 0, "top", STRANGE, NO_COLOUR, 1.0))
    assert fusion.verdict(1).part_posterior.max() > 0.99
    assert fusion.verdict(1).reason == "unknown part"


def test_many_looks_have_a_threshold_of_their_own() -> None:
    familiarity = Familiarity("max posterior", (1, 3), (0.5, 0.7))
    middling = spread(0.65, 3)
    assert reason(familiarity, (middling, 1.0)) == ""
    assert reason(familiarity, *[(middling, 1.0)] * 2) == ""
    assert reason(familiarity, *[(middling, 1.0)] * 3) == "unknown part"
    assert reason(familiarity, *[(middling, 1.0)] * 9) == "unknown part"


SIZES = SizeEvidence(
    np.stack([np.full((1, 2), 8.0 * (part % 4 + 1), np.float32) for part in range(PARTS)]),
    np.ones((PARTS, 1), np.float32),
)
"""Squares of 8 to 32 mm; the first part, which the looks show, is one of 8 mm."""


@pytest.mark.parametrize(
    ("side_mm", "size", "told"),
    [(9.2, SIZES, ""), (20.0, SIZES, "unknown part"), (20.0, None, ""), (None, SIZES, "")],
    ids=["fits", "does not fit", "the bundle has no sizes", "not measured"],
)
def test_a_size_that_no_part_has_that_the_looks_show_is_unknown(
    side_mm: float | None, size: SizeEvidence | None, told: str
) -> None:
    familiarity = Familiarity("max posterior", (1,), (0.5,), 0.1, (1.1,))
    fusion = Fusion(PARTS, 0, FusionSettings(exponent=1.0), size, familiarity=familiarity)
    fusion.add(Prediction(1, 0, "top", KNOWN, NO_COLOUR, 1.0))
    if side_mm is not None:
        fusion.set_size(1, side_mm, side_mm)
    verdict = fusion.verdict(1)
    assert (verdict.reason if verdict.unsure else "") == told


def test_the_fit_follows_new_looks_and_a_new_size() -> None:
    familiarity = Familiarity("max posterior", (1,), (0.5,), 0.1, (1.1,))
    fusion = Fusion(PARTS, 0, FusionSettings(exponent=1.0), SIZES, familiarity=familiarity)
    fusion.add(Prediction(1, 0, "top", KNOWN, NO_COLOUR, 1.0))
    fusion.set_size(1, 20.0, 20.0)
    assert fusion.verdict(1).reason == "unknown part"
    fusion.set_size(1, 9.2, 9.2)
    assert not fusion.verdict(1).unsure
    fusion.set_size(1, 33.2, 33.2)
    assert fusion.verdict(1).reason == "unknown part"
    of_32_mm = np.roll(KNOWN, 3)
    for number in range(4):
        fusion.add(Prediction(1, number + 1, "top", of_32_mm, NO_COLOUR, 1.0))
    assert not fusion.verdict(1).unsure


def test_a_large_part_fits_as_well_as_a_small_one_though_each_of_its_sizes_is_less_likely() -> None:
    def fit(side_mm: float) -> tuple[float, float]:
        alone = np.zeros(PARTS, np.float32)
        alone[round(side_mm / 8) - 1] = 1.0
        likelihood = SIZES.log_likelihood(side_mm + SIZES.excess_mm, side_mm + SIZES.excess_mm)
        seen_mm = side_mm + SIZES.excess_mm
        return size_fit(alone, likelihood, seen_mm, seen_mm), float(likelihood.max())

    (small, small_likely), (large, large_likely) = fit(16.0), fit(32.0)
    assert small_likely - large_likely > 0.9
    assert abs(large - small) < 0.5


def test_what_may_be_lost_is_chosen_between_the_fitted_shares() -> None:
    table = FamiliarityTable(
        "max posterior", (1, 3), (0.01, 0.04), ((0.1, 0.3), (0.2, 0.5)), 0.1, ((1.0, 1.0), (2.0, 3.0))
    )
    between = table.losing(0.02)
    assert between.least == pytest.approx((0.15, 0.4))
    assert between.least_with_size == pytest.approx((1.5, 2.0))
    assert table.losing(0.001) == table.losing(0.01)
    assert table.losing(0.1) == table.losing(0.04)


@pytest.mark.parametrize(("score", "least"), [("guess", 0.1), ("max posterior", np.nan)])
def test_a_wrong_threshold_is_refused(score: str, least: float) -> None:
    with pytest.raises(ValueError, match=r"scores: max posterior, generalised entropy, standardised logit\)"):
        Familiarity(score, (1,), (least,))
