"""A part that the network was never taught is unsure, and the reason says so; a known one is not touched by it."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle.unknown import SCORES, Familiarity
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
    return Familiarity("generalised entropy", float((score(KNOWN) + score(STRANGE)) / 2))


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


@pytest.mark.parametrize(("score", "least"), [("guess", 0.1), ("max posterior", np.nan)])
def test_a_wrong_threshold_is_refused(score: str, least: float) -> None:
    with pytest.raises(ValueError, match=r"scores: max posterior, generalised entropy, standardised logit\)"):
        Familiarity(score, least)
