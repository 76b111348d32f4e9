"""What is fitted on unseen looks comes out as it was put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.bundle.dequantize import log_softmax
from edge.errors import InputError
from edge.fusion.evidence import Method
from quantization.data import augment
from quantization.data.belts import make_belts
from quantization.data.layers import open_layers
from quantization.evaluate.fits import (
    expected_calibration_error,
    fit_fusion_exponent,
    fit_temperature,
    fit_unsure_below,
    negative_log_likelihood,
    reliability,
    top,
    top1,
)
from quantization.evaluate.fusions import fuse
from quantization.evaluate.looks import make_test_looks

CLASSES = 8
LOOKS = 5


def drawn_from(log_scores, rng):
    """Families drawn from the posteriors themselves: a world in which these are right."""
    chances = np.exp(log_scores).cumsum(axis=1)
    return (rng.random((len(chances), 1)) > chances).sum(axis=1).clip(0, log_scores.shape[1] - 1)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_that_made_the_answers_is_found(temperature):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (6000, CLASSES)).astype(np.float32)
    families = drawn_from(log_softmax(logits, temperature), rng)
    assert fit_temperature(logits, families) == pytest.approx(temperature, rel=0.07)


@pytest.mark.parametrize("exponent", [0.15, 0.5, 0.85])
def test_the_fusion_exponent_that_made_the_answers_is_found(exponent):
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 1.5, (1200, 1, CLASSES))
    own = rng.normal(0, 0.5, (1200, LOOKS, CLASSES))
    looks = log_softmax((shared + own).astype(np.float32))
    truth = drawn_from(np.log(fuse(looks, Method.TEMPERED_PRODUCT, exponent)), rng)
    found = fit_fusion_exponent(looks.reshape(-1, CLASSES), np.repeat(truth, LOOKS), LOOKS)
    assert found == pytest.approx(exponent, abs=0.08)


def test_calibrated_answers_have_no_calibration_error_overconfident_ones_do():
    rng = np.random.default_rng(4)
    log_scores = log_softmax(rng.normal(0, 2, (20_000, CLASSES)).astype(np.float32))
    families = drawn_from(log_scores, rng)
    assert expected_calibration_error(log_scores, families) < 0.012
    assert expected_calibration_error(log_softmax(3 * log_scores), families) > 0.15


def test_the_calibration_error_of_a_known_case():
    log_scores = np.log(np.array([[0.9, 0.1]] * 10, np.float32))
    families = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(log_scores, families) == pytest.approx(0.3, abs=1e-6)
    assert top1(log_scores, families) == 0.6
    assert negative_log_likelihood(log_scores, families) == pytest.approx(-(6 * np.log(0.9) + 4 * np.log(0.1)) / 10)


def test_above_the_threshold_the_answers_are_precise():
    best = np.linspace(0.99, 0.5, 50)
    log_scores = np.log(np.stack([best, 1 - best], axis=1)).astype(np.float32)
    families = np.r_[np.zeros(40, int), np.ones(10, int)]
    threshold = fit_unsure_below(log_scores, families, precision=0.95)
    sure = best >= threshold - 1e-6
    assert (families[sure] == 0).mean() >= 0.95
    assert sure.sum() == 42
    assert fit_unsure_below(log_scores, np.ones(50, int)) == 0.99


def test_the_reliability_of_a_known_case():
    log_scores = np.log(np.array([[0.85, 0.15]] * 10 + [[0.35, 0.65]] * 30, np.float32))
    table = reliability(log_scores, np.array([0] * 6 + [1] * 34), bins=10)
    assert table[8] == pytest.approx([0.25, 0.85, 0.6])
    assert table[6] == pytest.approx([0.75, 0.65, 1.0])
    assert table[2] == pytest.approx([0.0, 0.25, 0.25])


def test_the_best_few_hold_the_right_one():
    scores = np.array([[5, 4, 3, 2, 1, 0]] * 2, np.float32)
    assert [top(scores, np.array([0, 4]), count) for count in (1, 4, 5, 6)] == [0.5, 0.5, 1.0, 1.0]


def test_a_family_without_test_renders_is_named(renders):
    looks = open_layers(renders)
    fewer = replace(looks, families=(*looks.families, "3024", "3005"))
    with pytest.raises(InputError, match="show nothing of 3024, 3005 of 4 families: run 'brickgate-model render' to"):
        make_test_looks(fewer, 32, 4, 1, seed=3)


def test_test_looks_come_in_runs_of_one_family(renders, monkeypatch):
    monkeypatch.setattr(augment, "make_belts", lambda rng, size_px: make_belts(rng, size_px, 6))
    made, again = (make_test_looks(open_layers(renders), 32, 4, 3, seed=3) for _ in range(2))
    assert made.families.tolist() == [0] * 3 + [1] * 3 + [0] * 3 + [1] * 3
    batches = list(made.batches(5))
    assert [batch.shape for batch in batches] == [(5, 32, 32, 3), (5, 32, 32, 3), (2, 32, 32, 3)]
    assert np.array_equal(again.picture(7), np.concatenate(batches)[7])
    assert not np.array_equal(made.picture(0), made.picture(1))
