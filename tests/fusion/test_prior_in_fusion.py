"""What a prior does to a verdict: it settles close calls, and spoils neither clear evidence nor confidences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import load_bundle
from edge.catalogue.parts import PartCatalogue
from edge.catalogue.prior import COMMON, read_prior, shares
from edge.fusion.verdict import Fusion, FusionSettings
from edge.records import Prediction, Scores

NO_COLOUR = np.zeros(0, np.float32)
BINS = 15
FEW_COMMON: NDArray[np.float32] = (np.repeat([30.0, 1.0], [20, 580]) / 1180).astype(np.float32)
"""Half of what comes is of 20 kinds, the other half of 580."""


def verdict_of(looks: list[Scores], prior: Scores | None, exponent: float = 0.12) -> Scores:
    fusion = Fusion(len(looks[0]), 0, FusionSettings(exponent=exponent), part_prior=prior)
    for number, scores in enumerate(looks):
        fusion.add(Prediction(1, number, "top", scores, NO_COLOUR, 1.0))
    return fusion.verdict(1).part_posterior


def look_at(parts: int, **shares_of: float) -> Scores:
    """A look with some parts' probabilities, by their places; the others share the rest."""
    given = {int(place[1:]): share for place, share in shares_of.items()}
    scores = np.full(parts, (1 - sum(given.values())) / (parts - len(given)))
    for place, share in given.items():
        scores[place] = share
    return np.log(scores).astype(np.float32)


@pytest.fixture(scope="module")
def common() -> Scores:
    return shares(read_prior(COMMON), PartCatalogue(load_bundle("universal").parts))


def test_a_close_call_goes_to_the_common_part(common: Scores) -> None:
    rare, often = f"p{common.argmin()}", f"p{common.argmax()}"
    looks = [look_at(len(common), **{rare: 0.5, often: 0.4})] * 3
    assert verdict_of(looks, None).argmax() == common.argmin()
    assert verdict_of(looks, common).argmax() == common.argmax()
    assert verdict_of(looks, common).max() > 0.95


def test_clear_evidence_overrules_the_prior(common: Scores) -> None:
    """Clear against the commonest part of all, which is hundreds of times as common."""
    rare, often = f"p{common.argmin()}", f"p{common.argmax()}"
    for looks in (1, 5):
        posterior = verdict_of([look_at(len(common), **{rare: 0.998, often: 0.0002})] * looks, common)
        assert posterior.argmax() == common.argmin()
        assert posterior.max() > 0.8


def test_the_strongest_prior_that_can_be_written_is_no_veto() -> None:
    wrong: Scores = np.array([1000 / 1002, 1 / 1002, 1 / 1002], np.float32)
    posterior = verdict_of([look_at(3, p1=0.9998, p0=0.0001)] * 5, wrong)
    assert posterior.argmax() == 1


def drawn_world(
    prior: NDArray[np.float32], rng: np.random.Generator, parts: int, looks: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Parts that come as often as the prior says, and log-likelihoods of looks as a calibrated network gives them:
    logits of unit noise around a bump at the true part (Gaussian likelihoods of one variance)."""
    kinds = len(prior)
    truth = rng.choice(kinds, parts, p=prior / prior.sum())
    bump, noise = 4.0, 1.0
    seen = rng.normal(0, noise, (parts, looks, kinds))
    seen[np.arange(parts)[:, np.newaxis], np.arange(looks), truth[:, np.newaxis]] += bump
    return truth, log_softmax((seen * bump / noise**2).astype(np.float32))


def calibration_error(posteriors: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    confidence, right = posteriors.max(1), posteriors.argmax(1) == truth
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return sum(abs(float((right - confidence)[place == b].sum())) for b in range(BINS)) / len(truth)


@pytest.mark.parametrize("looks", [1, 2])
def test_confidences_hold_where_the_world_follows_the_prior(looks: int) -> None:
    prior = FEW_COMMON
    truth, scores = drawn_world(prior, np.random.default_rng(5), 1500, looks)
    fused = np.array([verdict_of(list(each), prior, exponent=1.0) for each in scores])
    without = np.array([verdict_of(list(each), None, exponent=1.0) for each in scores])
    assert calibration_error(fused, truth) < 0.03
    assert (fused.argmax(1) == truth).mean() > (without.argmax(1) == truth).mean()


def test_a_wrong_prior_costs_some_parts_but_not_most() -> None:
    """The other side: who sorts rare parts alone under the common prior loses some of them."""
    prior = FEW_COMMON
    world = np.r_[np.zeros(20), np.full(580, 1.0)].astype(np.float32)
    truth, scores = drawn_world(world, np.random.default_rng(6), 1500, 1)
    fused = np.mean([verdict_of(list(each), prior).argmax() for each in scores] == truth)
    honest = np.mean([verdict_of(list(each), None).argmax() for each in scores] == truth)
    assert honest - 0.15 < fused < honest
